"""Seeded chance that belongs to a request, not to the order in which requests arrive."""

from collections import OrderedDict
from hashlib import blake2b

_REMEMBERED = 32_768


class Draws:
    """Gives every request its numbers between 0 and 1.

    The same request draws the same numbers under the same seed, whatever arrives between; asked
    again it draws its next ones. The last 32,768 different requests are told apart from their
    repetitions; older ones begin anew, so that memory stays flat.
    """

    def __init__(self, seed: int) -> None:
        self._key = blake2b(str(seed).encode(), digest_size=32).digest()
        self._asked: OrderedDict[bytes, int] = OrderedDict()

    def draw(self, identity: bytes) -> tuple[float, float]:
        """Return two independent numbers, at least 0.0 and below 1.0."""
        occurrence = self._asked.pop(identity, 0)
        self._asked[identity] = occurrence + 1
        if len(self._asked) > _REMEMBERED:
            self._asked.popitem(last=False)
        marked = b"%d/%b" % (occurrence, identity)
        digest = blake2b(marked, digest_size=16, key=self._key).digest()
        first = int.from_bytes(digest[:8], "big") >> 11
        second = int.from_bytes(digest[8:], "big") >> 11
        return first / (1 << 53), second / (1 << 53)
