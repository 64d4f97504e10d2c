"""docs/cli.md says what the command can do: no less, and no more."""

import re
from pathlib import Path

import rich_click as click

from vimmerse_async.cli.app import vimmerse

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()


def commands(group: click.Group) -> list[click.Command]:
    context = click.Context(group)
    found = [group.get_command(context, name) for name in group.list_commands(context)]
    below = [each for one in found if isinstance(one, click.Group) for each in commands(one)]
    return [one for one in found if one is not None] + below


def option_names() -> list[list[str]]:
    """Return the names of every option that is not hidden; short ones as they are typed."""
    options = [
        option
        for command in commands(vimmerse)
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
    ]
    return [[f"{name} " if len(name) == 2 else name for name in one.opts] for one in options]


def test_every_command_and_option_is_there() -> None:
    """Whoever reads the page meets every command, and at least one name of every option."""
    assert all(f"vimmerse {command.name}" in PAGE for command in commands(vimmerse)[:8])
    missing = [names for names in option_names() if not any(name in PAGE for name in names)]
    assert not missing


def test_nothing_else_is_there() -> None:
    """Every option that the page names exists."""
    whole = [vimmerse, *commands(vimmerse)]
    known = {name for command in whole for one in command.params for name in one.opts}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", PAGE))
    assert named - known == {"--help"}
