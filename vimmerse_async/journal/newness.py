"""Which questions a journal cannot know, because it was empty and they were not put in since.

A filter of two bits a question, in a megabyte whatever the number: it may take a question for
known that is not, which costs a look into the journal, and never the other way round.
"""

_BITS = 1 << 23
_MASK = _BITS - 1


class Newness:
    """Remembers the questions of a journal that was empty when it was opened."""

    def __init__(self) -> None:
        self._bits = bytearray(_BITS >> 3)

    def add(self, question: bytes) -> bool:
        """Note that a question is put in, and return whether it certainly was not before."""
        bits = self._bits
        number = int.from_bytes(question[:6], "little")
        one, other = number & _MASK, number >> 24 & _MASK
        first, second = 1 << (one & 7), 1 << (other & 7)
        one, other = one >> 3, other >> 3
        if bits[one] & first and bits[other] & second:
            return False
        bits[one] |= first
        bits[other] |= second
        return True

    def is_new(self, question: bytes) -> bool:
        """Return whether a question was certainly never put in."""
        bits = self._bits
        number = int.from_bytes(question[:6], "little")
        first, second = number & _MASK, number >> 24 & _MASK
        return not (bits[first >> 3] >> (first & 7) & 1 and bits[second >> 3] >> (second & 7) & 1)
