#!/usr/bin/env python3
"""Builds and runs test/consumer/project as a stranger would.

    run.py subproject OPTIONS -- COMPILER...
        a Meson project that takes dynconf as a subproject through a wrap (static library)
    run.py installed OPTIONS -- COMPILER...
        the build directory installed to a temporary place, found by pkg-config (the library as it was built)
"""

import argparse
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'support'))
import compile_command  # noqa: E402

WRAP = """[wrap-file]
directory = dynconf

[provide]
dynconf = dynconf_dep
"""


def run(*command, **kwargs):
    print('+', shlex.join(map(str, command)), flush=True)
    return subprocess.run(list(map(str, command)), check=True, **kwargs)


def fresh(directory):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def subproject(args, project, compiler):
    # The same place each time, so that ccache knows the files again.
    work = fresh(args.work / 'subproject')
    shutil.copytree(project, work, dirs_exist_ok=True)
    (work / 'subprojects').mkdir()
    (work / 'subprojects' / 'dynconf.wrap').write_text(WRAP)
    (work / 'subprojects' / 'dynconf').symlink_to(args.source)
    env = dict(os.environ, CXX=shlex.join(compiler))
    run('meson', 'setup', work / 'build', work, '-Dcheck_subproject=true', '-Ddefault_library=static',
        '-Ddebug=false', '-Doptimization=0', '--force-fallback-for=dynconf', env=env)
    run('meson', 'compile', '-C', work / 'build', 'consumer')
    run(work / 'build' / 'consumer')


def installed(args, project, compiler):
    stage = fresh(args.work / 'installed')
    run('meson', 'install', '-C', args.build, '--no-rebuild', '--quiet', env=dict(os.environ, DESTDIR=str(stage)))
    pc_files = list(stage.rglob('dynconf.pc'))
    if len(pc_files) != 1:
        sys.exit(f'expected one dynconf.pc below {stage}, found {pc_files}')
    env = dict(os.environ, PKG_CONFIG_PATH=str(pc_files[0].parent))
    prefix = pc_files[0].read_text().splitlines()[0].removeprefix('prefix=')
    library_dir = pc_files[0].parent.parent
    static = ['--static'] if not list(library_dir.glob('libdynconf.so*')) else []
    for source, package in (('main.cpp', 'dynconf'), ('own_test.cpp', 'dynconf-testing')):
        flags = run('pkg-config', f'--define-variable=prefix={stage}{prefix}', '--cflags', '--libs', *static, package,
                    env=env, stdout=subprocess.PIPE, text=True).stdout
        print(flags)
        program = stage / pathlib.Path(source).stem
        run(*compiler, project / source, '-o', program, *shlex.split(flags),
            *compile_command.system_includes(args.build, args.like))
        run(program, env=dict(os.environ, LD_LIBRARY_PATH=str(library_dir)))


def main():
    split = sys.argv.index('--')
    parser = argparse.ArgumentParser()
    parser.add_argument('mode', choices=['subproject', 'installed'])
    parser.add_argument('--source', type=pathlib.Path, required=True)
    parser.add_argument('--work', type=pathlib.Path, required=True)
    parser.add_argument('--build', type=pathlib.Path, required=True)
    parser.add_argument('--like', required=True)
    args = parser.parse_args(sys.argv[1:split])
    compiler = sys.argv[split + 1:]
    project = pathlib.Path(__file__).resolve().parent / 'project'
    try:
        (subproject if args.mode == 'subproject' else installed)(args, project, compiler)
    except subprocess.CalledProcessError as e:
        return f'failed with status {e.returncode}: {shlex.join(e.cmd)}'
    return 0


if __name__ == '__main__':
    sys.exit(main())
