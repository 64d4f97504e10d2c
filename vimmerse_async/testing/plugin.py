"""Fixtures that give a test its own emulator of the Vimmerse API.

`vimmerse_emulator` is synchronous and runs in a thread of its own, so it works in plain tests and
under every async plugin. It is reset for every test, and a marker says how it behaves:

    @pytest.mark.vimmerse(limits={"in_flight": 4}, credits=100)
    def test_something(vimmerse_emulator): ...
"""

from collections.abc import Generator
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from vimmerse_async.emulator import Emulator
    from vimmerse_async.testing.keeper import Keeper

_MARKER = (
    "vimmerse(limits=None, faults=(), credits=None, prices=None, latency=None, seed=0): "
    "how vimmerse_emulator behaves in this test"
)
_keeper: pytest.StashKey["Keeper"] = pytest.StashKey()
_numbers = count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the emulator of this run."""
    keeper = config.stash.get(_keeper, None)
    if keeper is not None:
        keeper.stop()


@pytest.fixture
def vimmerse_emulator(request: pytest.FixtureRequest) -> "Emulator":
    """An emulator on 127.0.0.1: nothing seen yet, every picture answered by a placeholder."""
    stash = request.config.stash
    if _keeper not in stash:
        from vimmerse_async.testing.keeper import Keeper  # noqa: PLC0415 - only now is it needed

        stash[_keeper] = Keeper()
    keeper = stash[_keeper]
    try:
        emulator = keeper.emulator(_marked(request.node))
    except (TypeError, ValueError) as error:
        raise pytest.UsageError(f"the marker vimmerse of {request.node.nodeid}: {error}") from None
    return emulator


@pytest.fixture
def vimmerse_session_options(vimmerse_emulator: "Emulator") -> dict[str, Any]:
    """Arguments for `VimmerseSession`: the emulator's URL, and a key that no other test has.

    A key of its own keeps what one test's session learned about limits from the next test's.
    """
    return {"api_key": f"test-{next(_numbers)}", "base_url": vimmerse_emulator.url}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Say so when the emulator dies under a test, and do not let it wait for an answer."""
    keeper = item.config.stash.get(_keeper, None)
    if keeper is None or "vimmerse_emulator" not in getattr(item, "fixturenames", ()):
        return (yield)
    try:
        try:
            keeper.guard()
            result = yield
        finally:
            keeper.release()
    except BaseException:
        if keeper.error is None:
            raise
        result = None
    if keeper.error is not None:
        pytest.fail(f"the emulator died under this test: {keeper.error!r}", pytrace=False)
    return result


def _marked(item: pytest.Item) -> dict[str, Any]:
    """Return what the markers say; the one nearest to the test wins."""
    changed: dict[str, Any] = {}
    for marker in item.iter_markers("vimmerse"):
        if marker.args:
            raise TypeError("takes keywords only")
        changed = {**marker.kwargs, **changed}
    return changed
