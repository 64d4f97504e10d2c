"""The tree of commands, each loaded when it is used, and the one place where errors end."""

import difflib
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

import rich_click as click

from vimmerse_async import system
from vimmerse_async._version import __version__
from vimmerse_async.cli.completion import completion_options
from vimmerse_async.cli.errors import end_quietly, report
from vimmerse_async.cli.terminal import speaking, tell

_COMMANDS: Mapping[str, str] = {
    "caption": "caption",
    "refine": "ask",
    "prompt": "ask",
    "suggest": "ask",
    "upload": "upload",
    "export": "export",
    "report": "report",
    "login": "login",
    "logout": "login",
    "view": "view",
    "mark": "mark",
    "status": "status",
    "mcp": "mcp",
    "emulator": "emulator",
    "man": "man",
}
"""In the order of the help page: the command and its module."""
_MEANT: Mapping[str, str] = {
    "ask": "prompt",
    "batch": "caption",
    "describe": "prompt",
    "resume": "caption",
    "run": "caption",
    "serve": "emulator",
}
"""Words that others use for a command."""


class Commands(click.RichGroup):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the help page."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command; None when there is none of that name."""
        home = _COMMANDS.get(cmd_name)
        if home is None:
            return None
        command = getattr(
            import_module(f"vimmerse_async.cli.commands.{home}"), f"{cmd_name}_command"
        )
        assert isinstance(command, click.Command)  # noqa: S101 - the table's own promise
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant; `help` is one, with or without another behind it."""
        name, *rest = args
        if name == "help":
            name, rest = (rest[0], ["--help"]) if rest else ("help", [])
            if not rest:
                return name, click.Command(name, callback=lambda: click.echo(ctx.get_help())), []
        if name not in _COMMANDS and not name.startswith("-"):
            near = next(iter(difflib.get_close_matches(name, _COMMANDS, 1)), _MEANT.get(name))
            meant = "" if near is None else f"; did you mean `vimmerse {near}`?"
            ctx.fail(f"there is no command {name!r}{meant}")
        return super().resolve_command(ctx, [name, *rest])


@completion_options
@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="""
    Prompts for image and video workflows, from the Vimmerse text API.

    The key is read from VIMMERSE_API_KEY. Without one, try any command that asks with --emulator:
    it answers on this machine, without the network. `vimmerse COMMAND --help` says more.
    """,
)
@click.version_option(__version__, "-V", "--version", message="vimmerse %(version)s")
def vimmerse() -> None:
    """Do nothing: a command does."""


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code; an error becomes one line on stderr."""
    with speaking():
        code = _run(arguments)
        tell("exit", code=code)
        return code


def _run(arguments: Sequence[str]) -> int:
    try:
        code = vimmerse.main(
            list(arguments), prog_name="vimmerse", standalone_mode=False, obj=tuple(arguments)
        )
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last place to tell it
        return end_quietly() if system.is_closed_pipe(error) else report(error)
    return code or 0
