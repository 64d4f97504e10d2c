"""Pictures that are on this machine, named or held by a table."""

import csv
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_kit import Ended
from drawn import BLUE, GREEN, RED, encoded, solid

from vimmerse_async.emulator import Emulator

Vimmerse = Callable[..., Ended]
PICTURES = {
    "red": encoded(solid(RED)),
    "green": encoded(solid(GREEN)),
    "blue": encoded(solid(BLUE)),
}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def uploads(emulator: Emulator) -> int:
    return sum(seen.route in {"/v2/image", "/v2/video"} for seen in emulator.requests)


def shop(place: Path) -> Path:
    """A folder with a catalog and its pictures."""
    (place / "shop" / "img").mkdir(parents=True)
    for name, picture in PICTURES.items():
        (place / "shop" / "img" / f"{name}.png").write_bytes(picture)
    return place / "shop"


@pytest.mark.parametrize("journal", [(), ("--no-journal",)])
def test_paths_are_relative_to_the_catalog(
    vimmerse: Vimmerse, place: Path, emulator: Emulator, journal: tuple[str, ...]
) -> None:
    """A picture beside a table is uploaded once, and its row keeps its columns and its line."""
    folder = shop(place)
    uri = (folder / "img" / "green.png").as_uri()
    lines = ["1,img/red.png", f"2,{uri}", "3,img/red.png", "4,img/gone.png", "5,img\\blue.png"]
    (folder / "in.csv").write_text("sku,picture\n" + "\n".join(lines) + "\n")
    ended = vimmerse("caption", "shop/in.csv", "-o", "out.csv", *journal)
    assert ended.code == 1, ended.err
    found = table(place / "out.csv")
    assert (place / "out.csv").read_text().splitlines()[1].startswith("1,img/red.png,")
    words = [row["prompt"] for row in found]
    assert words[0] == words[2] != words[1]
    assert [bool(word) for word in words] == [True, True, True, False, True]
    assert found[3]["error"] == "line 5: cannot be read: No such file or directory"
    assert uploads(emulator) == 3


def test_a_sheet_with_local_pictures(vimmerse: Vimmerse, place: Path, emulator: Emulator) -> None:
    """A second run over a sheet of local pictures uploads nothing and asks nothing."""
    folder = shop(place)
    book = import_module("xlsxwriter").Workbook(folder / "in.xlsx")
    own = book.add_worksheet()
    own.write_row(0, 0, ["sku", "picture"])
    for row, name in enumerate(PICTURES, 1):
        own.write_row(row, 0, [row, f"img/{name}.png"])
    book.close()
    words = ("caption", "shop/in.xlsx", "-o", "out.xlsx")
    plan = vimmerse(*words, "--dry-run")
    assert "calls needed        3" in plan.out
    assert "uploads needed      3" in plan.out
    assert vimmerse(*words).code == 0
    seen = len(emulator.requests)
    ended = vimmerse(*words)
    assert ended.code == 0, ended.err
    assert len(emulator.requests) == seen


@pytest.mark.parametrize("kind", ["struct", "bytes"])
@pytest.mark.parametrize("parts", [1, 2])
def test_bytes_in_a_column_are_pictures(
    vimmerse: Vimmerse, place: Path, emulator: Emulator, kind: str, parts: int
) -> None:
    """What Hugging Face keeps in a column is hosted once by content, and comes back as it was."""
    held: list[Any] = [PICTURES["red"], PICTURES["green"], PICTURES["red"], None]
    if kind == "struct":
        held = [{"bytes": each, "path": f"{at}.png"} for at, each in enumerate(held)]
    rows = pa.table({"label": [1, 2, 3, 4], "image": held})
    (place / "data").mkdir()
    for part in range(parts):
        size = rows.num_rows // parts
        pq.write_table(rows.slice(part * size, size), place / "data" / f"train-{part}.parquet")
    ended = vimmerse("caption", "data", "-o", "out.parquet")
    assert ended.code == 1, ended.err
    found = pq.read_table(place / "out.parquet")
    assert found.column("image").to_pylist() == held
    words = found.column("prompt").to_pylist()
    assert words[0] == words[2] != words[1]
    assert words[3] is None
    assert uploads(emulator) == 2
    again = vimmerse("caption", "data", "-o", "out.parquet")
    assert again.code == 1
    assert uploads(emulator) == 2


def test_the_other_columns_of_a_row_are_asked_too(
    vimmerse: Vimmerse, place: Path, emulator: Emulator
) -> None:
    """A local picture and a text to start from go into one question."""
    folder = shop(place)
    (folder / "in.csv").write_text("picture,text\nimg/red.png,AAA\nimg/red.png,BBB\n")
    words = ("--column", "picture", "--prompt-column", "text", "-o", "out.csv")
    assert vimmerse("caption", "shop/in.csv", *words).code == 0
    asked = [seen.fields or {} for seen in emulator.requests if seen.route.startswith("/v2/text")]
    assert sorted(each["prompt"] for each in asked) == ["AAA", "BBB"]
    assert all(each["image_url"].startswith("https://") for each in asked)
