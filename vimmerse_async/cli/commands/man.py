"""`vimmerse man`: the manual page."""

import rich_click as click

from vimmerse_async.cli.errors import OK


@click.command(
    "man",
    short_help="Print the manual page, made of these help pages.",
    help="""
    Print the manual page, which says what the help pages say. `man vimmerse` finds it where the
    package was installed into an environment that is active; `vimmerse man | man -l -` shows it
    anywhere.
    """,
)
@click.pass_context
def man_command(context: click.Context) -> int:
    """Print it, and return the exit code."""
    from vimmerse_async.cli.app import vimmerse  # noqa: PLC0415 - it leads here
    from vimmerse_async.cli.manual import manual  # noqa: PLC0415 - `--help` must not pay

    assert context.parent is not None  # noqa: S101 - the group's
    for line in manual(vimmerse, context.parent):
        click.echo(line)
    return OK
