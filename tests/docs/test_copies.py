"""A program that a page shows is the example of that name, docstrings left out."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPIES = [
    ("tutorial-web.md", "fastapi_app.py", "web/fastapi_app.py"),
    ("pipelines.md", "pipeline.py", "pipeline.py"),
    ("pipelines.md", "pipeline_postgres.py", "pipeline_postgres.py"),
    ("traps.md", "django_app.py", "web/django_app.py"),
]


def code_of(source: str) -> str:
    """Return a program without its docstrings and comments."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        owns = isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if owns and ast.get_docstring(node) is not None:
            del node.body[0]
    return ast.unparse(tree)


@pytest.mark.parametrize(("page", "name", "example"), COPIES, ids=[each[1] for each in COPIES])
def test_a_page_shows_the_example_as_it_is(page: str, name: str, example: str) -> None:
    """What is tested as an example is what a reader copies."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    (shown,) = re.findall(rf"```python {re.escape(name)}\n(.*?)```", text, re.DOTALL)
    assert code_of(shown) == code_of((ROOT / "examples" / example).read_text("utf-8"))
