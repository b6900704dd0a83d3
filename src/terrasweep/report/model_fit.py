"""How well the search's models knew: what was expected of each trial when it was proposed, and what it measured.

The expectation was made before the trial ran, so that no trial has a part in what was expected of it.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from terrasweep.report.labels import label
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.results.estimates import LEARNED
from terrasweep.results.proposed import expected
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import counted, percent, rounded

FIT_COLUMNS = ("objective", "trials", "off by (median)", "measured more (median)", "within 1 sd", "within 2 sd")
"""Of the table that :func:`fit_rows` fills."""
_KNOWN = 1e-5
"""Two standard deviations, as a share of the number, below which it had been measured before."""


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """A number of a trial before and after it ran."""

    trial: TrialResult
    expected: float
    low: float
    """One standard deviation below what was expected, and above it."""
    high: float
    measured: float

    def is_within(self, deviations: float) -> bool:
        """Whether what was measured is so many standard deviations from what was expected, at most."""
        room = self.expected - self.low if self.measured < self.expected else self.high - self.expected
        return abs(self.measured - self.expected) <= deviations * room


@dataclass(frozen=True, kw_only=True)
class ModelFit:
    """What was expected of one objective, and what became of it."""

    name: str
    label: str
    pairs: list[Expectation]

    @property
    def error(self) -> float:
        """The median of how far expectations were off."""
        return statistics.median(abs(pair.measured - pair.expected) for pair in self.pairs)

    @property
    def bias(self) -> float:
        """The median of how much more was measured than expected."""
        return statistics.median(pair.measured - pair.expected for pair in self.pairs)

    def share_within(self, deviations: float) -> float:
        """The share of the trials that came so near, in standard deviations."""
        return sum(pair.is_within(deviations) for pair in self.pairs) / len(self.pairs)

    def as_text(self) -> str:
        """A sentence for who can't see the figure."""
        return (
            f"{self.label}: {counted(len(self.pairs), 'trial')}, off by {rounded(self.error)} (median); "
            f"{percent(self.share_within(1))} within one standard deviation of what was expected (68.3 % would be with "
            f"the right one), {percent(self.share_within(2))} within two (95.4 %)."
        )


def model_fits(outcome: StudyOutcome) -> list[ModelFit]:
    """Of each objective that was expected of some trial, in the study's order; none where the sampler has no models."""
    found = (
        ModelFit(
            name=objective.name,
            label=label(objective.name, outcome.accuracy_name),
            pairs=list(_pairs(outcome, objective.name)),
        )
        for objective in outcome.objectives
    )
    return [fit for fit in found if fit.pairs]


def fit_rows(outcome: StudyOutcome) -> list[list[str]]:
    """The models' fit as a table: objective, trials, error, bias, shares within one and two standard deviations."""
    return [
        [
            fit.label,
            str(len(fit.pairs)),
            rounded(fit.error),
            rounded(fit.bias),
            percent(fit.share_within(1)),
            percent(fit.share_within(2)),
        ]
        for fit in model_fits(outcome)
    ]


def _pairs(outcome: StudyOutcome, name: str) -> Iterator[Expectation]:
    """Trials that measured the number themselves; of one that was known, nothing was expected."""
    for trial in outcome.trials:
        own = outcome.own(trial)
        told, measured = expected(own.proposed).get(name), own.value(name)
        known = own.accuracy_from if name in LEARNED or name in own.metrics else own.cost_from
        if told is None or measured is None or known:
            continue
        value, low, high = told
        if high - low > _KNOWN * abs(value):
            yield Expectation(trial=trial, expected=value, low=low, high=high, measured=measured)
