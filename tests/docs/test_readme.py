"""What the README shows is what happens."""

import re
import sys
from pathlib import Path

import anyio
import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not (ROOT / "README.md").exists(), reason="runs in the source tree only")
async def test_the_readme_example_runs_against_the_emulator(tmp_path):
    """The first code a newcomer copies prints a refined text and a line for each URL."""
    from vimmerse_async.emulator import Emulator

    readme = (ROOT / "README.md").read_text("utf-8")
    code = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)[0]
    async with Emulator(unknown_media="placeholder") as emulator:
        done = await anyio.run_process(
            [sys.executable, "-W", "error", "-c", code],
            cwd=tmp_path,
            env={"VIMMERSE_API_KEY": emulator.key, "VIMMERSE_BASE_URL": emulator.url},
        )
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith("Nike shoes on colorful background")
    assert [row.partition(" ")[0] for row in sorted(lines[1:])] == ["0", "1"]


def test_the_readme_stays_short_enough_to_be_read():
    """A newcomer reads at most 120 lines before the first try."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120
