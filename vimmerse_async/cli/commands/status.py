"""`vimmerse status`: one screen about a run."""

import sys

import rich_click as click

from vimmerse_async.cli.errors import OK


@click.command(
    "status",
    short_help="Say what became of a run so far.",
    help="""
    Say in one screen what became of OUT: rows that are done and failed and why, what it cost, how
    to go on. OUT is an output or a journal, also while a run writes it.
    """,
)
@click.argument("out")
def status_command(*, out: str) -> int:
    """Say it, and return the exit code."""
    from vimmerse_async.cli.status import status  # noqa: PLC0415 - `--help` must not pay

    for line in status(out):
        sys.stdout.write(f"{line}\n")
    return OK
