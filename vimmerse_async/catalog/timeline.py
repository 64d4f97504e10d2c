"""What a journal's samples say about pace, few enough points to draw."""

import itertools
from collections.abc import Sequence

from vimmerse_async.journal.kept import Sample

MOST = 400
"""Points that are drawn."""

Point = tuple[float, int, float, float, int]
"""Seconds of work since the first run began, in flight, window, rows a second, refused."""


class Timeline:
    """The runs one after another, without the time between them.

    Args:
        samples: Run by run, each in the order of time.

    Attributes:
        points: The state at so many seconds.
        breaks: Where one run ended and the next began, in the same seconds.
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.points: list[Point] = []
        self.breaks: list[float] = []
        elapsed = 0.0
        for _, group in itertools.groupby(samples, key=lambda sample: sample.run):
            taken = list(group)
            if elapsed:
                self.breaks.append(round(elapsed, 1))
            self.points += _points(taken, elapsed)
            elapsed += taken[-1].at - taken[0].at
        self.points = _fewer(self.points, MOST)


def _points(samples: Sequence[Sample], elapsed: float) -> list[Point]:
    points: list[Point] = []
    for before, now in itertools.pairwise([samples[0], *samples]):
        seconds = now.at - before.at
        rate = (now.done - before.done) / seconds if seconds > 0 else 0.0
        at = elapsed + now.at - samples[0].at
        refused = now.refused - before.refused
        points.append((round(at, 1), now.in_flight, round(now.window, 1), round(rate, 2), refused))
    if len(points) > 1:  # the first moment has no rate of its own
        points[0] = (*points[0][:3], points[1][3], samples[0].refused)
    return points


def _fewer(points: Sequence[Point], most: int) -> list[Point]:
    size = -(-len(points) // most) or 1
    groups = [points[begin : begin + size] for begin in range(0, len(points), size)]
    return [
        (
            group[-1][0],
            max(point[1] for point in group),
            group[-1][2],
            round(sum(point[3] for point in group) / len(group), 2),
            sum(point[4] for point in group),
        )
        for group in groups
    ]
