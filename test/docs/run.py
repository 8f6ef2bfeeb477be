#!/usr/bin/env python3
"""Checks the documentation.

    run.py snippets PROGRAM          runs the compiled snippets beside an etcd of their own
    run.py events ROOT               docs/logging.md has the events and fields of the log calls in lib/, no more and no less
    run.py words ROOT DOCUMENT...    links lead somewhere, commands and named files exist, variables are known to the code
"""

import os
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from private_etcd import Etcd, Program, require_etcd  # noqa: E402

# What the snippets find in etcd.
CONTENT = {'/myapp/prod/Database/Host': 'db1', '/myapp/prod/Database/Port': '6543', '/myapp/prod/Features/Cache': 'on',
           '/myapp/prod/Health/Interval': '1m30s', '/myapp/prod/Region/Default': 'eu'}


def snippets(program):
    require_etcd()
    program = pathlib.Path(program).resolve()
    with Etcd() as etcd, tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)   # one snippet leaves a file
        for key, value in CONTENT.items():
            etcd.put(key, value)
        with Program(program, env={'EtcdSettings__HostName': etcd.endpoint}) as run:
            try:
                run.finish(seconds=120)
            finally:
                run.process.kill()
                run.reader.join()
                print(*run.lines, sep='\n')


def anchors(text):
    """GitHub's names of the headings."""
    outside = re.sub(r'^```.*?^```$', '', text, flags=re.M | re.S)
    return {re.sub(r'[^\w\- ]', '', h.lower()).strip().replace(' ', '-') for h in re.findall(r'^#+ (.*)$', outside, re.M)}


def wrong_links(document, text):
    for target in re.findall(r'\]\(([^)\s]+)\)', text):
        path, _, anchor = target.partition('#')
        if re.match(r'[a-z]+:', target):
            continue
        to = document.parent / path if path else document
        if not to.exists():
            yield f'link to {target}: there is no such file'
        elif anchor and anchor not in anchors(to.read_text()):
            yield f'link to {target}: there is no such heading'


def wrong_names(root, text):
    for block in re.findall(r'^```sh\n(.*?)^```$', text, re.M | re.S):
        for command in re.findall(r'(?:^|\s)\./([\w./-]+)', block):
            if not (root / command).exists() and not command.startswith('build'):
                yield f'command ./{command}: there is no such file'
    for path in re.findall(r'`((?:include|lib|test|samples|scripts|docs|tools|subprojects)/[\w./-]+)`', text):
        if not (root / path).exists():
            yield f'`{path}`: there is no such file'


def words(root, documents):
    root = pathlib.Path(root)
    wrong = 0
    for document in map(pathlib.Path, documents):
        text = document.read_text()
        for why in [*wrong_links(document, text), *wrong_names(root, text)]:
            print(f'{document.name}: {why}')
            wrong += 1
    sys.exit(1 if wrong else 0)


def calls(text, name):
    """The arguments of each call of `name`, as text."""
    for start in re.finditer(rf'\b{name}\(', text):
        depth, at, quoted = 1, start.end(), False
        while depth:
            if text[at] == '"' and text[at - 1] != '\\':
                quoted = not quoted
            if not quoted:
                depth += {'(': 1, ')': -1}.get(text[at], 0)
            at += 1
        yield text[start.end():at - 1]


def events(root):
    root = pathlib.Path(root)
    said, told = {}, {}
    for source in root.glob('lib/**/*.cpp'):
        for call in calls(source.read_text(), '(?:log|write)'):
            event = re.search(r'log_level::\w+,\s*"(\w+)"', call)
            if event:
                said.setdefault(event[1], set()).add(frozenset(re.findall(r'\{"(\w+)",', call)))
    text = (root / 'docs/logging.md').read_text()
    for event, fields in re.findall(r'^\| `(\w+)` \| [\w, ]+ \| ([^|]*?) ?\| ', text, re.M):
        told[event] = {frozenset(re.findall(r'`(\w+)`', fields))}
    wrong = [f'{e}: the code has {sorted(map(sorted, said.get(e, [])))}, docs/logging.md {sorted(map(sorted, told.get(e, [])))}'
             for e in sorted({*said, *told}) if said.get(e) != told.get(e)]
    fields = {f for each in said.values() for some in each for f in some}
    listed = set(re.findall(r'^\| `(\w+)` \| [^|]* \|$', text, re.M))
    wrong += [f'field {f}: not both in the code and in the last table' for f in sorted(fields ^ listed)]
    print(*wrong, f'{len(said)} events, {len(fields)} fields', sep='\n')
    sys.exit(1 if wrong or not said else 0)


def main():
    mode, *rest = sys.argv[1:]
    if mode == 'events':
        events(*rest)
    if mode == 'words':
        words(rest[0], rest[1:])
    try:
        snippets(*rest)
    except AssertionError as failed:
        sys.exit(str(failed))


if __name__ == '__main__':
    main()
