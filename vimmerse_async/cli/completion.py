"""Completion by the shell: what it has to load, and where it looks for that."""

import os
from pathlib import Path

import rich_click as click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_VIMMERSE_COMPLETE"


def completion_options(group: click.Group) -> click.Group:
    """Add `--install-completion` and `--show-completion` to the whole command."""
    for name, callback, text in (
        ("--install-completion", _install, "Let Tab complete in this shell from now on."),
        ("--show-completion", _show, "Print what SHELL has to load for it."),
    ):
        option = click.option(
            name,
            type=click.Choice(SHELLS),
            is_flag=False,
            flag_value=_shell(),
            metavar="[SHELL]",
            is_eager=True,
            expose_value=False,
            callback=callback,
            help=text,
        )
        group = option(group)
    return group


def place_of_script(shell: str, home: Path) -> Path:
    """Return the file in which a shell looks for the completion of `vimmerse`."""
    return (
        home
        / {
            "bash": ".local/share/bash-completion/completions/vimmerse",
            "zsh": ".zfunc/_vimmerse",
            "fish": ".config/fish/completions/vimmerse.fish",
        }[shell]
    )


def _install(context: click.Context, _parameter: click.Parameter, shell: str | None) -> None:
    if shell is None or context.resilient_parsing:
        return
    path = place_of_script(shell, Path.home())
    script = _script(context, shell)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script, "utf-8", newline="\n")
    more = {
        "bash": "it needs the package bash-completion",
        "zsh": "~/.zshrc needs: fpath+=~/.zfunc; autoload -Uz compinit && compinit",
        "fish": "",
    }[shell]
    click.echo(f"written to {path}, for each new {shell}" + (f"; {more}" if more else ""))
    context.exit()


def _show(context: click.Context, _parameter: click.Parameter, shell: str | None) -> None:
    if shell is None or context.resilient_parsing:
        return
    click.echo(_script(context, shell))
    context.exit()


def _script(context: click.Context, shell: str) -> str:
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click knows all three
    return kind(context.command, {}, "vimmerse", _VARIABLE).source()


def _shell() -> str:
    name = Path(os.environ.get("SHELL", "")).name
    return name if name in SHELLS else SHELLS[0]
