"""Questions are found wherever their lines are: in the index, at the end, in any order."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vimmerse_async.journal import commits as module
from vimmerse_async.journal import schema
from vimmerse_async.journal.commits import Commits, JournalEntry
from vimmerse_async.journal.finding import Finder, Sweep

LAG = 50


@pytest.fixture(autouse=True)
def short_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAG", LAG)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "run.db"
    with closing(_open(path)) as connection:
        schema.create(connection)
    return path


def _open(path: Path | str) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def _question(number: int) -> bytes:
    return random.Random(number).randbytes(16)


def _line(number: int, state: str = "answered", *, is_new: bool = False) -> JournalEntry:
    prompt = f"about {number}" if state == "answered" else None
    values = (_question(number), state, prompt, *[None] * (len(schema.RESULT_COLUMNS) - 3))
    return JournalEntry("results", values, is_new=is_new)


def _unplaced(connection: sqlite3.Connection) -> int:
    sql = "SELECT count(*) FROM results WHERE placed IS NULL"
    return int(connection.execute(sql).fetchone()[0])


def _make_older(connection: sqlite3.Connection) -> None:
    """Give a new journal the table of version 3."""
    columns = ", ".join(schema.RESULT_COLUMNS[1:])
    connection.execute("DROP TABLE results")
    connection.execute(f"CREATE TABLE results (question BLOB NOT NULL PRIMARY KEY, {columns})")
    connection.execute("PRAGMA user_version = 3")


def _groups(total: int) -> Iterator[range]:
    return (range(start, min(start + 7, total)) for start in range(0, total, 7))


def test_every_line_is_found_at_once_while_the_index_lags(path: Path) -> None:
    """A reader finds each question after its commit, and the index lags by a bounded number."""
    with closing(_open(path)) as writer, closing(_open(path)) as other:
        commits, finder = Commits(writer), Finder(other)
        for group in _groups(4 * LAG):
            commits.write([_line(number, is_new=True) for number in group])
            wanted = [_question(number) for number in (*group, group[0] // 2, 10**9)]
            known = {_question(n): f"about {n}" for n in (*group, group[0] // 2)}
            assert {one: line[1] for one, line in finder.find(wanted).items()} == known
            assert _unplaced(other) < LAG
        commits.close()
        assert not _unplaced(other)
        assert len(finder.find([_question(number) for number in range(4 * LAG)])) == 4 * LAG


def test_new_lines_alone_are_one_statement(path: Path) -> None:
    """A commit of new lines takes the interpreter's lock from the loop once, not once a line."""
    with closing(_open(path)) as connection:
        commits = Commits(connection)
        made: list[str] = []
        connection.set_trace_callback(made.append)
        commits.write([_line(number, is_new=True) for number in range(LAG - 1)])
        assert len(made) == 1
        connection.set_trace_callback(None)
        lines = connection.execute("SELECT line, question, prompt FROM results").fetchall()
        wanted = [(n + 1, _question(n), f"about {n}") for n in range(LAG - 1)]
        assert lines == wanted


def test_what_a_kill_left_out_of_the_index_is_put_in(path: Path) -> None:
    """The next writer catches up, and asks for no question twice."""
    with closing(_open(path)) as writer:
        Commits(writer).write([_line(number, "unfinished") for number in range(10)])
        assert _unplaced(writer) == 10
    with closing(_open(path)) as writer:
        commits = Commits(writer)
        assert not _unplaced(writer)
        commits.write([_line(number) for number in range(12)])
        assert writer.execute("SELECT count(*) FROM results").fetchone()[0] == 12
        found = Finder(writer).find([_question(number) for number in range(12)])
        assert {line[0] for line in found.values()} == {"answered"}


def test_lines_that_another_tool_takes_away_lead_nowhere(path: Path) -> None:
    """A question whose line was deleted, or moved by VACUUM, is not found under another's."""
    with closing(_open(path)) as writer, closing(_open(path)) as other:
        commits, finder = Commits(writer), Finder(other)
        commits.write([_line(number) for number in range(20)])
        assert len(finder.find([_question(number) for number in range(20)])) == 20
        writer.execute("DELETE FROM results WHERE rowid <= 5 OR rowid = 20")
        writer.execute("VACUUM")
        commits.write([_line(number) for number in range(20, 25)])
        found = finder.find([_question(number) for number in range(25)])
        for number in range(25):
            line = found.get(_question(number))
            assert line is None or line[1] == f"about {number}"
        commits.write([_line(7, "rejected"), _line(3)])  # answered already, and taken away
        assert Finder(other).find([_question(3)])[_question(3)][0] == "answered"
        assert Finder(other).find([_question(7)])[_question(7)][0] == "answered"


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["unfinished", "answered"]))),
    st.integers(1, 9),
    st.booleans(),
)
def test_a_question_has_one_line_and_keeps_its_answer(
    steps: list[tuple[int, str]], size: int, older: bool
) -> None:
    """However lines are grouped, a question has one, and an answer is never replaced."""
    with closing(_open(":memory:")) as connection:
        schema.create(connection)
        if older:
            _make_older(connection)
            schema.upgrade(connection)
        commits, model = Commits(connection), dict[bytes, str]()
        for start in range(0, len(steps), size):
            group = steps[start : start + size]
            commits.write([_line(number, state) for number, state in group])
            for number, state in group:
                if model.get(_question(number)) != "answered":
                    model[_question(number)] = state
        lines = connection.execute("SELECT question, state FROM results").fetchall()
        assert sorted(lines) == sorted(model.items())


@pytest.mark.parametrize("order", ["same", "reversed", "shuffled", "doubled", "half unknown"])
def test_a_sweep_finds_what_a_lookup_finds(path: Path, order: str) -> None:
    """In whatever order questions come, a sweep gives the same answers as looking each up."""
    count = 3_000
    asked = {
        "same": list(range(count)),
        "reversed": list(range(count))[::-1],
        "shuffled": random.Random(1).sample(range(count), count),
        "doubled": [number // 2 for number in range(count)],
        "half unknown": [n if n % 2 else n + 10**6 for n in range(count)],
    }[order]
    with closing(_open(path)) as connection:
        Commits(connection).write([_line(number) for number in range(count)])
        sweep, finder = Sweep(connection), Finder(connection)
        for start in range(0, count, 500):
            wanted = [_question(number) for number in asked[start : start + 500]]
            assert dict(sweep.find(wanted)) == finder.find(wanted)


def test_a_sweep_in_order_looks_nothing_up(path: Path) -> None:
    """Questions that come as they were asked cost one reading of the table."""
    with closing(_open(path)) as connection:
        Commits(connection).write([_line(number) for number in range(2_000)])
        said: list[str] = []
        connection.set_trace_callback(said.append)
        sweep = Sweep(connection)
        for start in range(0, 2_000, 500):
            assert len(sweep.find([_question(n) for n in range(start, start + 500)])) == 500
        assert not [sql for sql in said if "wanted" in sql]


def test_an_older_journal_is_kept_up_with_each_commit(tmp_path: Path) -> None:
    """In a table that has its index from before, every line is in it at once."""
    with closing(_open(tmp_path / "run.db")) as connection:
        schema.create(connection)
        _make_older(connection)
        columns = ", ".join(schema.RESULT_COLUMNS[1:])
        connection.execute(
            f"INSERT INTO results (question, {columns}) VALUES (?{', ?' * 11})", _line(1).values
        )
        assert len(Finder(connection).find([_question(1)])) == 1
        schema.upgrade(connection)
        commits = Commits(connection)
        commits.write([_line(number) for number in range(3)])
        assert not _unplaced(connection)
        assert len(Finder(connection).find([_question(number) for number in range(3)])) == 3
