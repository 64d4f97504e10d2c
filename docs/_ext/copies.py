"""What the pages' Markdown copies need so that nothing of a page is lost in them."""

from docutils import nodes
from sphinx.application import Sphinx


def keep_all(app: Sphinx, tree: nodes.document, _page: str) -> None:
    """Say the names of files, and the stars of signatures, in nodes that Markdown has."""
    if app.builder.format == "html":
        return
    for caption in list(tree.findall(nodes.caption)):
        name = nodes.paragraph("", "", nodes.literal(text=caption.astext()), nodes.Text(":"))
        caption.replace_self(name)
    for star in list(tree.findall(nodes.abbreviation)):
        star.replace_self(nodes.Text(star.astext()))


def setup(app: Sphinx) -> dict[str, bool]:
    """Mend each page before it is written."""
    app.connect("doctree-resolved", keep_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
