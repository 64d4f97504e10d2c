"""The manual page: what --help says of every command, in the form that `man` reads."""

import re
from collections.abc import Iterator

import rich_click as click

from vimmerse_async._version import __version__


def manual(group: click.Group, context: click.Context) -> Iterator[str]:
    """Yield the lines of the page.

    Args:
        group: The command of all commands.
        context: Its own.
    """
    yield f'.TH VIMMERSE 1 "" "vimmerse {__version__}"'
    yield ".SH NAME"
    yield r"vimmerse \- prompts for image and video workflows"
    yield ".SH SYNOPSIS"
    yield r".B vimmerse \fICOMMAND\fR [\fIOPTIONS\fR]"
    yield ".SH DESCRIPTION"
    yield from _text(group.help or "")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            yield from _command(name, command, context)


def _command(name: str, command: click.Command, context: click.Context) -> Iterator[str]:
    own = click.Context(command, info_name=name, parent=context)
    yield f'.SH "VIMMERSE {name.upper()}"'
    yield f".B vimmerse {name} {_plain(' '.join(command.collect_usage_pieces(own)))}"
    yield ".PP"
    yield from _text(command.help or "")
    for option in command.params:
        record = option.get_help_record(own)
        if record is not None and isinstance(option, click.Option):
            yield ".TP"
            yield f".B {_plain(record[0])}"
            yield from _text(record[1])
    if isinstance(command, click.Group):
        for part in command.list_commands(own):
            below = command.get_command(own, part)
            if below is not None:
                yield from _command(f"{name} {part}", below, context)


def _text(help_text: str) -> Iterator[str]:
    """Yield paragraphs, a line each."""
    for paragraph in re.split(r"\n\s*\n", help_text.strip()):
        yield _plain(" ".join(paragraph.split()))
        yield ".PP"


def _plain(text: str) -> str:
    """Return a text in which nothing means anything to `man`."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    escaped = "".join(each if each.isascii() else f"\\[u{ord(each):04X}]" for each in escaped)
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped
