"""`vimmerse status`: one screen about a run, or about what processes share."""

import sys

import rich_click as click

from vimmerse_async.cli.errors import OK


@click.command(
    "status",
    short_help="Say what became of a run so far, or who shares a limit.",
    help="""
    Say in one screen what became of OUT: rows that are done and failed and why, what it cost, how
    to go on. OUT is an output or a journal, also while a run writes it.

    Without OUT: which limits the processes of this machine share (--share host), how many are in
    flight and wait, what holds them back, and who leads.
    """,
)
@click.argument("out", required=False)
def status_command(*, out: str | None) -> int:
    """Say it, and return the exit code."""
    if out is None:
        from vimmerse_async.cli.sharing_view import sharing  # noqa: PLC0415 - as below

        lines = sharing()
    else:
        from vimmerse_async.cli.status import status  # noqa: PLC0415 - `--help` must not pay

        lines = status(out)
    for line in lines:
        sys.stdout.write(f"{line}\n")
    return OK
