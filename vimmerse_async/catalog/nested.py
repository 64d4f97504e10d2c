"""Values inside of values: `image.url`, `images.0.src`, `images.src` of each of a list."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any


def dig(fields: Mapping[str, Any], name: str) -> Any:
    """Return what a row holds under a name, or inside a column by a path of names; None: nothing.

    Example:
        >>> row = {"a.b": 1, "images": [{"src": "x"}, {"src": "y"}]}
        >>> dig(row, "a.b"), dig(row, "images.1.src"), dig(row, "images.src"), dig(row, "b.c")
        (1, 'y', ['x', 'y'], None)
    """
    if name in fields:
        return fields[name]
    head, *path = name.split(".")
    return _inside(fields.get(head), path)


def head_of(name: str, columns: Container[str]) -> str | None:
    """Return the column that holds what a name means; None: there is none."""
    if name in columns:
        return name
    head = name.partition(".")[0]
    return head if head in columns else None


def chosen(fields: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return what a row holds under some names, those of nothing left out."""
    found = {name: dig(fields, name) for name in names}
    return {name: value for name, value in found.items() if value is not None or name in fields}


def paths_to(value: Any, wanted: Callable[[Any], bool], most: int = 3) -> Iterator[str]:
    """Yield how to get to each wanted value inside of one, each path of names once.

    Args:
        value: An object, or a list of objects.
        wanted: Tells which are.
        most: How deep they may be.

    Example:
        >>> list(paths_to([{"src": 1}, {"src": 2, "alt": None}], lambda value: value == 2))
        ['src']
    """
    found: dict[str, None] = {}
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, Mapping) and most:
            for name, inner in each.items():
                below = [""] if wanted(inner) else paths_to(inner, wanted, most - 1)
                found |= dict.fromkeys(f"{name}.{path}".rstrip(".") for path in below)
    yield from found


def _inside(value: Any, path: list[str]) -> Any:
    for place, name in enumerate(path):
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal():
            value = value[int(name)] if int(name) < len(value) else None
        elif isinstance(value, list):
            found = [_inside(each, path[place:]) for each in value]
            return [each for each in found if each is not None]
        else:
            return None
    return value
