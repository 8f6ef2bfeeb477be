#!/usr/bin/env python3
"""Compiles each public header alone: headers.py INCLUDE_DIR --build DIR --like SOURCE -- COMPILER ARGS...

Objects, not -fsyntax-only: as cheap without optimization, and ccache remembers them.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'support'))
import compile_command  # noqa: E402

# What stays out of the public headers, so that a user's build neither needs nor pays for it.
PRIVATE = re.compile(r'^\s*#\s*include\s*[<"](openssl/|boost/beast|boost/asio/ssl|boost/json)', re.M)


def check(header, include_dir, command, work):
    name = header.relative_to(include_dir).as_posix()
    private = PRIVATE.search(header.read_text())
    if private:
        return name, f'includes a private dependency: {private.group(0).strip()}', 0
    source = work / (name.replace('/', '_') + '.cpp')
    source.write_text(f'#include <{name}>\n#include <{name}>\n')
    begin = time.monotonic()
    done = subprocess.run(command + ['-I', str(include_dir), '-c', source.name, '-o', source.name + '.o'],
                          cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return name, done.stdout if done.returncode else '', time.monotonic() - begin


def report(name, problem, seconds):
    """One line in the format of test/support/report_listener.cpp."""
    path = os.environ.get('DYNCONF_TEST_REPORT')
    if not path:
        return
    reason = ' '.join(problem.split())[:300]
    state = 'failed' if problem else 'passed'
    with open(path, 'a') as out:
        out.write(f'{state}\t{name} compiles alone\t{reason}\theaders.py\t{os.getpid()}\t{seconds:.3f}\n')


def main():
    split = sys.argv.index('--')
    parser = argparse.ArgumentParser()
    parser.add_argument('include_dir', type=pathlib.Path)
    parser.add_argument('--build', type=pathlib.Path, required=True)
    parser.add_argument('--like', required=True)
    args = parser.parse_args(sys.argv[1:split])
    include_dir = args.include_dir.resolve()
    command = sys.argv[split + 1:] + compile_command.system_includes(args.build, args.like)
    headers = sorted(include_dir.rglob('*.hpp'))
    failed = 0
    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(check, h, include_dir, command, pathlib.Path(work)) for h in headers]
        for job in jobs:
            name, problem, seconds = job.result()
            report(name, problem, seconds)
            print(f'{"FAILED" if problem else "ok":6} {seconds:6.2f} s  {name}')
            if problem:
                failed += 1
                print(problem)
    return 1 if failed or not headers else 0


if __name__ == '__main__':
    sys.exit(main())
