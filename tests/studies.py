"""What tests of studies share: a record to change, and the place of MLflow where nothing is to be tracked."""

from __future__ import annotations

import dataclasses
from typing import Any

from terrasweep.results.study_record import Objective, StudyRecord

_RECORD = StudyRecord(
    name="study",
    n_trials=3,
    objectives=[Objective(name="accuracy", direction="maximize")],
    space={},
    overrides=[],
    sampler="TPESampler",
    seed=0,
    storage="optuna.db",
    tracking_uri="",
    environment={},
    started="2026-01-01T00:00:00.000+00:00",
)


def study_record(**changes: Any) -> StudyRecord:
    """The record of a small study without a folder."""
    return dataclasses.replace(_RECORD, **changes)


class NoTracker:
    """Takes what is logged."""

    def __init__(self, *_: Any) -> None:
        pass

    def log(self, *_: Any) -> None:
        pass

    def log_extra(self, *_: Any) -> None:
        pass

    def finish(self, *_: Any) -> str:
        return ""

    def trouble(self) -> str:
        return ""
