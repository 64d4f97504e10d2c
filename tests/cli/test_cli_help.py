"""What help says is read once and understood."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import rich_click as click

from vimmerse_async.cli.app import _COMMANDS
from vimmerse_async.cli.app import vimmerse as group


@pytest.mark.parametrize("name", _COMMANDS)
def test_each_option_says_what_it_is(name: str):
    """No option's help begins in the middle of a sentence, or says `Else:`."""
    context = click.Context(group)
    command = group.get_command(context, name)
    assert command is not None
    texts = [
        (option.opts[-1], option.help or "")
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
    ]
    for option, text in texts:
        assert re.match(r"[A-Z0-9]", text), option
        assert text.endswith((".", "/")), option
        assert not re.match(r"(Of|For|In|Between|Around|Before|Else)\b(?! a)", text), option
        assert "Else:" not in text, option


def test_the_manual_says_what_help_says(vimmerse):
    """The manual page has every command and option, and `man` finds nothing wrong with it."""
    page = vimmerse("man").out
    for name in _COMMANDS:
        assert f'.SH "VIMMERSE {name.upper()}"' in page
    assert ".B \\-\\-max\\-cost" in page
    assert "The column that holds the pictures' URLs" in page
    assert '.SH "VIMMERSE EMULATOR EXEC"' in page
    if shutil.which("groff") is not None:
        made = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww"],
            input=page.encode(),
            capture_output=True,
            check=True,
        )
        assert not made.stderr
        assert b"NAME" in made.stdout


def test_the_manual_that_is_installed_is_the_one_of_today(vimmerse):
    """What a wheel puts into share/man is what the command prints; else: print it there again."""
    kept = Path(__file__).parents[2] / "share/man/man1/vimmerse.1"
    assert vimmerse("man").out == kept.read_text("utf-8"), f"vimmerse man > {kept}"
