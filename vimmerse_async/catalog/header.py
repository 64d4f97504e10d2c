"""Where a table begins and what parts its cells, told by how it begins."""

import itertools
import re
from collections import Counter
from collections.abc import Sequence

import attrs

from vimmerse_async.catalog.dialect import DELIMITERS, Dialect, DialectOptions
from vimmerse_async.catalog.forms import is_address, undecoded
from vimmerse_async.catalog.splitting import Cut, RecordSplitter
from vimmerse_async.errors import InvalidRequestError

_LOOKED_AT = 1 << 15
"""Characters at the beginning."""
_MOST = 50
"""Records of them."""
_SEP = re.compile(r'"?sep=(.)"?[ \t,;|]*\r?', re.IGNORECASE)
_PICTURES = re.compile(
    r"(.*[\W_])?(images?|imgs?|pics?|pictures?|photos?|fotos?|bild(er)?|urls?|uris?|links?|href|src|"
    r"videos?|media|medien|thumbnails?|assets?|imagen(es)?|imagem|immagini?)([\W_\d].*)?|"
    r".*(image|picture|photo|foto|bild|video|url|link)",
    re.IGNORECASE,
).fullmatch
"""What a column of addresses is called."""
_NUMBER = re.compile(r"[-+]?[\d.,]*\d%?").fullmatch


@attrs.frozen
class Beginning:
    """How a table begins.

    Attributes:
        dialect: How it is written.
        lead: What stands before the header, such as a title or `sep=;`, as the source has it.
        header: The line that names the columns, as the source has it; empty: there is none.
        end: Its line's end.
        names: The columns' names as they are written; of a table without a header those that
            were made up.
        lines: How many lines these take.
        size: How many characters.
    """

    dialect: Dialect
    lead: str
    header: str
    end: str
    names: tuple[str, ...]
    lines: int
    size: int


def beginning_of(text: str, options: DialectOptions, *, tabs: bool, final: bool) -> Beginning:
    """Return how a table begins.

    Args:
        text: Its first characters, at least its first line.
        options: What was said about it.
        tabs: Whether its name says that tabs part the cells.
        final: Whether the text is all of it.

    Raises:
        InvalidRequestError: There is no readable line that names the columns.
    """
    dialect = Dialect(
        quote='"' if options.quote is None else options.quote,
        escape=options.escape or "",
        end="\r" if "\n" not in text and "\r" in (text if final else text[:-1]) else "\n",
    )
    lead = _lead(text, dialect.end, options.header_row)
    named = options.delimiter or _named_delimiter(lead)
    body = text[len(lead) :]
    delimiter = named or ("\t" if tabs else _delimiter(body, dialect, final=final))
    dialect = attrs.evolve(dialect, delimiter=delimiter)
    cuts = _cuts(body, dialect, _MOST, final=final)
    place = 0 if options.header_row is not None else _header_place(cuts, dialect)
    return _begun(text, lead, cuts, place, dialect, options)


def _begun(
    text: str, lead: str, cuts: list[Cut], place: int, dialect: Dialect, options: DialectOptions
) -> Beginning:
    lead += "".join(cut[0] + cut[1] for cut in cuts[:place])
    line = _lines(lead, dialect) + 1
    if place >= len(cuts):
        return Beginning(dialect, lead, "", dialect.end, (), line - 1, len(lead))
    record, end, _, error = cuts[place]
    names = tuple(cells_of(cuts[place], dialect))
    if error is not None:
        raise InvalidRequestError(f"line {line}: {error}", field="source")
    if not options.header:
        made = tuple(f"column{count}" for count in range(1, len(names) + 1))
        return Beginning(dialect, lead, "", end or dialect.end, made, line - 1, len(lead))
    fault = undecoded("".join(names))
    if fault is None and any(map(is_address, names)):
        fault = (
            "holds a URL where a CSV has the names of its columns: say --no-header, or read it "
            "as one URL a line with --from text"
        )
    if fault is not None:
        raise InvalidRequestError(f"line {line} {fault}", field="source")
    if _has_row_names(cuts[place:], dialect):
        names = ("", *names)
    size = len(lead) + len(record) + len(end)
    lines = _lines(text[:size], dialect) + (not end)
    return Beginning(dialect, lead, record, end or dialect.end, names, lines, size)


def _has_row_names(cuts: Sequence[Cut], dialect: Dialect) -> bool:
    """Return whether rows begin with a name that has no column, as R writes them."""
    header, *rows = [cut for cut in cuts if cut[0].strip()]
    quote, width = dialect.quote, len(cells_of(header, dialect))
    if not (quote and rows and header[0].count(quote) == 2 * width):
        return False
    cells = [cells_of(cut, dialect) for cut in rows if cut[3] is None]
    names = {row[0] for row in cells}
    return (
        len(names) == len(rows)
        and all(len(row) == width + 1 for row in cells)
        and all(cut[0].startswith(quote) for cut in rows)
    )


def unique(names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns' names, the empty and the double ones made unique."""
    found: dict[str, None] = {}
    for place, given in enumerate(names, 1):
        base = name = given.strip() or f"column{place}"
        count = 1
        while name in found:
            count += 1
            name = f"{base}_{count}"
        found[name] = None
    return tuple(found)


def cells_of(cut: Cut, dialect: Dialect) -> list[str]:
    """Return the cells of a record; of an unreadable one what lies between delimiters."""
    return cut[0].split(dialect.delimiter) if cut[2] is None else cut[2]


def _lines(text: str, dialect: Dialect) -> int:
    return text.count(dialect.end)


def _lead(text: str, end: str, header_row: int | None) -> str:
    """Return what stands before a table for sure: lines told, blank ones, and `sep=;`."""
    if header_row is not None:
        lines = text.split(end)
        if len(lines) < header_row:
            raise InvalidRequestError(
                f"there is no line {header_row} near the beginning that could name the columns",
                field="header_row",
            )
        return "".join(line + end for line in lines[: header_row - 1])
    place = _blank(text)
    line = text[place:].split(end, 1)[0]
    if _SEP.fullmatch(line) and place + len(line) < len(text):
        place += len(line) + len(end)
        place += _blank(text[place:])
    return text[:place]


def _blank(text: str) -> int:
    return len(text) - len(text.lstrip("\r\n"))


def _named_delimiter(lead: str) -> str | None:
    found = (_SEP.fullmatch(line) for line in re.split("[\r\n]+", lead))
    return next((match[1] for match in found if match is not None), None)


def _cuts(text: str, dialect: Dialect, most: int, *, final: bool) -> list[Cut]:
    looked_at = text[:_LOOKED_AT]
    whole = final and len(text) <= _LOOKED_AT
    splitter = RecordSplitter(dialect)
    cuts = splitter.feed(looked_at, final=whole)
    if not cuts:
        cuts = splitter.feed(text[_LOOKED_AT:], final=True)
    return cuts[:most]


def _delimiter(text: str, dialect: Dialect, *, final: bool) -> str:
    """Return what parts the cells.

    In it rows have as many cells as the header; then no line stands above the header; then there
    are the most.
    """
    scores = {
        each: _score(text, attrs.evolve(dialect, delimiter=each), final=final)
        for each in DELIMITERS
    }
    if any(agreeing for agreeing, *_ in scores.values()):
        return max(DELIMITERS, key=scores.__getitem__)
    return max(DELIMITERS, key=lambda each: scores[each][2])


def _score(text: str, dialect: Dialect, *, final: bool) -> tuple[float, bool, int]:
    """Return which share of rows is as wide as the header, whether it is first, and its width."""
    cuts = _cuts(text, dialect, _MOST, final=final)
    place = _header_place(cuts, dialect)
    is_first = not any(cut[0].strip() for cut in cuts[:place])
    counts = [len(cells_of(cut, dialect)) for cut in cuts[place:] if cut[0].strip()]
    if not counts or counts[0] < 2:
        return 0.0, False, 0
    header, *below = counts
    return sum(count == header for count in below) / max(1, len(below)), is_first, header


def _header_place(cuts: Sequence[Cut], dialect: Dialect) -> int:
    """Return which record names the columns: the first, but for a title above a wider table."""
    rows = [[cell.strip() for cell in cells_of(cut, dialect)] for cut in cuts]
    counts = Counter(len(row) for row in rows if any(row))
    width = max(counts, key=lambda count: (counts[count], count), default=1)
    below = _below_preamble(rows, width)
    if below is not None:
        return below
    for place, row in enumerate(rows):
        if sum(map(bool, row)) > 1:
            titled = place and _fits(row, width)
            return place if titled else _first(rows)
    return _first(rows)


def _below_preamble(rows: Sequence[Sequence[str]], width: int) -> int | None:
    """Return the record right above the first URL, where lines above it are no table's."""
    filled = [(place, row) for place, row in enumerate(rows) if any(row)]
    above = list(itertools.takewhile(lambda each: not any(map(is_address, each[1])), filled))
    if len(above) < 2 or len(above) == len(filled):
        return None
    *lead, (place, header) = above
    if _fits(lead[0][1], width):
        return _named_for(above, filled[len(above)][1], width)
    if not _fits(header, width):
        return None
    return place if any(len(row) == 1 < width for _, row in lead) else None


def _named_for(
    above: Sequence[tuple[int, Sequence[str]]], first: Sequence[str], width: int
) -> int | None:
    """Return which of the rows above the first URL names its column; None: none, or the first."""
    columns = [at for at, cell in enumerate(first[:width]) if is_address(cell)]
    named = [
        place
        for place, row in above
        if _fits(row, width) and any(_PICTURES(row[at]) for at in columns)
    ]
    return named[0] if named else None


def _fits(row: Sequence[str], width: int) -> bool:
    return len(row) == width and _names_columns(row)


def _first(rows: Sequence[Sequence[str]]) -> int:
    return next((place for place, row in enumerate(rows) if any(row)), len(rows))


def _names_columns(row: Sequence[str]) -> bool:
    return all(row) and not any(is_address(cell) or _NUMBER(cell) for cell in row)
