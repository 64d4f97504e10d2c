"""The site's search: sections of all pages in one file, which `search.js` asks with MiniSearch.

Sphinx's own search drops every number, and finds a page only if it has each of the words.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

NOT_SEARCHED = {"changelog"}
"""Pages whose words would stand before those that explain."""


def leave_out_own(app: Sphinx) -> None:
    """Make no index of Sphinx's own."""
    app.builder.search = False


def write_sections(app: Sphinx, failure: Exception | None) -> None:
    """Write what can be found, as a script, so that a page opened from a file can read it."""
    if failure is not None or app.builder.format != "html":
        return
    found = [
        section
        for name in sorted(app.env.found_docs - NOT_SEARCHED)
        for section in sections(app, name)
    ]
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    target = Path(app.outdir, "_static", "sections.js")
    target.write_text(f"const SECTIONS = {text};\n", "utf-8")


def sections(app: Sphinx, name: str) -> Iterator[dict[str, str]]:
    """Yield each section of a page, and each class or function that it describes."""
    page, address = app.env.titles[name].astext(), app.builder.get_target_uri(name)
    for node in app.env.get_doctree(name).findall(is_place):
        anchor = "" if isinstance(node.parent, nodes.document) else f"#{anchor_of(node)}"
        yield {
            "page": page,
            "title": title_of(node),
            "url": f"{address}{anchor}",
            "text": " ".join(own_text(node).split()),
        }


def is_place(node: nodes.Node) -> bool:
    """Return whether somebody may want to be led there."""
    if isinstance(node, addnodes.desc):
        return any(signature["ids"] for signature in node.findall(addnodes.desc_signature))
    return isinstance(node, nodes.section)


def anchor_of(node: nodes.Element) -> str:
    """Return the name of a place in its page."""
    signature = node.next_node(addnodes.desc_signature) if isinstance(node, addnodes.desc) else node
    return str(signature["ids"][0])


def title_of(node: nodes.Element) -> str:
    """Return a section's heading, or the name of what is described, without its parameters."""
    if isinstance(node, addnodes.desc):
        return str(node.next_node(addnodes.desc_signature)["fullname"])
    title = node.next_node(nodes.title)
    return "" if title is None else title.astext()


def own_text(node: nodes.Node) -> str:
    """Return the text below a place, without that of places below it."""
    if isinstance(node, nodes.Text):
        return node.astext()
    if isinstance(node, nodes.title | nodes.comment | nodes.raw | nodes.image):
        return ""
    inner = (child for child in node.children if not is_place(child))
    between = "" if isinstance(node, nodes.TextElement) else " "
    return between.join(map(own_text, inner))


def setup(app: Sphinx) -> dict[str, bool]:
    """Take the place of Sphinx's search."""
    app.connect("builder-inited", leave_out_own)
    app.connect("build-finished", write_sections)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
