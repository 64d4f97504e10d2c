"""`max_calls`: how many requests a batch may still send."""

from vimmerse_async.control.retry import Attempts


class Allowance:
    """Counts requests before they are sent, so that no number in flight exceeds it.

    A request that was refused with 429 is not counted: it is sent again on the same count.

    Args:
        calls: Requests that may be sent.

    Attributes:
        left: Requests that may still be sent.
        denied: True once a request was wanted for which none was left.

    Example:
        >>> allowance = Allowance(1)
        >>> allowance.take(), allowance.take(), allowance.denied
        (True, False, True)
    """

    def __init__(self, calls: int) -> None:
        self.left: int = calls
        self.denied: bool = False

    def take(self) -> bool:
        """Count a request that is about to be sent; False: it must not be."""
        if self.left <= 0:
            self.denied = True
            return False
        self.left -= 1
        return True

    def settle(self, attempts: Attempts) -> None:
        """Give back what a row that has ended did not use."""
        self.left += attempts.allowed - (attempts.sends - attempts.refused)
