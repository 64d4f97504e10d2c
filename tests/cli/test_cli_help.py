"""What help says is read once and understood."""

import re

import pytest
import rich_click as click

from vimmerse_async.cli.app import _COMMANDS, vimmerse


@pytest.mark.parametrize("name", _COMMANDS)
def test_each_option_says_what_it_is(name: str):
    """No option's help begins in the middle of a sentence, or says `Else:`."""
    context = click.Context(vimmerse)
    command = vimmerse.get_command(context, name)
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
