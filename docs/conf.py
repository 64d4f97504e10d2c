"""How the pages become a site: `make docs`, warnings are errors."""

import sys
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

from vimmerse_async import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "vimmerse-async"
author = copyright = "the vimmerse-async authors"  # noqa: A001 - Sphinx's name
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "commands",
]
exclude_patterns = ["_build", "_ext"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say it in words; tables of Any help nobody
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"vimmerse-async {__version__}"
html_static_path = ["_static"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
html_css_files = ["site.css"]


def setup(app: Sphinx) -> None:
    """Show CSV as it is: Pygments has no lexer for it."""
    app.add_lexer("csv", TextLexer)
