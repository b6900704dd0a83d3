"""Folder and Optuna's storage compared at a study's start: what one lacks is made up for from the other.

The folder's results are the truth. A storage that is lost, or lost its last commits in a power cut, is told them again
under the numbers they have; a result that is lost is made from what the storage knows. So no number is given out
twice, and no result is written over.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from terrasweep.measure.catalog import MEASUREMENTS, all_measurements
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.folder import StudyFolder
from terrasweep.study.optuna_restore import make_orphan, restore, restore_lost
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.search_space import parse_space

_RESTORED = "made from what Optuna's storage knows, since its result.json was gone: objectives alone"


def stored_record(folder: StudyFolder, stored: StoredStudy, *, takeover: bool) -> StudyRecord | None:
    """The record of the study that is to be continued, from the storage where the folder lost it; None for a new one.

    Args:
        folder: The study's folder.
        stored: The study of its name in Optuna's storage.
        takeover: Whether a study of another folder may be continued in this one.

    Raises:
        InvalidConfig: The storage holds a study of this name that was started elsewhere.
    """
    own, remembered = folder.record(), stored.remembered()
    if remembered is None:
        if own is None and not folder.trials.numbers() and stored.trials() and not takeover:
            raise InvalidConfig(_elsewhere(stored, f"{len(stored.trials())} trials of another folder"))
        return own
    there = StudyRecord.from_json(remembered["record"])
    if own is not None and own.started != there.started:
        raise InvalidConfig(_elsewhere(stored, f"the one that {remembered['folder']} started at {there.started}"))
    here = own is not None or bool(folder.trials.numbers()) or Path(remembered["folder"]) == folder.path
    if not here and not takeover:
        raise InvalidConfig(
            f"{_elsewhere(stored, 'the one of ' + remembered['folder'])}; if that was moved here, study.takeover=true"
        )
    return own or there


def remember(folder: StudyFolder, stored: StoredStudy) -> None:
    """Let the storage know whose study it holds; the data's description is found again at each start."""
    record = dataclasses.replace(folder.known, data={})
    stored.remember(folder=str(folder.path), record=record.to_json())


def reconcile(folder: StudyFolder, stored: StoredStudy) -> list[str]:
    """Make up in folder and storage for what one of them lacks; what was done, a line each.

    Other processes may be at work on the study: what they have just begun is left alone.
    """
    # In this order: a trial is in the storage before it has a folder.
    numbers, results = folder.trials.numbers(), {r.number: r for r in folder.results()}
    trials = stored.trials()
    distributions = {key.name: key.distribution for key in parse_space(folder.known.space, []).keys}
    said = _tell_lost(range(len(trials), max(numbers, default=-1) + 1), numbers, results, stored, distributions)
    for trial in trials:
        if trial.state is TrialState.WAITING and trial.number in results:
            make_orphan(stored, trial.number)
    lost = [
        t
        for t in trials
        if t.state.is_finished() and t.user_attrs.get("state") and not folder.trials.has_result(t.number)
    ]
    for trial in lost:
        folder.trials.put_back(_result(trial, folder.known.objectives, folder))
    if lost:
        said.append(f"no result.json of trial {_listed(t.number for t in lost)}: {_RESTORED}")
    differing = [t.number for t in trials if t.number in results and _differs(t, results[t.number])]
    if differing:
        said.append(
            f"trial {_listed(differing)} ended otherwise in Optuna's storage than in the folder, which counts; the "
            "sampler keeps what it was told"
        )
    return said


def _tell_lost(
    missing: range,
    numbers: list[int],
    results: Mapping[int | None, TrialResult],
    stored: StoredStudy,
    distributions: Mapping[str, BaseDistribution],
) -> list[str]:
    """Give the storage the numbers that only the folder knows; it counts up by itself."""
    for number in missing:
        if number in results:
            restore(stored, results[number], distributions)
        else:
            restore_lost(stored, ran=number in numbers)
    if not missing:
        return []
    return [f"Optuna's storage did not know trial {_listed(missing)}: told again what the folder holds"]


def _result(trial: FrozenTrial, objectives: list[Objective], folder: StudyFolder) -> TrialResult:
    """What is known of a trial without its result; measurements that are no objectives are not."""
    state, reason = State(trial.user_attrs["state"]), trial.user_attrs.get("reason")
    names = [objective.name for objective in objectives]
    values = dict(zip(names, trial.values, strict=True)) if state is State.COMPLETE else {}
    assert trial.datetime_start is not None, "it ran"
    return TrialResult(
        number=trial.number,
        state=state,
        reason=Reason(reason) if reason else None,
        message=_RESTORED,
        violation=trial.constraints.get("miss") if state is State.INFEASIBLE else None,
        measurements=all_measurements({name: value for name, value in values.items() if name in MEASUREMENTS}),
        metrics={name: value for name, value in values.items() if name not in MEASUREMENTS},
        searched=dict(trial.params),
        config=folder.trials.config(trial.number) or {},
        started=trial.datetime_start.astimezone(UTC).isoformat(timespec="seconds"),
    )


def _differs(trial: FrozenTrial, result: TrialResult) -> bool:
    return trial.state.is_finished() and trial.user_attrs.get("state", str(result.state)) != str(result.state)


def _elsewhere(stored: StoredStudy, whose: str) -> str:
    return (
        f"study.storage: its study {stored.study.study_name} is {whose}, and would be counted as this one; "
        "use another study.name or another study.storage"
    )


def _listed(numbers: object) -> str:
    found = [str(number) for number in numbers]  # type: ignore[attr-defined]
    return ", ".join(found) if len(found) <= 8 else f"{', '.join(found[:7])} and {len(found) - 7} more"
