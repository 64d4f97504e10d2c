"""`vimmerse status`: which limits this machine's processes share, and who leads."""

import math
from collections.abc import Iterator

from vimmerse_async.cli.terminal import visible
from vimmerse_async.sharing.identity import pid_of
from vimmerse_async.sharing.records import Standing
from vimmerse_async.sharing.watch import SharedAccount, shared_accounts

_HELD = {
    None: "", "window": ", held by that limit", "rate": ", held by the rate",
    "gate": ", held after a refusal", "server": ", held by the server's line",
}  # fmt: skip


def sharing() -> Iterator[str]:
    """Yield the lines of one screen about all shared limits."""
    accounts = list(shared_accounts())
    if not accounts:
        yield (
            "No limit is shared on this machine at the moment: processes share with "
            '`share="host"`, --share host or VIMMERSE_SHARE=host.'
        )
    for number, account in enumerate(accounts):
        if number:
            yield ""
        yield from map(visible, _account(account))


def _account(account: SharedAccount) -> Iterator[str]:
    yield f"{'account':<15}{account.about or 'unknown'} ({account.name[:6]})"
    standing = account.standing
    if standing is None:
        yield f"{'led by':<15}a process that does not answer"
        return
    yield f"{'shared by':<15}{_counted(standing.processes, 'process')}"
    yield f"{'led by':<15}process {pid_of(standing.leader)}"
    yield from _figures(standing)
    yield ""
    yield f"{'process':>10}{'in flight':>12}{'waiting':>10}"
    for each in account.sharers:
        mark = "  leads" if each.process == standing.leader else ""
        yield f"{pid_of(each.process):>10}{each.in_flight:>12,}{each.waiting:>10,}{mark}"


def _figures(standing: Standing) -> Iterator[str]:
    limit = standing.limit
    held = _HELD[limit.binding]
    yield f"{'in flight':<15}{limit.in_flight:,} of {limit.window:,.0f}{held}"
    yield f"{'waiting':<15}{standing.waiting:,}"
    if limit.rate < math.inf:
        learned = "learned" if limit.suspect == "rate" else "not reached"
        yield f"{'rate':<15}{limit.rate:,.1f}/s at most, {learned}"
    yield f"{'refused':<15}{100 * limit.refused:.1f} %"
    if limit.gate:
        opens = "when a probe is answered" if limit.gate == math.inf else f"in {limit.gate:.1f} s"
        yield f"{'goes on':<15}{opens}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'es' * (count != 1)}"
