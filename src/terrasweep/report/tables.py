"""``trials.csv`` and ``pareto.csv``: the study as plain tables."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from terrasweep.machine.files import write_atomically
from terrasweep.measure.catalog import MEASUREMENTS
from terrasweep.report.study_outcome import StudyOutcome, summarize
from terrasweep.results.comparison import Comparison
from terrasweep.results.estimates import estimated_names
from terrasweep.results.states import State
from terrasweep.results.study_record import StudyRecord
from terrasweep.results.trial_result import TrialResult

COMPARED = ("front", "accuracy_from", "cost_from")
"""Columns behind the measurements: where a trial stands, and the trials that its reused numbers are of."""


def write_tables(
    folder: Path, record: StudyRecord, results: Sequence[TrialResult], comparison: Comparison | None = None
) -> None:
    """Write both tables; cheap enough to do after every trial.

    Args:
        folder: The study's folder.
        record: What is fixed for the study.
        results: Its trials so far, in any order.
        comparison: Of these trials, by their numbers, where it is made already.
    """
    outcome = summarize(record, results, folder, comparison)
    write_atomically(folder / "trials.csv", _table(outcome, outcome.trials))
    write_atomically(folder / "pareto.csv", _table(outcome, outcome.front))


def as_text(value: Any) -> str:
    """A value as it stands in a table or an override: exact, and empty where it is absent.

    Floats have as many digits as they need to come back unchanged; booleans, lists and the like are JSON.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return repr(float(value))
    return json.dumps(value, ensure_ascii=False, default=str)


def searched_text(result: TrialResult, key: str) -> str:
    """A searched key's value, ``null`` where it was searched and chosen to be null, empty where the trial lacks it."""
    return as_text(result.searched[key]) or "null" if key in result.searched else ""


def _table(outcome: StudyOutcome, trials: Iterable[TrialResult]) -> str:
    objectives = [objective.name for objective in outcome.objectives]
    measured = [*MEASUREMENTS, *(name for name in objectives if name not in MEASUREMENTS)]
    estimated = estimated_names(outcome.objectives)
    known = [f"{name}_{what}" for name in estimated for what in ("pooled", "low", "high")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["number", "state", "reason", *measured, *COMPARED, *known, *outcome.searched_keys])
    for result in map(outcome.own, trials):
        values = (_measured(result, name, hidden=name in objectives) for name in measured)
        compared = (outcome.comparison.standing_text(outcome.place(result)), result.accuracy_from, result.cost_from)
        errors = (text for name in estimated for text in _estimate(outcome, result, name))
        searched = (searched_text(result, key) for key in outcome.searched_keys)
        writer.writerow(
            [as_text(result.number), result.state, result.reason or "", *values, *compared, *errors, *searched]
        )
    return text.getvalue()


def _estimate(outcome: StudyOutcome, result: TrialResult, name: str) -> tuple[str, str, str]:
    """A number pooled over all that was measured of it, and both ends of its interval; empty where it isn't known."""
    found = outcome.estimate(result, name)
    return ("", "", "") if found is None else (as_text(found.value), as_text(found.low), as_text(found.high))


def _measured(result: TrialResult, name: str, *, hidden: bool) -> str:
    """A measurement; an objective's is shown of complete trials alone, so that no table ranks the others."""
    if hidden and result.state is not State.COMPLETE:
        return ""
    value = result.measurements.get(name)
    return as_text(result.metrics.get(name) if value is None else value)
