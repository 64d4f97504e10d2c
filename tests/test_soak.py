"""A short soak: what `python -m benchmarks soak` does for an hour."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="it counts in /proc"),
]


def test_a_soak_leaves_nothing_behind():
    """Calls, journals, cancellations and faults: nothing grows, hangs, complains or is lost."""
    words = ["--rounds", "8", "--seconds", "10", "--seed", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for what in ("answers", "journals", "cancelled", "left", "stopped", "sessions"):
        assert int(re.search(rf'"{what}": (\d+)', done.stdout)[1]) > 0, what
