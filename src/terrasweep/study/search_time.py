"""How long a study has searched, over all of its starts; what ``study.budget_hours`` is held against.

Each start has a file in which it writes down, while it searches, when it began and for how long it has been at it. What
is killed loses the seconds since it wrote last. Time in which several processes searched counts once. Trials say when
they ran, too: that makes up for a file that is lost, and for starts of a version that wrote none.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from terrasweep.machine.files import write_atomically
from terrasweep.measure.durations import WALL_SECONDS
from terrasweep.results.trial_result import TrialResult

STARTS = "starts"
"""Below a study's folder: a file for each of its starts."""
BEAT_S = 15.0
"""How often a start writes down that it is still at work."""

Span = tuple[float, float]
"""Begin and end, in seconds since 1970."""


class SearchTime:
    """Counts the time in which this process searches.

    What passes while a machine sleeps is not counted: the clock stands still meanwhile.
    """

    def __init__(self, study: Path, *, clock: Callable[[], float] = time.monotonic, every_s: float = BEAT_S) -> None:
        """Args: ``study``: its folder; ``clock``: seconds from any moment on; ``every_s``: how often it is written."""
        self._clock, self._every_s = clock, every_s
        self._folder = study / STARTS
        self._ended = threading.Event()
        self._beats = threading.Thread(target=self._beat_on, name="search time", daemon=True)

    def __enter__(self) -> SearchTime:
        began = datetime.now(UTC)
        self._began, self._from = began.isoformat(timespec="milliseconds"), self._clock()
        self._file = self._folder / f"{began:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}.json"
        self.write_down()
        self._beats.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ended.set()
        self._beats.join()
        with contextlib.suppress(OSError):  # Whatever ends the search has its say.
            self.write_down()

    def write_down(self) -> None:
        """Bring the file up to now.

        Raises:
            OSError: It can't be written.
        """
        content = {"began": self._began, "seconds": round(self._clock() - self._from, 3)}
        write_atomically(self._file, json.dumps(content) + "\n")

    def _beat_on(self) -> None:
        while not self._ended.wait(self._every_s):
            with contextlib.suppress(OSError):  # The search itself meets a full disk and says so.
                self.write_down()


def searched_seconds(study: Path, results: Iterable[TrialResult]) -> float:
    """How long a study has searched: the time in which at least one of its processes did.

    Args:
        study: Its folder.
        results: Of its trials and baselines.
    """
    return covered_seconds([*_starts(study), *_trials(results)])


def covered_seconds(spans: Iterable[Span]) -> float:
    """The time that spans cover together, in seconds."""
    covered, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        covered += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return covered


def _starts(study: Path) -> Iterator[Span]:
    """What is written of a study's starts; a file that can't be read counts as lost."""
    for file in (study / STARTS).glob("[0-9]*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(file.read_text())
            begin = datetime.fromisoformat(content["began"]).timestamp()
            yield begin, begin + max(0.0, float(content["seconds"]))


def _trials(results: Iterable[TrialResult]) -> Iterator[Span]:
    for result in results:
        seconds = result.value(WALL_SECONDS.name)
        if seconds is not None:
            with contextlib.suppress(ValueError):  # A result that was made up for may not say when it ran.
                begin = datetime.fromisoformat(result.started).timestamp()
                yield begin, begin + seconds
