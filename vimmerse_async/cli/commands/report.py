"""`vimmerse report`: what a journal holds, as a page for the browser."""

from typing import Any

import rich_click as click

from vimmerse_async.cli.configured import ConfiguredCommand
from vimmerse_async.cli.options import OUTPUT, reading_options


@click.command(
    "report",
    cls=ConfiguredCommand,
    short_help="Show a journal as one page for the browser.",
    help="""
    Make a page to look at: every row of JOURNAL with its picture and prompt, to search and copy.

    It is one file without a network: pictures are shown from where they are, on this machine or at
    their URLs, when they come into view. The name of a run's output stands for the journal beside
    it.
    """,
)
@click.argument("journal")
@click.option(
    "-o",
    "--output",
    default="report.html",
    metavar="FILE",
    show_default=True,
    help="The page.",
    panel=OUTPUT,
)
@click.option(
    "--title",
    metavar="TEXT",
    help="The page's title. Without it, the catalog's name.",
    panel=OUTPUT,
)
@click.option(
    "--pictures",
    metavar="FOLDER",
    help="Where the pictures of a folder are now, if they have moved.",
    panel=OUTPUT,
)
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="PREFIX=FOLDER",
    help="Show pictures of URLs with this beginning from a folder.",
    panel=OUTPUT,
)
@click.option(
    "--embed",
    is_flag=True,
    help="Put small copies of local pictures into the page, to send it.",
    panel=OUTPUT,
)
@reading_options
def report_command(
    *, journal: str, output: str, source: str | None, answers: bool, **given: Any
) -> int:
    """Make the page, and return the exit code."""
    from vimmerse_async.cli.journal_views import Given, report  # noqa: PLC0415 - `--help` must not pay

    return report(Given(journal, output, source, answers), **given)
