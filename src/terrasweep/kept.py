"""Which trials' trained weights stay on disk. Imports no torch; what they hold is :mod:`terrasweep.weights`'s."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from terrasweep.config import TrialConfig
from terrasweep.records import TrialResult

WEIGHTS = "weights"
"""The folder with a trial's weights, below the trial's own. It is there as a whole or not at all."""
_DRAFT, _DISCARDED = f".{WEIGHTS}.draft-", f".{WEIGHTS}.discarded-"


def is_wanted(config: TrialConfig) -> bool:
    """Whether a trial writes its weights: not where the study would remove them in any case."""
    return config.train.save_weights and config.study.keep_weights != "none"


def draft_of(trial: Path) -> Path:
    """An empty folder beside a trial's weights, which is to become them."""
    draft = trial / f"{_DRAFT}{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    return draft


def accept(draft: Path) -> None:
    """Make a draft the trial's weights, in place of any that are there."""
    discard(draft.parent)
    os.replace(draft, draft.with_name(WEIGHTS))


def discard(trial: Path) -> None:
    """Remove a trial's weights, such that a kill at any moment leaves all of them or none."""
    doomed = trial / f"{_DISCARDED}{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.replace(trial / WEIGHTS, doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def prune(study: Path, settled: Sequence[TrialResult], front: Collection[int | None]) -> None:
    """Remove what the settled trials' own ``study.keep_weights`` does not keep, and what killed processes left.

    A trial that was dominated once stays so, whatever else is settled later: what goes is never wanted back. What has
    no result yet may still be written, and is left alone.

    Args:
        study: The study's folder.
        settled: Its trials that have a result.
        front: Numbers of those that no other one dominates.
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
            discard(trial)
