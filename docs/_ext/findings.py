"""The directive `findings`: a section for each script in `findings/`."""

from docutils import nodes
from found import scripts, sections
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Findings(SphinxDirective):
    """Puts one section a script where it stands."""

    def run(self) -> list[nodes.Node]:
        for script in scripts():
            self.env.note_dependency(str(script))
        return self.parse_text_to_nodes("\n".join(sections()), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("findings", Findings)
    return {"parallel_read_safe": True}
