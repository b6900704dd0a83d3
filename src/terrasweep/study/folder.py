"""A study's folder: its record, its trials' results, and the tables that follow from them."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import yaml

from terrasweep.machine.files import remove_abandoned_drafts, write_atomically
from terrasweep.machine.locks import locked, present
from terrasweep.machine.paths import home, results_folder
from terrasweep.results import pareto
from terrasweep.results.errors import InvalidConfig, first_line
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import nearest
from terrasweep.study import keep_weights
from terrasweep.trial import attempt as attempts


class StudyFolder:
    """``results/<study>``. What is on disk is the truth; this holds a copy of it while a sweep runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._record: StudyRecord | None = None
        self._read: dict[Path, tuple[int, TrialResult]] = {}
        self._unreadable: set[Path] = set()
        self._record_lock = path / ".tables.lock"

    @property
    def known(self) -> StudyRecord:
        """The record of an opened study."""
        assert self._record is not None, "open() comes first"
        return self._record

    def open(self, record: StudyRecord) -> None:
        """Take a study up, and write its record where it is new or changed.

        Another process may have started the study meanwhile: then it is that one's, and what the sweep found (its
        total, its data) is all that changes.
        """
        with locked(self._record_lock):
            if stored := self.record():
                mended = record if record.started == stored.started else stored
                record = dataclasses.replace(
                    stored,
                    n_trials=record.n_trials,
                    data=record.data or stored.data,
                    settings=mended.settings,
                    overrides=mended.overrides,
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
        """The settled trials, by number; also those that other processes have settled meanwhile.

        One that can't be read is left out, and said once.
        """
        files = set(self.path.glob("trials/[0-9]*/result.json"))
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                self._look_at(file)
        found = (result for file, (_, result) in self._read.items() if file in files)
        return sorted((r for r in found if r.number is not None), key=lambda r: r.number or 0)

    def _look_at(self, file: Path) -> None:
        changed = file.stat().st_mtime_ns
        if (file in self._read and self._read[file][0] == changed) or not attempts.is_settled(file.parent):
            return
        try:
            self._read[file] = (changed, TrialResult.from_json(file.read_text()))
        except ValueError as error:
            self._read.pop(file, None)
            if file not in self._unreadable:
                self._unreadable.add(file)
                print(f"warning: {_unreadable(file, error)}; the trial is left out", file=sys.stderr)

    def numbers(self) -> list[int]:
        """Numbers of all trials that have a folder, whatever is in it."""
        return sorted(int(path.name) for path in self.path.glob("trials/[0-9]*") if path.name.isdigit())

    def has_result(self, number: int) -> bool:
        """Whether there is a result of a trial, be it one that can't be read."""
        return (self.path / "trials" / str(number) / "result.json").exists()

    def result(self, number: int) -> TrialResult | None:
        """One trial's result as it stands on disk.

        Raises:
            InvalidConfig: It can't be read.
        """
        file = self.path / "trials" / str(number) / "result.json"
        try:
            return TrialResult.from_json(file.read_text())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise InvalidConfig(_unreadable(file, error)) from error

    def config(self, number: int) -> dict[str, Any] | None:
        """The resolved configuration of a trial that came as far as to write it, where it can be read."""
        file = self.path / "trials" / str(number) / "config.yaml"
        try:
            config = yaml.safe_load(file.read_text())
        except (FileNotFoundError, ValueError, yaml.YAMLError):
            return None
        return config if isinstance(config, dict) else None

    def has_begun(self, number: int) -> bool:
        """Whether a trial's own process came as far as to write down what it runs."""
        return (self.path / "trials" / str(number) / "config.yaml").is_file()

    def hand_out(self, number: int, attempt: str) -> bool:
        """Give a new trial to an attempt; False where another one's result stands under its number."""
        return attempts.hand_out(self.path / "trials" / str(number), attempt)

    def take_over(self, number: int, attempt: str) -> TrialResult | None:
        """Give a trial to an attempt, whoever had it; returns the result that it came to before."""
        attempts.take_over(self.path / "trials" / str(number), attempt)
        with contextlib.suppress(InvalidConfig):
            return self.result(number)
        return None

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

        number = result.number
        if not attempts.write_result(self.path / "trials" / str(number), result, attempt, settle=True):
            return False
        with locked(self._record_lock):
            # Another process may have fixed the reference meanwhile.
            self._record = self.record() or self.known
            if self.known != (record := _with_reference(self.known, [result])):
                self._record = record
                self._write_record()
            settled = self.results()
            write_tables(self.path, self.known, settled)
            keep_weights.prune(self.path, settled, {r.number for r in pareto.front_of(settled, self.known.objectives)})
        return True

    def put_back(self, result: TrialResult) -> None:
        """Write a settled trial's result that was lost."""
        attempts.put_back(self.path / "trials" / str(result.number), result)

    def front(self) -> list[TrialResult]:
        """The trials that no other one dominates."""
        return pareto.front_of(self.results(), self.known.objectives)

    def summary(self) -> dict[str, float]:
        """What the parent run in MLflow shows: counts by state, the size of the front."""
        states = Counter(str(r.state) for r in self.results() if r.reason is not Reason.INTERRUPTED)
        return {"front_size": float(len(self.front())), **{f"trials_{s}": float(n) for s, n in states.items()}}

    def remove_drafts(self) -> None:
        """Remove what killed processes left in the middle of writing."""
        for folder in (self.path, *self.path.glob("recommended"), *self.path.glob("trials/[0-9]*")):
            remove_abandoned_drafts(folder)

    def starting(self) -> AbstractContextManager[None]:
        """A lock for what a process does alone when it takes the study up."""
        return locked(self.path / ".take_up.lock")

    @contextmanager
    def removed_on_bad_input(self) -> Iterator[None]:
        """Make the folder; if it was not there and the block finds bad input, leave no trace of it.

        It stays where another process has started the study meanwhile, or is about to.
        """
        made, made_above = not self.path.exists(), not self.path.parent.exists()
        with present(self.path / ".present.lock") as alone:
            try:
                yield
            except InvalidConfig:
                if made and alone() and not (self.path / "study.json").exists():
                    shutil.rmtree(self.path)
                    if made_above:
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


def _unreadable(file: Path, error: Exception) -> str:
    return (
        f"{file}: it can't be read ({first_line(error)}); if it is no newer version's, move it away: the next start "
        "of the study makes up for it from Optuna's storage"
    )


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
