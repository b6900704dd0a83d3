"""Which trials' trained weights stay on disk. What they hold: :mod:`terrasweep.models.trained_weights`."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from terrasweep.machine.files import remove_folder
from terrasweep.machine.paths import WEIGHTS
from terrasweep.results.extra_trainings import Role, read_extra_results
from terrasweep.results.trial_result import TrialResult
from terrasweep.trial.reused import share_weights


def prune(study: Path, settled: Sequence[TrialResult], front: Collection[int | None]) -> None:
    """Remove what the settled trials' own ``study.keep_weights`` does not keep, and what killed processes left.

    What was beaten by more than the errors is not expected back; where it comes back all the same, :func:`complete`
    tells. What has no result yet may still be written, and is left alone.

    Args:
        study: The study's folder.
        settled: Its trials that have a result.
        front: Numbers of those on the front, and of those that the errors may keep off it.
    """
    keeping = {result.number: result.config.get("study", {}).get("keep_weights", "front") for result in settled}
    for found in [*study.glob(f"trials/*/{WEIGHTS}"), *study.glob(f"trials/*/.{WEIGHTS}.*")]:
        trial = found.parent
        number = int(trial.name) if trial.name.isdigit() else None
        if number not in keeping:
            continue
        if found.name != WEIGHTS:
            shutil.rmtree(found, ignore_errors=True)
        elif keeping[number] == "none" or (keeping[number] == "front" and number not in front):
            remove_folder(found)


def complete(study: Path, settled: Sequence[TrialResult], wanted: Sequence[TrialResult]) -> list[int]:
    """Give trials without weights those of a trial with the same accuracy, where one has kept them.

    A trial that was far from the front when its weights went may come to it: by a confirmation round, or by what other
    seeds said of those that beat it; and one whose accuracy another trial has measured has the weights of that one.

    Args:
        study: The study's folder.
        settled: Its trials that have a result.
        wanted: Those that should have weights.

    Returns:
        Numbers of those that have none all the same, although they were to be kept.
    """
    missing: list[int] = []
    for trial in wanted:
        own = study / "trials" / str(trial.number)
        if trial.number is None or not _may_have_lost_weights(trial) or (own / WEIGHTS).is_dir():
            continue
        holder = next(
            (folder for folder in _with_accuracy_of(trial, study, settled) if (folder / WEIGHTS).is_dir()), None
        )
        if holder is None:
            missing.append(trial.number)
        else:
            share_weights(holder, own)
    return missing


def _may_have_lost_weights(trial: TrialResult) -> bool:
    """Whether a trial wrote its weights and :func:`prune` may have removed them, which it does where not all stay."""
    saved = trial.config.get("train", {}).get("save_weights", False)
    return bool(saved) and trial.config.get("study", {}).get("keep_weights") == "front"


def _with_accuracy_of(trial: TrialResult, study: Path, settled: Sequence[TrialResult]) -> Iterator[Path]:
    """The folders of the trials and baselines that learned what a trial has learned."""
    known = {f"trials/{result.number}": result for result in settled}
    baselines = read_extra_results(study, Role.BASELINE)
    known |= {f"{Role.BASELINE.folder}/{name}": result for name, result in baselines.items()}
    for name, result in known.items():
        if trial.quality_key and result.quality_key == trial.quality_key:
            yield study / name


def prune_baselines(study: Path, keep: str) -> None:
    """Remove the baselines' weights where the study does not keep all: trials with the same accuracy have them, too.

    Args:
        study: The study's folder.
        keep: ``study.keep_weights``.
    """
    if keep != "all":
        for found in study.glob(f"{Role.BASELINE.folder}/*/{WEIGHTS}"):
            remove_folder(found)
