"""The page on what was found out has every script, in words."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

from found import found, scripts, sections  # noqa: E402 - the pages' own code


def test_every_script_has_its_section() -> None:
    """A script that is added is on the page, with what it found as the heading."""
    page = "\n".join(sections())
    every = scripts(ROOT / "findings")
    assert every
    for script in every:
        sentence, _ = found(script)
        assert f"## {sentence}\n" in page
        assert f"$ findings/{script.name}\n" in page
        assert os.access(script, os.X_OK), f"{script.name} cannot be run"
    assert "```{findings}" in (ROOT / "docs" / "findings.md").read_text("utf-8")


def test_a_script_without_words_is_refused(tmp_path: Path) -> None:
    """Nobody is sent to a script to find out what it is about."""
    (tmp_path / "some.sh").write_text("#!/usr/bin/env bash\nset -e\n")
    with pytest.raises(ValueError, match=r"some\.sh: line 2"):
        list(sections(tmp_path))


def test_what_was_found_is_the_first_sentence(tmp_path: Path) -> None:
    """The first paragraph of the comment is the heading, the next ones the text."""
    script = tmp_path / "one.sh"
    script.write_text("#!/bin/sh\n# Numbers are lost\n# in the index.\n#\n# Both\n# ways.\necho\n")
    assert found(script) == ("Numbers are lost in the index", "Both ways.")
