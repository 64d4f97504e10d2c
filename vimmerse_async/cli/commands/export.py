"""`vimmerse export`: what a journal holds, as a table."""

from typing import Any

import rich_click as click

from vimmerse_async.catalog.forms import WRITTEN
from vimmerse_async.cli.configured import ConfiguredCommand
from vimmerse_async.cli.options import choice, reading_options


@click.command(
    "export",
    cls=ConfiguredCommand,
    short_help="Write what a journal holds as CSV, JSONL or Parquet.",
    help="""
    Write the catalog of JOURNAL as it is now, with the prompts that JOURNAL has for it.

    JOURNAL may still be written by a run: what is answered so far comes out. The name of a run's
    output stands for the journal beside it. The catalog is read again, where the last run found it.
    """,
)
@click.argument("journal")
@click.option(
    "-o",
    "--output",
    default="-",
    metavar="FILE",
    help="Write .csv, .jsonl or .parquet. Else: stdout.",
)
@click.option("--to", "write_as", **choice(WRITTEN), help="What to write.")
@reading_options
def export_command(*, write_as: Any, **given: Any) -> int:
    """Export, and return the exit code."""
    from vimmerse_async.cli.journal_views import Given, export  # noqa: PLC0415 - `--help` must not pay

    return export(Given(**given), write_as)
