"""One scanner for secrets: everything that can be seen of an error must be free of the key."""

import copy
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path

KEY = 'test-only/+&<>"k\\S3NT1NEL5e8a77/=;end'
"""Holds every character that some encoder escapes."""
CORE = "S3NT1NEL5e8a77"
"""The part that no encoder changes."""
OTHER_SECRET = "Basic test-only-S3NT1NEL5e8a77-authorization"

_TESTS = str(Path(__file__).parents[1])


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and everything it was raised from or during."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__]
        waiting += getattr(each, "exceptions", ())


def shown_by(error: BaseException) -> Iterator[tuple[str, str]]:
    """Yield what can be seen of an error: where, and the text."""
    for each in chain_of(error):
        name = type(each).__name__
        yield f"{name}: str", str(each)
        yield f"{name}: repr", repr(each)
        yield f"{name}: args", repr(each.args)
        yield f"{name}: notes", repr(getattr(each, "__notes__", ()))
        yield f"{name}: attributes", repr(vars(each))
        yield f"{name}: traceback", "".join(traceback.format_exception(each))
        for frame, line in traceback.walk_tb(each.__traceback__):
            if not frame.f_code.co_filename.startswith(_TESTS):
                for variable, value in list(frame.f_locals.items()):
                    place = f"{frame.f_code.co_filename}:{line} {variable}"
                    yield f"{name}: {place}", repr(value)


def check_error(error: BaseException) -> None:
    """Fail when an error shows the key, holds a foreign object, or does not pickle."""
    leaks = [f"{place}: {text[:300]}" for place, text in shown_by(error) if CORE in text]
    assert not leaks, "\n".join(leaks)
    foreign = [each for each in chain_of(error) if type(each).__module__.startswith("aiohttp")]
    assert not foreign, f"raised from {foreign}"
    packed = pickle.dumps(error)
    assert CORE.encode() not in packed
    for twin in (pickle.loads(packed), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin).keys() == vars(error).keys()
