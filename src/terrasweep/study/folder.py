"""A study's folder: its record, its trials' results, and the tables that follow from them."""

from __future__ import annotations

import dataclasses
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from terrasweep.machine.files import write_atomically
from terrasweep.machine.locks import locked
from terrasweep.machine.paths import home, results_folder
from terrasweep.results import pareto
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import nearest
from terrasweep.study import keep_weights


class StudyFolder:
    """``results/<study>``. What is on disk is the truth; this holds a copy of it while a sweep runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._record: StudyRecord | None = None
        self._read: dict[Path, tuple[int, TrialResult]] = {}

    @property
    def known(self) -> StudyRecord:
        """The record of an opened study."""
        assert self._record is not None, "open() comes first"
        return self._record

    def open(self, record: StudyRecord) -> None:
        """Take a study up, and write its record where it is new or changed."""
        self._record = record
        if self.record() != record:
            self._write_record()

    def record(self) -> StudyRecord | None:
        """The stored record; None where no study was started."""
        file = self.path / "study.json"
        return StudyRecord.from_json(file.read_text()) if file.is_file() else None

    def results(self) -> list[TrialResult]:
        """The settled trials, by number; also those that other processes have settled meanwhile."""
        for file in self.path.glob("trials/[0-9]*/result.json"):
            changed = file.stat().st_mtime_ns
            if file not in self._read or self._read[file][0] != changed:
                self._read[file] = (changed, TrialResult.from_json(file.read_text()))
        found = (result for _, result in self._read.values())
        return sorted((r for r in found if r.number is not None), key=lambda r: r.number or 0)

    def result(self, number: int) -> TrialResult | None:
        """One trial's result as it stands on disk."""
        file = self.path / "trials" / str(number) / "result.json"
        return TrialResult.from_json(file.read_text()) if file.is_file() else None

    def config(self, number: int) -> dict[str, Any] | None:
        """The resolved configuration of a trial that came as far as to write it."""
        file = self.path / "trials" / str(number) / "config.yaml"
        config: dict[str, Any] | None = yaml.safe_load(file.read_text()) if file.is_file() else None
        return config

    def has_begun(self, number: int) -> bool:
        """Whether a trial's own process came as far as to write down what it runs."""
        return (self.path / "trials" / str(number) / "config.yaml").is_file()

    def add(self, result: TrialResult) -> None:
        """Settle a trial: its result, the tables, and whose weights stay.

        The first complete trial fixes the hypervolume's reference.
        """
        from terrasweep.report import write_tables

        write_atomically(self.path / "trials" / str(result.number) / "result.json", result.to_json())
        with locked(self.path / ".tables.lock"):
            # Another process may have fixed the reference meanwhile.
            self._record = self.record() or self.known
            if result.state is State.COMPLETE and not self.known.reference:
                reference = pareto.fix_reference(result, self.known.objectives)
                self._record = dataclasses.replace(self.known, reference=reference)
                self._write_record()
            settled = self.results()
            write_tables(self.path, self.known, settled)
            keep_weights.prune(self.path, settled, {r.number for r in pareto.front_of(settled, self.known.objectives)})

    def front(self) -> list[TrialResult]:
        """The trials that no other one dominates."""
        return pareto.front_of(self.results(), self.known.objectives)

    def summary(self) -> dict[str, float]:
        """What the parent run in MLflow shows: counts by state, the size of the front."""
        states = Counter(str(r.state) for r in self.results() if r.reason is not Reason.INTERRUPTED)
        return {"front_size": float(len(self.front())), **{f"trials_{s}": float(n) for s, n in states.items()}}

    @contextmanager
    def removed_on_bad_input(self) -> Iterator[None]:
        """Make the folder; if it was not there and the block finds bad input, leave no trace of it."""
        made = [path for path in (self.path.parent, self.path) if not path.exists()]
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            yield
        except InvalidConfig:
            if made:
                shutil.rmtree(made[0])
            raise

    def _write_record(self) -> None:
        write_atomically(self.path / "study.json", self.known.to_json())


def open_existing(name: str) -> StudyFolder:
    """Open a study that was run before.

    Raises:
        InvalidConfig: There is none of this name.
    """
    folder = StudyFolder(results_folder(name))
    record = folder.record()
    if record is None:
        names = [f.parent.name for f in (home() / "results").glob("*/study.json")]
        hint = nearest(name, names) if names else "run a sweep first"
        raise InvalidConfig(f"study {name}: there is no {folder.path / 'study.json'}; {hint}")
    folder.open(record)
    return folder
