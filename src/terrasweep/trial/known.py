"""What is known of a trial before it runs: numbers under its keys, in the tables of its study and of others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from terrasweep.config.reuse import OFF
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.files import times_of_change
from terrasweep.machine.paths import results_folder
from terrasweep.measure.accuracy import ACCURACY
from terrasweep.measure.catalog import measurement_or_metric
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.trial import attempt
from terrasweep.trial.keys import Keys

_TRIALS = "trials"
_ROOMS = (_TRIALS, "baselines", "repeats")
"""Folders below a study's in which results of trainings are, in this order."""
_DIVERGES = (Reason.DIVERGED,)
_FITS_NOT = (Reason.OVER_BUDGET, Reason.OOM_DEVICE)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A trial that has measured a number."""

    name: str
    """Its number; with its study, ``STUDY/NUMBER``, where that is another one; ``baselines/NAME`` of a baseline."""
    folder: Path
    """Its own."""
    result: TrialResult


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a trial."""

    accuracy: Source | None = None
    """The trial that measured its accuracy, or diverged on the way."""
    cost: Source | None = None
    """The trial that measured its memory and speed, or did not fit."""


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """What is kept of a result to find it again; the rest is read when it is wanted."""

    file: Path
    study: str
    quality_key: str
    cost_key: str
    accuracy: bool
    """Whether it has an accuracy of its own, or diverged."""
    cost: bool
    """Whether it has memory and speed of its own, undisturbed, or did not fit its budget."""
    fits_not: bool
    budget_gib: float | None

    @property
    def name(self) -> str:
        """As results name it within its study."""
        folder = self.file.parent
        return folder.name if folder.parent.name == _TRIALS else f"{folder.parent.name}/{folder.name}"


_SEEN: dict[str, tuple[int, _Entry | None]] = {}
"""Folders with their result's time of change, and what was in it: a process that runs many trials reads each once."""


def find_known(config: TrialConfig, keys: Keys) -> Known:
    """Look a trial up in the table of its study, and in those that ``reuse.studies`` names; the earliest trial counts.

    Nothing counts as known where an objective is of a whole training, which only a training measures.

    Args:
        config: Of the trial; of one that belongs to no study nothing is known.
        keys: Its own.
    """
    if config.reuse.name == OFF or config.trial.attempt is None or _needs_whole_training(config):
        return Known()
    entries = [entry for study in (config.study.name, *config.reuse.studies) for entry in _entries(study)]
    rounding = config.reuse.to_rounding
    accuracy = (e for e in entries if e.accuracy and keys.has_accuracy_of(e.quality_key, to_rounding=rounding))
    cost = (e for e in entries if e.cost and e.cost_key == keys.cost and _concerns(e, config))
    return Known(accuracy=_source(accuracy, config.study.name), cost=_source(cost, config.study.name))


def _needs_whole_training(config: TrialConfig) -> bool:
    names = (objective.name for objective in config.study.objectives)
    return any(measurement_or_metric(name).of_whole_training for name in names)


def _concerns(entry: _Entry, config: TrialConfig) -> bool:
    """What did not fit its budget says nothing of another one."""
    return not entry.fits_not or entry.budget_gib == config.budget.memory_gib


def _source(entries: Iterator[_Entry], study: str) -> Source | None:
    for entry in entries:
        with contextlib.suppress(OSError, ValueError):  # It was moved away meanwhile.
            result = TrialResult.from_json(entry.file.read_text())
            name = entry.name if entry.study == study else f"{entry.study}/{entry.name}"
            return Source(name=name, folder=entry.file.parent, result=result)
    return None


def _entries(study: str) -> Iterator[_Entry]:
    """The settled results of a study that have keys, its trials first, by number."""
    for room in _ROOMS:
        folder = results_folder(study) / room
        changed = times_of_change(folder, attempt.RESULT)
        names = (name for name in changed if room != _TRIALS or name[0].isdigit())
        for name in sorted(names, key=lambda name: (len(name), name)):
            if (entry := _entry(folder, name, changed[name], study)) is not None:
                yield entry


def _entry(folder: Path, name: str, changed: int, study: str) -> _Entry | None:
    key = f"{folder}/{name}"
    if key not in _SEEN or _SEEN[key][0] != changed:
        own = folder / name
        if not attempt.is_settled(own):
            return None
        try:
            _SEEN[key] = (changed, _read(own / attempt.RESULT, study))
        except FileNotFoundError:  # It was moved away meanwhile.
            return None
    return _SEEN[key][1]


def _read(file: Path, study: str) -> _Entry | None:
    try:
        result = TrialResult.from_json(file.read_text())
    except ValueError:
        return None
    if not result.quality_key:
        return None
    complete, disturbed = result.state is State.COMPLETE, bool(result.measurements.get("disturbed"))
    fits_not = result.reason in _FITS_NOT
    return _Entry(
        file=file,
        study=study,
        quality_key=result.quality_key,
        cost_key=result.cost_key,
        accuracy=not result.accuracy_from
        and (result.reason in _DIVERGES or (complete and result.value(ACCURACY.name) is not None)),
        cost=not result.cost_from and (fits_not or (complete and not disturbed)),
        fits_not=fits_not,
        budget_gib=result.config.get("budget", {}).get("memory_gib"),
    )
