"""What the theme leaves out for those who see with their ears or have no mouse."""

from typing import Any

from sphinx.application import Sphinx

MENDS = (
    ('role="heading"', 'role="heading" aria-level="2"'),  # captions of the navigation
    ("<pre>", '<pre tabindex="0">'),  # what is wider than the page is scrolled by keys
    ('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'),
)


def mend(_app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: object) -> None:
    """Complete the page and the navigation beside it."""
    for part in ("body", "furo_navigation_tree"):
        for found, mended in MENDS:
            if part in context:
                context[part] = context[part].replace(found, mended)


def setup(app: Sphinx) -> dict[str, bool]:
    """Come after the theme, which makes the navigation."""
    app.connect("html-page-context", mend, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
