"""A picture: what is in flight and what leaves per second, beside the true limit, over time."""

from collections.abc import Callable
from random import Random

from benchmarks.simulator.drive import Habits, World
from benchmarks.simulator.scenarios import ALL
from benchmarks.simulator.servers import Server, at
from vimmerse_async.control import AdaptiveLimit

WIDTH, HEIGHT, LEFT, TOP = 720, 180, 44, 26
SECONDS = 600.0
STEP = 1.0  # s between points
Points = list[tuple[float, float]]
Read = Callable[[AdaptiveLimit], float]
Truth = Callable[[Server, float], float]

PANELS: tuple[tuple[str, str, float, Read, Truth], ...] = (
    (
        "S6c",
        "Requests in flight: the server allows 32, then 16, then 128",
        160.0,
        lambda limit: limit.snapshot().in_flight,
        lambda server, now: at(server.limiters[0].places, now),  # type: ignore[attr-defined]
    ),
    (
        "S6a",
        "Requests per second: the server allows 20, then 10, then 20",
        32.0,
        lambda limit: limit.snapshot().rate,
        lambda server, now: server.capacity(now),
    ),
)


def trace(key: str, read: Read, truth: Truth) -> tuple[Points, Points, list[float]]:
    """Run a scenario; return what the limit did, what the truth was, and when it was refused."""
    scenario = next(each for each in ALL if each.key == key)
    world = World(scenario.server(), 100)
    limit = AdaptiveLimit(rng=Random(100))
    client = world.join(limit, Habits(), 10**6)
    learned: Points = []
    true: Points = []
    refusals: list[float] = []
    seen = 0
    now = 0.0
    while now < SECONDS:
        now += STEP
        world.run(now)
        learned.append((now, read(limit)))
        true.append((now, truth(world.server, now)))
        refusals += [now] * (client.refused > seen)
        seen = client.refused
    return learned, true, refusals


def line(points: Points, highest: float, style: str) -> str:
    """Return a polyline in a panel's own coordinates."""
    places = " ".join(
        f"{second / SECONDS * WIDTH:.1f},{HEIGHT - min(1.0, value / highest) * HEIGHT:.1f}"
        for second, value in points
    )
    return f'<polyline points="{places}" fill="none" {style}/>'


def panel(key: str, title: str, highest: float, read: Read, truth: Truth) -> str:
    """Return one panel: the axes, the truth, what was learned, and a tick for each refusal."""
    learned, true, refusals = trace(key, read, truth)
    parts = [f'<text x="0" y="-8" font-weight="bold">{title}</text>']
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = HEIGHT * (1 - share)
        parts.append(f'<line x1="0" x2="{WIDTH}" y1="{y}" y2="{y}" stroke="#8884"/>')
        parts.append(f'<text x="-6" y="{y + 4}" text-anchor="end">{share * highest:.0f}</text>')
    for minute in range(int(SECONDS // 60) + 1):
        x = minute * 60 / SECONDS * WIDTH
        parts.append(f'<text x="{x}" y="{HEIGHT + 22}" text-anchor="middle">{minute} min</text>')
    ticks = (f"M{second / SECONDS * WIDTH:.1f} {HEIGHT}v6" for second in refusals)
    parts.append(f'<path d="{"".join(ticks)}" stroke="#d33"/>')
    parts.append(line(true, highest, 'stroke="#e80" stroke-width="2" stroke-dasharray="6 4"'))
    parts.append(line(learned, highest, 'stroke="#27c" stroke-width="1.5"'))
    return "".join(parts)


def draw() -> str:
    """Return the whole picture as SVG."""
    apart = HEIGHT + TOP + 44
    panels = "".join(
        f'<g transform="translate({LEFT},{TOP + number * apart})">{panel(*each)}</g>'
        for number, each in enumerate(PANELS)
    )
    width, height = WIDTH + LEFT + 26, len(PANELS) * apart
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="sans-serif" font-size="12" fill="#777">'
        f"<title>What was learned (blue) beside the true limit (dashed); red ticks are refusals"
        f"</title>{panels}</svg>\n"
    )
