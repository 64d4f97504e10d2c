"""`vimmerse export`: what a journal holds, as a table."""

from typing import Any

import rich_click as click

from vimmerse_async.cli.options import choice


@click.command("export", short_help="Write what a journal holds as CSV, JSONL or Parquet.")
@click.argument("journal")
@click.option(
    "-o",
    "--output",
    default="-",
    metavar="FILE",
    help="Write .csv, .jsonl or .parquet. Else: stdout.",
)
@click.option("--to", "write_as", **choice(("csv", "jsonl", "parquet")), help="What to write.")
def export_command(*, journal: str, output: str, write_as: Any) -> int:
    """Write the rows of JOURNAL with their prompts, in the order of the catalog.

    JOURNAL may still be written by a run: what is answered so far comes out. The name of a run's
    output stands for the journal beside it.
    """
    from vimmerse_async.cli.exporting import export  # noqa: PLC0415 - `--help` must not pay

    return export(journal, output, write_as)
