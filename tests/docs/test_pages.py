"""What the pages show is what happens."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"```python (\S+\.py)\n(.*?)```", re.DOTALL)


@pytest.fixture
def recipes(tmp_path):
    """Write every named block of the page on testing into a project of its own."""
    for name, code in BLOCK.findall((DOCS / "testing.md").read_text("utf-8")):
        (tmp_path / name).write_text(code)
    return tmp_path


def test_the_recipes_for_testing_pass(recipes):
    """The three recipes run as they stand: limited, out of credits, on a flaky network."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:randomly"],
        cwd=recipes,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_every_page_points_to_pages_that_exist():
    """No link between the pages leads nowhere."""
    for page in [*DOCS.glob("*.md"), *DOCS.parent.glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} points to {target}"
