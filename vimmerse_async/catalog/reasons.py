"""What reasons of one kind have in common: what differs from row to row left out."""

import re

_PARTS = re.compile(
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|b'[^']*'|https?://[^\s;,)]+|0x[0-9a-f]+|\d[\d,.]*…?"
)
"""What differs from row to row of one reason: what it holds, addresses and numbers."""


def shape_of(told: str) -> str:
    """Return a reason without what differs from row to row.

    Example:
        >>> shape_of("line 41: 'a.jpg' has 12 bytes"), shape_of("line 7: 'b.jpg' has 3 bytes")
        ('line …: … has … bytes', 'line …: … has … bytes')
    """
    return _PARTS.sub("…", " ".join(told.split()))
