"""Which trials' trained weights stay on disk. What they hold: :mod:`terrasweep.models.trained_weights`."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from terrasweep.machine.files import remove_folder
from terrasweep.machine.paths import WEIGHTS
from terrasweep.results.extra_trainings import Role
from terrasweep.results.trial_result import TrialResult


def prune(study: Path, settled: Sequence[TrialResult], front: Collection[int | None]) -> None:
    """Remove what the settled trials' own ``study.keep_weights`` does not keep, and what killed processes left.

    What was beaten by more than the errors is not expected back, whatever is settled or measured again later. What has
    no result yet may still be written, and is left alone.

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


def prune_baselines(study: Path, keep: str) -> None:
    """Remove the baselines' weights where the study does not keep all: trials with the same accuracy have them, too.

    Args:
        study: The study's folder.
        keep: ``study.keep_weights``.
    """
    if keep != "all":
        for found in study.glob(f"{Role.BASELINE.folder}/*/{WEIGHTS}"):
            remove_folder(found)
