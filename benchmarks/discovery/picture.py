"""A picture: what share of each gateway's limit three clients used."""

from collections.abc import Iterable
from html import escape

from benchmarks.discovery.contest import CLIENTS
from benchmarks.discovery.table import Line

COLOURS = {"vimmerse_async": "#27c", "naive": "#e80", "oracle": "#888"}
NAMES = {
    "vimmerse_async": "vimmerse_async",
    "naive": "naive, 16 at once",
    "oracle": "told the limit",
}
LEFT, WIDTH, HIGH, TOP = 250, 420, 22, 34
MOST = 120.0  # %


def draw(lines: Iterable[Line]) -> str:
    """Return the picture as SVG: a line for each gateway, a point for each client."""
    rows = list(lines)
    height = TOP + HIGH * len(rows) + 30
    parts = []
    for number, name in enumerate(CLIENTS):
        x = LEFT + 150 * number - 90
        parts.append(f'<circle cx="{x}" cy="12" r="5" fill="{COLOURS[name]}"/>')
        parts.append(f'<text x="{x + 10}" y="16">{NAMES[name]}</text>')
    for share in range(0, int(MOST) + 1, 20):
        x = LEFT + WIDTH * share / MOST
        parts.append(f'<line x1="{x}" x2="{x}" y1="{TOP - 8}" y2="{height - 24}" stroke="#8884"/>')
        parts.append(f'<text x="{x}" y="{height - 8}" text-anchor="middle">{share} %</text>')
    for number, line in enumerate(rows):
        y = TOP + HIGH * number + 6
        label = escape(f"{line.gateway}: {line.refusal.removesuffix(' (default)')}")
        parts.append(f'<text x="{LEFT - 10}" y="{y + 4}" text-anchor="end">{label}</text>')
        for name, share in reversed(list(zip(CLIENTS, line.shares, strict=True))):
            x = LEFT + WIDTH * min(MOST, share) / MOST
            parts.append(f'<circle cx="{x:.1f}" cy="{y}" r="5" fill="{COLOURS[name]}"/>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 30} {height}" '
        f'role="img" font-family="sans-serif" font-size="12" fill="#777">'
        f"<title>Share of each gateway's limit that was used</title>{''.join(parts)}</svg>\n"
    )
