"""The folder with a trial's trained weights: there as a whole or not at all. Imports no torch."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

WEIGHTS = "weights"
"""The folder with a trial's weights, below the trial's own. It is there as a whole or not at all."""


_DRAFT, _DISCARDED = f".{WEIGHTS}.draft-", f".{WEIGHTS}.discarded-"


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
