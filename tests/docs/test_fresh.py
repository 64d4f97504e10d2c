"""Every page in an empty folder and a venv that has what the page installs: `make test-pages`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_blocks import NOT_RUN, PAGES, SLOW, blocks, run_page

WHEELS = os.environ.get("WHEELS")
HERE = ('pip install ".[',)
"""What is typed in a clone; the pages' folder is none."""

pytestmark = pytest.mark.skipif(WHEELS is None, reason="`make test-pages` builds the wheel")


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if blocks(page) and page.name not in SLOW],
    ids=lambda page: page.stem,
)
def test_a_page_names_all_that_it_needs(
    page: Path, folder: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nothing is imported or typed that the page has not installed before."""
    venv = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    mine = {name: value for name, value in environment.items() if not name.startswith("PYTEST_")}
    mine |= {"PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": ""}
    mine |= {"PIP_FIND_LINKS": str(WHEELS), "PIP_QUIET": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    left_out = (*(each for each in NOT_RUN if each != "pip install"), *HERE)
    run_page(page, folder, mine, left_out)
