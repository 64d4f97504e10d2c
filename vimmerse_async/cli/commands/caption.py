"""`vimmerse caption`: a catalog goes in, the same rows come out with prompts."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from vimmerse_async.catalog.forms import READ, WRITTEN, form_named
from vimmerse_async.cli.configured import ConfiguredCommand
from vimmerse_async.cli.options import (
    CATALOG,
    EVERY,
    MODES,
    MONEY,
    OPTIONS,
    QUESTION,
    Connection,
    budget_options,
    choice,
    connection_options,
    dialect_options,
    output_typed,
    typed_options,
)

if TYPE_CHECKING:
    from vimmerse_async.catalog.dialect import DialectOptions
    from vimmerse_async.cli.budget import Budget


def _no_source(
    _context: click.Context, _parameter: click.Parameter, given: str | None
) -> str | None:
    if given is not None and given != EVERY and Path(given).exists():
        raise click.UsageError(
            f"--retry-errors took {given!r} for a status of errors: put it behind SOURCE"
        )
    return given


def _check_sources(sources: Sequence[str], output: str) -> None:
    """Raise `UsageError` where the last source is meant as the output."""
    last = sources[-1]
    if len(sources) < 2 or output != "-" or set("*?[:") & set(last) or Path(last).exists():
        return
    if form_named(last) is not None:
        raise click.UsageError(f"there is no {last!a:.200} to read: the output is named by -o")


@click.command(
    "caption",
    cls=ConfiguredCommand,
    short_help="Caption a catalog: CSV, JSONL, Parquet, text, or a folder.",
    help="""
    Ask for a prompt about every row of SOURCE.

    SOURCE is a CSV, JSONL or Parquet file, a text file with a URL a line, a folder of pictures and
    videos (they are uploaded first), or - for stdin. The output has the columns of SOURCE, then
    prompt and error, in the same order.

    Results are kept in a journal beside the output: the same command goes on where it stopped, and
    nothing is paid for twice.
    """,
)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "-o",
    "--output",
    default="-",
    callback=output_typed,
    metavar="FILE",
    help="The file to write; its ending says the format. folder/ gets a file for each file of "
    "SOURCE. Without it, the rows are printed.",
    panel=CATALOG,
)
@click.option(
    "--column",
    metavar="NAME",
    help="The column that holds the pictures' URLs. Without it, it is found by its content.",
    panel=CATALOG,
)
@click.option(
    "--column2", metavar="NAME", help="The column with the URLs of second pictures.", panel=CATALOG
)
@click.option(
    "--video-column", metavar="NAME", help="The column with the URLs of videos.", panel=CATALOG
)
@click.option(
    "--prompt-column",
    metavar="NAME",
    help="The column with the texts to start from.",
    panel=CATALOG,
)
@click.option(
    "--key-column",
    metavar="NAME",
    help="The column that names a row, so that a changed URL is not paid for again.",
    panel=CATALOG,
)
@click.option(
    "--split",
    **choice(("first", "all")),
    help="Where a cell holds several URLs: take the first, or make a row of each.",
    panel=CATALOG,
)
@click.option(
    "--rows",
    type=click.IntRange(1),
    metavar="N",
    help="Ask about the first N rows only.",
    panel=CATALOG,
)
@click.option(
    "--sample",
    type=click.IntRange(1),
    metavar="N",
    help="Ask about N rows drawn by chance, and show their prompts.",
    panel=CATALOG,
)
@click.option(
    "--per",
    metavar="COLUMN",
    help="Draw the sample's N rows for each value of this column.",
    panel=CATALOG,
)
@click.option(
    "--seed", type=int, default=0, metavar="N", help="Draw another sample.", panel=CATALOG
)
@click.option(
    "--from",
    "read_as",
    **choice(READ),
    help="The format of SOURCE. Without it, it is found by its ending and content.",
    panel=CATALOG,
)
@click.option(
    "--to",
    "write_as",
    **choice(WRITTEN),
    help="The format to write. Without it, the ending of the output file says it.",
    panel=CATALOG,
)
@click.option(
    "--encoding",
    metavar="NAME",
    help="The text encoding of SOURCE, such as cp1252. Without it, UTF-8.",
    panel=CATALOG,
)
@dialect_options
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="Leave out files and folders of this name, such as '*_small.jpg'; can be repeated.",
    panel=CATALOG,
)
@click.option(
    "--convert",
    is_flag=True,
    help="Convert pictures and videos that the API does not take, such as HEIC.",
    panel=CATALOG,
)
@click.option(
    "--option",
    **choice(OPTIONS[:3]),
    default=OPTIONS[0],
    show_default=True,
    help="What to do; RefinePrompt takes texts.",
    panel=QUESTION,
)
@click.option(
    "--prompt", metavar="TEXT", help="A text to start from, for every row.", panel=QUESTION
)
@click.option(
    "--template",
    metavar="TEXT",
    help="A text to start from, filled from each row's columns: 'A {brand} {title}'.",
    panel=QUESTION,
)
@click.option(
    "--missing",
    **choice(("skip", "empty", "fail")),
    default="skip",
    show_default=True,
    help="Where a column of --template is empty: skip the row, ask without it, or stop.",
    panel=QUESTION,
)
@click.option("--mode", **choice(MODES), help="What the prompts are for.", panel=QUESTION)
@click.option(
    "--journal",
    metavar="FILE",
    help="The file that keeps every answer. Without it, FILE.journal beside the output.",
    panel=MONEY,
)
@click.option("--no-journal", is_flag=True, help="Keep no journal.", panel=MONEY)
@click.option(
    "--fresh", is_flag=True, help="Begin anew; an older journal is kept aside.", panel=MONEY
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace FILE, even if another program wrote it.",
    panel=CATALOG,
)
@click.option(
    "--retry-errors",
    is_flag=False,
    flag_value=EVERY,
    metavar="[STATUS,...]",
    callback=_no_source,
    is_eager=True,  # before SOURCE is missed
    help="Also ask again what was rejected: all of it, or only what was answered with these HTTP "
    "statuses, such as 422,404. Type it after SOURCE.",
    panel=MONEY,
)
@click.option(
    "--again",
    metavar="WHERE",
    help="Ask again, with another --prompt or --mode, about rows that are marked (as bad), flagged "
    "or failed, or that an SQL condition picks.",
    panel=MONEY,
)
@click.option(
    "--check",
    is_flag=True,
    help="Look for answers that are too short, too long, refusals or all the same, and say so in a "
    "column `check`.",
    panel=MONEY,
)
@click.option(
    "--share-similar",
    is_flag=True,
    help="Ask once about pictures of a folder that look the same.",
    panel=MONEY,
)
@budget_options
@click.option(
    "--dry-run", is_flag=True, help="Say what it would ask and cost; send nothing.", panel=MONEY
)
@connection_options
@click.pass_obj
def caption_command(
    words: Sequence[str] | None,
    /,
    *,
    sources: tuple[str, ...],
    output: str,
    read_as: Any,
    write_as: Any,
    encoding: str | None,
    dialect: "DialectOptions",
    rows: int | None,
    sample: int | None,
    per: str | None,
    seed: int,
    connection: Connection,
    journal: str | None,
    no_journal: bool,
    fresh: bool,
    retry_errors: str | None,
    again: str | None,
    check: bool,
    share_similar: bool,
    overwrite: bool,
    budget: "Budget",
    exclude: Sequence[str],
    convert: bool,
    dry_run: bool,
    **asked: Any,
) -> int:
    """Caption, and return the exit code."""
    _check_sources(sources, output)
    if journal is not None and no_journal:
        raise click.UsageError("--journal and --no-journal exclude each other")
    if asked["template"] is not None and (asked["prompt"] or asked["prompt_column"]):
        raise click.UsageError("--template, --prompt and --prompt-column exclude each other")
    if per is not None and sample is None:
        raise click.UsageError("--per says how a sample is drawn: give --sample N, too")
    from vimmerse_async.catalog.folder import FileOptions  # noqa: PLC0415 - `--help` must not pay
    from vimmerse_async.catalog.questions import Questions  # noqa: PLC0415 - `--help` must not pay
    from vimmerse_async.catalog.sample import Sampling  # noqa: PLC0415
    from vimmerse_async.cli.catalog_run import dry_run as plan  # noqa: PLC0415
    from vimmerse_async.cli.catalog_run import start  # noqa: PLC0415
    from vimmerse_async.cli.journaling import journal_path, rejections  # noqa: PLC0415
    from vimmerse_async.cli.order import CaptionOrder  # noqa: PLC0415

    job = CaptionOrder(
        source=sources[0],
        more=sources[1:],
        output=output,
        read_as=read_as,
        write_as=write_as,
        encoding=encoding,
        dialect=dialect,
        rows=rows,
        sampling=None if sample is None else Sampling(sample, per, seed),
        questions=Questions(**asked),
        files=FileOptions(convert=convert, exclude=tuple(exclude)),
        again=again,
        now=None,
        check=check,
        similar=share_similar,
        typed=typed_options(),
        connection=connection,
        journal=journal_path(output, journal, wanted=not no_journal),
        fresh=fresh,
        retry_errors=rejections(retry_errors),
        overwrite=overwrite,
        budget=budget,
        words=tuple(words or ()),
    )
    return plan(job) if dry_run else start(job)
