"""`vimmerse login` and `logout`: the key in the system's keyring."""

import sys

import rich_click as click

_BASE_URL = click.option(
    "--base-url", metavar="URL", help="The server of the key. Without it, $VIMMERSE_BASE_URL."
)


@click.command(
    "login",
    short_help="Keep the key in the system's keyring.",
    help="""
    Keep the key in the system's keyring, from where every command takes it.

    It is asked for without being shown; where stdin is no terminal, it is read from there.
    """,
)
@_BASE_URL
def login_command(*, base_url: str | None) -> int:
    """Keep the key, and return the exit code."""
    from vimmerse_async.cli.credentials import keep  # noqa: PLC0415 - `--help` must not pay
    from vimmerse_async.cli.given import standard_input  # noqa: PLC0415
    from vimmerse_async.config import Secret, build_config  # noqa: PLC0415

    if sys.stdin.isatty():
        key = Secret(click.prompt("API key", hide_input=True, err=True))
    else:
        key = Secret(standard_input().partition("\n")[0].strip())
    if not key:
        raise click.UsageError("no key was given: it is typed, or the first line of stdin")
    build_config(key, base_url, None, None, None)
    click.echo(f"the key for {keep(key, base_url)} is in the keyring", err=True)
    return 0


@click.command(
    "logout",
    short_help="Forget the key that the keyring has.",
    help="Forget the key that the system's keyring has.",
)
@_BASE_URL
def logout_command(*, base_url: str | None) -> int:
    """Forget the key, and return the exit code."""
    from vimmerse_async.cli.credentials import keep  # noqa: PLC0415 - `--help` must not pay

    click.echo(f"the key for {keep(None, base_url)} is forgotten", err=True)
    return 0
