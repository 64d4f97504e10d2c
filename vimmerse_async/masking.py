"""What the server says is freed of the account's secrets before anything else can see it."""

import html
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from urllib.parse import quote

MASK = b"***"
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
SHORTEST_MASKED = 8
"""Characters; a shorter key is no secret, and masking it would eat words of the answer."""


class Mask:
    """Replaces secrets by asterisks; no attribute of it shows one.

    Args:
        secrets: What must not be shown: visible ASCII.

    Attributes:
        swift: Replaces secrets as they are, and as JSON commonly writes them.
        thorough: Replaces them in every spelling that a server may give them.
        packed: Replaces them in base64, hexadecimal, and escaped letter by letter.

    Example:
        >>> Mask(["a-long-secret"]).swift(MASK, b"your a-long-secret is wrong")
        b'your *** is wrong'
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        # The longer goes first: it may begin like the shorter.
        hidden = sorted({each for each in secrets if len(each) >= SHORTEST_MASKED}, key=len)[::-1]
        common = [form for secret in hidden for form in (json.dumps(secret)[1:-1], secret)]
        self.swift: Callable[[bytes, bytes], bytes] = _any_of(
            re.escape(form.encode()) for form in common
        )
        self.thorough: Callable[[bytes, bytes], bytes] = _any_of(
            spelling for secret in hidden for spelling in _spellings(secret)
        )

        self.packed: Callable[[bytes, bytes], bytes] = _any_of(
            packing for secret in hidden for packing in _packings(secret.encode())
        )

    def refusal(self, body: bytes) -> bytes:
        """Return the body of an error without secrets, also packed ones: it is short."""
        return self.packed(MASK, self.thorough(MASK, body))

    def text(self, text: str) -> str:
        """Return a header's value without secrets."""
        content = text.encode("utf-8", "surrogateescape")
        return self.refusal(content).decode("utf-8", "surrogateescape")


def _any_of(patterns: Iterable[bytes]) -> Callable[[bytes, bytes], bytes]:
    return re.compile(b"|".join(dict.fromkeys(patterns)) or b"(?!)").sub


def _spellings(secret: str) -> Iterable[bytes]:
    for form in (html.escape(secret), quote(secret), quote(secret, safe="")):
        if form != secret:
            yield re.escape(form.encode())
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        yield re.escape(secret.encode(encoding))
    yield b"".join(map(_letter, secret.encode()))


def _letter(code: int) -> bytes:
    plain = re.escape(bytes([code]))
    return b"(?:\\\\u00(?i:%02x)|\\\\%s|%s)" % (code, plain, plain)


def _packings(secret: bytes) -> Iterable[bytes]:
    yield b"(?i:%s)" % secret.hex().encode()
    yield b"".join(b"%%(?i:%02x)" % code for code in secret)
    yield b"".join(b"&#(?:(?i:x%02x)|%d);" % (code, code) for code in secret)
    for before in range(3):
        letters = b64encode(bytes(before) + secret)
        # Only these are always the same, whatever stands before and behind the secret.
        packed = letters[(before * 8 + 5) // 6 : (before + len(secret)) * 8 // 6]
        yield re.escape(packed)
        yield re.escape(packed.translate(_URL_SAFE))
