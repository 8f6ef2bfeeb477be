#!/usr/bin/env python3
"""Checks that a shared library defines nothing of what it is built of: exports.py LIBRARY

Programs may bring other versions of it. Asio is the exception: io_context and strands are shared, and so are their names.
"""

import re
import subprocess
import sys

FOREIGN = re.compile(r'\b(?:boost::(?:json|beast|container)|nlohmann|CLI|Catch)::|^(?:SSL|EVP|X509|OPENSSL|BIO)_')


def main():
    lines = subprocess.run(['nm', '-DC', '--defined-only', sys.argv[1]], check=True, capture_output=True, text=True).stdout
    names = [line.split(' ', 2)[2] for line in lines.splitlines()]
    ours = [n for n in names if 'dynconf::' in n]
    # Templates of Asio's that are named after foreign types come along; a type alone does no harm, code does.
    foreign = [n for n in names if FOREIGN.search(re.split(r'[<(]', n)[0])]
    print(*foreign, f'{len(ours)} names of ours, {len(foreign)} of others', sep='\n')
    sys.exit(1 if foreign or not ours else 0)


if __name__ == '__main__':
    main()
