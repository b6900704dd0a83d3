"""What the report says of trials that were not started, and of those that were to see whether that was right."""

from __future__ import annotations

import dataclasses

import pytest

from terrasweep.report.gate_note import gate_note
from terrasweep.report.study_outcome import summarize
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from tests.unit.report import sample_study as sample

SKIPPED = TrialResult(number=3, state=State.INFEASIBLE, reason=Reason.PREDICTED_OOM, gate="skipped")
OVER = TrialResult(number=4, state=State.INFEASIBLE, reason=Reason.OVER_BUDGET, gate="verified")
STARTED = dataclasses.replace(sample.complete(5, {"accuracy": 0.5}), gate="started")
FITTED = dataclasses.replace(sample.complete(6, {"accuracy": 0.5}), gate="verified")


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([sample.complete(0, {"accuracy": 0.5})], ""),
        ([SKIPPED, STARTED], "Of 2 trials with a predicted peak, 1 was not started, since it can't fit."),
        (
            [SKIPPED, OVER],
            "Of 2 trials with a predicted peak, 1 was not started, since it can't fit. Of 1 trial more that can't fit "
            "and ran all the same, 0 fitted.",
        ),
        (
            [STARTED, OVER, FITTED],
            "Of 3 trials with a predicted peak, 0 were not started, since they can't fit. Of 2 trials more that can't "
            "fit and ran all the same, 1 fitted: trial 6.",
        ),
    ],
)
def test_skips_and_false_skips_are_counted(trials: list[TrialResult], expected: str) -> None:
    assert gate_note(summarize(sample.record(), trials)) == expected
