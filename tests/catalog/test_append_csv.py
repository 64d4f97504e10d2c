"""A CSV comes back with its own dialect and its own lines, two cells behind each."""

import csv
import io
import itertools
import os
import tempfile
from pathlib import Path

import pytest
from append_kit import ANSWER, appended
from hypothesis import assume, given
from hypothesis import strategies as st

from vimmerse_async.catalog.append import appender_for
from vimmerse_async.catalog.dialect import DialectOptions
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.errors import InvalidRequestError


def out_of(folder: Path, content: bytes, name: str = "in.csv", **said: object) -> bytes:
    path = folder / name
    path.write_bytes(content)
    return appended(path, **said).read_bytes()


SHAPES: dict[str, tuple[bytes, bytes]] = {
    "spreadsheet": (
        b"\xef\xbb\xbfsku;image\r\n1 \xc3\x9f;u\r\n",
        b"\xef\xbb\xbfsku;image;prompt;error\r\n1 \xc3\x9f;u;A, B;\r\n",
    ),
    "sep line": (b"sep=;\nsku;image\n1;u\n", b"sep=;\nsku;image;prompt;error\n1;u;A, B;\n"),
    "blank lines": (
        b"\n\nsku,image\n\n1,u\n\n\n2,v\n\n",
        b'sku,image,prompt,error\n\n1,u,"A, B",\n\n\n2,v,"A, B",\n\n',
    ),
    "title": (
        b"My report;;\r\n\r\nsku;name;image\r\n1;a;u\r\n2;b;v\r\n",
        b"My report;;\r\n\r\nsku;name;image;prompt;error\r\n1;a;u;A, B;\r\n2;b;v;A, B;\r\n",
    ),
    "carriage returns": (b"sku,image\r1,u\r", b'sku,image,prompt,error\r1,u,"A, B",\r'),
    "delimiters in the header": (
        b"SKU\tName, brand, colour\tImage\n1\tShoe\tu\n",
        b"SKU\tName, brand, colour\tImage\tprompt\terror\n1\tShoe\tu\tA, B\t\n",
    ),
    "double names": (b"a,a,,a\n1,2,3,4\n", b'a,a,,a,prompt,error\n1,2,3,4,"A, B",\n'),
    "all in quotes": (b'"a","b"\n"1","2"\n', b'"a","b","prompt","error"\n"1","2","A, B",""\n'),
    "no last line end": (b"a;b\r\n1;2", b"a;b;prompt;error\r\n1;2;A, B;\r\n"),
    "short row": (b"a;b;c\n1\n", b"a;b;c;prompt;error\n1;;;A, B;\n"),
    "empty cells too many": (b"a;b\n1;2;;\n", b"a;b;prompt;error\n1;2;A, B;\n"),
    "an odd byte that nobody asks for": (
        b"a;b\n1;\xe9\n", b"a;b;prompt;error\n1;\xe9;A, B;\n",
    ),
    "mixed line ends": (b"a;b\r\n1;2\n", b"a;b;prompt;error\r\n1;2;A, B;\n"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "expected"), SHAPES.values(), ids=SHAPES)
def test_C26_dialect_comes_back(tmp_path: Path, content: bytes, expected: bytes) -> None:
    """Delimiter, quotes, line ends, mark, blank lines, names and bytes stay what they were."""
    assert out_of(tmp_path, content, answer="A, B") == expected


def test_tsv_means_tabs(tmp_path: Path) -> None:
    """A `.tsv` is parted at tabs, in and out, however many commas its header has."""
    content = b"SKU\tName, brand, colour\n1\tShoe, red, 42, new\n"
    assert out_of(tmp_path, content, "in.tsv", answer="A, B") == (
        b"SKU\tName, brand, colour\tprompt\terror\n1\tShoe, red, 42, new\tA, B\t\n"
    )
    (tmp_path / "comma.csv").write_bytes(b"a,b\n1,x\ty\n")
    made = appended(tmp_path / "comma.csv", "made.tsv", answer="p").read_text()
    assert made == 'a\tb\tprompt\terror\n1\t"x\ty"\tp\t\n'


SAID: dict[str, tuple[bytes, dict[str, object], list[dict[str, str]]]] = {
    "delimiter": (b"a,b;c\n1,2;3\n", {"delimiter": ";"}, [{"a,b": "1,2", "c": "3"}]),
    "quote": (b"a,b\n'1,2',3\n", {"quote": "'"}, [{"a": "1,2", "b": "3"}]),
    "no quote": (b'a,b\n"1,2"\n', {"quote": ""}, [{"a": '"1', "b": '2"'}]),
    "escape": (b"a,b\n1\\,5,2\n", {"escape": "\\"}, [{"a": "1,5", "b": "2"}]),
    "header row": (b"x,y\nz,w\na,b\n1,2\n", {"header_row": 3}, [{"a": "1", "b": "2"}]),
    "no header": (b"1,u\n2,v\n", {"header": False},
                  [{"column1": "1", "column2": "u"}, {"column1": "2", "column2": "v"}]),
}  # fmt: skip


@pytest.mark.parametrize(("content", "said", "expected"), SAID.values(), ids=SAID)
def test_what_is_said_overrules_every_guess(
    tmp_path: Path, content: bytes, said: dict[str, object], expected: list[dict[str, str]]
) -> None:
    """Each option decides against what would be found out, and the lines come back as well."""
    path = tmp_path / "in.csv"
    path.write_bytes(content)
    options = DialectOptions(**said)  # type: ignore[arg-type]  # a table of options
    with CatalogSource(str(path), dialect=options) as source:
        assert [source.values(row) for row in source.rows()] == expected
    out = appended(path, answer="p", dialect=options).read_bytes()
    assert all(map(bytes.startswith, out.splitlines(), content.splitlines()))


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ((";;", None, None, None), "--delimiter takes one character"),
        (("", None, None, None), "--delimiter takes one character"),
        ((",", ",", None, None), "have to differ"),
        ((None, None, None, 2), "exclude each other"),
    ],
)
def test_options_that_make_no_sense(typed: tuple[str | None, ...], reason: str) -> None:
    """What is no character, or contradicts itself, is refused in the words of the option."""
    with pytest.raises(InvalidRequestError, match=reason):
        DialectOptions.typed(*typed, header=typed[3] is None)  # type: ignore[arg-type]


LONG = "<p>\n" + "x" * 131_073 + "\nold,gallery,https://x.example/OLD-1.jpg\n</p>"
INSIDE: dict[str, tuple[str, list[str]]] = {
    "a long cell": (f'sku,body,image\n1,"{LONG}",u\n2,short,v\n', ["u", "v"]),
    "backslashes": (
        'sku,body,image\n1,"He said \\"see\nold,p,OLD\n\\" ok",u\n2,plain,v\n',
        ["u", "v"],
    ),
    "quotes that are not doubled": (
        'sku,body,image\n1,"He said "see\nold,p,OLD\n" ok",u\n2,plain,v\n',
        ["v"],
    ),
    "a quote too many on a line": ('sku,body,image\n1,"a"b,u\n2,"c",v\n', ["v"]),
    "a backslash at the end": ('sku,body,image\n1,"C:\\dir\\",u\n2,"c",v\n', ["u", "v"]),
    "never closed": ('sku,body,image\n1,a,u\n2,"b,v\nold,p,OLD\n', ["u"]),
}


@pytest.mark.parametrize(("content", "asked"), INSIDE.values(), ids=INSIDE)
def test_C26_no_row_is_made_of_the_inside_of_a_cell(
    tmp_path: Path, content: str, asked: list[str]
) -> None:
    """A bad record is one bad row, reading goes on behind its end, and its text comes back."""
    path = tmp_path / "in.csv"
    path.write_text(content)
    with CatalogSource(str(path)) as source:
        source.ask(["image"])
        rows = list(source.rows())
    assert [row.fields["image"] for row in rows if row.error is None] == asked
    assert len(rows) == 2
    out = appended(path, answer="p").read_text()
    for row in rows:
        assert row.raw is not None
        assert f"{row.raw}," in out


def test_long_records_are_read_in_pieces(tmp_path: Path) -> None:
    """A record of several pieces of the file is found whole, wherever the pieces end."""
    body = "\n".join(f'line {count}, ""quoted""' for count in range(60_000))
    path = tmp_path / "in.csv"
    path.write_text(f'sku,body\n1,"{body}"\n2,x\n')
    with CatalogSource(str(path)) as source:
        rows = list(source.rows())
    assert [(row.line, row.error) for row in rows] == [(2, None), (60_002, None)]
    assert rows[0].fields["body"] == body.replace('""', '"')


def test_what_an_encoding_does_not_know(tmp_path: Path) -> None:
    """An answer that a source's encoding has no bytes for becomes references of HTML."""
    content = "größe,b\nx,y\n".encode("cp1252")
    out = out_of(tmp_path, content, encoding="cp1252", answer="a “猫”")
    assert out == "größe,b,prompt,error\nx,y,a “&#29483;”,\n".encode("cp1252")


def test_utf16_comes_back(tmp_path: Path) -> None:
    """UTF-16 with a mark stays UTF-16 with one mark."""
    out = out_of(tmp_path, "a;ä\n1;猫\n".encode("utf-16"), answer="p")
    assert out == "a;ä;prompt;error\n1;猫;p;\n".encode("utf-16")


def test_C26_guard_is_all_that_changes(tmp_path: Path) -> None:
    """A cell that a spreadsheet would compute is guarded where it stands; no other is touched."""
    content = b'a;b\n"=1+1";-5\n@x;"y;-z"\n-5-x; =1\n'
    assert out_of(tmp_path, content, answer="=p") == (
        b"a;b;prompt;error\n\"'=1+1\";-5;'=p;\n'@x;\"y;-z\";'=p;\n'-5-x; =1;'=p;\n"
    )


def test_too_many_cells_stay_one_row(tmp_path: Path) -> None:
    """A row with more cells than the header keeps them in its last one, and the reason behind."""
    out = out_of(tmp_path, b'a,b\n1,"x",y\n')
    assert next(csv.DictReader(io.StringIO(out.decode()))) == {
        "a": "1", "b": "x,y", "prompt": "",
        "error": "has 3 fields where the header has 2: put quotes around a field that holds a ','",
    }  # fmt: skip


def test_third_generation(tmp_path: Path) -> None:
    """An output that is captioned again and again gets new names by one rule in every form."""
    (tmp_path / "in.csv").write_text("image\nu\n")
    expected = ["image"]
    path = tmp_path / "in.csv"
    for prefix, suffix in (("", ""), ("vimmerse_", ""), ("vimmerse_", "_2"), ("vimmerse_", "_3")):
        expected += [f"{prefix}prompt{suffix}", f"{prefix}error{suffix}"]
        for form in ("jsonl", "parquet"):
            made = appended(path, f"made.{form}", answer="p")
            with CatalogSource(str(made)) as source:
                assert list(source.survey().columns) == expected
        path = appended(path, f"{len(expected)}.csv", answer="p")
        assert path.read_text().splitlines()[0].split(",") == expected


def test_pipe_is_read_again() -> None:
    """What came through a pipe comes again from the first row, also what was not read yet."""
    reading, writing = os.pipe()
    content = b"a,b\n" + b"".join(b"%d,x\n" % count for count in range(3_000))
    saved = os.dup(0)
    try:
        os.dup2(reading, 0)
        os.write(writing, content)
        os.close(writing)
        with CatalogSource("-") as source:
            first = [row.raw for row, _ in zip(source.rows(), range(5), strict=False)]
            again = [row.raw for row in source.records()]
            assert again == [row.raw for row in source.records()]
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(reading)
    assert again[:5] == first
    assert len(again) == 3_000


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
tables = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), max_size=8)
)


@given(
    tables,
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    cells,
)
def test_source_is_a_prefix_of_the_output(
    rows: list[list[str]], delimiter: str, end: str, encoding: str, quoting: int, answer: str
) -> None:
    """Whatever a CSV holds, each record is the beginning of its output, and all cells come back."""
    bare = end == "\n" and quoting == csv.QUOTE_MINIMAL
    assume(not bare or "\r" not in "".join(itertools.chain(*rows)))  # some Pythons do not quote it
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    names = [f"c{place}" for place in range(len(rows[0]) if rows else 2)]
    for row in (names, *rows):
        writer.writerow(row)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "in.csv")
        path.write_bytes(text.getvalue().encode(encoding))
        with CatalogSource(str(path), dialect=DialectOptions(delimiter=delimiter)) as source:
            records = list(source.records())
        said = DialectOptions(delimiter=delimiter)
        target = appended(path, answer=answer, dialect=said)
        out = target.read_bytes().decode(encoding)
        with CatalogSource(str(target), dialect=said) as source:
            made = list(source.records())
    again = list(csv.reader(io.StringIO(out, newline=""), delimiter=delimiter))
    unguarded = [[cell.removeprefix("'") for cell in row] for row in again[1:] if row]
    expected = [[*row, answer, ""] for row in rows]
    assert unguarded == [[cell.removeprefix("'") for cell in row] for row in expected]
    assert len(records) == len(made) == len(rows)
    for record, own in zip(records, made, strict=True):
        begin = f"{record.raw}{delimiter}"
        assert "'" in out or (own.raw or "").startswith(begin)
    assert out.endswith(end)


def test_answers_with_everything_in_them_come_back(tmp_path: Path) -> None:
    """Delimiters, quotes and line ends of an answer are quoted in the source's way."""
    for content in (b"a,b\n1,2\n", b"a;b\r\n1;2\r\n", b"a\tb\n1\t2\n"):
        out = out_of(tmp_path, content).decode()
        delimiter = csv.Sniffer().sniff(content.decode()).delimiter
        *_, row = csv.reader(io.StringIO(out, newline=""), delimiter=delimiter)
        assert row[2] == ANSWER


_CELLS = st.one_of(
    st.sampled_from(["", "-5", "=1+1", "+x", "-", "@a", '"', "a,b", "'=1", "\t", "é", "–3"]),
    st.text(st.sampled_from("ab=-+@,;\"'\n\r\t 5é\0"), max_size=6),
)


@given(
    lines=st.lists(st.lists(_CELLS, min_size=2, max_size=4), min_size=1, max_size=6),
    prompts=st.lists(st.none() | _CELLS, min_size=6, max_size=6),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    error=st.sampled_from([None, None, "=why"]),
)
def test_rows_together_are_written_as_each_alone(
    lines: list[list[str]], prompts: list[str | None], quoting: int, error: str | None
) -> None:
    """What is looked at for many rows at once comes out as if each had been looked at."""
    said = io.StringIO(newline="")
    csv.writer(said, quoting=quoting).writerows([["a", "b", "c"], *lines])  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "in.csv")
        path.write_text(said.getvalue(), newline="")
        written = []
        for together in (False, True):
            out = io.StringIO(newline="")
            said_so = DialectOptions(delimiter=",", quote='"', header_row=1)
            with CatalogSource(str(path), dialect=said_so) as source:
                source.ask(("a",))
                appender = appender_for("csv", out, source, source.survey().kinds)
                rows = [
                    (row, None if error else prompt, error)
                    for row, prompt in zip(source.records(), itertools.cycle(prompts), strict=False)
                ]
                if together:
                    appender.write_all(rows)
                for row in () if together else rows:
                    appender.write(*row)
                appender.close()
            written.append(out.getvalue())
    assert written[0] == written[1]
