"""What one admission costs: `admit` and `release` of the learned limit, beside an empty call.

python -m benchmarks.admission [--rounds 30]

The least of many rounds, in microseconds: what the machine's other work adds is not the limit's.
"""

import argparse
import time
from collections import deque
from collections.abc import Callable
from random import Random

from vimmerse_async.control import AdaptiveLimit, FixedLimit, Limit, LimitSnapshot, Outcome, Permit

COUNT = 5_000  # admissions in a round
SPACING = 0.0001  # s between them: 10,000 a second


def empty(_now: float, _route: str = "text") -> None:
    """The control: a method that does nothing, called twice."""


def control() -> None:
    now = 0.0
    for _ in range(COUNT):
        now += SPACING
        empty(now)
        empty(now)


def admissions(limit: Limit) -> Callable[[], None]:
    """Return a round: 64 requests stay in flight, and each is answered after its turn."""
    now = 0.0
    waiting: deque[tuple[float, Permit]] = deque()

    def round_of_them() -> None:
        nonlocal now
        for _ in range(COUNT):
            now += SPACING
            permit = limit.admit(now)
            if not isinstance(permit, float):
                waiting.append((now, permit))
            if waiting and (len(waiting) > 64 or isinstance(permit, float)):
                sent, oldest = waiting.popleft()
                limit.release(oldest, now, Outcome.OK, now - sent)

    return round_of_them


def least(work: Callable[[], None], rounds: int) -> float:
    """Return the microseconds that one turn of the quickest round took."""
    spans = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        spans.append(time.process_time() - begun)
    return min(spans) / COUNT * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    window = LimitSnapshot(window=200, rate=1.0, in_flight=0, suspect="window")
    rate = LimitSnapshot(window=1.0, rate=20_000.0, in_flight=0, suspect="rate")
    print("| µs for admit and release | |")
    print("|---|---|")
    print(f"| two empty calls | {least(control, rounds):.2f} |")
    for name, limit in (
        ("FixedLimit", FixedLimit(100)),
        ("AdaptiveLimit, nothing known", AdaptiveLimit(rng=Random(1))),
        ("AdaptiveLimit, a window known", AdaptiveLimit(rng=Random(1), warm=window)),
        ("AdaptiveLimit, a rate known", AdaptiveLimit(rng=Random(1), warm=rate)),
    ):
        print(f"| {name} | {least(admissions(limit), rounds):.2f} |")


if __name__ == "__main__":
    main()
