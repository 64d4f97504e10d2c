"""The directive `commands`: every command of `vimmerse`, generated from the commands themselves."""

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from vimmerse_async.cli.app import vimmerse


def pages(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield a section of Markdown for a command and each below it."""
    if context.parent is not None:
        yield section(command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from pages(below, click.Context(below, context, info_name=name))


def section(command: click.Command, context: click.Context) -> str:
    """Return what `--help` says, as Markdown."""
    lines = [f"### {context.command_path}", "", cleandoc(command.help or ""), "", "```text"]
    lines += [f"{context.command_path} {' '.join(command.collect_usage_pieces(context))}", "```"]
    options = [each for each in command.get_params(context) if isinstance(each, click.Option)]
    rows = [row for row in (each.get_help_record(context) for each in options) if row]
    if rows:
        lines += ["", "| option | what it does |", "|---|---|"]
        lines += [f"| `{cell(name)}` | {cell(text)} |" for name, text in rows]
    return "\n".join(lines)


def cell(text: str) -> str:
    """Return a text that stays in its cell."""
    return " ".join(text.replace("|", "\\|").split())


class Commands(SphinxDirective):
    """Puts one section a command where it stands."""

    def run(self) -> list[nodes.Node]:
        context: Any = click.Context(vimmerse, info_name="vimmerse", max_content_width=100)
        text = "\n\n".join(pages(vimmerse, context))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
