"""A picture: five processes on one account, with and without sharing, from real runs.

    python -m benchmarks.sharing.picture

runs both crowds for half a minute, 64 places, and draws `docs/sharing.svg`.
"""

import tempfile
import time
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.report import STYLE
from benchmarks.sharing.crowd import Crowd, account, counts, jain

TARGET = Path(__file__).parents[2] / "docs" / "sharing.svg"
PLACES, MEMBERS, SECONDS, EVERY = 64, 5, 30.0, 2.5
WIDTH, HEIGHT, LEFT, TOP = 640, 150, 40, 40
MOST = 45.0  # requests/s at the top
COLOURS = ("#0969da", "#bf8700", "#1a7f37", "#cf222e", "#8250df")
TITLES = {
    "off": "Strangers: each finds the limit for itself",
    "host": 'share="host": one limit, one queue',
}


def record(way: str, names: list[str]) -> dict[str, Any]:
    """Return what the server saw of one crowd, from when all were at work."""
    with account(PLACES) as url, tempfile.TemporaryDirectory() as folder:
        members = Crowd(folder)
        for name in names:
            members.start(url=url, share=way, name=name, do="rows", seconds=3600)
        while len(counts(url)["accepted"]) < len(names):
            time.sleep(0.05)
        counts(url, reset=True)
        time.sleep(SECONDS)
        found = counts(url, details=True)
        members.kill()
    return found


def panel(way: str, names: list[str], found: dict[str, Any], top: int) -> list[str]:
    """Return one panel: accepted requests per second of each process, and refusals as ticks."""
    accepted, refused = sum(found["accepted"].values()), sum(found["refused"].values())
    share = 100 * found["worked"] / (PLACES * found["seconds"])
    told = (
        f"{share:.0f} % of the account used, {100 * refused / (accepted + refused):.1f} % refused, "
        f"Jain {jain(found['accepted'], names):.2f}"
    )
    lines = [
        f'<g transform="translate({LEFT},{top})">',
        f'<text x="0" y="-20" font-weight="bold">{escape(TITLES[way])}</text>',
        f'<text x="0" y="-5">{told}</text>',
        f'<path d="M0,0V{HEIGHT}H{WIDTH}" fill="none" class="w"/>',
    ]
    for each in (0, 20, 40):
        height = HEIGHT - each / MOST * HEIGHT + 4
        lines.append(f'<text x="-6" y="{height:.0f}" text-anchor="end">{each}</text>')
    for name, colour in zip(names, COLOURS, strict=True):
        bins = [0] * int(SECONDS / EVERY)
        for second, client, taken in found["times"]:
            if client == name and taken and second < SECONDS:
                bins[int(second / EVERY)] += 1
        points = " ".join(
            f"{(place + 0.5) * EVERY / SECONDS * WIDTH:.0f},"
            f"{HEIGHT - min(MOST, count / EVERY) / MOST * HEIGHT:.0f}"
            for place, count in enumerate(bins)
        )
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
    lines += [
        f'<path d="M{second / SECONDS * WIDTH:.0f},{HEIGHT}v7" stroke="#cf222e"/>'
        for second, _, taken in found["times"]
        if not taken and second < SECONDS
    ]
    return [*lines, "</g>"]


def main() -> None:
    names = [f"process {number}" for number in range(1, MEMBERS + 1)]
    height = 2 * (HEIGHT + 70) + 20
    size = f'width="{WIDTH + 60}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
        f"<title>Five processes on one account</title><style>{STYLE}</style>",
    ]
    for place, way in enumerate(TITLES):
        lines += panel(way, names, record(way, names), TOP + place * (HEIGHT + 70))
    legend = f"Accepted requests a second of each process in {SECONDS:.0f} s; red ticks: refused"
    lines += [f'<text x="{LEFT}" y="{height - 6}">{legend}</text>', "</svg>"]
    TARGET.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
