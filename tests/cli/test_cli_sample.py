"""A few rows are looked at first, drawn by chance, and the same command goes on."""

import csv
from pathlib import Path

import pytest

from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.sample import Sampling, sample


def write_shop(path: Path, count: int) -> None:
    rows = (f"S{n},kind {n % 4},https://a.example/{n}.png\n" for n in range(count))
    path.write_text("sku,kind,image\n" + "".join(rows))


def calls(emulator) -> int:
    return len([each for each in emulator.requests if each.route == "/v2/text/prompt"])


def answered(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return [row["sku"] for row in csv.DictReader(file) if row["prompt"]]


def test_a_sample_and_then_the_rest(vimmerse, emulator, place: Path):
    """A sample asks its rows only and shows them; the same command without it asks the others."""
    write_shop(place / "a.csv", 60)
    words = ("caption", "a.csv", "-o", "o.csv")
    planned = vimmerse(*words, "--sample", "3", "--per", "kind", "--dry-run")
    assert "calls needed        12" in planned.out
    looked = vimmerse(*words, "--sample", "3", "--per", "kind")
    assert looked.code == 0
    assert calls(emulator) == 12
    drawn = answered(place / "o.csv")
    assert [sum(int(sku[1:]) % 4 == kind for sku in drawn) for kind in range(4)] == [3] * 4
    assert all(f"line {int(sku[1:]) + 2}: " in looked.err for sku in drawn)
    assert "to go on: vimmerse caption a.csv -o o.csv\n" in looked.err
    assert len((place / "o.csv").read_text().splitlines()) == 61
    assert vimmerse(*words, "--sample", "3", "--per", "kind").code == 0
    assert calls(emulator) == 12
    assert vimmerse(*words).code == 0
    assert calls(emulator) == 60
    assert len(answered(place / "o.csv")) == 60


@pytest.mark.parametrize("rows", [("--rows", "2"), ("--rows=2",)])
def test_going_on_from_the_first_rows(vimmerse, emulator, place: Path, rows: tuple[str, ...]):
    """What is said after the first rows asks the others; after a stop only what was meant."""
    write_shop(place / "a.csv", 5)
    words = ("caption", "a.csv", "-o", "o.csv")
    stopped = vimmerse(*words, *rows, "--max-calls", "1")
    assert "--rows" in stopped.err.partition("to go on: ")[2]
    looked = vimmerse(*words, *rows)
    assert "to go on: vimmerse caption a.csv -o o.csv\n" in looked.err
    assert calls(emulator) == 2


def test_a_sample_leaves_a_complete_output_alone(vimmerse, emulator, place: Path):
    """A preview for other words goes beside an output that is complete, which stays as it is."""
    write_shop(place / "a.csv", 12)
    words = ("caption", "a.csv", "-o", "o.csv")
    vimmerse(*words)
    before = (place / "o.csv").read_bytes()
    looked = vimmerse(*words, "--sample", "3", "--mode", "scene")
    assert looked.code == 0
    assert "o.csv stays as it is" in looked.err
    assert (place / "o.csv").read_bytes() == before
    assert len(answered(place / "o.partial.csv")) == 3


def test_a_sample_is_refused_before_anything_is_sent(vimmerse, emulator, place: Path):
    """Without a journal, with a column that is not there, a sample is refused with the mend."""
    write_shop(place / "a.csv", 5)
    refused = vimmerse("caption", "a.csv", "--sample", "2")
    assert (refused.code, "--journal" in refused.err) == (2, True)
    refused = vimmerse("caption", "a.csv", "-o", "o.csv", "--sample", "2", "--per", "colour")
    assert (refused.code, "sku, kind, image" in refused.err) == (2, True)
    assert vimmerse("caption", "a.csv", "-o", "o.csv", "--per", "kind").code == 2
    assert not calls(emulator)


def test_a_sample_through_a_pipe_and_of_a_folder(vimmerse, start, emulator, place, photos):
    """What comes through a pipe, and a folder's files, are drawn from as well."""
    write_shop(place / "a.csv", 20)
    with (place / "a.csv").open() as rows:
        words = ("caption", "-", "--journal", "j.db", "--sample", "4")
        done = start(*words, stdin=rows)
        out, err = done.communicate(timeout=60)
    assert done.returncode == 0, err
    assert len(out.splitlines()) == 5
    looked = vimmerse("caption", photos, "-o", "p.csv", "--sample", "2")
    assert looked.code == 0
    assert looked.err.count("not asked yet") == 0
    assert (place / "p.csv").read_text().count("not asked yet") == 1


def test_a_sample_is_drawn_by_what_is_asked():
    """The same rows are drawn in any order, equal ones once, and others by another seed."""
    rows = [CatalogRow(n, {"image": f"https://a.example/{n // 2}"}) for n in range(200)]

    def drawn(rows: list[CatalogRow], seed: int = 0) -> set[int]:
        return {line // 2 for _, line, _ in sample(rows, Sampling(20, seed=seed), ["image"])}

    assert len(drawn(rows)) == 20
    assert drawn(rows) == drawn(rows[::-1])
    assert len(drawn(rows) & drawn(rows, 1)) < 10
    assert len(sample(rows[:6], Sampling(20), ["image"])) == 3
