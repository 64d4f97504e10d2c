"""`vimmerse caption`: a catalog goes in, the same rows come out with prompts."""

from typing import Any

import rich_click as click

from vimmerse_async.cli.options import (
    CATALOG,
    MODES,
    OPTIONS,
    QUESTION,
    Connection,
    choice,
    connection_options,
)


@click.command("caption", short_help="Caption a catalog: CSV, JSONL, Parquet, text, or a folder.")
@click.argument("source")
@click.option(
    "-o",
    "--output",
    default="-",
    metavar="FILE",
    help="Write .csv, .jsonl or .parquet. Else: stdout.",
    panel=CATALOG,
)
@click.option(
    "--column", metavar="NAME", help="Of the URLs. Else: the one that has them.", panel=CATALOG
)
@click.option("--column2", metavar="NAME", help="Of URLs of second pictures.", panel=CATALOG)
@click.option("--video-column", metavar="NAME", help="Of URLs of videos.", panel=CATALOG)
@click.option("--prompt-column", metavar="NAME", help="Of texts to start from.", panel=CATALOG)
@click.option(
    "--key-column",
    metavar="NAME",
    help="Of what a row is known by, where URLs change. Else: what is asked.",
    panel=CATALOG,
)
@click.option(
    "--rows", type=click.IntRange(1), metavar="N", help="Take the first N rows.", panel=CATALOG
)
@click.option(
    "--from",
    "read_as",
    **choice(("csv", "jsonl", "parquet", "text")),
    help="What SOURCE is.",
    panel=CATALOG,
)
@click.option(
    "--to",
    "write_as",
    **choice(("csv", "jsonl", "parquet")),
    help="What to write.",
    panel=CATALOG,
)
@click.option("--encoding", metavar="NAME", help="Of SOURCE. Else: UTF-8.", panel=CATALOG)
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
@click.option("--mode", **choice(MODES), help="What the prompts are for.", panel=QUESTION)
@connection_options
def caption_command(
    *,
    source: str,
    output: str,
    read_as: Any,
    write_as: Any,
    encoding: str | None,
    rows: int | None,
    connection: Connection,
    **asked: Any,
) -> int:
    """Ask for a prompt about every row of SOURCE.

    SOURCE is a CSV, JSONL or Parquet file, a text file with a URL a line, a folder of pictures and
    videos (they are uploaded first), or - for stdin. The output has the columns of SOURCE, then
    prompt and error, in the same order.
    """
    from vimmerse_async.catalog.questions import Questions  # noqa: PLC0415 - `--help` must not pay
    from vimmerse_async.cli.captioning import Job, start  # noqa: PLC0415

    return start(
        Job(
            source=source,
            output=output,
            read_as=read_as,
            write_as=write_as,
            encoding=encoding,
            rows=rows,
            questions=Questions(**asked),
            connection=connection,
        )
    )
