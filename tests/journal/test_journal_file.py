"""Where a journal may be, who may write it, and what is refused before anything is sent."""

import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from vimmerse_async import JournalError, JournalReader, PromptJournal
from vimmerse_async.journal import schema

HERE = "http://127.0.0.1:8080"
HOLD = """
import asyncio, sys
from vimmerse_async import PromptJournal

async def main():
    async with PromptJournal(sys.argv[1]) as journal:
        print("open", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


AS_NOBODY = """
import asyncio, os, sys
from vimmerse_async import JournalError, PromptJournal
import anyio._backends._asyncio, encodings.idna

async def main():
    try:
        async with PromptJournal(sys.argv[1]):
            print("open")
    except JournalError as error:
        print(error.kind, error)

os.setgroups([])
os.setgid(65534)
os.setuid(65534)
asyncio.run(main())
"""


@contextmanager
def holding(path):
    """Have another process hold a journal open."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        try:
            yield holder
        finally:
            holder.kill()


def as_nobody(path) -> str:
    """Return what another user's process says of a path."""
    return subprocess.run(
        [sys.executable, "-c", AS_NOBODY, path],
        stdout=subprocess.PIPE, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip


async def refusal(path) -> JournalError:
    """Return why a path is refused as a journal."""
    with pytest.raises(JournalError) as caught:
        async with PromptJournal(path):
            pytest.fail("it was opened")
    return caught.value


async def filled(path, count: int = 1, url: str = HERE) -> Path:
    """Make a journal with some answers."""
    async with PromptJournal(path) as journal:
        journal.bind(url)
        run = journal.begin_run({})
        for number in range(count):
            journal.add_result(
                (number.to_bytes(16, "big"), "answered", f"about {number}", None, None, None,
                 '{"option":"Image2Prompt"}', 1, 0, 0.5, run, time.time()),
                None,
                None,
            )  # fmt: skip
    return Path(path)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
async def test_E26_only_the_owner_reads_it(tmp_path, umask):
    """The journal and its side files are 0600, whatever the umask is."""
    before = os.umask(umask)
    try:
        async with PromptJournal(tmp_path / "run.db") as journal:
            journal.bind(HERE)
            await journal.flush()
            modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert set(modes) == {"run.db", "run.db-wal", "run.db-shm", "run.db-lock"}
    assert set(modes.values()) <= {0o600, 0o600 & ~umask}
    assert modes["run.db"] == modes["run.db-wal"] == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["run.db"]


@pytest.mark.parametrize("how", ["same path", "symbolic link", "hard link", "linked folder"])
async def test_E11_a_second_process_is_refused(tmp_path, how):
    """One run at a time writes a journal, by whatever name it is called."""
    path, other = tmp_path / "run.db", tmp_path / "other.db"
    with holding(path) as holder:
        if how == "symbolic link":
            other.symlink_to(path)
        elif how == "hard link":
            other.hardlink_to(path)
        elif how == "linked folder":
            (tmp_path / "folder").symlink_to(tmp_path)
            other = tmp_path / "folder" / "run.db"
        else:
            other = path
        error = await refusal(other)
    assert error.kind == "locked"
    assert ("hard links" if how == "hard link" else f"process {holder.pid}") in str(error)


async def test_E11_a_second_journal_in_this_process_is_refused(tmp_path):
    """The same holds within a process, and the first goes on undisturbed."""
    async with PromptJournal(tmp_path / "run.db") as journal:
        assert (await refusal(tmp_path / "run.db")).kind == "locked"
        journal.bind(HERE)
        await journal.flush()
    with JournalReader(tmp_path / "run.db") as reader:
        assert reader.origin == HERE


async def test_E12_the_lock_of_a_killed_process_is_free(tmp_path):
    """A lock ends with its holder, at once, and leaves nothing to remove by hand."""
    path = tmp_path / "run.db"
    for signal_number in (signal.SIGKILL, signal.SIGSTOP):
        with holding(path) as holder:
            holder.send_signal(signal_number)
            if signal_number == signal.SIGSTOP:
                assert (await refusal(path)).kind == "locked"
        await filled(path)
    assert [each.name for each in tmp_path.iterdir()] == ["run.db"]


@pytest.mark.parametrize(
    "what", ["folder", "fifo", "socket", "/dev/null", "/dev/full", "missing parent", "no name"]
)
async def test_E14_only_a_regular_file(tmp_path, what):
    """Folders, pipes, devices and sockets are refused, and none is opened."""
    path = tmp_path / "run.db"
    listener = socket.socket(socket.AF_UNIX)
    if what == "folder":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "socket":
        listener.bind(str(path))
    elif what == "missing parent":
        path = tmp_path / "nowhere" / "run.db"
    elif what == "no name":
        path = tmp_path / ("x" * 300)
    else:
        path = Path(what)
    before = None if what in {"missing parent", "no name"} else path.lstat()
    error = await refusal(path)
    listener.close()
    assert error.kind == "write"
    assert str(path) in str(error) or str(path.parent) in str(error)
    assert before is None or path.lstat().st_mtime == before.st_mtime


@pytest.mark.parametrize("damage", ["text", "header", "cut", "zeros", "page"])
async def test_P4_a_damaged_journal_is_refused_by_name(tmp_path, damage):
    """What is no sound database is refused, and left as it was."""
    path = await filled(tmp_path / "run.db", 500)
    content = bytearray(path.read_bytes())
    if damage == "text":
        content = bytearray(b"url,prompt\n" * 1000)
    elif damage == "header":
        content[3] ^= 0xFF
    elif damage == "cut":
        del content[len(content) // 2 :]
    elif damage == "zeros":
        content[4096 * 4 :] = bytes(len(content) - 4096 * 4)
    else:
        content[4096 * 8 : 4096 * 8 + 64] = os.urandom(64)
    path.write_bytes(content)
    error = await refusal(path)
    assert error.kind == "corrupt"
    assert str(path) in str(error)
    assert path.read_bytes() == content


async def test_a_foreign_database_is_refused(tmp_path):
    """Another program's database is left alone."""
    path = tmp_path / "app.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE users (name TEXT)")
    connection.close()
    before = path.read_bytes()
    assert (await refusal(path)).kind == "mismatch"
    with pytest.raises(JournalError, match="no journal"), JournalReader(path):
        pass
    assert path.read_bytes() == before


async def test_E18_a_newer_journal_is_refused_with_words(tmp_path):
    """A later schema is not guessed at."""
    path = await filled(tmp_path / "run.db")
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    error = await refusal(path)
    assert error.kind == "mismatch"
    assert "newer" in str(error)
    with pytest.raises(JournalError, match="newer"), JournalReader(path):
        pass


async def test_an_empty_file_becomes_a_journal(tmp_path):
    """A file that somebody only touched, or whose making was cut short, is used."""
    path = tmp_path / "run.db"
    path.touch()
    await filled(path)
    with JournalReader(path) as reader:
        assert reader.counts() == {"answered": 1, "rejected": 0, "unfinished": 0}


async def test_E7_a_place_that_cannot_be_written(tmp_path):
    """A folder or file without permission is found before anything is sent."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; see the test in a process of its own")
    path = await filled(tmp_path / "run.db")
    path.chmod(0o400)
    assert (await refusal(path)).kind == "write"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("what", ["folder", "file"])
async def test_E7_a_place_that_cannot_be_written_by_another_user(tmp_path, what):
    """The same as another user, where the tests run as root."""
    for parent in (tmp_path, *tmp_path.parents):
        if parent.name.startswith("pytest-"):
            parent.chmod(0o755)
    path = tmp_path / "run.db"
    tmp_path.chmod(0o755)
    if what == "file":
        await filled(path)
        os.chown(path, 65534, 65534)
        path.chmod(0o400)
        tmp_path.chmod(0o777)
    said = as_nobody(path)
    assert said.startswith("write "), said
    assert str(path) in said


async def test_another_origin_is_refused(tmp_path):
    """Answers of an emulator never end in a paid run, nor the other way round."""
    async with PromptJournal(tmp_path / "run.db") as journal:
        journal.bind(HERE, emulated=True)
        journal.bind("http://localhost:1", emulated=True)
        journal.bind("http://localhost:1", emulated=None)
        for paid in ("https://api.vimmerse.net", HERE):
            with pytest.raises(JournalError, match=f"of the emulator, not of {paid}") as caught:
                journal.bind(paid)
            assert caught.value.kind == "mismatch"
    paid = await filled(tmp_path / "paid.db", url="http://localhost:1")
    async with PromptJournal(paid) as journal:
        journal.bind("http://localhost:1", emulated=None)
        for url, emulated in (("http://localhost:1", True), (HERE, False), (HERE, None)):
            with pytest.raises(JournalError) as caught:
                journal.bind(url, emulated=emulated)
            assert caught.value.kind == "mismatch"


async def test_a_server_that_nobody_knows_gets_no_journal(tmp_path):
    """A new journal stays nobody's until it is known whose answers it gets."""
    async with PromptJournal(tmp_path / "run.db") as journal:
        journal.bind(HERE, emulated=None)
        assert journal.origin is None
        journal.bind("https://api.vimmerse.net")
        assert journal.origin == "https://api.vimmerse.net"


async def test_the_path_of_an_address_counts(tmp_path):
    """What one path of a gateway answered is not taken for another's."""
    path = await filled(tmp_path / "run.db", url="https://gateway.example/vimmerse")
    async with PromptJournal(path) as journal:
        journal.bind("https://gateway.example/vimmerse")
        for other in ("https://gateway.example", "https://gateway.example/other"):
            with pytest.raises(JournalError) as caught:
                journal.bind(other)
            assert caught.value.kind == "mismatch"


async def test_a_journal_in_use_can_be_read(tmp_path):
    """A reader sees what was committed, while the writer goes on."""
    path = tmp_path / "run.db"
    async with PromptJournal(path, source="by hand") as journal:
        journal.bind(HERE)
        run = journal.begin_run({"dedupe": True})
        with JournalReader(path) as reader:
            for number in range(3):
                question = bytes([number]) * 16
                journal.add_result(
                    (question, "answered", "a\0b\nc", None, None, None, '{"option":"x"}', 1, 0,
                     0.5, run, 1.0),
                    None,
                    None,
                )  # fmt: skip
                await journal.flush()
                assert reader.counts()["answered"] == number + 1
            assert [row.prompt for row in reader.results()] == ["a\0b\nc"] * 3
            assert next(reader.results()).request == {"option": "x"}
            assert list(reader.find([bytes(16), b"?" * 16])) == [bytes(16)]
            assert reader.runs()[0].source == "by hand"
            assert reader.lookup([bytes(16), b"?" * 16]) == {bytes(16): "answered"}


async def test_uploads_are_known_at_once_and_later(tmp_path):
    """An upload's address is known from the moment it is added."""
    path = tmp_path / "run.db"
    async with PromptJournal(path) as journal:
        assert journal.uploaded(b"digest") is None
        journal.add_upload(b"digest", "https://a.example/1", "id-1")
        assert journal.uploaded(b"digest") == "https://a.example/1"
        await journal.flush()
        assert journal.uploaded(b"digest") == "https://a.example/1"
    async with PromptJournal(path) as journal:
        assert journal.uploaded(b"digest") == "https://a.example/1"
        assert journal.uploaded(b"other") is None
