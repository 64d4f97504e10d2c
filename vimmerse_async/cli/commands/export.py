"""`vimmerse export`: what a journal holds, as a table."""

from typing import Any

import rich_click as click

from vimmerse_async.catalog.forms import WRITTEN
from vimmerse_async.cli.configured import ConfiguredCommand
from vimmerse_async.cli.options import OUTPUT, choice, output_typed, reading_options


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
    callback=output_typed,
    metavar="FILE",
    help="The file to write; its ending says the format. A folder gets a file for each part of "
    "the catalog. Without it, the rows are printed.",
    panel=OUTPUT,
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace FILE, even if another program wrote it.",
    panel=OUTPUT,
)
@click.option(
    "--to",
    "write_as",
    **choice(WRITTEN),
    help="The format to write. Without it, the ending of the output file says it.",
    panel=OUTPUT,
)
@click.option(
    "--versions",
    is_flag=True,
    help="Every answer that a row has or had, a line each.",
    panel=OUTPUT,
)
@click.option("--failed", is_flag=True, help="Only rows that failed.", panel=OUTPUT)
@reading_options
def export_command(*, write_as: Any, versions: bool, failed: bool, **given: Any) -> int:
    """Export, and return the exit code."""
    if versions and (failed or given["answers"]):
        raise click.UsageError("--versions goes neither with --failed nor with --answers")
    from vimmerse_async.cli.journal_views import (  # noqa: PLC0415 - `--help` must not pay
        Given,
        Which,
        export,
    )

    which: Which = "versions" if versions else "failed" if failed else "rows"
    return export(Given(**given), write_as, which)
