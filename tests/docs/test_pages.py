"""What the pages show is what happens."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ONLY_OUR_PLUGIN = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_PLUGINS": "vimmerse_async.testing.plugin",
}
"""What a reader has who installed what the page says, and not all that these tests need."""
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
        [sys.executable, "-m", "pytest", "-q", "-W", "error"],
        cwd=recipes,
        env=os.environ | ONLY_OUR_PLUGIN,
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
