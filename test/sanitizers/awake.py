#!/usr/bin/env python3
"""Whether a sanitizer is at work, options of the surroundings included: awake.py PROGRAM FAULT WORDS

The program has to end badly and to say so in these words; otherwise every run with this sanitizer would be green."""

import subprocess
import sys


def main():
    program, fault, words = sys.argv[1:]
    run = subprocess.run([program, fault], stderr=subprocess.PIPE, text=True, errors='replace')
    if run.returncode == 0 or words not in run.stderr:
        sys.exit(f'"{fault}" went unnoticed: status {run.returncode}\n{run.stderr}')


if __name__ == '__main__':
    main()
