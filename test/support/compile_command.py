"""What Meson's compile_commands.json says about one source file."""

import json
import pathlib
import shlex


def system_includes(build, source):
    """The -isystem options (absolute) with which the file whose path ends in `source` is compiled in `build`.

    These are the libraries that Meson took from a wrap, or found where no compiler looks by itself.
    """
    for entry in json.loads((pathlib.Path(build) / 'compile_commands.json').read_text()):
        if not entry['file'].endswith(source):
            continue
        options = []
        for word in shlex.split(entry['command']):
            if word.startswith('-isystem'):
                options += ['-isystem', str((pathlib.Path(entry['directory']) / word[len('-isystem'):]).resolve())]
        return options
    raise SystemExit(f'no compile command for {source} in {build}')
