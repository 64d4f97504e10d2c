"""What troubleshooting.md says that is said is said."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import vimmerse_async

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
OF_OTHERS = {"asyncio.run() cannot be called from a running event loop"}


def shown() -> list[str]:
    """Return the messages in the first column of the page's tables."""
    return re.findall(r"^\| `([^`]+)` \|.*\|.*\|$", PAGE.read_text("utf-8"), re.MULTILINE)


def texts() -> Iterator[str]:
    """Yield every text of the package's source; what is filled in is an ellipsis."""
    for module in Path(vimmerse_async.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(
                    part.value
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                    else "…"
                    for part in node.values
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_every_message_of_the_page_is_one_of_the_package() -> None:
    """Whoever looks for the words of a message finds them, as they are today."""
    known = list(texts())
    messages = set(shown()) - OF_OTHERS
    assert len(messages) > 25
    lost = [
        message
        for message in messages
        if not any(re.search(pattern_of(message), text) for text in known)
    ]
    assert not lost


def pattern_of(message: str) -> str:
    """Return what finds a message: words in this order, a stop's reason being filled in."""
    message = re.sub(r"stopped \(\w+\)", "stopped (…)", message)
    return ".*".join(re.escape(part.strip()) for part in message.split("…"))


def test_every_reason_of_a_stop_is_on_both_pages() -> None:
    """No reason for which a batch stops is missing, neither by its message nor by its name."""
    from vimmerse_async.batch.stopping import HINTS

    resume = PAGE.with_name("resume.md").read_text("utf-8")
    stopped = set(re.findall(r"stopped \((\w+)\)", PAGE.read_text("utf-8")))
    assert stopped == set(HINTS)
    assert not [reason for reason in HINTS if f"`{reason}`" not in resume]
