"""The `vimmerse` command."""

import sys

from vimmerse_async._version import __version__

_PARTS = frozenset(("click", "dotenv", "rich", "rich_click"))


def main() -> int:
    """Run the command that stands in `sys.argv` and return its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"vimmerse {__version__}\n")
        return 0
    try:
        from vimmerse_async.cli.app import run  # noqa: PLC0415 - `--version` must not pay for it
    except KeyboardInterrupt:
        return 130
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _PARTS:
            raise
        sys.stderr.write(
            'vimmerse: the command line needs the extra `cli`: pip install "vimmerse-async[cli]"\n'
        )
        return 2
    from vimmerse_async import system  # noqa: PLC0415

    system.speak(*filter(None, (sys.stdin, sys.stdout, sys.stderr)))
    code = run(sys.argv[1:])
    if code > 128:
        from vimmerse_async.cli.runner import is_held, leave  # noqa: PLC0415

        if is_held():
            leave(code)
    return code
