"""Processes on one account in virtual time, strangers and sharing: a table and a picture.

    python -m benchmarks.simulator.sharing [--write] [--leases]

The server is the one of `benchmarks.sharing`: answers take 0.3 to 1 s, refusals a millisecond.
`--write` draws `docs/sharing.svg`; `--leases` compares a permit for each request with permits that
a process uses again, where a record takes as long as through a Redis server.
"""

import argparse
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from random import Random

import attrs

from benchmarks.report import STYLE
from benchmarks.sharing.crowd import LONGEST, SHORTEST, Score, jain
from benchmarks.simulator.drive import Client, Habits, World
from benchmarks.simulator.latency import Latency
from benchmarks.simulator.processes import WAY, Host
from benchmarks.simulator.servers import Bucket, Concurrency, Limiter, Server
from vimmerse_async.control import AdaptiveLimit

ACCOUNTS: dict[str, Callable[[], Limiter]] = {
    "64 places": lambda: Concurrency(64),
    "8 places": lambda: Concurrency(8),
    "4 places": lambda: Concurrency(4),
    "40/s": lambda: Bucket(40.0, 4.0),
}
PROCESSES = (2, 4, 8, 16)
WARM_UP, SECONDS = 10.0, 60.0
ANSWER = Latency(lambda rng: rng.uniform(SHORTEST, LONGEST))
ENDLESS = 10**7
TARGET = Path(__file__).parents[2] / "docs" / "sharing.svg"
LATE, SHOWN, EVERY, TICK = 12.0, 36.0, 1.5, 0.1  # s
WIDTH, HEIGHT, LEFT, TOP = 640, 150, 40, 40
MOST = 45.0  # requests/s at the top
COLOURS = ("#0969da", "#bf8700", "#1a7f37", "#cf222e", "#8250df")
TITLES = {
    False: "Strangers: each finds the limit for itself",
    True: 'share="host": one limit, one queue',
}


def server(account: str) -> Server:
    """Return an account's server."""
    return Server(
        (ACCOUNTS[account](),), latencies={"text": ANSWER}, network=(0.0002, 0.001), refusal=0.001
    )


def populate(
    world: World, starts: list[float], *, shares: bool, way: float = WAY, lease: int = 1
) -> list[Client]:
    """Begin a process at each of some moments."""
    host = Host(world, way, lease) if shares else None
    for start in starts:
        if host is not None:
            host.start(ENDLESS, start)
        else:
            world.join(AdaptiveLimit(rng=Random(world.rng.random())), Habits(), ENDLESS, start)
    return world.clients


def crowd(
    account: str,
    processes: int,
    *,
    shares: bool,
    seconds: float = SECONDS,
    seed: int = 100,
    way: float = WAY,
    lease: int = 1,
) -> Score:
    """Let processes work, and return what they had once the limit was found."""
    world = World(server(account), seed)
    starts = [world.rng.uniform(0.0, 1.0) for _ in range(processes)]
    clients = populate(world, starts, shares=shares, way=way, lease=lease)
    world.run(WARM_UP)
    sent, refused = _sums(clients)
    world.run(WARM_UP + seconds)
    had = {
        str(number): sum(when > WARM_UP for when in client.finished)
        for number, client in enumerate(clients)
    }
    sent_in_all, refused_in_all = _sums(clients)
    allowed = world.server.capacity(0.0) * seconds
    share = (refused_in_all - refused) / (sent_in_all - sent)
    return Score(sum(had.values()) / allowed, share, jain(had, list(had)))


def _sums(clients: list[Client]) -> tuple[int, int]:
    return sum(each.sent for each in clients), sum(each.refused for each in clients)


def table(seeds: range) -> Iterator[str]:
    """Yield the lines of the table: goodput %, refused %, Jain's index."""
    yield "| account | processes | strangers | sharing |"
    yield "|---|---|---|---|"
    for account in ACCOUNTS:
        for processes in PROCESSES:
            cells = []
            for shares in (False, True):
                found = [crowd(account, processes, shares=shares, seed=seed) for seed in seeds]
                cells.append(mean(found))
            yield f"| {account} | {processes} | {' | '.join(cells)} |"


def mean(found: list[Score]) -> str:
    """Return a cell: goodput %, refused %, Jain's index."""
    goodput, refused, fairness = (
        sum(getattr(each, name) for each in found) / len(found)
        for name in ("goodput", "refused", "fairness")
    )
    return f"{100 * goodput:.1f} / {100 * refused:.2f} / {fairness:.3f}"


def leases(seeds: range) -> Iterator[str]:
    """Yield the lines of a table: one permit a request, and permits used again, by the way."""
    yield "| account, 4 processes | a record takes, ms | 1 | 4 times | 16 times |"
    yield "|---|---|---|---|---|"
    for account in ("64 places", "8 places"):
        for way in (0.0005, 0.002, 0.01):
            cells = [
                mean(
                    [crowd(account, 4, shares=True, seed=each, way=way, lease=n) for each in seeds]
                )
                for n in (1, 4, 16)
            ]
            yield f"| {account} | {1000 * way:g} | {' | '.join(cells)} |"


@attrs.frozen
class Film:
    """What happened in one crowd, in the order of time.

    Attributes:
        rates: Answers per second of each process, by the bin.
        refusals: When somebody was refused.
        told: What came of it.
    """

    rates: list[list[float]]
    refusals: list[float]
    told: str


def record(*, shares: bool) -> Film:
    """Let four processes work, and a fifth that comes later."""
    world = World(server("64 places"), 100)
    starts = [0.1 * number for number in range(len(COLOURS) - 1)]
    clients = populate(world, [*starts, LATE], shares=shares)
    refusals: list[float] = []
    now, seen = 0.0, 0
    while now < SHOWN:
        now += TICK
        world.run(now)
        refused = _sums(clients)[1]
        refusals += [now] * (refused > seen)
        seen = refused
    rates = []
    for client in clients:
        bins = [0.0] * round(SHOWN / EVERY)
        for when in client.finished:
            bins[min(len(bins) - 1, int(when / EVERY))] += 1.0 / EVERY
        rates.append(bins)
    share = 100 * sum(map(sum, rates)) * EVERY / (world.server.capacity(0.0) * SHOWN)
    late = {
        str(number): sum(when > LATE + 1.0 for when in client.finished)
        for number, client in enumerate(clients)
    }
    told = (
        f"{share:.0f} % of the account used, {100 * seen / _sums(clients)[0]:.1f} % refused, "
        f"Jain {jain(late, list(late)):.2f} once all are there"
    )
    return Film(rates, refusals, told)


def panel(title: str, film: Film, top: int) -> list[str]:
    """Return one panel: answers per second of each process, and refusals as ticks."""
    lines = [
        f'<g transform="translate({LEFT},{top})">',
        f'<text x="0" y="-20" font-weight="bold">{escape(title)}</text>',
        f'<text x="0" y="-5">{film.told}</text>',
        f'<path d="M0,0V{HEIGHT}H{WIDTH}" fill="none" class="w"/>',
    ]
    for each in (0, 20, 40):
        height = HEIGHT - each / MOST * HEIGHT + 4
        lines.append(f'<text x="-6" y="{height:.0f}" text-anchor="end">{each}</text>')
    for bins, colour in zip(film.rates, COLOURS, strict=True):
        points = " ".join(
            f"{(place + 0.5) * EVERY / SHOWN * WIDTH:.0f},"
            f"{HEIGHT - min(MOST, rate) / MOST * HEIGHT:.0f}"
            for place, rate in enumerate(bins)
        )
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
    ticks = "".join(f"M{when / SHOWN * WIDTH:.0f},{HEIGHT}v7" for when in film.refusals)
    return [*lines, f'<path d="{ticks}" stroke="#cf222e"/>', "</g>"]


def draw() -> str:
    """Return the picture as SVG."""
    height = 2 * (HEIGHT + 70) + 20
    size = f'width="{WIDTH + 60}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
        f"<title>Five processes on one account</title><style>{STYLE}</style>",
    ]
    for place, (shares, title) in enumerate(TITLES.items()):
        lines += panel(title, record(shares=shares), TOP + place * (HEIGHT + 70))
    legend = (
        f"Answers a second of each process in {SHOWN:.0f} simulated seconds, the fifth from "
        f"{LATE:.0f} s on; red ticks: refused"
    )
    lines += [f'<text x="{LEFT}" y="{height - 6}">{legend}</text>', "</svg>"]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="draw the picture")
    parser.add_argument("--leases", action="store_true", help="compare permits that are used again")
    options = parser.parse_args()
    if options.write:
        TARGET.write_text(draw())
    tell = leases if options.leases else table
    for line in tell(range(100, 100 + options.seeds)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
