"""What calls cost, and an invoice that says how far it may be off."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import attrs

from vimmerse_async.errors import InvalidRequestError

if TYPE_CHECKING:
    from vimmerse_async.journal.kept import RunRecord
    from vimmerse_async.journal.reader import JournalReader

DETAIL = "price"
"""Under what name a run's options in a journal hold what a call cost."""
ROUTES = ("prompt", "image-2-prompt", "refine-prompt", "suggest-prompt")
ROUTE = ROUTES[0]
"""The one that catalogs are asked by."""
_CUT_SHORT = frozenset({None, "killed", "cancelled", "failed"})
"""How runs end that may have answers which they did not count; None: it goes on, or was killed."""
_UNDER_WAY = frozenset({None, "killed"})
"""How runs end that may have calls under way of which the journal knows nothing."""


@attrs.define
class Invoice:
    """What was spent.

    Attributes:
        cost: For answers.
        maybe: At most so much more: for requests that may have been charged although no answer
            came.
        saved: What answers would have cost that were known already.
        answers: How many answers.
        doubtful: How many such requests.

    Example:
        >>> print(Invoice(Decimal("4.10"), Decimal("0.02"), Decimal("1")))
        cost 4.10, up to 0.02 more for calls that may have been charged, 1.00 saved by the journal
    """

    cost: Decimal = Decimal(0)
    maybe: Decimal = Decimal(0)
    saved: Decimal = Decimal(0)
    answers: int = 0
    doubtful: int = 0

    @classmethod
    def of(cls, price: Decimal, answers: int, doubtful: int, known: int) -> "Invoice":
        """Return what calls cost.

        Args:
            price: Of one.
            answers: Those that were answered.
            doubtful: Those that may have been charged although no answer came.
            known: Those that were not made, because their answers were known.
        """
        return cls(answers * price, doubtful * price, known * price, answers, doubtful)

    def __str__(self) -> str:
        parts = [f"cost {money(self.cost)}"]
        if self.maybe:
            parts.append(f"up to {money(self.maybe)} more for calls that may have been charged")
        if self.saved:
            parts.append(f"{money(self.saved)} saved by the journal")
        return ", ".join(parts)

    def add(self, other: "Invoice") -> None:
        """Add another one."""
        for field in attrs.fields(Invoice):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


def price_of(words: Iterable[str]) -> Decimal | None:
    """Return what a call about a row of a catalog costs; None when that was not said.

    Args:
        words: Amounts, each for every route or, with `ROUTE=` before it, for one.

    Raises:
        InvalidRequestError: One is no amount, there is no such route, or it is the wrong one.

    Example:
        >>> price_of(["0.004", "refine-prompt=0.002"])
        Decimal('0.004')
    """
    found: dict[str, Decimal] = {}
    for word in words:
        route, equals, amount = word.rpartition("=")
        name = route.strip().rpartition("/")[2] if equals else ""
        if name and name not in ROUTES:
            raise InvalidRequestError(
                f"{route!a:.200} is no route; there are {', '.join(ROUTES)}", field="price"
            )
        found[name] = amount_of(amount, "price")
    if found and ROUTE not in found and "" not in found:
        raise InvalidRequestError(
            f"a catalog is asked by the route {ROUTE}, which has no price: add {ROUTE}=AMOUNT",
            field="price",
        )
    return found.get(ROUTE, found.get(""))


def amount_of(text: str, field: str) -> Decimal:
    """Return an amount of money.

    Args:
        text: Digits, with a point if need be.
        field: What it is for, in messages.

    Raises:
        InvalidRequestError: It is none.
    """
    amount = Decimal("NaN")
    with contextlib.suppress(InvalidOperation):
        amount = Decimal(text.strip())
    if not (amount.is_finite() and 0 <= amount <= 10**9 and round(amount, 12) == amount):
        raise InvalidRequestError(f"{text!a:.200} is no amount, such as 0.004", field=field)
    return amount


def money(amount: Decimal) -> str:
    """Return an amount exactly, with two digits behind the point or as many as it needs.

    Example:
        >>> money(Decimal("1234.5")), money(Decimal("0.0040"))
        ('1,234.50', '0.004')
    """
    whole, _, rest = f"{amount.normalize():,f}".partition(".")
    return f"{whole}.{rest:0<2}"


def price_of_run(options: Mapping[str, Any]) -> Decimal | None:
    """Return what a call of a run cost, by its options in a journal; None when that is not kept."""
    kept = options.get(DETAIL)
    return Decimal(kept) if isinstance(kept, str) else None


def invoice(
    journal: "JournalReader",
    otherwise: Decimal | None = None,
    paid: "Callable[[RunRecord], tuple[int, int]] | None" = None,
) -> Invoice | None:
    """Return what all runs of a journal cost; None when no price is known.

    Of a run that goes on, or was killed, also the calls that may be under way count as maybe paid.

    Args:
        journal: An open journal.
        otherwise: What a call cost in runs that did not say; None: nobody knows.
        paid: Counts the answers of a run that was cut short, and its calls that may have been
            charged as well; None: all its lines are read.
    """
    paid = paid or (lambda run: journal.paid(run.run))
    total: Invoice | None = None
    for run in journal.runs():
        price = price_of_run(run.options) or otherwise
        if price is not None:
            total = total or Invoice()
            total.add(Invoice.of(price, *_counts(run, paid)))
    return total


def _counts(
    run: "RunRecord", paid: "Callable[[RunRecord], tuple[int, int]]"
) -> tuple[int, int, int]:
    """Return a run's answers, doubtful calls and known answers, also where it was killed."""
    if run.outcome not in _CUT_SHORT:
        return run.answered, run.possibly_charged, run.cached
    answered, charged = paid(run)
    under_way = run.most_under_way if run.outcome in _UNDER_WAY else 0
    return answered, max(run.possibly_charged, charged) + under_way, run.cached
