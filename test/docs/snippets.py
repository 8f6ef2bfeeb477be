#!/usr/bin/env python3
"""Turns the C++ blocks of the documentation into one program: snippets.py OUTPUT DOCUMENT...

Each ```cpp block is preceded by a comment that says what it is:
    <!-- snippet: file -->        declarations; later blocks of the same document see them
    <!-- snippet: global -->      the same, outside the document's namespace: specialisations
    <!-- snippet: coroutine -->   the body of an asio::awaitable<void>, with `executor` at hand
    <!-- snippet: function -->    the body of a void function
`check: EXPRESSION` after the kind (as in `<!-- snippet: coroutine; check: port == 1 -->`) must hold at the end of the body,
or after declarations.
"""

import pathlib
import re
import sys

MARKER = re.compile(r'^<!-- snippet: (file|global|coroutine|function)(?:; check: (.*?))? -->$')

PRELUDE = '''// Made by test/docs/snippets.py from the documentation.
#include <dynconf/dynconf.hpp>

#include <boost/asio.hpp>

#include "snippet_runner.hpp"

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using namespace dynconf;
'''


def blocks(document):
    """(kind, check, first line's number, lines) of each C++ block."""
    found, lines = [], document.read_text().splitlines()
    marker, at = None, 0
    while at < len(lines):
        if lines[at] == '```cpp':
            if marker is None:
                sys.exit(f'{document}:{at + 1}: a C++ block without <!-- snippet: ... --> before it')
            end = lines.index('```', at)
            found.append((*marker, at + 2, lines[at + 1:end]))
            at = end
        marker = None
        match = MARKER.match(lines[at])
        if match:
            marker = match.groups()
        at += 1
    return found


def translate(document):
    includes, before, body, calls = [], [], [], []
    space = 'in_' + re.sub(r'\W', '_', document.stem).lower()
    for kind, check, line, code in blocks(document):
        hoisted = [c if c.startswith('#include') else '' for c in code]
        includes += [c for c in hoisted if c]
        code = ['' if h else c for h, c in zip(hoisted, code)]
        place = [f'#line {line} "{document.name}"']
        name = f'line_{line}'
        if kind == 'global':
            before += place + code
        elif kind == 'file':
            body += place + code
        if kind in ('global', 'file'):
            if not check:
                continue
            code, kind = [], 'function'
        if check:
            code.append(f'SNIPPET_CHECK({check});')
        if kind == 'coroutine':
            body += [f'asio::awaitable<void> {name}([[maybe_unused]] asio::any_io_executor executor) {{', *place, *code, 'co_return;', '}']
        else:
            body += [f'asio::awaitable<void> {name}(asio::any_io_executor) {{', '[] {', *place, *code, '}();', 'co_return;', '}']
        calls.append(f'    snippets::run("{document.name}:{line}", {space}::{name});')
    return includes, [*before, f'namespace {space} {{', 'namespace {', *body, '}  // namespace', f'}}  // namespace {space}', ''], calls


def main():
    output = pathlib.Path(sys.argv[1])
    includes, bodies, calls = [], [], []
    for document in map(pathlib.Path, sys.argv[2:]):
        more_includes, body, more_calls = translate(document)
        includes += more_includes
        bodies += body
        calls += more_calls
    text = [PRELUDE, *dict.fromkeys(includes), '', *bodies, 'int main() {', *calls, '    return snippets::finish();', '}', '']
    output.write_text('\n'.join(text))


if __name__ == '__main__':
    main()
