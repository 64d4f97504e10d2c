"""Text that is typed, or comes from another program."""

import sys

import rich_click as click


def given_text(typed: str) -> str:
    """Return a text as it was typed; all of the standard input for `-`.

    Raises:
        UsageError: The standard input is closed, or no text.
    """
    return standard_input().strip() if typed == "-" else typed


def standard_input() -> str:
    """Return all of the standard input, without the mark at its beginning that some shells write.

    Raises:
        UsageError: It is closed, or no text.
    """
    if sys.stdin is None:
        raise click.UsageError("the standard input is closed")
    try:
        return sys.stdin.read().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f"the standard input is no {error.encoding.upper()} text, from byte {error.start:,} on"
        ) from None
