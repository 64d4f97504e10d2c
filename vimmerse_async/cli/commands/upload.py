"""`vimmerse upload`: local files become hosted URLs."""

import functools
from collections.abc import Sequence

import rich_click as click

from vimmerse_async.cli.configured import ConfiguredCommand
from vimmerse_async.cli.options import QUESTION, Connection, connection_options


@click.command(
    "upload",
    cls=ConfiguredCommand,
    short_help="Upload pictures and videos and print their URLs.",
    help="""
    Upload each FILE and print its hosted URL, a line each, in the same order.

    Pictures are JPEG, PNG or WebP; videos MP4, MOV, AVI or WebM.
    """,
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--convert",
    is_flag=True,
    help="Convert files that the API does not take, such as HEIC.",
    panel=QUESTION,
)
@connection_options
def upload_command(*, files: Sequence[str], convert: bool, connection: Connection) -> int:
    """Upload, and return the exit code."""
    from vimmerse_async.cli.direct import upload  # noqa: PLC0415 - `--help` must not pay
    from vimmerse_async.cli.runner import run  # noqa: PLC0415

    return run(functools.partial(upload, connection, files, convert=convert))
