"""What happens to a journal while a run writes it, and what the run does about it."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kill_kit import Kit
from scripted_server import echo, slow

from vimmerse_async import (
    JournalError,
    JournalReader,
    PromptJournal,
    PromptRequest,
    gather_prompts,
    stream_prompts,
)
from vimmerse_async.journal.commits import JournalEntry

ROWS = [f"https://a.example/{number}" for number in range(400)]


def harm(path: Path, how: str) -> None:
    if how == "deleted":
        path.unlink()
    elif how == "replaced":
        other = path.with_name("other")
        other.write_bytes(path.read_bytes())
        other.replace(path)
    elif how == "cut":
        os.truncate(path, 0)
    elif how == "log deleted":
        Path(f"{path}-wal").unlink()
    else:
        shutil.move(path, path.with_name("run.db.1"))


@pytest.mark.parametrize("how", ["deleted", "replaced", "cut", "log deleted", "rotated"])
async def test_E13_P7_the_journal_goes_away(server, path, how):
    """It is noticed at the next commit: nothing new is sent, and nothing unsafe is delivered."""
    server.script = slow(0.01)
    seen, asked = [], None

    async def caption():
        nonlocal asked
        async with (
            server.session(limit=8) as session,
            stream_prompts(session, ROWS, journal=path) as results,
        ):
            async for result in results:
                seen.append(result)
                if len(seen) == 20:
                    await asyncio.to_thread(harm, path, how)
                    asked = len(server.requests)

    with pytest.raises(JournalError) as caught:
        await caption()
    assert caught.value.kind in {"write", "corrupt"}
    assert str(path) in str(caught.value)
    assert len(seen) < 60
    assert len(server.requests) - asked <= 5 * 8
    assert Counter(server.names).most_common(1)[0][1] == 1


async def test_P7_gather_raises_what_the_journal_says(server, path):
    """A gathered batch raises the journal's error, not a batch's."""
    server.script = slow(0.01)
    seen = []

    def note(result):
        seen.append(result)
        if len(seen) == 20:
            harm(path, "deleted")

    async with server.session(limit=8) as session:
        with pytest.raises(JournalError, match="deleted"):
            await gather_prompts(session, ROWS, journal=path, on_result=note)
    assert len(server.requests) <= len(seen) + 5 * 8


async def test_E13_P7_what_was_moved_is_whole(server, path):
    """A journal that is moved in mid-run holds all that was seen, and the error says where."""
    server.script = slow(0.01)
    aside, seen = path.with_name("aside.db"), []

    def note(result):
        seen.append(result.prompt)
        if len(seen) == 20:
            path.rename(aside)

    async with server.session(limit=8) as session:
        with pytest.raises(JournalError, match=f"{path} was moved to {aside} while"):
            await gather_prompts(session, ROWS, journal=path, on_result=note)
    assert [each.name for each in path.parent.iterdir()] == [aside.name]
    with JournalReader(aside) as reader:
        assert set(seen) <= {row.prompt for row in reader.results()}
    aside.rename(path)
    async with server.session(limit=8) as session:
        assert len(await gather_prompts(session, ROWS, journal=path)) == len(ROWS)
    assert len(server.names) <= len(ROWS) + 2 * 8


@pytest.mark.parametrize(
    "words", [["PRAGMA wal_checkpoint(TRUNCATE)"], ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"]]
)
async def test_E13_another_tool_may_tidy_up(server, path, words):
    """Checkpoints and a VACUUM in mid-run, which cut both files short, do not end the run."""
    sizes = []

    def tidy():
        before = path.stat().st_size, Path(f"{path}-wal").stat().st_size
        with contextlib.closing(
            sqlite3.connect(path, isolation_level=None, timeout=10)
        ) as connection:
            for word in words:
                connection.execute(word).fetchall()
        sizes.append((before, (path.stat().st_size, Path(f"{path}-wal").stat().st_size)))

    async with PromptJournal(path, synchronous="normal") as journal:
        for number in range(2_000):  # what a VACUUM gives back
            journal.put(JournalEntry("INSERT INTO meta VALUES (?, ?)", (f"old {number}", "x" * 99)))
        journal.put(JournalEntry("DELETE FROM meta WHERE name LIKE 'old %'"))
        await journal.flush()
    server.script, seen = slow(0.01), []
    async with (
        server.session(limit=8) as session,
        stream_prompts(session, ROWS, journal=path) as results,
    ):
        async for result in results:
            seen.append(result)
            if len(seen) in {20, 100, 300}:
                await asyncio.to_thread(tidy)
    assert len(seen) == len(server.names) == len(ROWS)
    assert all(after[1] < before[1] for before, after in sizes)
    assert len(words) == 1 or sizes[0][1][0] < sizes[0][0][0]
    with JournalReader(path) as reader:
        assert reader.counts()["answered"] == len(ROWS)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 kB, where the tests may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if (
        shutil.which("mount") is None
        or subprocess.run(command, capture_output=True, check=False).returncode
    ):
        pytest.skip("only root can mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def check_ended_well(kit, bigger: Path) -> None:
    """The run said why, kept all that was seen, and goes on where there is room."""
    assert kit.wait() == 3, kit.said()
    assert kit.said().startswith("write: ")
    first = sum(kit.asked().values())
    assert 10 < first < kit.rows
    reports = kit.new_reports()
    assert first - len(reports) <= 2 * kit.window
    for ending in ("", "-wal"):
        if Path(f"{kit.journal}{ending}").exists():
            shutil.copy(f"{kit.journal}{ending}", f"{bigger}{ending}")
    with JournalReader(bigger) as reader:
        known = {row.prompt for row in reader.results()}
    assert {prompt for _, prompt in reports} <= known
    assert kit.run(journal=str(bigger)) == 0, kit.said()
    assert sum(kit.asked().values()) <= kit.rows + 2 * kit.window


def test_E4_P7_the_disk_is_full(tmp_path, small_disk):
    """A full disk ends the run; what was acknowledged is whole."""
    with Kit(tmp_path, 2_000, place=small_disk) as kit:
        kit.start()
        check_ended_well(kit, tmp_path / "bigger.db")


def test_E4_a_disk_that_is_full_from_the_start(tmp_path, small_disk):
    """Nothing is sent when the journal cannot even be made."""
    (small_disk / "film").write_bytes(bytes(256 << 10))
    with Kit(tmp_path, 2_000, place=small_disk) as kit:
        assert kit.run() == 3
        assert kit.said().startswith("write: ")
        assert not kit.asked()
    assert [each.name for each in small_disk.iterdir()] == ["film"]


def test_E5_P7_a_file_may_not_grow(tmp_path):
    """A limit on the size of files ends the run with an error, not with a signal."""
    with Kit(tmp_path, 2_000) as kit:
        kit.start(limits={"RLIMIT_FSIZE": 200_000})
        check_ended_well(kit, tmp_path / "bigger.db")


@pytest.fixture(scope="module")
def torn(tmp_path_factory):
    """What a killed run left: a database, and a log with a commit for each of many results."""
    folder = tmp_path_factory.mktemp("torn")
    with Kit(folder, 200, window=1) as kit:
        kit.kill_after(60, 0.0)
    return kit.journal.read_bytes(), Path(f"{kit.journal}-wal").read_bytes()


def left_in(folder: Path, database: bytes, log: bytes) -> list[str]:
    """Return what a reader and the next run find after the log was cut."""
    path = folder / "run.db"
    for ending in ("-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)
    path.write_bytes(database)
    Path(f"{path}-wal").write_bytes(log)
    with JournalReader(path) as reader:
        return [row.prompt for row in reader.results() if row.prompt is not None]


def test_E8_a_torn_end_is_cut(tmp_path, torn):
    """Wherever the last write tore, what is left is whole, and no commit is missing before it."""
    database, log = torn
    whole = left_in(tmp_path, database, log)
    assert len(whole) > 20
    found = []
    for length in range(len(log), len(log) * 2 // 3, -777):
        prompts = left_in(tmp_path, database, log[:length])
        assert prompts == whole[: len(prompts)]
        found.append(len(prompts))
    assert found == sorted(found, reverse=True)
    assert found[-1] < found[0]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_E8_a_damaged_end_is_cut(tmp_path_factory, torn, data):
    """A bit that flipped in the log ends it there; no wrong record is accepted."""
    database, log = torn
    place = data.draw(st.integers(len(log) // 2, len(log) - 1))
    damaged = bytearray(log)
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    folder = tmp_path_factory.mktemp("flip")
    whole = left_in(folder, database, log)
    prompts = left_in(folder, database, bytes(damaged))
    assert prompts == whole[: len(prompts)]


@settings(max_examples=60, deadline=None)
@given(prompt=st.text(min_size=1), key=st.text(min_size=1), text=st.text(min_size=1))
async def test_E22_texts_come_back_as_they_were(tmp_path_factory, prompt, key, text):
    """Newlines, NULs, surrogates and whatever else: bit for bit, or visibly replaced."""
    path = tmp_path_factory.mktemp("texts") / "run.db"
    prompt = prompt.encode("utf-8", "replace").decode()
    async with PromptJournal(path) as journal:
        journal.bind("http://127.0.0.1:1")
        journal.add_result(
            (b"q" * 16, "answered", prompt, None, None, None, "{}", 1, 0, 0.0, 1, 0.0), None, None
        )
        await journal.flush()
        found = await journal.find([b"q" * 16])
        assert found[b"q" * 16][1] == prompt
    with JournalReader(path) as reader:
        (row,) = reader.results()
    assert row.prompt == prompt


async def test_E22_a_megabyte_of_anything(server, path):
    """Long answers, and rows and keys that hold what cannot be sent."""
    from scripted_server import Answer

    long = "é\n\0" * 250_000
    server.script = lambda _: Answer(value=long)
    rows = [
        "https://a.example/1",
        "https://\ud800.example/",
        PromptRequest("RefinePrompt", "a\ud800b"),
        PromptRequest("RefinePrompt", "fine", key="k\ud800\0"),
    ]
    async with server.session() as session:
        for _ in range(2):
            results = await gather_prompts(session, rows, journal=path, return_exceptions=True)
            assert [type(each).__name__ for each in results] == [
                "str", "InvalidURLError", "InvalidRequestError", "str",
            ]  # fmt: skip
            assert results[0] == long
    assert len(server.requests) == 2
    with JournalReader(path) as reader:
        assert len(list(reader.results())) == 4


async def test_E16_other_options_are_other_questions(server, path):
    """The same picture with another mode, seed or option is asked; the first answer stays."""
    rows = ["https://a.example/1"]
    variants = [{}, {"mode": "scene"}, {"prompt": "a fox"}, {"mode": "video", "prompt": "a fox"}]
    server.script = echo
    async with server.session() as session:
        for _ in range(2):
            for options in variants:
                await gather_prompts(session, rows, journal=path, **options)
    assert len(server.requests) == len(variants)


async def test_E18_a_journal_of_version_1_is_read_for_ever(tmp_path):
    """A file that the first version wrote can be read and gone on with: no answer is lost."""
    path = tmp_path / "run.db"
    shutil.copy(Path(__file__).with_name("journal-v1.db"), path)
    with JournalReader(path) as reader:
        assert reader.counts() == {"answered": 2, "rejected": 1, "unfinished": 1}
        assert reader.origin == "emulator"
        before = [(row.question, row.state, row.prompt) for row in reader.results()]
        assert len(before) == 4
        assert reader.digest_of(("/a", 1, 1)) is None
        assert reader.errors() == {"NotFoundError": 1, "InternalServerError": 1}
        assert reader.snapshot() is not None
        assert reader.uploaded(b"digest") == "https://a.example/hosted"
    async with PromptJournal(path) as journal:
        journal.bind("http://127.0.0.1:1", emulated=True)
        assert journal.begin_run({}) == 2
        journal.add_file(("/a", 1, 1), b"digest")
        await journal.flush()
        assert journal.digest_of(("/a", 1, 1)) == b"digest"
    with JournalReader(path) as reader:
        assert [(row.question, row.state, row.prompt) for row in reader.results()] == before
    with sqlite3.connect(path) as connection:
        names = {line[0] for line in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert {"files", "outputs", "marks", "versions", "checks", "orders"} <= names
    assert not {"rows", "catalog"} & names


@pytest.mark.parametrize("whole", [True, False])
async def test_P4_damage_in_a_large_journal_is_found_when_it_is_read(
    server, path, monkeypatch, whole
):
    """A journal too large to be checked at the start is checked where it is looked at."""
    from vimmerse_async.journal import schema

    async with server.session() as session:
        await gather_prompts(session, ROWS, journal=path)
        asked = len(server.requests)
        content = bytearray(path.read_bytes())
        for page in range(6, len(content) // 4096):
            content[page * 4096 : page * 4096 + 100] = os.urandom(100)
        path.write_bytes(content)
        monkeypatch.setattr(schema, "SMALL", schema.SMALL if whole else 0)
        with pytest.raises(JournalError) as caught:
            await gather_prompts(session, ROWS, journal=path)
    assert caught.value.kind == "corrupt"
    assert str(path) in str(caught.value)
    assert len(server.requests) == asked
    assert path.read_bytes()[4096 * 6 :] == content[4096 * 6 :]
