"""Whatever is done to a journal: nothing acknowledged is lost, and nobody else gets in."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from vimmerse_async import JournalReader

WRITER = """
import asyncio, json, os, sys
from vimmerse_async import JournalError, PromptJournal

def read():
    return json.loads(sys.stdin.readline() or "null")

def say(what):
    print(json.dumps(what), flush=True)

async def use(path):
    async with PromptJournal(path) as journal:
        journal.bind("http://127.0.0.1:1")
        run = journal.begin_run({})
        await journal.flush()
        say("open")
        while (job := read()) not in (None, "close"):
            for number, prompt, state in job["results"]:
                journal.add_result(
                    (number.to_bytes(16, "big"), state, prompt, None, None, None, "{}", 1, 0, 0.1,
                     run, 0.0), None, None)
            if job["flush"]:
                await journal.flush()
            say("done")

def child():
    try:
        asyncio.run(use(sys.argv[1]))
        say("closed")
    except JournalError as error:
        say(error.kind)
    os._exit(0)

while (line := sys.stdin.readline()).strip() == "fork":
    pid = os.fork()
    if not pid:
        child()
    say(pid)
    os.waitpid(pid, 0)
    say("ended")
"""


class Writers:
    """A process that forks writers, which do as they are told."""

    def __init__(self, path: Path) -> None:
        # unbuffered, so that a child reads no line that is meant for its parent
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-c", WRITER, path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, bufsize=1,
        )  # fmt: skip

    def tell(self, what: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write((what if isinstance(what, str) else json.dumps(what)) + "\n")

    def hear(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


results = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.text(st.characters(codec="utf-8"), max_size=20),
        st.sampled_from(["answered", "rejected", "unfinished"]),
    ),
    max_size=12,
)


Held = dict[bytes | None, tuple[str | None, str | None]]


def after(held: Held, lines: list[tuple[int, str, str]]) -> Held:
    """Return what is held after some results came: what was answered stays."""
    held = dict(held)
    for number, prompt, state in lines:
        question = number.to_bytes(16, "big")
        if held.get(question, ("", ""))[0] != "answered":
            held[question] = (state, prompt)
    return held


class JournalMachine(RuleBasedStateMachine):
    """Two writers and a reader over one journal, and a model of what it must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name, "run.db")
        self.first, self.second = Writers(self.path), Writers(self.path)
        self.pid: int | None = None
        self.safe: Held = {}
        self.queued: list[tuple[int, str, str]] = []

    @initialize()
    def begin(self) -> None:
        self.open()

    @precondition(lambda self: self.pid is None)
    @rule()
    def open(self) -> None:
        self.first.tell("fork")
        heard = [self.first.hear(), self.first.hear()]
        self.pid = next(each for each in heard if isinstance(each, int))
        assert "open" in heard

    @precondition(lambda self: self.pid is not None)
    @rule(lines=results, flush=st.booleans())
    def write(self, lines: list[tuple[int, str, str]], flush: bool) -> None:
        self.first.tell({"results": lines, "flush": flush})
        assert self.first.hear() == "done"
        self.queued += lines
        if flush:
            self._all_is_safe()

    @precondition(lambda self: self.pid is not None)
    @rule()
    def second_opener(self) -> None:
        self.second.tell("fork")
        heard = {self.second.hear() for _ in range(3)}
        assert "locked" in heard

    @precondition(lambda self: self.pid is not None)
    @rule()
    def kill(self) -> None:
        assert self.pid is not None
        os.kill(self.pid, signal.SIGKILL)
        assert self.first.hear() == "ended"
        self.pid = None
        self.safe = self._one_of_the_possible()
        self.queued.clear()

    @precondition(lambda self: self.pid is not None)
    @rule()
    def close(self) -> None:
        self.first.tell(json.dumps("close"))
        assert {self.first.hear(), self.first.hear()} == {"closed", "ended"}
        self.pid = None
        self._all_is_safe()

    @invariant()
    def what_is_safe_is_there(self) -> None:
        if self.path.exists():
            self._one_of_the_possible()

    def _all_is_safe(self) -> None:
        self.safe = after(self.safe, self.queued)
        self.queued.clear()
        assert self._read() == self.safe

    def _one_of_the_possible(self) -> Held:
        found = self._read()
        lengths = range(len(self.queued) + 1)
        assert any(found == after(self.safe, self.queued[:length]) for length in lengths)
        return found

    def _read(self) -> Held:
        with JournalReader(self.path) as reader:
            return {row.question: (row.state, row.prompt) for row in reader.results()}

    def teardown(self) -> None:
        self.first.close()
        self.second.close()
        self.folder.cleanup()


JournalMachine.TestCase.settings = settings(
    max_examples=4, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
TestJournalMachine = JournalMachine.TestCase
