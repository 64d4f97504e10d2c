"""Reads the source of the room that speaks aiohttp, for names that nobody is promised."""

import ast
import re
from collections.abc import Mapping

from vimmerse_async.http import surface
from vimmerse_async.http.surface import CALLED, OURS, OVERRIDDEN, READ, name_of

LISTED = {
    place: {
        *READ.get(place, "").split(),
        *map(name_of, CALLED.get(place, ())),
        *map(name_of, OVERRIDDEN.get(place, ())),
    }
    for place in {**READ, **CALLED, **OVERRIDDEN}
}
EVERY = set().union(*LISTED.values())
UNDOCUMENTED = (
    surface.PROTOCOL,
    surface.CONNECTION,
    surface.ERROR,
    "aiohttp.http_writer.StreamWriter",
)
BASES = {place.rpartition(".")[2]: place for place in LISTED}


class Reader(ast.NodeVisitor):
    """Reads a module of the room, and notes what the surface does not list.

    Of a subclass of aiohttp's, every name counts; of other objects those that begin with "_", and
    those that an undocumented class of aiohttp's has, too.
    """

    def __init__(self, instances: Mapping[str, object]) -> None:
        self.found: set[str] = set()
        self.place: str | None = None
        self._instances = instances
        self._public = set().union(*map(self._names, UNDOCUMENTED))

    def _names(self, place: str) -> set[str]:
        found = surface._class(place), self._instances.get(place)
        return set().union(*map(dir, found)) - {*dir(object), "__dict__", "__weakref__"}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if (node.module or "").startswith("aiohttp."):
            self.found.add(f"from {node.module}")

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        places = [BASES.get(ast.unparse(base).rpartition(".")[2]) for base in node.bases]
        outer, self.place = self.place, places[0] if places else None
        for each in node.body:
            if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self._own(each.name, method=True)
            elif isinstance(each, (ast.Assign, ast.AnnAssign)):
                target = each.targets[0] if isinstance(each, ast.Assign) else each.target
                self._own(ast.unparse(target))
        self.generic_visit(node)
        self.place = outer

    def _own(self, name: str, *, method: bool = False) -> None:
        if self.place is None or (name.startswith("__") and name.endswith("__")):
            return
        if name in self._names(self.place):
            listed = set(map(name_of, OVERRIDDEN.get(self.place, ()))) if method else EVERY
        else:
            listed = set(OURS.get(self.place, "").split())
        if name not in listed:
            self.found.add(f"{self.place}.{name}")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        owner, name = ast.unparse(node.value), node.attr
        if owner == "super()" and self.place is not None and not name.startswith("__"):
            if name not in LISTED[self.place]:
                self.found.add(f"{self.place}.{name}")
        elif owner == "self":
            self._of_self(name, stored=isinstance(node.ctx, ast.Store))
        elif owner != "super()" and name not in EVERY and self._is_aiohttps(owner, name):
            self.found.add(f"{owner}.{name}")

    def _is_aiohttps(self, owner: str, name: str) -> bool:
        if name.startswith("__"):  # Python's own
            return False
        ours = "lease" in owner or owner in {"os", "outgoing", "reader", "response"}
        return name.startswith("_") or (name in self._public and not ours)

    def _of_self(self, name: str, *, stored: bool) -> None:
        if self.place is None:
            return
        if name in self._names(self.place):
            if name not in EVERY:
                self.found.add(f"{self.place}.{name}")
        elif stored:
            self._own(name)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else None
        if name is not None and name in self._public:
            called = [
                each for methods in (*CALLED.values(), *OVERRIDDEN.values()) for each in methods
            ]
            known = {
                word
                for each in called
                if name_of(each) == name
                for word in re.findall(r"\w+", each)
            }
            self.found |= {
                f"{name}({each.arg}=)" for each in node.keywords if each.arg not in known
            }


def unlisted(source: str) -> set[str]:
    """Return what a module takes from aiohttp that is not listed; asked in a loop."""
    reader = Reader(surface._instances())
    reader.visit(ast.parse(source))
    return reader.found
