"""What is printed to be typed is read by each shell as it was meant."""

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vimmerse_async import system
from vimmerse_async.cli.shells import assignment, typed

WORDS = (
    "my photos",
    "a&b|c",
    'say "a & b"',
    "it's",
    "\u2018so\u2019",
    "$HOME `x`",
    "C:\\a b\\",
    "",
)
texts = st.text(st.sampled_from("ab \\\"'$`&|^%,;()\u2019é"), max_size=8)
CMD, POWERSHELL = {"APPDATA": "C:\\a"}, "C:\\Users\\me\\Documents\\WindowsPowerShell\\Modules;C:\\b"


def program_reads(line: str) -> list[str]:
    """Split a command line as the C runtime of Windows does since 2008."""
    words: list[str] = []
    at, word, inside, begun = 0, "", False, False
    while at < len(line):
        slashes = len(line[at:]) - len(line[at:].lstrip("\\"))
        at += slashes
        if line[at : at + 1] == '"':
            word, begun = word + "\\" * (slashes // 2), True
            if slashes % 2 or (inside and line[at + 1 : at + 2] == '"'):
                word, at = word + '"', at + (1 if slashes % 2 else 2)
            else:
                inside, at = not inside, at + 1
            continue
        word, begun = word + "\\" * slashes, begun or slashes > 0
        if at < len(line) and line[at] == " " and not inside:
            words, word, begun = words + [word] * begun, "", False
        elif at < len(line):
            word, begun = word + line[at], True
        at += 1
    return words + [word] * begun


def cmd_acts_on(line: str) -> str:
    """Return what cmd finds outside of quotes."""
    return "".join(line.split('"')[::2])


@given(st.lists(texts, min_size=1))
def test_cmd_gives_a_program_what_was_typed(words: list[str]) -> None:
    """In cmd every word arrives, and none of its signs is obeyed."""
    line = typed(words, "cmd")
    assert program_reads(line) == words
    assert not set(cmd_acts_on(line)) & set("&|^()<>")


@given(st.lists(texts, min_size=1))
def test_a_shell_of_posix_gives_a_program_what_was_typed(words: list[str]) -> None:
    """Elsewhere a real shell splits what is printed into the same words."""
    assert shlex.split(typed(words, "sh")) == words


@pytest.mark.parametrize(
    ("word", "old", "new"),
    [
        ("a.csv", "a.csv", "a.csv"),
        ("--max-cost=1.5", "--max-cost=1.5", "--max-cost=1.5"),
        ("my photos", "'my photos'", "'my photos'"),
        ("a,b", "'a,b'", "'a,b'"),
        ("$HOME `x`", "'$HOME `x`'", "'$HOME `x`'"),
        ("it's", "'it''s'", "'it''s'"),
        ("it\u2019s", "'it\u2019\u2019s'", "'it\u2019\u2019s'"),
        ('a "b"', "'a \\\"b\\\"'", "'a \"b\"'"),
        ("C:\\a b\\", "'C:\\a b\\\\'", "'C:\\a b\\'"),
    ],
)
def test_powershell_has_quotes_of_its_own(word: str, old: str, new: str) -> None:
    """Nothing is expanded; only Windows PowerShell has to be told to keep double quotes."""
    assert typed([word], "powershell") == old
    assert typed([word], "pwsh") == new


def test_a_real_shell_sets_a_variable() -> None:
    """A line to be typed gives programs the value, whatever stands in it."""
    for value in WORDS:
        line = f'{assignment("A", value, "sh")}; printf %s "$A"'
        assert subprocess.check_output(["sh", "-c", line], encoding="utf-8") == value
    assert assignment("A", "b c", "cmd") == 'set "A=b c"'
    assert assignment("A", "it's", "powershell") == "$env:A = 'it''s'"


def test_which_shell_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment has in each shell tells which one it is."""
    assert system.shell(CMD) == "sh"
    monkeypatch.setattr(system, "is_windows", lambda: True)
    assert system.shell(CMD) == "cmd"
    assert system.shell({"PSModulePath": POWERSHELL}) == "powershell"
    newer = f"{POWERSHELL};C:\\Program Files\\PowerShell\\7\\Modules"
    assert system.shell({"PSModulePath": newer}) == "pwsh"
    assert system.shell({"PSModulePath": newer, "SHELL": "/usr/bin/bash"}) == "sh"
