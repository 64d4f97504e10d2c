"""What may be written to a terminal, and how a note gets to stderr."""

import contextlib
import re
import sys

# C0 and C1 controls but tab and newline, DEL, direction changes and other invisibles, surrogates.
_HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ud800-\udfff\ufff9-\ufffb]"
)


def visible(text: str) -> str:
    r"""Return a text whose control characters are shown, not obeyed.

    Example:
        >>> visible("a\x1b[31mb")
        'a\\x1b[31mb'
    """
    return _HIDDEN.sub(lambda found: ascii(found.group())[1:-1], text)


def note(text: str) -> None:
    """Write a line for people; a terminal that is gone is no error."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{visible(text)}\n")
        sys.stderr.flush()
