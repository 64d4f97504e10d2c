"""What the command says to whoever typed nearly the right thing, and how Tab learns of it."""

import subprocess
import sys
from pathlib import Path

import pytest
from cli_kit import COMMAND


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("captoin", "did you mean `vimmerse caption`?"),
        ("reports", "did you mean `vimmerse report`?"),
        ("describe", "did you mean `vimmerse prompt`?"),
        ("resume", "did you mean `vimmerse caption`?"),
        ("xyzzy", "there is no command 'xyzzy' (see `vimmerse --help`)"),
    ],
)
def test_a_mistyped_command_is_told_what_is_near(vimmerse, typed: str, meant: str) -> None:
    """A word that is no command ends with exit 2 and names the command that is near it, if any."""
    ended = vimmerse(typed)
    assert ended.code == 2
    assert meant in ended.err


def test_help_is_a_command_too(vimmerse) -> None:
    """`help` and `help caption` say what `--help` and `caption --help` say."""
    assert vimmerse("help").out == vimmerse("--help").out
    assert vimmerse("help", "caption").out == vimmerse("caption", "--help").out
    assert "did you mean" in vimmerse("help", "captoin").err


def test_help_names_every_option(vimmerse) -> None:
    """Each name that one setting of an option has, such as --clear, stands in the help."""
    told = vimmerse("mark", "--help").out
    assert all(told.count(name) == 1 for name in ("--good ", "--bad ", "--clear "))


def test_a_source_that_was_taken_for_a_class(vimmerse, place: Path) -> None:
    """A file behind --retry-errors is told that it was taken for a status of errors."""
    (place / "in.txt").write_text("https://a.example/1.png\n")
    ended = vimmerse("caption", "--retry-errors", "in.txt")
    assert ended.code == 2
    assert "took 'in.txt' for a status of errors: put it behind SOURCE" in ended.err


def test_the_module_is_the_command() -> None:
    """`python -m vimmerse_async` is the command."""
    words = [sys.executable, "-m", "vimmerse_async", "--version"]
    said = subprocess.run(words, capture_output=True, text=True, check=True)
    assert said.stdout.startswith("vimmerse 0")


@pytest.mark.parametrize(
    ("shell", "name"),
    [
        ("bash", ".local/share/bash-completion/completions/vimmerse"),
        ("zsh", ".zfunc/_vimmerse"),
        ("fish", ".config/fish/completions/vimmerse.fish"),
    ],
)
def test_completion_is_where_the_shell_looks(
    vimmerse, place: Path, monkeypatch: pytest.MonkeyPatch, shell: str, name: str
) -> None:
    """--install-completion writes for each shell, where it looks, what --show-completion prints."""
    monkeypatch.setenv("HOME", str(place))
    ended = vimmerse("--install-completion", shell)
    assert ended.code == 0
    assert name in ended.out
    shown = vimmerse("--show-completion", shell).out
    assert (place / name).read_text().strip() == shown.strip()


def test_bash_completes_options(place: Path) -> None:
    """A real bash that loaded the script completes commands and options."""
    script = subprocess.run(
        [COMMAND, "--show-completion", "bash"], capture_output=True, text=True, check=True
    ).stdout
    lines = (
        script,
        "COMP_WORDS=(vimmerse caption --no-); COMP_CWORD=2; _vimmerse_completion vimmerse",
        'echo "${COMPREPLY[@]}"',
    )
    path = f"{Path(COMMAND).parent}:/usr/bin:/bin"
    said = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        env={"PATH": path},
        cwd=place,
        check=True,
    )
    assert {"--no-journal", "--no-header"} <= set(said.stdout.split())
