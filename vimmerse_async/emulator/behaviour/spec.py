"""Limits, faults and whole plans as plain data, both ways: from files, from JSON, for display."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from vimmerse_async.emulator.behaviour.faults import Fault
from vimmerse_async.emulator.behaviour.limits import Limits

PLAN_KEYS = ("limits", "faults", "credits", "prices", "latency", "seed")


def faults_from(rules: Iterable[Fault | Mapping[str, Any]]) -> tuple[Fault, ...]:
    """Return the rules as `Fault` objects.

    Raises:
        ValueError: A rule is invalid; the message names its place and the reason.
    """
    if isinstance(rules, Fault | Mapping | str) or not hasattr(rules, "__iter__"):
        raise ValueError("faults must be a list of rules")
    return tuple(_fault(place, rule) for place, rule in enumerate(rules))


def limits_from(value: Limits | Mapping[str, Any] | None) -> Limits:
    """Return the limits of a mapping with the attributes' names; None: no limits.

    `changes` are mappings too, each with `after` (seconds) beside its limits.

    Raises:
        ValueError: They are invalid; the message says why.
    """
    if isinstance(value, Limits):
        return value
    try:
        given = dict(value or {})
        _check_names(Limits, given)
        changes = given.pop("changes", ())
        return Limits(**given, changes=tuple(_change(dict(change)) for change in changes))
    except TypeError as error:
        raise ValueError(f"limits: {_reason(error)}") from None


def read_plan(path: Path) -> dict[str, Any]:
    """Return the arguments for `Emulator` that a plan file holds: JSON, or TOML by its suffix.

    A plan has any of `limits`, `faults`, `credits`, `prices`, `latency` and `seed`; a JSON list is
    a plan of faults alone.

    Raises:
        ValueError: The file holds no valid plan; the message names it and the reason.
        OSError: The file cannot be read.
    """
    text = path.read_text("utf-8")
    try:
        plan = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
        return check_plan({"faults": plan} if isinstance(plan, list) else plan)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None


def check_plan(plan: Any) -> dict[str, Any]:
    """Return a plan's mapping with its limits and faults as objects.

    Raises:
        ValueError: It is no valid plan; the message says why.
    """
    if type(plan) is not dict:
        raise ValueError("a plan is an object")
    given: dict[str, Any] = dict(plan)  # pyright: ignore[reportUnknownArgumentType]
    if unknown := sorted(given.keys() - set(PLAN_KEYS)):
        raise ValueError(f"a plan has {', '.join(PLAN_KEYS)}, not {', '.join(unknown)}")
    if "limits" in given:
        given["limits"] = limits_from(given["limits"])
    if "faults" in given:
        given["faults"] = faults_from(given["faults"])
    return given


def as_data(rule: Limits | Fault) -> dict[str, Any]:
    """Return the attributes that differ from their defaults, as they stand in a plan."""
    given = {
        field.name: getattr(rule, field.name)
        for field in attrs.fields(type(rule))
        if getattr(rule, field.name) not in (None, (), {}, field.default)
    }
    if "changes" in given:
        given["changes"] = [{"after": after, **as_data(it)} for after, it in given["changes"]]
    return given


def _fault(place: int, rule: Fault | Mapping[str, Any]) -> Fault:
    if isinstance(rule, Fault):
        return rule
    try:
        _check_names(Fault, rule)
        return Fault(**rule)
    except (TypeError, ValueError) as error:
        raise ValueError(f"fault {place}: {_reason(error)}") from None


def _change(given: dict[str, Any]) -> tuple[float, Limits]:
    after = given.pop("after", None)
    if type(after) not in {int, float}:
        raise ValueError(f"a change of limits needs `after`, in seconds: {given}")
    return float(after), limits_from(given)


def _check_names(kind: type[Limits | Fault], given: Mapping[str, Any]) -> None:
    names = [field.name for field in attrs.fields(kind)]
    if unknown := sorted(map(str, set(given) - set(names))):
        raise TypeError(f"there is no {', '.join(unknown)}; there are {', '.join(names)}")


def _reason(error: Exception) -> str:
    return str(error).partition("__init__() ")[2] or str(error)
