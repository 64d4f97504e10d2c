"""The options with which a command is told how to speak: less, more, in colour, to programs."""

import logging
import os

import rich_click as click

from vimmerse_async.cli.terminal import VOICE, log_aloud, log_to

WORDS = "What it says"
"""The part of a help page."""


def speech_options() -> list[click.Option]:
    """Return the options; they act when they are read, and the command gets none of them."""
    return [
        _option("-q", "--quiet", is_flag=True, callback=_quiet, help="Say only what is wrong."),
        _option(
            "-v",
            "--verbose",
            count=True,
            metavar="",
            callback=_verbose,
            help="Say more; -vv says every request.",
        ),
        _option(
            "--log-file", metavar="FILE", callback=_log, help="Write all messages into FILE, too."
        ),
        _option(
            "--json",
            "as_events",
            is_flag=True,
            callback=_events,
            help="Write messages as JSON, an object a line, for programs that read stderr.",
        ),
        _option(
            "--color",
            type=click.Choice(("auto", "always", "never")),
            callback=_color,
            help="Use colours. Without it, on a terminal, unless $NO_COLOR is set.",
        ),
    ]


def _option(*names: str, **how: object) -> click.Option:
    return click.RichOption(names, expose_value=False, is_eager=True, panel=WORDS, **how)  # type: ignore[arg-type]


def _quiet(_context: click.Context, _parameter: click.Parameter, given: bool) -> None:
    VOICE.quiet = VOICE.quiet or given


def _events(_context: click.Context, _parameter: click.Parameter, given: bool) -> None:
    VOICE.events = VOICE.events or given


def _verbose(_context: click.Context, _parameter: click.Parameter, given: int) -> None:
    if given:
        log_aloud(logging.INFO if given == 1 else logging.DEBUG)


def _log(_context: click.Context, _parameter: click.Parameter, given: str | None) -> None:
    if given is None:
        return
    try:
        log_to(given)
    except OSError as error:
        raise click.UsageError(f"--log-file: {given} cannot be written: {error.strerror}") from None


def _color(context: click.Context, _parameter: click.Parameter, given: str | None) -> None:
    if given in {"always", "never"}:
        os.environ["FORCE_COLOR" if given == "always" else "NO_COLOR"] = "1"
        os.environ.pop("NO_COLOR" if given == "always" else "FORCE_COLOR", None)
        context.color = given == "always"
