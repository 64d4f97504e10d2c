"""The plugin in a project that knows nothing of this one, from the built wheel."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLAIN = """
    import json, urllib.request

    def test_plain(vimmerse_session_options):
        request = urllib.request.Request(
            vimmerse_session_options["base_url"] + "/v2/text/suggest-prompt",
            method="POST",
            headers={"X-Api-Key": vimmerse_session_options["api_key"]},
        )
        with urllib.request.urlopen(request) as reply:
            assert isinstance(json.load(reply), str)
"""
ASYNC = """
    import pytest
    from vimmerse_async import VimmerseSession, gather_prompts

    @pytest.mark.vimmerse(limits={"in_flight": 4}, credits=40)
    async def test_async(vimmerse_emulator, vimmerse_session_options):
        urls = [f"https://cdn.example/{number}.png" for number in range(40)]
        async with VimmerseSession(**vimmerse_session_options) as session:
            assert len(await gather_prompts(session, urls)) == 40
        assert vimmerse_emulator.account.wallet.balance == 0
"""
ANYIO = """
    import pytest

    @pytest.fixture
    def anyio_backend():
        return "asyncio"
"""
ASYNCIO_AUTO = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"]


@pytest.fixture(scope="module")
def foreign(tmp_path_factory) -> Path:
    """A virtual environment with the built wheel, pytest, pytest-asyncio and pytest-xdist."""
    home = tmp_path_factory.mktemp("foreign")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", home, ROOT], check=True)
    (wheel,) = home.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", home / "venv"], check=True)
    python = home / "venv" / "bin" / "python"
    wanted = [f"{wheel}[emulator]", "pytest", "pytest-asyncio", "pytest-xdist"]
    subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True)
    return python


@pytest.mark.full
@pytest.mark.parametrize(
    ("sources", "arguments", "passed"),
    [
        ([PLAIN], ["-p", "no:asyncio", "-p", "no:anyio"], 1),
        ([PLAIN, ASYNC], ["-p", "no:anyio", *ASYNCIO_AUTO], 2),
        ([PLAIN, ANYIO + ASYNC], ["-p", "no:asyncio", "-o", "anyio_mode=auto"], 2),
        ([PLAIN, ASYNC], ["-p", "no:anyio", *ASYNCIO_AUTO, "-n", "2"], 2),
    ],
    ids=["without any", "pytest-asyncio", "anyio", "xdist"],
)
def test_the_plugin_works_in_a_foreign_project(foreign, tmp_path, sources, arguments, passed):
    """Installed from the wheel it is found, whatever runs the async tests."""
    for number, source in enumerate(sources):
        (tmp_path / f"test_{number}.py").write_text(textwrap.dedent(source))
    done = subprocess.run(
        [foreign, "-m", "pytest", "-q", "-W", "error", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert f"{passed} passed" in done.stdout, done.stdout + done.stderr
