"""What a trial's validations have found so far, and what the sweep answers: two small files in the trial's folder.

The trial may run on another machine than the sweep, which need not reach Optuna's storage, and an SQLite file can't be
shared between machines at all. Their folder is shared under any launcher: results go through it, too. So the sweep
alone asks the pruner, and a trial knows no password of a database. Imports no torch.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from terrasweep.machine.files import write_atomically

_FOUND, _ANSWER = ".validations.json", ".answer.json"


@dataclass(frozen=True, kw_only=True)
class Validation:
    """What one validation found."""

    steps: int
    """Optimizer steps behind it."""
    values: dict[str, float | None]
    """Objective to value, for those that are validation metrics; None where it is undefined."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a training has come."""

    length: int
    """Optimizer steps of the whole training."""
    validations: list[Validation]
    costs: dict[str, float] = field(default_factory=dict)
    """Measurement to what is known of it by now."""
    cost_key: str = ""
    """The trial's (:mod:`terrasweep.trial.keys`); empty: it has none."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the sweep says to a training."""

    validations: int
    """How many of them it has seen."""
    ends: str = ""
    """Why the training ends; empty: it goes on."""


def write_progress(folder: Path, progress: Progress) -> None:
    """Tell the sweep how far the trial of a folder has come."""
    write_atomically(folder / _FOUND, json.dumps(dataclasses.asdict(progress), allow_nan=False))


def read_progress(folder: Path) -> Progress | None:
    """How far the trial of a folder has come; None where it has not validated yet."""
    if (found := _read(folder / _FOUND)) is None:
        return None
    validations = [Validation(**validation) for validation in found.pop("validations")]
    return Progress(validations=validations, **found)


def write_answer(folder: Path, answer: Answer) -> None:
    """Answer to the trial of a folder."""
    write_atomically(folder / _ANSWER, json.dumps(dataclasses.asdict(answer)))


def read_answer(folder: Path) -> Answer | None:
    """The sweep's last answer to the trial of a folder; None where it has given none."""
    found = _read(folder / _ANSWER)
    return None if found is None else Answer(**found)


def forget(folder: Path) -> None:
    """Remove what stands of both in a trial's folder."""
    for name in (_FOUND, _ANSWER):
        (folder / name).unlink(missing_ok=True)


def _read(file: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    return found
