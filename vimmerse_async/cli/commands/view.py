"""`vimmerse view`: a catalog and its answers to look at, mark and edit."""

import rich_click as click


@click.command(
    "view",
    short_help="Look at a run in the browser, mark, edit, pause.",
    help="""
    Show OUT in the browser: every row with its picture and prompt, to search, filter, mark and
    edit, also while a run writes it, which can be paused and stopped there.

    The page is served on this machine only, under an address that nobody else knows. OUT is an
    output or a journal.
    """,
)
@click.argument("out")
@click.option(
    "--label-column", metavar="NAME", help="The column of titles. Without it, pictures' names."
)
@click.option("--no-open", is_flag=True, help="Print the address, and open no browser.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, metavar="N", help="Serve there.")
def view_command(*, out: str, label_column: str | None, no_open: bool, port: int) -> int:
    """Serve it until Ctrl-C, and return the exit code."""
    from vimmerse_async.cli.viewing import view  # noqa: PLC0415 - `--help` must not pay

    return view(out, label_column, opens=not no_open, port=port)
