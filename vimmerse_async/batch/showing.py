"""A progress bar for whoever waits: tqdm's where it is installed, else rich's."""

import contextlib
from collections.abc import Callable, Iterator
from importlib.util import find_spec

from vimmerse_async.batch.job import OnResult
from vimmerse_async.errors import ConfigurationError
from vimmerse_async.models import PromptResult

_TEXT = "prompts"


@contextlib.contextmanager
def shown(total: int | None, on_result: OnResult | None) -> Iterator[OnResult]:
    """Show a bar within the block, and give the function that is called with each result.

    Args:
        total: Rows; None: nobody knows.
        on_result: Is called first; None for nobody.

    Raises:
        ConfigurationError: Nothing that is installed can draw a bar.
    """
    with _bar(total) as advance:

        def count(result: PromptResult) -> object:
            waited = None if on_result is None else on_result(result)
            advance()
            return waited

        yield count


@contextlib.contextmanager
def _bar(total: int | None) -> Iterator[Callable[[], object]]:
    if find_spec("tqdm") is not None:
        from tqdm.auto import tqdm  # noqa: PLC0415 - an extra

        with tqdm(total=total, desc=_TEXT, unit="row") as bar:
            yield bar.update
        return
    if find_spec("rich") is None:
        raise ConfigurationError(
            "progress=True draws with tqdm or rich: pip install tqdm", field="progress"
        )
    from rich.progress import Progress  # noqa: PLC0415 - an extra

    with Progress() as progress:
        task = progress.add_task(_TEXT, total=total)
        yield lambda: progress.advance(task)
