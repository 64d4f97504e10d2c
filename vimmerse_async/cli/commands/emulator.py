"""`vimmerse emulator`: the local server in a shell, with a flag for everything it can be told."""

from collections.abc import Callable, Sequence
from typing import Any

import rich_click as click

_FLAGS = (
    click.option("--host", metavar="ADDRESS", help="Listen on another address than 127.0.0.1."),
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        metavar="N",
        help="Listen on this port. Without it, on a free one.",
    ),
    click.option("--expose", is_flag=True, help="Allow an address that others can reach."),
    click.option("--tls", is_flag=True, help="Serve HTTPS, under an authority of its own."),
    click.option("--key", metavar="KEY", help="Accept this key only; it begins test- or demo-."),
    click.option(
        "--cors",
        multiple=True,
        metavar="ORIGIN",
        help="Let web pages of http://localhost:5173, say, ask from a browser; * for all.",
    ),
    click.option(
        "--map",
        "maps",
        multiple=True,
        metavar="PREFIX=FOLDER",
        help="Take pictures under a URL from a folder: https://cdn.example/=./pictures/",
    ),
    click.option("--any-url", is_flag=True, help="Answer for unknown URLs, without looking."),
    click.option("--per-second", type=float, metavar="N", help="Requests a second."),
    click.option("--burst", type=int, metavar="N", help="Requests at once under --per-second."),
    click.option("--per-minute", type=int, metavar="N", help="Requests a minute."),
    click.option(
        "--window", type=click.Choice(("fixed", "sliding")), help="How a minute is counted."
    ),
    click.option("--in-flight", type=int, metavar="N", help="Requests at the same time."),
    click.option(
        "--retry-after",
        type=click.Choice(("seconds", "date", "milliseconds", "wrong-clock", "garbage")),
        help="How a refusal tells the wait. Without it, not at all.",
    ),
    click.option(
        "--refuse",
        type=click.Choice(("429", "403", "500", "503", "reset")),
        help="How a request too many is refused. Without it, with 429.",
    ),
    click.option("--refuse-after", type=float, metavar="SECONDS", help="A refusal takes so long."),
    click.option(
        "--ban", type=float, metavar="SECONDS", help="A refusal bans so long; asking renews it."
    ),
    click.option(
        "--quota-headers",
        type=click.Choice(
            ("x-ratelimit", "x-ratelimit-epoch", "x-ratelimit-epoch-ms", "ratelimit", "ratelimit-8")
        ),
        help="How replies tell what is left of a limit. Without it, not at all.",
    ),
    click.option(
        "--credits", type=float, metavar="N", help="Credits in the wallet. Without it, no end."
    ),
    click.option(
        "--price", "prices", multiple=True, metavar="ROUTE=N", help="Credits for a route; else 1."
    ),
    click.option(
        "--latency",
        metavar="SECONDS",
        help="0.2, uniform:0.1,2, lognormal:1,0.5 or queue:4,0.25.",
    ),
    click.option("--seed", type=int, metavar="N", help="Draw other words, faults and latencies."),
    click.option(
        "--faults",
        type=click.Path(exists=True, dir_okay=False),
        metavar="FILE",
        help="What goes wrong: a plan in JSON or TOML.",
    ),
)


def _flags(command: Callable[..., Any]) -> Callable[..., Any]:
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command


@click.group(
    "emulator",
    short_help="Run the emulator, or a command beside it.",
    invoke_without_command=True,
    help="""
    Run a local server that speaks the API, and print the two variables to export.

    It needs no key and no network; it measures pictures, and is no model. Ctrl-C ends it.
    """,
)
@_flags
@click.pass_context
def emulator_command(context: click.RichContext, /, **flags: Any) -> int | None:
    """Serve, unless a subcommand does, and return the exit code."""
    context.obj = _given(flags)
    if context.invoked_subcommand is not None:
        return None
    from vimmerse_async.cli.emulator_process import serve  # noqa: PLC0415 - `--help` must not pay

    return serve(context.obj)


@emulator_command.command(
    "exec",
    short_help="Run a command beside the emulator.",
    context_settings={"allow_interspersed_args": False},
    help="Run COMMAND with the two variables set, and end with its exit code.",
)
@_flags
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.pass_obj
def exec_command(outer: dict[str, Any], /, words: Sequence[str], **flags: Any) -> int:
    """Run the command, and return the exit code."""
    from vimmerse_async.cli.emulator_process import execute  # noqa: PLC0415 - `--help` must not pay

    return execute(outer | _given(flags), words)


def _given(flags: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value not in (None, (), False)}
