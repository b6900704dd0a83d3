"""How far predicted throughputs were off, in words."""

from __future__ import annotations

from collections.abc import Sequence

from terrasweep.measure.measurement import Measurement
from terrasweep.measure.predicted_speed import (
    PREDICTED_THROUGHPUT,
    ROOFLINE_THROUGHPUT,
    ThroughputPair,
    throughput_pair,
)
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import counted, percent, two_digits

_FEW = 3
"""Trials below which nothing is said of errors."""

PredictedTrials = list[tuple[TrialResult, ThroughputPair]]


def predicted_trials(outcome: StudyOutcome, prediction: Measurement) -> PredictedTrials:
    """Trials that measured what was predicted of their speed, with both."""
    own = [(trial, outcome.own(trial)) for trial in outcome.trials]
    return [(trial, pair) for trial, result in own if (pair := throughput_pair(result, prediction)) is not None]


def speed_note(outcome: StudyOutcome) -> str:
    """Sentences on the errors of predicted throughputs; nothing where there are too few."""
    rooflines = [pair for _, pair in predicted_trials(outcome, ROOFLINE_THROUGHPUT)]
    pairs = [pair for _, pair in predicted_trials(outcome, PREDICTED_THROUGHPUT)]
    said = []
    if len(pairs) >= _FEW:
        said.append(
            f"Of {counted(len(pairs), 'trial')} the throughput was predicted from trials before them: it is off by "
            f"{_quantiles(pairs)}."
        )
    if len(rooflines) >= _FEW:
        ratios = sorted(pair.measured / pair.predicted for pair in rooflines)
        said.append(
            f"By the device's rates alone, for {counted(len(rooflines), 'trial')}, it is off by "
            f"{_quantiles(rooflines)}; the median trial came to {two_digits(ratios[len(ratios) // 2])} times that."
        )
    return " ".join(said)


def _quantiles(pairs: Sequence[ThroughputPair]) -> str:
    """The median and the 95th percentile of relative errors."""
    errors = sorted(abs(pair.predicted / pair.measured - 1) for pair in pairs)
    median, high = (errors[round(share * (len(errors) - 1))] for share in (0.5, 0.95))
    return f"{percent(median)} (median), {percent(high)} (95th percentile)"
