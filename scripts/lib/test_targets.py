#!/usr/bin/env python3
"""Prints the ninja targets that the given suites need: test_targets.py BUILD_DIR SUITE..."""

import json
import os
import subprocess
import sys


def introspect(build_dir, what):
    return json.loads(subprocess.check_output(['meson', 'introspect', what, build_dir]))


def main():
    build_dir = os.path.realpath(sys.argv[1])
    suites = set(sys.argv[2:])
    needed = set()
    for test in introspect(build_dir, '--tests'):
        if suites & {s.split(':')[-1] for s in test['suite']}:
            needed.update(test['depends'])
    for target in introspect(build_dir, '--targets'):
        if target['id'] in needed:
            for name in target['filename']:
                print(os.path.relpath(name, build_dir))


if __name__ == '__main__':
    main()
