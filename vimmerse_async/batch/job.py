"""What a batch was told: its arguments, checked, and the run that they make."""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from os import PathLike
from typing import TYPE_CHECKING, Any, Union

import anyio
import attrs

from vimmerse_async.batch.calls import row_reader, template_of
from vimmerse_async.batch.identity import cheapest
from vimmerse_async.batch.inputs import check_inputs
from vimmerse_async.batch.plan import Allowance, BatchPlan
from vimmerse_async.batch.run import Run
from vimmerse_async.batch.sinks import Sink
from vimmerse_async.batch.source import RowSource
from vimmerse_async.batch.unkept import Unkept
from vimmerse_async.journal.records import Policy
from vimmerse_async.models import ModeLike, OptionLike, PromptRequest, PromptResult
from vimmerse_async.options import check_number
from vimmerse_async.session import VimmerseSession, check_session
from vimmerse_async.wire import Call

if TYPE_CHECKING:
    from vimmerse_async.batch.ledger import Ledger
    from vimmerse_async.journal.journal import PromptJournal

OnResult = Callable[[PromptResult], object]
Journal = Union[str, PathLike[str], "PromptJournal"]


@attrs.frozen
class BatchJob:
    """One batch, before it runs.

    Attributes:
        session: Who asks.
        inputs: What.
        template: What strings ask for.
        on_result: Called with each result; None for nobody.
        journal: Where results are kept; None: nowhere.
        dedupe: True asks each question once.
        max_calls: Requests that may be sent; None: any number.
        retry_errors: Which rejected questions of the journal are asked again.
    """

    session: VimmerseSession
    inputs: Any
    template: PromptRequest
    on_result: OnResult | None
    journal: Journal | None
    dedupe: bool
    max_calls: int | None
    retry_errors: bool | Collection[str]

    @classmethod
    def of(
        cls,
        session: VimmerseSession,
        inputs: Any,
        option: OptionLike,
        prompt: str | None,
        mode: ModeLike | None,
        on_result: OnResult | None,
        journal: Journal | None,
        dedupe: bool,
        max_calls: int | None,
        retry_errors: bool | Collection[str],
    ) -> "BatchJob":
        """Check the arguments and return the job.

        Raises:
            TypeError: `session` is none, `inputs` gives no rows, `on_result` is no plain function,
                `journal` no path or journal, or `retry_errors` one string.
            InvalidRequestError: An argument cannot be sent with any row.
            ConfigurationError: `max_calls` is no number of calls.
        """
        check_session(session)
        check_inputs(inputs, on_result)
        if journal is not None and not _is_journal(journal):
            raise TypeError(
                f"journal must be a path or a PromptJournal, not {type(journal).__name__}"
            )
        if isinstance(retry_errors, str):
            raise TypeError("retry_errors must be True, False or a list of error class names")
        if max_calls is not None:
            check_number("max_calls", max_calls, least=0, most=10**12, whole=True)
        template = template_of(option, prompt, mode)
        return cls(session, inputs, template, on_result, journal, dedupe, max_calls, retry_errors)

    @asynccontextmanager
    async def opened(self, sink: Sink) -> AsyncIterator[Run]:
        """Open the journal, give the run, and close it and what it used."""
        source = RowSource(self.inputs, sink)
        allowance = Allowance(self.max_calls)
        async with AsyncExitStack() as stack:
            ledger = await self._ledger(self.journal, allowance, stack)
            run = Run(self.session, source, sink, self._plan(ledger, allowance))
            cancelled = True
            try:
                await ledger.begun()
                yield run
                cancelled = False
            finally:
                run.halt()
                with anyio.CancelScope(shield=True):
                    await run.close(cancelled=cancelled)

    async def _ledger(
        self, journal: Journal | None, allowance: Allowance, stack: AsyncExitStack
    ) -> "Ledger | Unkept":
        if journal is None:
            return Unkept()
        from vimmerse_async.batch.ledger import Ledger  # noqa: PLC0415 - the same
        from vimmerse_async.journal.journal import (  # noqa: PLC0415 - SQLite, which few runs need
            PromptJournal,
        )
        from vimmerse_async.journal.origin import Binding  # noqa: PLC0415 - the same

        gate = self.session.gate
        if not isinstance(journal, PromptJournal):
            journal = await stack.enter_async_context(PromptJournal(journal))
        binding = Binding(journal, self.session)
        await binding.begin()
        return Ledger(journal, gate, binding, self._options(), allowance)

    def _plan(self, ledger: "Ledger | Unkept", allowance: Allowance) -> BatchPlan:
        return BatchPlan(
            read=row_reader(self.template),
            on_result=self.on_result,
            identify=cheapest(self.template) if self.dedupe else _alone,
            policy=Policy(self.dedupe, self.retry_errors),
            ledger=ledger,
            allowance=allowance,
        )

    def _options(self) -> dict[str, Any]:
        retry = self.retry_errors
        return {
            "option": self.template.option,
            "prompt": self.template.prompt,
            "mode": self.template.mode,
            "dedupe": self.dedupe,
            "max_calls": self.max_calls,
            "retry_errors": retry if isinstance(retry, bool) else sorted(retry),
        }


def _alone(_item: object, _call: Call) -> None:
    """Tell no two questions apart that are each asked in any case."""


def _is_journal(journal: object) -> bool:
    return isinstance(journal, (str, PathLike)) or hasattr(journal, "add_result")
