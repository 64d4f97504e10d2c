"""When the places of the dead come back: by how long answers take, of all of them together."""

import random

import pytest

from vimmerse_async.control.levels import LearnedPermit
from vimmerse_async.sharing.lingering import GUESSED, LATEST, Lingering


def held(*sent: float) -> list[LearnedPermit]:
    return [LearnedPermit("text", each) for each in sent]


def left(lingering: Lingering, now: float, count: int) -> int:
    """Return how many of so many are kept still."""
    return count - len(list(lingering.done(now)))


@pytest.mark.parametrize("spread", [0.0, 0.3, 0.9], ids=["alike", "near", "far"])
def test_as_many_are_kept_as_the_server_works_on(spread: float) -> None:
    """Of 400 that died at their ages about so many are kept at each moment as are worked on."""
    rng, lingering = random.Random(1), Lingering()
    takes = [rng.uniform(1.0 - spread, 1.0 + spread) for _ in range(4_000)]
    for each in takes[:200]:
        lingering.note(each)
    sent = [rng.uniform(-2.0, 0.0) for _ in takes]
    alive = [
        (begun, begun + took) for begun, took in zip(sent, takes, strict=True) if begun + took > 0
    ][:400]
    lingering.stay(held(*(begun for begun, _ in alive)), 0.0, 1.0)
    kept = len(alive)
    for now in (0.2, 0.4, 0.8, 1.2):
        kept = left(lingering, now, kept)
        true = sum(end > now for _, end in alive)
        assert true - 20 <= kept <= 1.3 * true + 40, "too soon costs a refusal, too late a place"
    assert left(lingering, 2.0, kept) == 0


def test_what_took_longer_than_all_known_is_waited_for() -> None:
    """A request older than any answer so far is kept for a while, and one older still no more."""
    lingering = Lingering()
    for _ in range(8):
        lingering.note(1.0)
    lingering.stay(held(-1.2, -9.0), 0.0, 1.0)
    assert left(lingering, 0.0, 2) == 1
    assert left(lingering, LATEST * 1.0 - 1.2, 1) == 0


@pytest.mark.parametrize("mean", [2.0, 0.0], ids=["told", "unknown"])
def test_a_dead_leaders_own_come_back_one_by_one(mean: float) -> None:
    """Of what a leader had under way only the number is known: it comes back evenly."""
    lingering, count = Lingering(), 64
    lingering.inherit(held(*[0.0] * count), 0.0, mean)
    whole = (mean or 1.0) * (1.5 - 0.5 / GUESSED)
    seen = []
    for part in (0.25, 0.5, 0.75):
        count = left(lingering, part * whole, count)
        seen.append(count)
    assert 64 > seen[0] > seen[1] > seen[2] > 0
    assert left(lingering, whole, count) == 0
