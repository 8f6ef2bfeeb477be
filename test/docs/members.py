#!/usr/bin/env python3
"""Checks that docs/client.md shows each public function of the client's headers: members.py ROOT

A member has to be called in the section whose heading names its class, or anywhere when no heading does. No two headings name
the same.
"""

import pathlib
import re
import sys

# What the language or Boost wants and nobody calls by name.
PLUMBING = {'make_error_code', 'make_error_condition', 'dynconf_category', 'server_category', 'grpc_category',
            'condition_category', 'throw_exception_from_error'}

SCOPE = re.compile(r'\b(?P<kind>class|struct|namespace)\s+(?:DYNCONF_API\s+)?(?P<name>[\w:]+)[^()]*$')
FUNCTION = re.compile(r'^[^=(]*?\b(?P<name>[a-z]\w*)\s*\(')
NO_FUNCTION = re.compile(r'\b(?:friend|using|struct|class|enum|explicit|operator|decltype)\b|~')
ACCESS = r'\b(?:public|private|protected)\s*:'


def functions(text):
    """(class or '', name) of each public function; of constructors and operators none."""
    text = re.sub(r'//[^\n]*|^#[^\n]*|"(?:[^"\\\n]|\\.)*"', '', text, flags=re.M)
    scopes, statement, hidden = [], '', False   # a scope: its name, None for a body; and whether what is outside is hidden
    for piece in re.findall(rf'[{{}};]|{ACCESS}|(?:(?!{ACCESS})[^{{}};])+', text):
        if re.fullmatch(ACCESS, piece):
            hidden = not piece.startswith('public')
            continue
        if piece not in '{};':
            statement += piece
            continue
        declared = re.sub(r'template\s*<[^>]*>|\[\[.*?\]\]', '', statement)
        scope, function = SCOPE.search(declared), FUNCTION.search(declared)
        inside = [name for name, _ in scopes]
        if piece in '{;' and function and not scope and not hidden and not NO_FUNCTION.search(declared) \
                and None not in inside and 'detail' not in inside:
            owner = next((n for n, _ in reversed(scopes) if n != 'dynconf'), '')
            if function['name'] not in (owner, *PLUMBING):
                yield owner, function['name']
        if piece == '{':
            scopes.append((scope and scope['name'], hidden))
            hidden = bool(scope) and scope['kind'] == 'class'
        elif piece == '}' and scopes:
            hidden = scopes.pop()[1]
        statement = ''


def main():
    root = pathlib.Path(sys.argv[1])
    text = (root / 'docs/client.md').read_text()
    sections, shown, missing = {}, set(), []
    for section in re.split(r'^(?=##)', text, flags=re.M):
        for name in re.findall(r'`(\w+)`', section.partition('\n')[0]):
            if name in sections:
                missing.append(f'docs/client.md: `{name}` has two sections')
            sections[name] = section
    for header in sorted((root / 'include/dynconf').glob('*.hpp')):
        for owner, name in functions(header.read_text()):
            where = f'{owner}::{name}' if owner else name
            if re.search(rf'\b{name}\(', sections.get(owner, text)):
                shown.add(where)
            else:
                missing.append(f'{header.name}: {where} is not in docs/client.md')
    print(*missing, f'{len(shown)} members are shown', sep='\n')
    sys.exit(1 if missing or not shown else 0)


if __name__ == '__main__':
    main()
