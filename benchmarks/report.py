"""One table and one picture for each benchmark, from its figures."""

from collections.abc import Iterable, Sequence
from html import escape

import attrs


@attrs.frozen
class Bar:
    """One bar of a picture: a median and its quartiles; `own` ones are this project's."""

    name: str
    value: float
    low: float
    high: float
    own: bool = False


@attrs.frozen
class Result:
    """What one benchmark found.

    Attributes:
        title: A heading.
        text: What was measured, in a sentence or two.
        header: The table's first line.
        rows: Its other lines.
        unit: What the bars show.
        bars: The picture.
        figures: Numbers that are quoted elsewhere, by name.
    """

    title: str
    text: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    unit: str = ""
    bars: Sequence[Bar] = ()
    figures: dict[str, float] = attrs.field(factory=dict)


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    header = list(header)
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def parse_table(text: str) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the first Markdown table in a text."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return cells[0], cells[2:]


STYLE = (
    "text{fill:#24292f}.o{fill:#0969da}.p{fill:#8c959f}.w{stroke:#57606a}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.o{fill:#4493f8}.w{stroke:#b1bac4}}"
)
ROW, LEFT, WIDTH, MARGIN = 24, 270, 380, 90


def picture(result: Result) -> str:
    """Return the bars as an SVG that reads on light and dark pages."""
    most = max(bar.value for bar in result.bars)
    height = ROW * (len(result.bars) + 2)
    size = f'width="{LEFT + WIDTH + MARGIN}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
        f"<title>{escape(result.title)}</title><style>{STYLE}</style>",
        f'<text x="{LEFT}" y="16" font-weight="bold">{escape(result.unit)}</text>',
    ]
    for place, bar in enumerate(result.bars, start=1):
        top, width = place * ROW, bar.value / most * WIDTH
        low, high = (LEFT + each / most * WIDTH for each in (bar.low, bar.high))
        kind = "o" if bar.own else "p"
        lines += [
            f'<text x="{LEFT - 8}" y="{top + 16}" text-anchor="end">{escape(bar.name)}</text>',
            f'<rect class="{kind}" x="{LEFT}" y="{top + 4}" width="{width:.1f}" height="16"/>',
            f'<path class="w" d="M{low:.1f} {top + 12}H{high:.1f}" stroke-width="2"/>',
            f'<text x="{max(LEFT + width, high) + 6:.1f}" y="{top + 16}">{bar.value:.3g}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])
