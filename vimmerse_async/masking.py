"""What the server says is freed of the account's secrets before anything else can see it.

Whatever the body and however long the secret, the work grows with the body alone: a spelling that
has one form is searched as it is, and where each letter may be written in several ways the letters
are read first and the secret is searched in what they say.
"""

import html
import json
import re
from array import array
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote

MASK = b"***"
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
SHORTEST_MASKED = 8
"""Characters; a shorter key is no secret, and masking it would eat words of the answer."""

_NAMED = {b"&amp;": 0x26, b"&lt;": 0x3C, b"&gt;": 0x3E, b"&quot;": 0x22, b"&apos;": 0x27}
_JSON = re.compile(rb"\\(?:u00[0-9A-Fa-f]{2}|[\"\\/])")
_BACKSLASH = ord("\\")
_ESCAPED = re.compile(rb"\\(?:u00|/)").search
_JSON_ADRIFT = re.compile(rb"\\(?:u00[0-9A-Fa-f]{2}|[^\\])")
_PERCENT = re.compile(rb"%[2-7][0-9A-Fa-f]")
_ENTITY = re.compile(rb"&(?:#[xX]0{0,6}[2-7][0-9A-Fa-f]|#0{0,6}[0-9]{2,3}|amp|lt|gt|quot|apos);")

Swap = Callable[[bytes, bytes], bytes]
"""Takes what to put in place of secrets, and where they may be."""


class Form(bytes):
    """A secret as it may be written; its own repr shows none."""

    def __repr__(self) -> str:
        return "<form of a secret>"

    __str__ = __repr__


class Mask:
    """Replaces secrets by asterisks; no attribute of it shows one.

    Args:
        secrets: What must not be shown: visible ASCII.

    Attributes:
        forms: Each secret as it is, and as JSON commonly writes it: every answer is searched for
            them, so that has to be quick.
        thorough: Replaces them in every spelling that a server may give them.
        packed: Replaces them in base64 and hexadecimal.

    Example:
        >>> Mask(["a-long-secret"]).thorough(MASK, b"your a-long-secret is wrong")
        b'your *** is wrong'
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        # The longer goes first: it may begin like the shorter.
        hidden = sorted({each for each in secrets if len(each) >= SHORTEST_MASKED}, key=len)[::-1]
        self.forms: tuple[Form, ...] = tuple(Form(f) for each in hidden for f in _common(each))
        self.thorough: Swap = _all_of(swap for each in hidden for swap in _spellings(each))
        self.packed: Swap = _all_of(swap for each in hidden for swap in _packings(each.encode()))

    def answer(self, body: bytes) -> bytes:
        """Return the body of a success without secrets."""
        for form in self.forms:
            body = body.replace(form, MASK)
        # A number is looked for at once; bytes in bytes raise and drop an error first, each time.
        if (_BACKSLASH in body and _ESCAPED(body)) or 0 in body:
            body = self.thorough(MASK, body)
        return body

    def refusal(self, body: bytes) -> bytes:
        """Return the body of an error without secrets, also packed ones: it is short."""
        return self.packed(MASK, self.thorough(MASK, body))

    def text(self, text: str) -> str:
        """Return a header's value without secrets."""
        content = text.encode("utf-8", "surrogateescape")
        return self.refusal(content).decode("utf-8", "surrogateescape")


def _all_of(swaps: Iterable[Swap]) -> Swap:
    several = tuple(swaps)

    def swap(mask: bytes, body: bytes) -> bytes:
        for each in several:
            body = each(mask, body)
        return body

    return swap


def _common(secret: str) -> Iterable[bytes]:
    return dict.fromkeys((json.dumps(secret)[1:-1].encode(), secret.encode()))


def _spellings(secret: str) -> Iterator[Swap]:
    # As JSON first, which is what most bodies are: another reading could cut an escape in two.
    yield _read(secret.encode(), _JSON, _of_json)
    forms = (html.escape(secret), quote(secret), quote(secret, safe=""), secret)
    for form in dict.fromkeys(forms):
        yield _literal(form.encode())
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        yield _literal(secret.encode(encoding))
    yield _read(secret.encode(), _JSON_ADRIFT, _of_json)
    yield _read(secret.encode(), _PERCENT, _of_percent)
    yield _read(secret.encode(), _ENTITY, _of_entity)


def _packings(secret: bytes) -> Iterator[Swap]:
    yield _in_any_case(secret.hex().encode())
    for before in range(3):
        letters = b64encode(bytes(before) + secret)
        # Only these are always the same, whatever stands before and behind the secret.
        packed = letters[(before * 8 + 5) // 6 : (before + len(secret)) * 8 // 6]
        for form in dict.fromkeys((packed, packed.translate(_URL_SAFE))):
            yield _literal(form)


def _literal(form: bytes) -> Swap:
    def swap(mask: bytes, body: bytes) -> bytes:
        return body.replace(form, mask)

    return swap


def _in_any_case(form: bytes) -> Swap:
    def swap(mask: bytes, body: bytes) -> bytes:
        spans = [(at, at + len(form)) for at in _places(form, body.lower())]
        return _cut(mask, body, spans)

    return swap


def _read(secret: bytes, token: re.Pattern[bytes], letter: Callable[[bytes], int]) -> Swap:
    """Return what replaces a secret whose letters may each be written as a token of several bytes.

    Args:
        secret: The secret.
        token: Finds tokens.
        letter: Tells what a token stands for; 0: for none that is in a secret.
    """

    def swap(mask: bytes, body: bytes) -> bytes:
        text, ends, longer, last = bytearray(), array("L"), array("L"), 0
        for found in token.finditer(body):
            text += body[last : found.start()]
            text.append(letter(found[0]))
            last = found.end()
            ends.append(len(text))
            longer.append(last - len(text))
        if not last:
            return body
        text += body[last:]

        def place(at: int) -> int:
            tokens = bisect_right(ends, at)
            return at + (longer[tokens - 1] if tokens else 0)

        spans = [(place(at), place(at + len(secret))) for at in _places(secret, text)]
        return _cut(mask, body, spans)

    return swap


def _of_json(token: bytes) -> int:
    return token[1] if len(token) == 2 else int(token[4:], 16)


def _of_percent(token: bytes) -> int:
    return int(token[1:], 16)


def _of_entity(token: bytes) -> int:
    if token in _NAMED:
        return _NAMED[token]
    code = int(token[3:-1], 16) if token[2] in b"xX" else int(token[2:-1])
    return code if code < 0x7F else 0


def _places(form: bytes, text: bytes | bytearray) -> Iterator[int]:
    at = text.find(form)
    while at >= 0:
        yield at
        at = text.find(form, at + len(form))


def _cut(mask: bytes, body: bytes, spans: list[tuple[int, int]]) -> bytes:
    kept, last = bytearray(), 0
    for start, end in spans:
        kept += body[last:start]
        kept += mask
        last = end
    return bytes(kept + body[last:]) if spans else body
