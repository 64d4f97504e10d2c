"""The table of all gateways: lines by name and status, of which some may be measured anew. Pure."""

import re
from collections.abc import Iterable, Mapping
from statistics import fmean

import attrs

from benchmarks.discovery.contest import CLIENTS, Score
from benchmarks.discovery.gateways import Gateway

HEAD = "| gateway | refusal | vimmerse_async | naive, 16 at once | told the limit |"
RULE = "|---|---|---|---|---|"
_ROW = re.compile(r"\| (.+?) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|").fullmatch
_CELL = re.compile(r"(\d+) / (\d+)").match


@attrs.frozen
class Line:
    """What all clients came to before one gateway.

    Attributes:
        gateway: Its name, and how it is set.
        refusal: What its refusal is called.
        cells: Share of the limit and share refused of each client, in percent, and what went wrong.
    """

    gateway: str
    refusal: str
    cells: tuple[str, ...]

    def __str__(self) -> str:
        return f"| {self.gateway} | {self.refusal} | {' | '.join(self.cells)} |"

    @property
    def shares(self) -> tuple[int, ...]:
        """The shares of the limit, by client."""
        return tuple(_figures(cell)[0] for cell in self.cells)


def measured(
    gateway: Gateway, status: int | str, scores: Mapping[str, Score], seconds: float
) -> Line:
    """Return the line of one contest."""
    cells = tuple(scores[name].cell(gateway.allowed * seconds) for name in CLIENTS)
    return Line(gateway.name, refusal_of(gateway, status), cells)


def refusal_of(gateway: Gateway, status: int | str) -> str:
    """Return what the table says a refusal is called."""
    is_default = len(gateway.statuses) > 1 and status == gateway.statuses[0]
    return f"{status} (default)" if is_default else str(status)


def parsed(text: str) -> list[Line]:
    """Return the lines of a table as it was written."""
    rows = (_ROW(each) for each in text.splitlines() if each != HEAD)
    return [Line(*row.group(1, 2), row.group(3, 4, 5)) for row in rows if row and _CELL(row[3])]


def merged(old: Iterable[Line], new: Iterable[Line], gateways: Iterable[Gateway]) -> list[Line]:
    """Return all lines in the gateways' order: the new ones, and the old ones of the others."""
    known = {(each.gateway, each.refusal): each for each in (*old, *new)}
    keys = [(each.name, refusal_of(each, status)) for each in gateways for status in each.statuses]
    return [known[key] for key in keys if key in known]


def mean(lines: Iterable[Line]) -> str:
    """Return the last line: the means of what was used and of what was refused."""
    lines = list(lines)
    cells = []
    for each in zip(*(line.cells for line in lines), strict=True):
        shares, refused = zip(*map(_figures, each), strict=True)
        cells.append(f"{fmean(shares):.0f} / {fmean(refused):.1f}")
    return f"| mean of {len(lines)} | | {' | '.join(cells)} |"


def written(lines: Iterable[Line]) -> str:
    """Return the whole table."""
    lines = list(lines)
    return "\n".join([HEAD, RULE, *map(str, lines), mean(lines)]) + "\n"


def placed(page: str, table: str) -> str:
    """Return a page with the table in the place of the one that it has."""
    found = re.search(rf"^{re.escape(HEAD)}\n(?:\|.*\n)+", page, re.MULTILINE)
    if found is None:
        raise ValueError("the page has no such table")
    return page[: found.start()] + table + page[found.end() :]


def _figures(cell: str) -> tuple[int, int]:
    found = _CELL(cell)
    if found is None:
        raise ValueError(f"no cell of the table: {cell!r}")
    return int(found[1]), int(found[2])
