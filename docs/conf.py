"""How the pages become a site: `make docs`, warnings are errors."""

import re
import subprocess
import sys
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

from vimmerse_async import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))


def edit_links() -> dict[str, str]:
    """Return where each page can be edited: where this clone came from, if that is known."""
    git = ["git", "-C", str(Path(__file__).parent), "remote", "get-url", "origin"]
    found = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    address = re.sub(r"^(?:ssh://)?git@([^:/]+)[:/]", r"https://\1/", found).removesuffix(".git")
    if not re.match(r"https://(github|gitlab|bitbucket)\.", address):
        return {}
    return {
        "source_repository": address,
        "source_branch": "main",
        "source_directory": "docs/",
        "top_of_page_buttons": ["view", "edit"],
    }


project = "vimmerse-async"
author = copyright = "the vimmerse-async authors"  # noqa: A001 - Sphinx's name
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_llm.txt",
    "access",
    "commands",
    "copies",
    "finding",
    "findings",
]
exclude_patterns = ["_build", "_ext", "_templates"]
templates_path = ["_templates"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
default_role = "code"  # what docstrings mean by `single` backticks

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say it in words; tables of Any help nobody
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

llms_txt_suffix_mode = "replace"
llms_txt_description = (
    "The asyncio SDK and command that captions a whole image catalog through the Vimmerse text API."
)

html_theme = "furo"
html_title = f"vimmerse-async {__version__}"
html_static_path = ["_static"]
html_copy_source = False
html_additional_pages = {"search": "search.html"}
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True} | edit_links()
html_css_files = ["site.css"]


def name_files(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Show the name of a block that is a file: "```python app.py"."""
    source[0] = re.sub(
        r"^```(\w+) (\S+\.\w+)$",
        r"```{code-block} \1\n:caption: \2\n",
        source[0],
        flags=re.MULTILINE,
    )


def setup(app: Sphinx) -> None:
    """Show CSV as it is, for which Pygments has no lexer, and files with their names."""
    app.add_lexer("csv", TextLexer)
    app.connect("source-read", name_files)
