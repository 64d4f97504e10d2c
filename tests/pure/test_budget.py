"""What a run may take: failures, hours, money."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from vimmerse_async import InvalidRequestError, NotFoundError, PromptResult
from vimmerse_async.catalog.money import Invoice, amount_of, money, price_of
from vimmerse_async.cli.budget import EQUAL, Budget, FailureBudget, most_failures, window

NOON = datetime(2026, 12, 24, 12, 0).astimezone()


def failed(place: int, text: str = "no picture") -> PromptResult:
    error = NotFoundError(f"{text} {place}", status=404)
    return PromptResult(place, "https://a.example/1", error=error)


ANSWER = PromptResult(0, "https://a.example/1", "a fox")
KNOWN = PromptResult(0, "https://a.example/1", "a fox", cached=True)


def ended(budget: FailureBudget, results: list[PromptResult]) -> int | None:
    """Return after how many results it stops; None: it does not."""
    return next((n for n, each in enumerate(results, 1) if budget.see(each) is not None), None)


def test_equal_rejections_stop_a_run_that_got_no_answer():
    """Twenty rejections that differ in numbers only stop a run, an answer before them does not."""
    rows = [failed(place) for place in range(50)]
    assert ended(FailureBudget(None, 50), rows) == EQUAL
    assert ended(FailureBudget(None, 50), [KNOWN, *rows]) == EQUAL + 1
    assert ended(FailureBudget(None, 50), [ANSWER, *rows]) is None
    mixed = [failed(place, "gone" if place % 2 else "no picture") for place in range(50)]
    assert ended(FailureBudget(None, 50), mixed) is None
    assert ended(FailureBudget("100%", 50), rows) is None


@pytest.mark.parametrize(
    ("most", "total", "stops"),
    [("5", 50, 5), ("10%", 50, 5), ("1%", 50, 1), ("10%", None, 100), ("200", 50, None)],
)
def test_so_many_failures_stop_a_run(most, total, stops):
    """A number or a share of the rows may fail; of a pipe, the share counts from 100 rows on."""
    rows = [ANSWER, *(failed(place) for place in range(120))]
    found = ended(FailureBudget(most, total), rows)
    assert found == (stops if stops in {None, 100} else stops + 1)


@pytest.mark.parametrize("text", ["", "0", "-1", "0%", "101%", "five", "5.5", "nan%", "%"])
def test_no_number_of_failures(text):
    """What is neither a number of rows nor a share of them is refused by its option's name."""
    with pytest.raises(InvalidRequestError) as caught:
        most_failures(text)
    assert caught.value.field == "max_failures"


@pytest.mark.parametrize(
    ("begin", "end", "first", "last"),
    [
        (None, None, None, None),
        (None, "13:00", None, 1),
        (None, "06:00", None, 18),
        ("22:00", None, 10, None),
        ("11:00", None, None, None),
        ("22:00", "06:00", 10, 18),
        ("11:00", "13:00", None, 1),
        ("2026-12-24T14:30", None, 2.5, None),
        ("2026-12-24T11:00", "09:00", None, 21),
    ],
)
def test_a_window_of_time(begin, end, first, last):
    """A time of day is today's for the beginning, and the next one for the end."""
    found = [at and (at - NOON) / timedelta(hours=1) for at in window(begin, end, NOON)]
    assert found == [first, last]


def test_a_window_over_midnight_is_open_behind_it():
    """At one o'clock a run that may begin at ten and has until six begins at once."""
    night = NOON.replace(hour=1)
    assert window("22:00", "06:00", night) == (None, NOON.replace(hour=6))
    assert window("17:00", "08:30", night) == (None, NOON.replace(hour=8, minute=30))


@pytest.mark.parametrize(
    ("begin", "end", "field"),
    [
        ("noon", None, "not_before"),
        (None, "25:00", "until"),
        (None, "2026-12-24T11:00", "until"),
        ("2026-12-25T11:00", "2026-12-25T10:00", "until"),
        ("22:00", "2026-12-24T21:00", "until"),
        ("2026-12-24T22:00", "2026-12-24T22:00", "until"),
        ("2026-12-24T22:00", "21:00", "until"),
        ("23:00", "22:00", "until"),
        ("14:00", "13:00", "until"),
        ("11:00", "10:59", "until"),
        ("22:00", "22:00", "until"),
    ],
)
def test_no_window_of_time(begin, end, field):
    """What is no time, or has passed, is refused by its option's name."""
    with pytest.raises(InvalidRequestError) as caught:
        window(begin, end, NOON)
    assert caught.value.field == field


def test_money_is_exact():
    """Amounts are told to the last digit, two behind the point at least."""
    told = [money(Decimal(text)) for text in ("0", "0.004", "12.5", "1234567", "1E+3")]
    assert told == ["0.00", "0.004", "12.50", "1,234,567.00", "1,000.00"]
    assert str(Invoice.of(Decimal("0.004"), 1000, 2, 10)) == (
        "cost 4.00, up to 0.008 more for calls that may have been charged, "
        "0.04 saved by the journal"
    )


@pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf", "1e12", "1e-20"])
def test_no_amount(text):
    """What is no amount of money is refused."""
    with pytest.raises(InvalidRequestError):
        amount_of(text, "price")


def test_a_price_for_each_route():
    """A catalog costs what its route does, in a table as alone; one without it is refused."""
    assert price_of([]) is None
    assert price_of(["1", "prompt=0.5"]) == price_of(["/v2/text/prompt=0.5"]) == Decimal("0.5")
    for words in (["refine-prompt=1"], ["nowhere=1"]):
        with pytest.raises(InvalidRequestError):
            price_of(words)


def test_money_becomes_calls():
    """An amount allows so many calls, however few a number allows more."""
    budget = Budget(Decimal("0.004"), Decimal("0.1"), 1000)
    assert (budget.calls, budget.is_money) == (25, True)
    assert Budget(Decimal("0.004"), Decimal("0.1"), 20).calls == 20
    assert Budget(Decimal(0), Decimal("0.1")).calls is None
