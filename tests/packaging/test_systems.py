"""What only POSIX has is missed by nobody: shown with these modules and names taken away."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ALL = """
import importlib, pkgutil
import vimmerse_async
found = pkgutil.walk_packages(vimmerse_async.__path__, "vimmerse_async.")
names = [each.name for each in found if not each.name.endswith("__main__")]
for name in names:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        assert error.name not in it.BLOCKED, name  # an extra may be missing
print(len(names))
"""
CAPTION = """
import asyncio
from vimmerse_async.cli.app import run
from vimmerse_async.errors import JournalError
from vimmerse_async.journal.journal import PromptJournal
from vimmerse_async.journal.place import is_held
words = ["caption", "in.csv", "-o", "out.csv", "--emulator"]
assert run(words) == 0
assert run(words) == 0  # out of the journal, over the output
assert run([*words, "--fresh"]) == 0
assert run(["caption", "parts", "-o", "many", "--emulator"]) == 0
assert run(["caption", "parts", "-o", "many", "--emulator"]) == 0

async def locked():
    async with PromptJournal("out.csv.journal"):
        assert is_held(__import__("pathlib").Path("out.csv.journal"))
        assert run_beside() == 4
    assert not is_held(__import__("pathlib").Path("out.csv.journal"))

def run_beside():
    import threading
    codes = []
    thread = threading.Thread(target=lambda: codes.append(claim()))
    thread.start(); thread.join()
    return codes[0]

def claim():
    from vimmerse_async.journal.place import Place
    try:
        Place.claim("out.csv.journal")
    except JournalError as error:
        assert error.kind == "locked", error
        return 4
    return 0

asyncio.run(locked())
assert run(["status", "out.csv"]) == 0
assert run(["export", "out.csv", "-o", "again.csv"]) == 0
"""
SPOKEN = """
import os
from vimmerse_async.cli import main

def piped(content):
    return it.io.TextIOWrapper(it.io.BufferedReader(it.io.BytesIO(content)), "cp1252")

sys.argv = ["vimmerse", "refine", "写真", "--emulator"]
assert main() == 0
sys.argv = ["vimmerse", "caption", "my table.csv", "--emulator", "-o", "out.csv", "--max-calls=1"]
assert main() == 3
os.environ["PSModulePath"] = "C:\\\\Users\\\\me\\\\Documents\\\\PowerShell\\\\Modules"
assert main() == 3
sys.stdin = piped(b"\\xef\\xbb\\xbfcaf\\xc3\\xa9")
sys.argv = ["vimmerse", "refine", "-", "--emulator"]
assert main() == 0
sys.stdin = piped(b"caf\\xe9")
assert main() == 2
"""
BESIDE = """
from vimmerse_async.cli import main
child = "import os; print(open(os.environ['SSL_CERT_FILE']).read())"
sys.argv = ["vimmerse", "emulator", "exec", "--tls", "--", sys.executable, "-c", child]
assert main() == 0
"""
KEEPER = """
import time
from vimmerse_async.testing.keeper import Keeper
keeper = Keeper()
keeper.guard()
it.threading.Timer(0.2, keeper._died, [OSError()]).start()
try:
    for _ in range(600):
        time.sleep(0.1)
except KeyboardInterrupt:
    print("interrupted")
"""
SHARED = """
from vimmerse_async.sharing.folder import CannotShareError, find_place
try:
    find_place("https://a.example", "key")
except CannotShareError as error:
    print(error)
"""
SIGNAL = """
import asyncio, signal
from vimmerse_async import system

class Proactor(asyncio.SelectorEventLoop):
    def add_signal_handler(self, *_):
        raise NotImplementedError

async def main():
    heard = asyncio.Event()
    system.hear(asyncio.get_running_loop(), signal.SIGINT, lambda number: heard.set())
    signal.raise_signal(signal.SIGINT)
    await asyncio.wait_for(heard.wait(), 60)

assert system.endings() == (signal.SIGINT, signal.SIGTERM)
with asyncio.Runner(loop_factory=Proactor) as runner:
    runner.run(main())
"""


def elsewhere(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program on a system without what POSIX alone has, and return what it said."""
    first = f"import sys; sys.path.append({str(HERE)!r}); import another_system as it; it.become()"
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{first}\n{program}"],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended


def test_every_module_is_imported_without_posix(tmp_path: Path) -> None:
    """No module asks at import for what Windows has not."""
    assert int(elsewhere(ALL, tmp_path).stdout) > 200


def test_a_catalog_is_captioned_without_posix(tmp_path: Path) -> None:
    """A run, its journal with its lock, its outputs and what reads them go on without it."""
    (tmp_path / "in.csv").write_text("sku,image\nA,https://a.example/1.png\n")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/1.csv").write_text("sku,image\nA,https://a.example/1.png\n")
    elsewhere(CAPTION, tmp_path)
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "out.csv").read_bytes()
    assert (tmp_path / "many/1.csv").read_bytes().count(b"\n") == 2
    assert not [*tmp_path.glob("*-lock"), *tmp_path.glob("out.csv.*.part")]


def test_what_is_said_and_read_without_posix(tmp_path: Path) -> None:
    """Pipes speak UTF-8, also with a mark in front; how to go on has the quotes of the shell."""
    rows = "".join(f"https://a.example/{place}.png\n" for place in range(3))
    (tmp_path / "my table.csv").write_text(f"image\n{rows}")
    ended = elsewhere(SPOKEN, tmp_path)
    assert "写真" in ended.stdout.splitlines()[0]
    assert "café" in ended.stdout.splitlines()[1]
    assert 'to go on: vimmerse caption "my table.csv" --emulator' in ended.stderr
    assert "to go on: vimmerse caption 'my table.csv' --emulator" in ended.stderr
    assert "the standard input is no UTF-8 text, from byte 3 on" in ended.stderr


@pytest.mark.parametrize(
    ("program", "said"),
    [(SHARED, "redis://"), (SIGNAL, ""), (BESIDE, "BEGIN CERT"), (KEEPER, "interrupted")],
)
def test_what_there_is_instead(tmp_path: Path, program: str, said: str) -> None:
    """Ctrl-C reaches a loop that knows no signals, and so on: each has something in its place."""
    assert said in elsewhere(program, tmp_path).stdout
