"""A study's folder: its record, its trials' results, and the tables that follow from them."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from terrasweep.machine.files import remove_abandoned_drafts, write_atomically
from terrasweep.machine.locks import locked_in_own_folder
from terrasweep.machine.paths import home, results_folder
from terrasweep.results import pareto
from terrasweep.results.comparison import Comparison, compare
from terrasweep.results.errors import InvalidConfig, first_line
from terrasweep.results.extra_trainings import Role, of_other_seeds, with_probes
from terrasweep.results.observations import OtherSeeds
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import nearest
from terrasweep.study import keep_weights
from terrasweep.study.search_time import STARTS
from terrasweep.study.trial_folders import TrialFolders


class StudyFolder:
    """``results/<study>``. What is on disk is the truth; this holds a copy of it while a sweep runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._record: StudyRecord | None = None
        self.trials = TrialFolders(path / "trials")
        self._comparison: tuple[tuple[list[TrialResult], list[Objective], OtherSeeds], Comparison] | None = None

    @property
    def known(self) -> StudyRecord:
        """The record of an opened study."""
        assert self._record is not None, "open() comes first"
        return self._record

    def open(self, record: StudyRecord) -> None:
        """Take a study up, and write its record where it is new or changed.

        Another process may have started the study meanwhile: then it is that one's, and what the sweep found (its
        total, its data, the baselines that it leaves out, what it learnt of studies that the other one did not name)
        is all that changes.
        """
        with self.trials.locked():
            if stored := self.record():
                mended = record if record.started == stored.started else stored
                record = dataclasses.replace(
                    stored,
                    n_trials=record.n_trials,
                    data=record.data or stored.data,
                    left_out=record.left_out,
                    learnt=record.learnt | stored.learnt,
                    settings=mended.settings,
                    overrides=mended.overrides,
                    objectives=mended.objectives,
                    space=mended.space,
                )
            self._record = record = _with_reference(record, self.results())
            if stored != record:
                self._write_record()

    def open_stored(self) -> bool:
        """Take a study up as it is stored, and write nothing; False where none was started."""
        self._record = self.record()
        return self._record is not None

    def record(self) -> StudyRecord | None:
        """The stored record; None where no study was started.

        Raises:
            InvalidConfig: It can't be read.
        """
        file = self.path / "study.json"
        try:
            return StudyRecord.from_json(file.read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InvalidConfig(
                f"{file}: it can't be read ({first_line(error)}); move it away and start the study again: Optuna's "
                "storage knows what stood in it"
            ) from error

    def results(self) -> list[TrialResult]:
        """The settled trials, by number, with the probes of them; also those that other processes settled meanwhile."""
        return with_probes(self.path, self.trials.results())

    def add(self, result: TrialResult, attempt: str) -> bool:
        """Settle a trial: its result, the tables, and whose weights stay.

        The first complete trial fixes the hypervolume's reference.

        Args:
            result: What it came to.
            attempt: Which attempt it is of.

        Returns:
            False where the trial is no longer this attempt's; what counts is then on disk.
        """
        from terrasweep.report import write_tables

        if not self.trials.write_final_result(result, attempt):
            return False
        with self.trials.locked():
            # Another process may have fixed the reference meanwhile.
            self._record = self.record() or self.known
            if self.known != (record := _with_reference(self.known, [result])):
                self._record = record
                self._write_record()
            settled = self.results()
            comparison = self._compared(settled)
            write_tables(self.path, self.known, settled, comparison)
            keep_weights.prune(self.path, settled, {result.number for result in comparison.near_front})
        return True

    def end_early(self, why: str) -> None:
        """Keep why the search ended before it had its trials; empty: it has them, or goes on."""
        with self.trials.locked():
            self._record = self.record() or self.known
            if self.known.ended_early != why:
                self._record = dataclasses.replace(self.known, ended_early=why)
                self._write_record()

    def comparison(self) -> Comparison:
        """The trials, compared within the errors of their numbers."""
        return self._compared(self.results())

    def _compared(self, results: list[TrialResult]) -> Comparison:
        """The comparison of these trials, which is made once for as long as nothing has changed."""
        compared = (results, self.known.objectives, of_other_seeds(self.path, results))
        if self._comparison is None or self._comparison[0] != compared:
            self._comparison = (compared, compare(*compared))
        return self._comparison[1]

    def front(self) -> list[TrialResult]:
        """The trials on the front within the errors, with pooled values."""
        return self.comparison().front

    def summary(self) -> dict[str, float]:
        """What the parent run in MLflow shows: counts by state, the size of the front."""
        states = Counter(str(r.state) for r in self.results() if r.reason is not Reason.INTERRUPTED)
        return {"front_size": float(len(self.front())), **{f"trials_{s}": float(n) for s, n in states.items()}}

    def remove_drafts(self) -> None:
        """Remove what killed processes left in the middle of writing."""
        extra = (own for role in Role for own in self.path.glob(f"{role.folder}/*"))
        shared = (self.path, self.path / STARTS, self.path / "recommended")
        for folder in (*shared, *self.path.glob("trials/[0-9]*"), *extra):
            remove_abandoned_drafts(folder)

    @contextmanager
    def taken_up(self) -> Iterator[None]:
        """Make the folder, and let no other process take the study up; where bad input is found, leave no trace.

        A folder that was there stays, and so does one in which the study has started.
        """
        with locked_in_own_folder(self.path / ".take_up.lock") as made:
            try:
                yield
            except InvalidConfig:
                if self.path in made and not (self.path / "study.json").exists():
                    shutil.rmtree(self.path)
                    if self.path.parent in made:
                        with contextlib.suppress(OSError):  # Another study has begun in it.
                            self.path.parent.rmdir()
                raise

    def _write_record(self) -> None:
        write_atomically(self.path / "study.json", self.known.to_json())


def _with_reference(record: StudyRecord, results: list[TrialResult]) -> StudyRecord:
    """The record with the hypervolume's reference, where it has none yet and a trial is complete."""
    complete = [result for result in results if result.state is State.COMPLETE]
    if record.reference or not complete:
        return record
    return dataclasses.replace(record, reference=pareto.fix_reference(complete[0], record.objectives))


def open_existing(name: str) -> StudyFolder:
    """Open a study that was run before.

    Raises:
        InvalidConfig: There is none of this name, or its record can't be read.
    """
    folder = StudyFolder(results_folder(name))
    if not folder.open_stored():
        names = [f.parent.name for f in (home() / "results").glob("*/study.json")]
        hint = nearest(name, names) if names else "run a sweep first"
        raise InvalidConfig(f"study {name}: there is no {folder.path / 'study.json'}; {hint}")
    return folder
