"""A catalog of which the journal knows everything is read once, and asked about no more."""

from pathlib import Path

import pytest

from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.cli.app import run

IMAGE = "https://a.example/{}.png"


def _write(path: Path, images: list[str]) -> None:
    lines = [f'{place},"T, {place}",{image}' for place, image in enumerate(images)]
    path.write_text("\n".join(["sku,title,image", *lines]) + "\n")


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("c.csv")
    _write(path, [*map(IMAGE.format, range(40)), "ftp://a.example/no.png", ""])
    return path


def _caption(*more: str) -> int:
    return run(["caption", "c.csv", "-o", "o.csv", "--emulator", *more])


def test_a_known_catalog_is_read_once(
    catalog: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second run gives the same bytes and code, rows that cannot be asked included."""
    code, first = _caption(), Path("o.csv").read_bytes()
    read: list[CatalogSource] = []
    records = CatalogSource.records

    def counted(source: CatalogSource) -> object:
        read.append(source)
        return records(source)

    monkeypatch.setattr(CatalogSource, "records", counted)
    capsys.readouterr()
    assert (_caption(), Path("o.csv").read_bytes()) == (code, first)
    assert not read
    assert "42 known already, 2 failed" in capsys.readouterr().err


def test_one_row_that_is_asked_has_the_catalog_read_again(catalog: Path) -> None:
    """What was written before a row came that is not known is nothing of the output."""
    _caption()
    _write(catalog, [*map(IMAGE.format, range(600)), IMAGE.format("new")])
    assert _caption("--max-calls", "0") != 0
    partial = Path("o.partial.csv").read_text().splitlines()
    assert len(partial) == 602
    assert not [path for path in Path().iterdir() if path.name.startswith((".", "tmp"))]
    assert _caption() == 0
    lines = Path("o.csv").read_text().splitlines()
    assert len(lines) == 602
    assert not any("not asked yet" in line for line in lines)
