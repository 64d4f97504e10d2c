"""What is typed to go on asks no more, and nothing else, than what was typed before."""

import shlex
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import rich_click as click
from cli_kit import Ended
from test_cli_sample import answered, calls, write_shop

from vimmerse_async.cli.commands.caption import caption_command
from vimmerse_async.cli.going_on import resume_command

# what becomes of each option of the command when it is said how to go on after a stop
KEPT, LOOKS, BEGINS, REFUSED = "kept", "left out once looked at", "left out", "never taken"
OPTIONS = {
    "--output": KEPT, "--overwrite": KEPT, "--from": KEPT, "--to": KEPT, "--encoding": KEPT,
    "--column": KEPT, "--column2": KEPT, "--video-column": KEPT, "--prompt-column": KEPT,
    "--key-column": KEPT, "--split": KEPT, "--exclude": KEPT, "--convert": KEPT,
    "--delimiter": KEPT, "--quote": KEPT, "--escape": KEPT, "--header-row": KEPT,
    "--sheet": KEPT, "--records": KEPT, "--no-header": KEPT,
    "--option": KEPT, "--prompt": KEPT, "--template": KEPT, "--missing": KEPT, "--mode": KEPT,
    "--rows": LOOKS, "--sample": LOOKS, "--per": LOOKS, "--seed": LOOKS,
    "--journal": KEPT, "--no-journal": KEPT, "--fresh": BEGINS, "--dry-run": BEGINS,
    "--retry-errors": KEPT, "--again": KEPT, "--check": KEPT, "--share-similar": KEPT,
    "--price": KEPT, "--max-calls": KEPT, "--max-cost": KEPT, "--max-failures": KEPT,
    "--until": KEPT, "--not-before": KEPT,
    "--emulator": KEPT, "--base-url": KEPT, "--api-key-file": KEPT, "--api-key": REFUSED,
    "--limit": KEPT, "--share": KEPT, "--timeout": KEPT, "--patience": KEPT, "--trust-env": KEPT,
    "--ca-file": KEPT, "--client-cert": KEPT,
    "--quiet": KEPT, "--verbose": KEPT, "--log-file": KEPT, "--json": KEPT, "--color": KEPT,
    "--profile": KEPT,
}  # fmt: skip
PARAMETERS = {
    option.opts[-1]: option for option in caption_command.params if isinstance(option, click.Option)
}


def typed(name: str) -> list[list[str]]:
    """Return the forms in which an option can be typed."""
    option = PARAMETERS[name]
    if option.is_flag or option.count:
        return [[each] for each in option.opts]
    forms = [[name, "5"], [f"{name}=5"], [name, "--fresh"], [name, "--sample=7"]]
    if isinstance(option.flag_value, str):
        return [*forms[:2], [name]]
    if name in {"--until", "--not-before"}:
        return [[name, "06:00"], [f"{name}=06:00"]]
    return forms + [[short, "5"] for short in option.opts[:-1]]


def test_each_option_of_the_command_is_decided():
    """An option that is new must say here what becomes of it in the way to go on."""
    assert set(OPTIONS) == set(PARAMETERS)


@pytest.mark.parametrize("name", OPTIONS)
def test_what_becomes_of_each_option(name: str):
    """Every option that bounds what is asked, or says how, is typed again; in all its forms."""
    for form in typed(name):
        words = ["caption", "a.csv", *form, "-o", "o.csv"]
        plain = shlex.join(["vimmerse", "caption", "a.csv", "-o", "o.csv"])
        whole = shlex.join(["vimmerse", *words])
        stopped = plain if OPTIONS[name] == BEGINS else whole
        looked = plain if OPTIONS[name] in {BEGINS, LOOKS} else whole
        assert resume_command(words) == stopped
        assert resume_command(words, looked=True) == looked


def test_words_that_only_look_like_options():
    """A value, a file's name behind `--`, and letters in one word are not taken for options."""
    for words in (
        ["caption", "-qo", "--rows", "--", "--fresh"],
        ["caption", "a.csv", "-o--fresh"],
        ["caption", "--mode", "--sample", "3.csv"],
    ):
        assert resume_command(words, looked=True) == shlex.join(["vimmerse", *words])
    assert resume_command(["caption", "-qv", "--rows", "3"], looked=True) == "vimmerse caption -qv"


def test_a_moment_that_has_passed_is_not_repeated():
    """A date by which a run was to end is left out when it is over: it would be refused."""
    now = datetime.now().astimezone()
    past, coming = (f"{now + timedelta(days=days):%Y-%m-%dT%H:%M}" for days in (-1, 1))
    assert resume_command(["caption", "a", "--until", past]) == "vimmerse caption a"
    assert resume_command(["caption", "a", f"--until={past}"]) == "vimmerse caption a"
    assert coming in resume_command(["caption", "a", "--until", coming])


def going_on(ended: Ended) -> list[str]:
    return shlex.split(ended.err.partition("to go on: vimmerse ")[2].splitlines()[0])


def test_a_sample_that_was_stopped_goes_on_as_a_sample(vimmerse, emulator, place: Path):
    """What is pasted after a stop, from the run or from `status`, asks the sample's rows alone."""
    write_shop(place / "a.csv", 40)
    sample = ("--sample", "2", "--per", "kind", "--price", "0.004", "--max-cost", "0.012")
    ended = vimmerse("caption", "a.csv", "-o", "o.csv", *sample)
    assert ended.code == 3
    for many in (6, 8):
        told = vimmerse("status", "o.csv").out.partition("to go on")[2].split()
        assert told == ["vimmerse", *going_on(ended)]
        ended = vimmerse(*going_on(ended))
        assert calls(emulator) == many
    assert ended.code == 0
    assert len(answered(place / "o.csv")) == 8
    rest = going_on(ended)
    assert not {"--sample", "--per"} & set(rest)
    assert "--max-cost" in rest
    assert vimmerse(*rest).code == 3
    assert calls(emulator) == 11
