"""`vimmerse mark`: what somebody thinks of answers."""

import rich_click as click

from vimmerse_async.cli.errors import OK


@click.command(
    "mark",
    short_help="Mark answers as good or bad, edit or note them.",
    help="""
    Mark rows of JOURNAL as good or bad. `caption … --again marked` asks the bad ones once more.

    WHERE says which rows: failed, flagged, marked, good, answered, all, or an SQL condition over
    the columns of the catalog and prompt, error, state, mark, note, edited and check, such as
    "words(prompt) < 5 AND category = 'Shoes'". The name of a run's output stands for the journal
    beside it. `vimmerse view` does the same by hand.
    """,
)
@click.argument("journal")
@click.argument("where")
@click.option("--good", "mark", flag_value="good", help="They are good.")
@click.option("--bad", "mark", flag_value="bad", help="They are bad.")
@click.option("--clear", "mark", flag_value="clear", help="Take marks, edits and notes back.")
@click.option("--edit", metavar="TEXT", help="Write this instead of the answer.")
@click.option("--note", metavar="TEXT", help="Note this beside it.")
@click.option("--source", metavar="FILE", help="Where the catalog is now, if it has moved.")
def mark_command(
    *,
    journal: str,
    where: str,
    mark: str | None,
    edit: str | None,
    note: str | None,
    source: str | None,
) -> int:
    """Mark, and return the exit code."""
    if mark is None and edit is None and note is None:
        raise click.UsageError(
            "say what is thought of them: --good, --bad, --edit, --note, --clear"
        )
    if mark == "clear" and (edit is not None or note is not None):
        raise click.UsageError("--clear takes everything back, and goes with nothing else")
    from vimmerse_async.cli.judging import mark as write  # noqa: PLC0415 - `--help` must not pay

    changes: dict[str, str | None] = {"mark": mark, "edited": edit, "note": note}
    changes = {name: value for name, value in changes.items() if value is not None}
    if mark == "clear":
        changes = dict.fromkeys(("mark", "edited", "note"))
    write(journal, where, source, changes)
    return OK
