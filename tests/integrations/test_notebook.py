"""A real kernel: one loop for all cells, a session across them, a bar, a picture, an interrupt."""

import json
import os
import subprocess
import venv
from pathlib import Path
from typing import Any

import pytest

from vimmerse_async import NotFoundError, PromptRequest, PromptResult
from vimmerse_async.emulator import Emulator

ROOT = Path(__file__).parents[2]
CELLS = """
from vimmerse_async import PromptResult, VimmerseSession, gather_prompts, suggest_prompt
session = await VimmerseSession().open()
urls = [f"https://a.example/{number}.png" for number in range(20)]
---
len(await gather_prompts(session, urls, progress=True))
---
PromptResult(0, urls[0], await suggest_prompt(session))
---
import asyncio, os, signal
asyncio.get_running_loop().call_later(0.5, os.kill, os.getpid(), signal.SIGINT)
slow = [f"https://a.example/slow-{number}.png" for number in range(5_000)]
await gather_prompts(session, slow, journal="run.db")
---
len(await gather_prompts(session, slow[:20], journal="run.db"))
---
await session.aclose(); session.closed
"""
RUN = """
import json, sys
import nbformat
from nbclient import NotebookClient
cells = [nbformat.v4.new_code_cell(each) for each in sys.stdin.read().split('---')]
notebook = nbformat.v4.new_notebook(cells=cells)
NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=True).execute()
json.dump([cell.outputs for cell in notebook.cells], sys.stdout)
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python of its own with a kernel, whose packages would change what other tests see."""
    folder = tmp_path_factory.mktemp("kernel")
    venv.create(folder, with_pip=True)
    words = ["-m", "pip", "install", "--quiet", "ipykernel", "nbclient", "tqdm", str(ROOT)]
    subprocess.run([folder / "bin" / "python", *words], check=True, timeout=600)
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def outputs(kernel: Path, tmp_path_factory: pytest.TempPathFactory) -> list[list[dict[str, Any]]]:
    """What each cell gave, in a kernel beside an emulator."""
    with Emulator(unknown_media="placeholder", latency="fixed:0.02") as emulator:
        environment = os.environ | {
            "VIMMERSE_API_KEY": emulator.key,
            "VIMMERSE_BASE_URL": emulator.url,
        }
        environment.pop("PYTHONPATH", None)
        said = subprocess.run(
            [kernel, "-c", RUN],
            input=CELLS,
            env=environment,
            cwd=tmp_path_factory.mktemp("notebook"),
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
    cells: list[list[dict[str, Any]]] = json.loads(said.stdout)
    return cells


@pytest.mark.full
def test_a_session_lives_across_cells(outputs: list[list[dict[str, Any]]]) -> None:
    """`open` gives a session for all cells, which a later one closes."""
    assert outputs[0] == []
    assert outputs[1][-1]["data"]["text/plain"] == "20"
    assert outputs[5][-1]["data"]["text/plain"] == "True"


@pytest.mark.full
def test_a_bar_is_shown(outputs: list[list[dict[str, Any]]]) -> None:
    """progress=True draws a bar that ends at all rows."""
    drawn = json.dumps(outputs[1])
    assert "prompts" in drawn
    assert "20/20" in drawn


@pytest.mark.full
def test_a_result_is_a_picture(outputs: list[list[dict[str, Any]]]) -> None:
    """A result at the end of a cell is its picture with the prompt below."""
    page = outputs[2][-1]["data"]["text/html"]
    assert '<img src="https://a.example/0.png"' in page
    assert "<figcaption>" in page


@pytest.mark.full
def test_an_interrupted_cell_is_run_again(outputs: list[list[dict[str, Any]]]) -> None:
    """An interrupt ends the cell alone: the session works on, and the journal is not locked."""
    names = {each.get("ename") for each in outputs[3] if each["output_type"] == "error"}
    assert names in ({"CancelledError"}, {"KeyboardInterrupt"})
    assert outputs[4][-1]["data"]["text/plain"] == "20"


@pytest.mark.parametrize(
    ("result", "shown", "hidden"),
    [
        (
            PromptResult(0, 'https://a.example/"><script>', "a <b>fox</b>"),
            "&lt;b&gt;fox",
            "<script",
        ),
        (PromptResult(0, "javascript:alert(1)", "a fox"), "a fox", "javascript"),
        (PromptResult(0, PromptRequest(image_url=None), "a fox"), "a fox", "<img"),
        (
            PromptResult(0, "https://a.example/1.png", error=NotFoundError("<i>", status=404)),
            "&lt;i&gt;",
            "<i>",
        ),
    ],
)
def test_html_shows_and_never_obeys(result: PromptResult, shown: str, hidden: str) -> None:
    """Markup in an answer, an error or an address is shown as it is written."""
    page = result._repr_html_()
    assert shown in page
    assert hidden not in page
