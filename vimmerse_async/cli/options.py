"""Options that several commands share."""

import functools
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NoReturn

import attrs
import rich_click as click
from click import get_current_context
from click.core import ParameterSource

from vimmerse_async.quota import duration

OPTIONS = ("Image2Prompt", "RefinePrompt", "InspireMe", "SuggestPrompt")
MODES = ("scene", "video", "image", "audio")

QUESTION, CATALOG, OUTPUT, MONEY, SERVER = (
    "The question", "The catalog", "The output", "The journal and the money", "The server",
)  # fmt: skip
"""Parts of a help page."""
LONGEST_PATIENCE = 7 * 86_400.0
"""Seconds."""
EVERY = "*"
"""What `--retry-errors` stands for without a class."""


def choice(words: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of an option that takes one of some words, in any case."""
    return {
        "type": click.Choice(words, case_sensitive=False),
        "metavar": f"[{'|'.join(words)}]",
    }


def output_typed(
    _context: click.Context | None, _parameter: click.Parameter | None, typed: str
) -> str:
    """Return the output that somebody typed; by whatever name, the standard output is `-`."""
    return "-" if typed in {"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"} else typed


def seconds_typed(
    _context: click.Context | None, _parameter: click.Parameter | None, typed: str | None
) -> float | None:
    """Return the seconds that somebody typed: a number, or one with units."""
    if typed is None:
        return None
    text = typed.strip()
    seconds = duration(text if text[-1:].isalpha() else f"{text}s")
    if seconds is None or not 1.0 <= seconds <= LONGEST_PATIENCE:
        raise click.BadParameter(f"{typed!a:.40} is no time from 1s to 7d: 90s, 15m or 1h")
    return seconds


@attrs.frozen
class Connection:
    """How to reach the API.

    Attributes:
        emulator: True runs the embedded emulator and asks it.
        base_url: The server's address; None: the environment's, else the vendor's.
        api_key_file: Where the key is; None: in the environment.
        limit: Requests in flight; None: found out.
        share: With whom the limit is shared; None: what `VIMMERSE_SHARE` says, else nobody.
        timeout: Seconds for a row, and for a server that accepts nothing; None: the usual.
        patience: Seconds for a server that refuses or asks to wait; None: the usual.
        trust_env: True honours proxy variables and `.netrc`.
        ca_file: Authorities to trust beside the system's; None: no others.
        client_cert: The certificate to show and its key; None: none.
    """

    emulator: bool
    base_url: str | None
    api_key_file: str | None
    limit: int | None
    share: str | None
    timeout: float | None
    patience: float | None
    trust_env: bool
    ca_file: str | None
    client_cert: str | None


def typed_options() -> frozenset[str]:
    """Return the names of the options that were typed, not taken from a file or by default."""
    context = get_current_context()
    source = context.get_parameter_source
    return frozenset(name for name in context.params if source(name) is ParameterSource.COMMANDLINE)


def connection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which server is asked; the command gets a `connection`."""

    @functools.wraps(command)
    def gather(**given: Any) -> Any:
        connection = Connection(
            **{field.name: given.pop(field.name) for field in attrs.fields(Connection)}
        )
        if connection.emulator and (connection.base_url or connection.api_key_file):
            raise click.UsageError("--emulator has its own address and key")
        if connection.emulator and (connection.ca_file or connection.client_cert):
            raise click.UsageError("--emulator is asked without TLS: it needs no certificates")
        return command(connection=connection, **given)

    for option in reversed(_CONNECTION):
        gather = option(gather)
    return gather


def budget_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what a run may take; the command gets a `budget`."""

    @functools.wraps(command)
    def gather(*words: Any, **given: Any) -> Any:
        from vimmerse_async.catalog.money import amount_of, price_of  # noqa: PLC0415 - for `--help`
        from vimmerse_async.cli.budget import Budget, most_failures, window  # noqa: PLC0415

        price, cost = price_of(given.pop("prices")), given.pop("max_cost")
        if cost is not None and price is None:
            raise click.UsageError("--max-cost needs --price, which says what a call costs")
        most = given.pop("max_failures")
        most_failures(most)
        now = datetime.now().astimezone()
        begin, end = window(given.pop("not_before"), given.pop("until"), now)
        max_cost = None if cost is None else amount_of(cost, "max_cost")
        budget = Budget(price, max_cost, given.pop("max_calls"), most, begin, end)
        return command(*words, budget=budget, **given)

    for option in reversed(_BUDGET):
        gather = option(gather)
    return gather


def dialect_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how a CSV is written; the command gets a `dialect`."""

    @functools.wraps(command)
    def gather(*words: Any, **given: Any) -> Any:
        from vimmerse_async.catalog.dialect import DialectOptions  # noqa: PLC0415 - for `--help`

        header = not given.pop("no_header")
        names = ("delimiter", "quote", "escape", "header_row", "sheet", "records")
        said = {name: given.pop(name) for name in names}
        return command(*words, dialect=DialectOptions.typed(**said, header=header), **given)

    for option in reversed(_DIALECT):
        gather = option(gather)
    return gather


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what stands beside a journal's answers."""
    for option in reversed(_READING):
        command = option(command)
    return command


def _refuse_key(_context: click.Context, _parameter: click.Parameter, key: str | None) -> None:
    if key is not None:
        _no_key_in_arguments()


def _no_key_in_arguments() -> NoReturn:
    raise click.UsageError(
        "a key in the command line can be read by every user of this machine: put it into "
        "VIMMERSE_API_KEY, or into a file for --api-key-file"
    )


_BUDGET = (
    click.option(
        "--price",
        "prices",
        multiple=True,
        metavar="[ROUTE=]AMOUNT",
        help="What a call costs, such as 0.004, so that money is told; prompt=0.004 says it for "
        "one route, and can be repeated.",
        panel=MONEY,
    ),
    click.option(
        "--max-calls",
        type=click.IntRange(0),
        metavar="N",
        help="Make at most N calls.",
        panel=MONEY,
    ),
    click.option(
        "--max-cost", metavar="AMOUNT", help="Spend at most AMOUNT in this run.", panel=MONEY
    ),
    click.option(
        "--max-failures",
        metavar="N|P%",
        help="Stop when N rows, or P% of them, have failed. Without it, when the first 20 are "
        "rejected for the same reason.",
        panel=MONEY,
    ),
    click.option(
        "--until",
        metavar="TIME",
        help="Stop early enough to be done by TIME, such as 06:00.",
        panel=MONEY,
    ),
    click.option(
        "--not-before", metavar="TIME", help="Send nothing before TIME, such as 22:00.", panel=MONEY
    ),
)
_DIALECT = (
    click.option(
        "--delimiter",
        metavar="C",
        help="The character between a CSV's cells. Without it, it is found.",
        panel=CATALOG,
    ),
    click.option(
        "--quote",
        metavar="C",
        help="The character around a CSV's cells; '' for none. Without it, \".",
        panel=CATALOG,
    ),
    click.option(
        "--escape",
        metavar="C",
        help="The character before a quote inside a CSV's cell. Without it, it is found.",
        panel=CATALOG,
    ),
    click.option(
        "--header-row",
        type=click.IntRange(1),
        metavar="N",
        help="The line that names a CSV's columns. Without it, it is found.",
        panel=CATALOG,
    ),
    click.option(
        "--sheet",
        metavar="NAME",
        help="The sheet to read, by name or number. Without it, the first with rows.",
        panel=CATALOG,
    ),
    click.option(
        "--records",
        metavar="PATH",
        help="Where the rows of JSON or XML are, such as data.items. Without it, it is found.",
        panel=CATALOG,
    ),
    click.option(
        "--no-header",
        is_flag=True,
        help="The CSV names no columns: call them column1, column2, ….",
        panel=CATALOG,
    ),
)
_CONNECTION = (
    click.option(
        "--emulator",
        is_flag=True,
        help="Ask an emulator on this machine: no key, no network.",
        panel=SERVER,
    ),
    click.option(
        "--base-url",
        metavar="URL",
        help="The address of another server or gateway. Without it, the one in $VIMMERSE_BASE_URL.",
        panel=SERVER,
    ),
    click.option(
        "--api-key-file",
        metavar="FILE",
        help="The file that holds the API key. Without it, the key is in $VIMMERSE_API_KEY.",
        panel=SERVER,
    ),
    click.option("--api-key", hidden=True, expose_value=False, callback=_refuse_key),
    click.option(
        "--limit",
        type=click.IntRange(1, 10_000),
        metavar="N",
        help="Send at most N requests at a time. Without it, as many as the account allows.",
        panel=SERVER,
    ),
    click.option(
        "--share",
        metavar="[host|redis://…|off]",
        help="Share one limit with this machine's other runs, or through a Redis server.",
        panel=SERVER,
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(0.1, 86_400),
        metavar="SECONDS",
        help="Wait so long for an answer, and so long for a server that gives none at all. Without "
        "it, 120 and 600.",
        panel=SERVER,
    ),
    click.option(
        "--patience",
        callback=seconds_typed,
        metavar="TIME",
        help="Keep trying so long while the server refuses, such as 15m. Without it, 10m.",
        panel=SERVER,
    ),
    click.option(
        "--trust-env",
        is_flag=True,
        help="Use the proxy in $HTTPS_PROXY, but not for the hosts in $NO_PROXY.",
        panel=SERVER,
    ),
    click.option(
        "--ca-file",
        metavar="FILE",
        help="Trust the authorities in this file (PEM), too.",
        panel=SERVER,
    ),
    click.option(
        "--client-cert",
        metavar="FILE",
        help="Show this certificate to the server; the file holds its key, too (PEM).",
        panel=SERVER,
    ),
)

_READING = (
    click.option(
        "--source",
        metavar="FILE",
        help="Where the catalog is now, if it has moved.",
        panel=OUTPUT,
    ),
    click.option(
        "--answers",
        is_flag=True,
        help="Questions and answers only, without the catalog.",
        panel=OUTPUT,
    ),
)
