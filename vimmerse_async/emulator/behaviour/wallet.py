"""Credits: what calls cost, and what is left."""

import math
from collections.abc import Mapping

from vimmerse_async.emulator.api.reply import refused

# unknown: assumed because text calls are what the API bills; uploads only prepare them
DEFAULT_PRICES: Mapping[str, float] = {
    "/v2/text/prompt": 1,
    "/v2/text/suggest-prompt": 1,
    "/v2/text/refine-prompt": 1,
    "/v2/text/image-2-prompt": 1,
    "/text/prompt": 1,
}


def _amount(name: str, value: float) -> float:
    if type(value) not in {int, float} or not 0 <= value < math.inf:
        raise ValueError(f"{name} must be a number of credits of at least 0, not {value!r}")
    return value


class Wallet:
    """Credits of the one account that all keys share.

    Args:
        balance: Credits to begin with; None: there is no end to them.
        prices: Credits by route, over the default of 1 for every text route and 0 else.

    Raises:
        ValueError: A number of credits is negative or no number.
    """

    def __init__(
        self, balance: float | None = None, prices: Mapping[str, float] | None = None
    ) -> None:
        self.balance = None if balance is None else _amount("credits", balance)
        self.spent: float = 0
        self.prices: dict[str, float] = {
            **DEFAULT_PRICES,
            **{
                route: _amount(f"the price of {route}", it)
                for route, it in dict(prices or {}).items()
            },
        }

    def check(self, route: str) -> None:
        """Refuse a call that the balance does not allow.

        Raises:
            RefusedError: 402.
        """
        if self.balance is not None and self.balance < self.prices.get(route, 0):
            raise refused(402, "Insufficient credits")

    def pay(self, route: str) -> float:
        """Take the price of one call and return it.

        Raises:
            RefusedError: 402, the balance does not allow it.
        """
        self.check(route)
        price = self.prices.get(route, 0)
        self.spent += price
        if self.balance is not None:
            self.balance -= price
        return price

    def top_up(self, amount: float) -> None:
        """Add credits; without effect on a wallet that has no end.

        Raises:
            ValueError: The number is negative or no number.
        """
        added = _amount("credits", amount)
        if self.balance is not None:
            self.balance += added
