"""`vimmerse mcp`: the API as tools for agents."""

import functools

import rich_click as click

from vimmerse_async.cli.configured import ConfiguredCommand
from vimmerse_async.cli.options import MONEY, SERVER, Connection, connection_options


@click.command(
    "mcp",
    cls=ConfiguredCommand,
    short_help="Offer the API as tools to agents (MCP).",
    help="""
    Offer refine, describe, suggest, and the captioning of catalogs in this folder as tools of the
    Model Context Protocol, over stdin and stdout.

    What costs money is refused without --allow-paid; a plan of a catalog never does.
    """,
)
@click.option(
    "--allow-paid", is_flag=True, help="Let agents make calls that cost money.", panel=MONEY
)
@click.option(
    "--max-calls",
    type=click.IntRange(0),
    metavar="N",
    help="Make at most N calls while the server runs.",
    panel=MONEY,
)
@click.option(
    "--http",
    type=click.IntRange(1, 65_535),
    metavar="PORT",
    help="Listen on this machine for streamable HTTP instead.",
    panel=SERVER,
)
@connection_options
def mcp_command(
    *, allow_paid: bool, max_calls: int | None, http: int | None, connection: Connection
) -> int:
    """Serve, and return the exit code."""
    try:
        from vimmerse_async.cli.agents import AgentOrder, serve  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"mcp", "mcp_types"}:
            raise
        raise click.UsageError(
            'tools for agents need an extra: pip install "vimmerse-async[mcp]"'
        ) from None
    from vimmerse_async.cli.runner import run  # noqa: PLC0415 - `--help` must not pay

    return run(functools.partial(serve, AgentOrder(connection, allow_paid, max_calls, http)))
