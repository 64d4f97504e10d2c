"""Which limit a refusal speaks for: by whether so many in flight were accepted. Pure."""

from enum import Enum

from vimmerse_async.control.levels import Levels

ON_THE_WIRE = 1 + 1 / 64  # x the level: answers under way are still in flight here, but not there
TRUST = 2  # refusals that spoke for the window which outweigh as many that do not


class Suspect(Enum):
    """Which limit is thought to bind."""

    NONE = None
    WINDOW = "window"
    RATE = "rate"


class Blame:
    """Hears what refusals speak for, and remembers how far the window is trusted to be it."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self._trust = 0

    def is_for_window(self, level: int, suspect: Suspect) -> bool:
        """Return whether a refusal at a level blames the window; one alone may be chance."""
        novel = level * ON_THE_WIRE > self._levels.top + 0.5
        again = level <= self._levels.refused + 1
        if suspect is Suspect.NONE:
            return False
        if novel and again:
            self._trust = min(TRUST, self._trust + 1) if suspect is Suspect.WINDOW else 0
            return True
        is_trusted = suspect is Suspect.WINDOW and self._trust > 0
        self._trust = max(0, self._trust - 1)
        return is_trusted
