#!/usr/bin/env python3
"""Checks what build hardening leaves in ELF files: hardening.py [FILE...] -- COMPILER... -- COMPILE_ARGS... -- LINK_ARGS...

A small program and a small library are built with these arguments, looked at and run: one that overflows a buffer has to be
stopped. FILEs were built with them before: the library and the programs that are installed.
"""

import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77

SOURCE = r'''
#include <cstdio>
#include <cstdlib>
#include <cstring>
char* volatile into;
__attribute__((noinline)) void fill(const char* what, int size) {   // for the stack protector: nobody knows the sizes here
    char room[16];
    into = room;
    for (int i = 0; i < size; ++i) into[i] = what[i % 4];
}
int main(int count, char** words) {
    char room[8];
    const int size = count > 1 ? std::atoi(words[2]) : 4;
    if (count > 1 && words[1][0] == 's') fill("abcd", size);
    else std::memcpy(room, "a text that is long enough for all of them", static_cast<std::size_t>(size));   // for _FORTIFY_SOURCE
    std::printf("%.4s\n", room);
}
'''


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def faults(path, program):
    """What is wrong with an ELF file."""
    headers, dynamic = run('readelf', '-lW', path), run('readelf', '-dW', path)
    stack = re.search(r'^\s*GNU_STACK(?:\s+0x\w+){5}\s+(\w+)', headers, re.M)
    if not stack or 'E' in stack[1]:
        yield 'its stack is executable'
    if not re.search(r'^\s*GNU_RELRO\s', headers, re.M):
        yield 'no RELRO'
    if not re.search(r'\((?:FLAGS|FLAGS_1|BIND_NOW)\).*\b(?:NOW|BIND_NOW)\b|\(BIND_NOW\)', dynamic):
        yield 'symbols are bound late, so RELRO is partial'
    if '(TEXTREL)' in dynamic:
        yield 'relocations in its text'
    if program and not re.search(r'\(FLAGS_1\).*\bPIE\b', dynamic):
        yield 'not position independent'
    if '__stack_chk_fail' not in run('readelf', '-sW', '--dyn-syms', path):
        yield 'no stack protector'


def is_stopped(program, how, size):
    return subprocess.run([program, how, str(size)], capture_output=True).returncode == -6   # SIGABRT


def main():
    rest, parts = sys.argv[1:], []
    while '--' in rest:
        at = rest.index('--')
        parts.append(rest[:at])
        rest = rest[at + 1:]
    files, compiler, compile_args = parts
    if not shutil.which('readelf') or platform.system() != 'Linux':
        print('no readelf')
        sys.exit(SKIPPED)
    wrong = [f'{f}: {fault}' for f in files for fault in faults(f, '.so' not in pathlib.Path(f).name)]
    with tempfile.TemporaryDirectory() as work:
        source, program, library = (str(pathlib.Path(work) / name) for name in ('small.cpp', 'small', 'libsmall.so'))
        pathlib.Path(source).write_text(SOURCE)
        run(*compiler, '-O2', '-w', *compile_args, '-fPIE', source, '-pie', *rest, '-o', program)
        run(*compiler, '-O2', '-w', *compile_args, '-fPIC', source, '-shared', *rest, '-o', library)
        wrong += [f'a small program: {fault}' for fault in faults(program, True)]
        wrong += [f'a small library: {fault}' for fault in faults(library, False)]
        if is_stopped(program, 'm', 4) or is_stopped(program, 's', 4):
            wrong.append('a small program is stopped without a reason')
        if any('_FORTIFY_SOURCE=' in a for a in compile_args) and not is_stopped(program, 'm', 40):
            wrong.append('_FORTIFY_SOURCE does not stop an overflow')
        if not is_stopped(program, 's', 64):
            wrong.append('the stack protector does not stop an overflow')
    print(*wrong, f'{len(files)} files of this build, {len(wrong)} faults', sep='\n')
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
