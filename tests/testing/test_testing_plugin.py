"""The pytest plugin, in runs of its own: what a user's project gets."""

import os
import subprocess
import sys
import textwrap

import pytest

PLUGIN = "vimmerse_async.testing.plugin"


@pytest.fixture
def run(tmp_path):
    """Run pytest over a test file in a fresh process and return what it printed."""

    def start(source: str, *arguments: str, plugins: tuple[str, ...] = ()) -> str:
        (tmp_path / "test_user.py").write_text(textwrap.dedent(source))
        (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
        wanted = [part for name in (PLUGIN, *plugins) for part in ("-p", name)]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-rA", *wanted, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout + done.stderr

    return start


ASK = """
    import json, urllib.request, urllib.error

    def ask(emulator, prompt="a cat", key="test-user"):
        request = urllib.request.Request(
            emulator.url + "/v2/text/refine-prompt",
            json.dumps({"prompt": prompt}).encode(),
            {"X-Api-Key": key, "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
"""


def test_a_plain_test_gets_an_emulator(run):
    """Synchronous code asks it like any server; nothing of the last test is left."""
    printed = run(
        ASK
        + """
    import pytest

    @pytest.mark.parametrize("turn", [1, 2])
    def test_it(vimmerse_emulator, turn):
        assert vimmerse_emulator.requests == []
        assert ask(vimmerse_emulator) == 200
        assert len(vimmerse_emulator.requests) == 1
    """
    )
    assert "2 passed" in printed


def test_the_marker_says_how_it_behaves_and_the_next_test_begins_anew(run):
    """Limits, faults and credits hold for one test; the marker nearest to it wins."""
    printed = run(
        ASK
        + """
    import pytest
    from vimmerse_async.emulator import Fault

    pytestmark = pytest.mark.vimmerse(credits=5)

    @pytest.mark.vimmerse(credits=1)
    def test_credits(vimmerse_emulator):
        assert [ask(vimmerse_emulator) for _ in range(2)] == [200, 402]

    @pytest.mark.vimmerse(limits={"per_minute": 1})
    def test_limits(vimmerse_emulator):
        assert vimmerse_emulator.account.wallet.balance == 5
        assert [ask(vimmerse_emulator) for _ in range(2)] == [200, 429]

    @pytest.mark.vimmerse(faults=[Fault("status", status=503, nth=2)])
    def test_faults(vimmerse_emulator):
        assert [ask(vimmerse_emulator) for _ in range(3)] == [200, 503, 200]

    def test_none(vimmerse_emulator):
        assert [ask(vimmerse_emulator) for _ in range(3)] == [200, 200, 200]
    """
    )
    assert "4 passed" in printed


def test_an_invalid_marker_is_refused_with_its_reason(run):
    """A wrong plan never runs as another plan."""
    printed = run(
        """
    import pytest

    @pytest.mark.vimmerse(faults=[{"kind": "earthquake"}])
    def test_it(vimmerse_emulator): pass
    """
    )
    assert "there is no fault 'earthquake'" in printed
    assert "1 error" in printed


def test_the_options_open_a_session(run):
    """The session options name the emulator, and a key that no other test has."""
    printed = run(
        """
    from vimmerse_async import VimmerseSession, refine_prompt
    import pytest

    keys = set()

    @pytest.mark.parametrize("turn", [1, 2])
    @pytest.mark.anyio
    async def test_it(vimmerse_emulator, vimmerse_session_options, turn):
        async with VimmerseSession(**vimmerse_session_options) as session:
            assert (await refine_prompt(session, "a cat")).startswith("a cat")
        assert len(vimmerse_emulator.requests) == 1
        keys.add(vimmerse_session_options["api_key"])
        assert len(keys) == turn

    @pytest.fixture
    def anyio_backend():
        return "asyncio"
    """,
        plugins=("anyio",),
    )
    assert "2 passed" in printed


def test_importing_the_plugin_costs_nothing_heavy():
    """A run that never asks for the emulator imports no HTTP library for it."""
    code = (
        f"import sys, {PLUGIN};"
        "assert not {'aiohttp', 'asyncio', 'PIL', 'ssl'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


DEATHS = {
    "plain": (
        """
    def test_it(vimmerse_emulator, pytestconfig):
        kill(pytestconfig)
        threading.Event().wait()
    """,
        (),
    ),
    "anyio": (
        """
    import anyio, pytest

    @pytest.fixture
    def anyio_backend():
        return "asyncio"

    @pytest.mark.anyio
    async def test_it(vimmerse_emulator, pytestconfig):
        kill(pytestconfig)
        await anyio.sleep_forever()
    """,
        ("anyio",),
    ),
    "asyncio": (
        """
    import asyncio

    async def wait_for_ever():
        await asyncio.Event().wait()

    def test_it(vimmerse_emulator, pytestconfig):
        kill(pytestconfig)
        asyncio.run(wait_for_ever())
    """,
        (),
    ),
}


@pytest.mark.parametrize("style", DEATHS)
def test_G16_a_death_fails_its_test_at_once_and_no_other(run, style):
    """A test that waits for a dead emulator is ended and told; the next one has a new emulator."""
    source, plugins = DEATHS[style]
    printed = run(
        ASK
        + """
    import threading

    from vimmerse_async.testing import plugin

    def kill(config):
        def die():
            raise SystemExit("killed")
        loop = config.stash[plugin._keeper]._background.loop
        threading.Timer(0.2, loop.call_soon_threadsafe, [die]).start()
    """
        + source
        + """
    def test_next(vimmerse_emulator):
        assert ask(vimmerse_emulator) == 200
    """,
        plugins=plugins,
    )
    assert "the emulator died under this test: SystemExit('killed')" in printed
    assert "1 failed, 1 passed" in printed
