"""What each script in `findings/` shows, as its first comment says it."""

from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "findings"


def found(script: Path) -> tuple[str, str]:
    """Return what was found, in a sentence, and what is to be known about it.

    Raises:
        ValueError: The script does not begin with a comment that says it.
    """
    lines = script.read_text("utf-8").splitlines()
    comment = []
    for line in lines[1:]:
        if not line.startswith("#"):
            break
        comment.append(line[1:].strip())
    sentence, _, rest = "\n".join(comment).strip().partition("\n\n")
    if len(sentence.split()) < 4:
        raise ValueError(f"{script.name}: line 2 has to say in a comment what was found")
    return " ".join(sentence.split()).rstrip("."), " ".join(rest.split())


def scripts(folder: Path = FOLDER) -> list[Path]:
    """Return the scripts, by name."""
    return sorted(folder.glob("*.sh"))


def sections(folder: Path = FOLDER) -> Iterator[str]:
    """Yield a section of Markdown for each script."""
    for script in scripts(folder):
        sentence, rest = found(script)
        text = f"{rest}\n\n" if rest else ""
        yield f"## {sentence}\n\n{text}```console\n$ findings/{script.name}\n```\n"
