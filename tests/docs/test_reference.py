"""The reference has every public name, and none that is not."""

import re
from pathlib import Path

import vimmerse_async

DOCS = Path(__file__).parents[2] / "docs"


def test_every_public_name_has_its_place() -> None:
    """What can be imported is described on one of two pages, once."""
    text = "".join((DOCS / page).read_text("utf-8") for page in ("api.md", "errors.md"))
    found = re.findall(
        r"auto(?:class|exception|function):: vimmerse_async\.(\w+)$", text, re.MULTILINE
    )
    assert sorted(found) == sorted(set(vimmerse_async.__all__) - {"__version__"})


def test_the_tree_of_errors_is_whole() -> None:
    """Each error stands in the tree that the page draws, below what it inherits from."""
    tree = re.search(r"```text\n(.*?)```", (DOCS / "errors.md").read_text("utf-8"), re.DOTALL)
    assert tree is not None
    drawn = re.findall(r"\w+Error\b(?! \()", tree[1]) + re.findall(r"\w+Error(?= \()", tree[1])
    public = {name for name in vimmerse_async.__all__ if name.endswith("Error")}
    assert set(drawn) - {"ValueError", "RuntimeError", "TimeoutError"} == public


def test_every_variable_that_is_read_is_listed() -> None:
    """The page on the environment names each variable that the package's own code looks up."""
    page = (DOCS / "environment.md").read_text("utf-8")
    package = Path(vimmerse_async.__file__).parent
    read = set()
    for module in package.rglob("*.py"):
        text = module.read_text("utf-8")
        read |= set(re.findall(r'environ(?:\.get\(|\[)\s*"(\w+)"', text))
        read |= set(re.findall(r'_VARIABLE = "(\w+)"', text))
    assert {"VIMMERSE_API_KEY", "VIMMERSE_BASE_URL"} <= read
    assert not [name for name in read if f"`{name}`" not in page]


def test_no_directive_says_an_option_twice() -> None:
    """The site's build refuses it, and only there would it be seen."""
    for page in DOCS.glob("*.md"):
        text = page.read_text("utf-8")
        twice = re.findall(r"^   :(\w+):.*\n(?:   :.*\n)*?   :\1:", text, re.MULTILINE)
        assert not twice, page.name
