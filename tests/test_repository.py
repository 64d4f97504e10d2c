"""What is in this repository, and what its pages promise."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("vimmerse_async", "tests", "docs", "examples", "benchmarks", "requirements", ".github")
ENDINGS = {".py", ".md", ".toml", ".txt", ".json", ".yml", ".yaml", ".cfg", ".csv", ".jsonl", ""}

SECRETS = re.compile(
    rb"-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY-----\n"  # keys of servers and people
    rb"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_\w{22}"
    rb"|\bxox[baprs]-[A-Za-z0-9-]{10}|\bsk-[A-Za-z0-9]{32}|\bAIza[A-Za-z0-9_-]{35}|\bpypi-AgE\w{50}"
    rb"|(?i:x-api-key|api_key|vimmerse_api_key)[\"']?\s*[:=]\s*[\"']?"
    rb"(?!test-|demo-|key-)(?=[A-Za-z0-9_-]*[0-9])[A-Za-z0-9_-]{20,}"  # a real key of this API
)


def files() -> Iterator[Path]:
    for place in (ROOT, *(ROOT / room for room in ROOMS)):
        for path in place.iterdir() if place is ROOT else place.rglob("*"):
            if path.is_file() and path.suffix in ENDINGS and "__pycache__" not in path.parts:
                yield path


def test_F15_no_real_key():
    """No file holds what looks like a credential; the keys of tests say that they are for tests."""
    found = [
        f"{path.relative_to(ROOT)}: {match.group()[:20]!r}"
        for path in files()
        for match in SECRETS.finditer(path.read_bytes())
    ]
    assert not found


@pytest.mark.parametrize(
    "secret",
    [
        b"-----BEGIN PRIVATE KEY-----\nabc",
        b'api_key="' + b"9f8e7d6c" * 4 + b'"',
        b"X-Api-Key: " + b"vm_9f8e7d6c" * 3,
        b"VIMMERSE_API_KEY=" + b"AB12" * 6,
        b"AKIA" + b"IOSFODNN7EXAMPLE",
    ],
)
def test_F15_a_planted_key_is_found(secret):
    """The search is no formality."""
    assert SECRETS.search(secret)


def test_F12_what_is_not_promised_is_said():
    """Nobody is made to believe that a key vanishes from memory."""
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    promised, _, not_promised = page.partition("## What is not")
    assert "Memory is not wiped" in not_promised
    assert "core dump" in not_promised
    assert "core dump" not in promised


def test_no_two_test_files_have_one_name():
    """Folders of tests are no packages: pytest can collect one module of a name."""
    names = sorted(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert names == sorted(set(names))
