"""How to go on: what was typed, without what the next run must not be told again."""

import itertools
from collections.abc import Container, Iterator, Sequence
from datetime import datetime

import rich_click as click

from vimmerse_async.cli.budget import window
from vimmerse_async.cli.shells import typed
from vimmerse_async.errors import InvalidRequestError

WORDS = "words"
"""Under what name a run's options in a journal hold the command."""
BEGINS = frozenset({"--fresh", "--dry-run"})
"""Options of a beginning: with them nothing would be gone on with."""
LOOKS = frozenset({"--rows", "--sample", "--per", "--seed"})
"""Options that let a run look at some rows first; once these are there, the others come."""
ENDS = "--until"
"""The option whose moment may have passed, so that it would be refused."""


def resume_command(words: Sequence[str], *, looked: bool = False) -> str:
    """Return what is typed to go on: every option that bounds what is asked, or says how, is in it.

    Args:
        words: What was typed.
        looked: True: it was to look at some rows first, and they are there; now come the others.

    Example:
        >>> resume_command(["caption", "my photos", "-o", "out.csv", "--fresh", "--max-calls=9"])
        "vimmerse caption 'my photos' -o out.csv --max-calls=9"
    """
    left_out = BEGINS | LOOKS if looked else BEGINS
    kept = [
        part
        for name, part in _options(words)
        if name not in left_out and not (name == ENDS and _has_passed(part))
    ]
    return typed(["vimmerse", *(word for part in kept for word in part)])


def looks_first(words: Sequence[str]) -> bool:
    """Return whether a run that was typed so leaves rows for another one."""
    return any(name in LOOKS for name, _ in _options(words))


def _options(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each option with its value, and each other word under no name."""
    valued, rest = _with_values(), iter(words)
    for word in rest:
        if word == "--":
            yield "", [word, *rest]
            return
        name, equals, _ = word.partition("=")
        if not word.startswith("--"):
            name, equals = _last(word, valued), ""
        yield name, [word, *itertools.islice(rest, name in valued and not equals)]


def _last(word: str, valued: Container[str]) -> str:
    """Return which of the short options in a word takes the next one for its value; else ""."""
    letters = word[1:] if word.startswith("-") else ""
    taker = next((at for at, each in enumerate(letters) if f"-{each}" in valued), None)
    return f"-{letters[-1]}" if taker is not None and taker == len(letters) - 1 else ""


def _with_values() -> frozenset[str]:
    """Return the options behind which a value must stand."""
    from vimmerse_async.cli.commands.caption import caption_command  # noqa: PLC0415 - it leads here

    return frozenset(
        name
        for option in caption_command.params
        if isinstance(option, click.Option) and not (option.is_flag or option.count)
        if not isinstance(option.flag_value, str)  # a value may stand there
        for name in option.opts
    )


def _has_passed(part: Sequence[str]) -> bool:
    """Return whether a moment has passed by which a run was to have ended."""
    try:
        window(None, part[-1].removeprefix(f"{ENDS}="), datetime.now().astimezone())
    except InvalidRequestError:
        return True
    return False
