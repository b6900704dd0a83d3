"""Tracking beside the trials: MLflow may be slow, hang or be gone, and no trial waits for it or fails by it.

Nothing is lost by what is left out here: the study's folder is the truth, and what MLflow lacks is logged at the end of
the sweep, or of its next start.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from terrasweep.results.comparison import compare
from terrasweep.results.extra_trainings import Role, of_other_seeds, read_extra_results
from terrasweep.results.secrets import MASK
from terrasweep.results.study_record import StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.mlflow_runs import StudyTracker, not_logged

AT_MOST_WAITING = 100
"""Trials that wait to be logged; beyond them, they are logged at the end."""
PAUSE_S = 60.0
"""How long MLflow is left alone after it has failed."""
STALLED_S = 60.0
"""How long the end of a sweep waits for one trial to be logged."""


class BackgroundTracker:
    """Writes a study to MLflow from a thread of its own. No method raises."""

    def __init__(
        self, record: StudyRecord, uri: str, *, pause_s: float = PAUSE_S, stalled_s: float = STALLED_S
    ) -> None:
        self._record, self._uri = record, uri
        self._pause_s, self._stalled_s = pause_s, stalled_s
        self._tracker: StudyTracker | None = None
        self._left_alone_until = 0.0
        self._failure = self._said = ""
        self._steps = 0
        self._ended = threading.Event()
        self._waiting: queue.Queue[Callable[[StudyTracker], None] | None] = queue.Queue(AT_MOST_WAITING)
        self._waiting.put_nowait(lambda _: None)  # The parent run is opened at once.
        # A daemon: a hanging server must not keep the process from its end.
        threading.Thread(target=self._work, name="mlflow", daemon=True).start()

    def log(self, result: TrialResult) -> None:
        """Log a trial as soon as MLflow comes to it."""
        self._put(lambda tracker: tracker.log(result))

    def log_extra(self, role: Role, name: str, result: TrialResult) -> None:
        """Log a training that is no trial as soon as MLflow comes to it."""
        self._put(lambda tracker: tracker.log_extra(role, name, result))

    def _put(self, task: Callable[[StudyTracker], None]) -> None:
        try:
            self._waiting.put_nowait(task)
        except queue.Full:
            self._failure = "MLflow is slower than the trials"

    def trouble(self) -> str:
        """What goes wrong, in one line that is given once; empty for nothing new."""
        failure, said, self._said = self._failure, self._said, self._failure
        return f"{failure}; trials go on, and what is missing is logged at the end" if failure not in ("", said) else ""

    def finish(self, folder: Path, results: Iterable[TrialResult], summary: dict[str, float]) -> str:
        """Log what is missing, attach the report, and close the parent run.

        Waits for as long as MLflow goes on, and ``stalled_s`` for a single trial.

        Returns:
            Why not everything was logged, in one line; empty where it was.
        """
        with contextlib.suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()  # It is among what is missing.
        settled = list(results)

        def log_the_rest(tracker: StudyTracker) -> None:
            tracker.log_missing(self._counted(settled))
            for role in (role for role in Role if role.is_training):
                for name, result in read_extra_results(folder, role).items():
                    self._steps += 1
                    tracker.log_extra(role, name, result)
            tracker.log_tests(settled)
            seeds = of_other_seeds(folder, settled)
            tracker.log_estimates(self._counted(settled), compare(settled, self._record.objectives, seeds))
            tracker.finish(folder, summary)

        self._left_alone_until = 0.0
        self._waiting.put_nowait(log_the_rest)
        self._waiting.put_nowait(None)
        self._wait()
        return f"{self._failure}; start the same command again to log what is missing" if self._failure else ""

    def _wait(self) -> None:
        before = -1
        while not self._ended.wait(self._stalled_s):
            if self._steps == before:
                self._failure = self._failure or f"MLflow has not answered for {self._stalled_s:g} s"
                return
            before = self._steps

    def _work(self) -> None:
        while (task := self._waiting.get()) is not None:
            if time.monotonic() >= self._left_alone_until:
                self._attempt(task)
            self._steps += 1
        self._ended.set()

    def _attempt(self, task: Callable[[StudyTracker], None]) -> None:
        try:
            self._tracker = self._tracker or StudyTracker(self._record, self._uri)
            task(self._tracker)
            self._failure = ""
        except Exception as error:  # noqa: BLE001 - tracking may fail in any way, and ends no study
            self._failure = not_logged(error)
            self._left_alone_until = time.monotonic() + self._pause_s

    def _counted(self, results: list[TrialResult]) -> Iterator[TrialResult]:
        for result in results:
            self._steps += 1
            yield result


def track_stored(record: StudyRecord, folder: Path, results: Iterable[TrialResult], summary: dict[str, float]) -> str:
    """Log what MLflow lacks of a study that no sweep is working on, and attach its report anew.

    Returns:
        Why not everything was logged, in one line; empty where it was.
    """
    if MASK in record.tracking_uri:  # A stored address has no password.
        return (
            f"tracking.uri={record.tracking_uri}: its password is not stored; the study's command, started again, logs "
            "what MLflow lacks"
        )
    return BackgroundTracker(record, record.tracking_uri).finish(folder, results, summary)
