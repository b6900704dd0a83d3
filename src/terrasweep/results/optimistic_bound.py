"""Whether a training that is under way would be beaten even if it went on as well as any before it.

The bound of an objective with a learning curve is what the training has reached at best, plus the largest gain that a
finished training of the same study made from the same part of its length on, plus a margin. How well that keeps the
front is measured in ``tests/unit/results/test_optimistic_bound.py`` and told in docs/ending-early.md.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from terrasweep.results.study_record import Objective

LEAST_CURVES = 10
"""Finished curves that a bound needs; with fewer, the largest gain of all is too often still to come."""
GAIN_MARGIN = 1.0
"""By how much of itself the largest gain may be surpassed: it is doubled."""


@dataclass(frozen=True, kw_only=True)
class FinishedTraining:
    """A complete trial of the study."""

    number: int
    objective_values: Mapping[str, float]
    curves: Mapping[str, Sequence[tuple[float, float]]]
    """Objective to pairs of a part of the training, in (0, 1] and ascending, and what was found then."""
    cost_key: str = ""
    """Trials with the same one cost the same; empty: nothing is known."""


@dataclass(frozen=True, kw_only=True)
class TrainingUnderWay:
    """A training as far as it has come."""

    part: float
    """Of its steps, in (0, 1]."""
    found: Mapping[str, Sequence[float]]
    """Objective to what its validations found, in their order."""
    costs: Mapping[str, float]
    """Every other objective, as far as it is known."""
    cost_key: str = ""


@dataclass(frozen=True, kw_only=True)
class Beaten:
    """Which trial beats a training, and what that could have reached."""

    by: int
    bounds: Mapping[str, float]
    """Objective to the best that was expected of it."""


def find_beating(
    training: TrainingUnderWay,
    finished: Sequence[FinishedTraining],
    objectives: Sequence[Objective],
    margins: Mapping[str, float],
) -> Beaten | None:
    """The complete trial that beats a training at its optimistic bounds; None where there is none, or no bound yet.

    Args:
        training: Under way.
        finished: The study's complete trials.
        objectives: The study's.
        margins: By which part of itself each cost may still turn out better than it is known.
    """
    bounds = _bounds(training, finished, objectives, margins)
    if bounds is None:
        return None
    for other in finished:
        same_cost = bool(training.cost_key) and training.cost_key == other.cost_key
        if _dominates(other, bounds, objectives, tied=training.costs.keys() if same_cost else ()):
            return Beaten(by=other.number, bounds=bounds)
    return None


def largest_gain(
    curves: Sequence[tuple[Sequence[tuple[float, float]], float]], part: float, *, maximize: bool
) -> float | None:
    """The most that a finished training improved after a part of its length; None with too few to tell.

    Args:
        curves: Of each training the curve and its final value. What had no validation by then does not count.
        part: Of the length; a curve's last point at or before it counts.
        maximize: Whether more is better.
    """
    gains = []
    for curve, final in curves:
        known = bisect_right(curve, part, key=lambda point: point[0])
        if known:
            gain = final - curve[known - 1][1]
            gains.append(gain if maximize else -gain)
    return max(0.0, *gains) if len(gains) >= LEAST_CURVES else None


def _bounds(
    training: TrainingUnderWay,
    finished: Sequence[FinishedTraining],
    objectives: Sequence[Objective],
    margins: Mapping[str, float],
) -> dict[str, float] | None:
    """The best that can be expected of each objective; None where one of them can't be told."""
    bounds = {}
    for objective in objectives:
        name, sign = objective.name, 1 if objective.maximize else -1
        if found := training.found.get(name):
            curves = [
                (other.curves[name], other.objective_values[name]) for other in finished if other.curves.get(name)
            ]
            gain = largest_gain(curves, training.part, maximize=objective.maximize)
            if gain is None:
                return None
            bounds[name] = (max if objective.maximize else min)(found) + sign * (1 + GAIN_MARGIN) * gain
        elif name in training.costs:
            cost = training.costs[name]
            bounds[name] = cost + sign * margins.get(name, 0.0) * abs(cost)
        else:
            return None
    return bounds


def _dominates(
    other: FinishedTraining, bounds: Mapping[str, float], objectives: Sequence[Objective], *, tied: Collection[str]
) -> bool:
    """Whether a trial is at least as good everywhere and better somewhere; where they are tied, they are equal."""
    ahead = [
        (other.objective_values[o.name] - bounds[o.name]) * (1 if o.maximize else -1)
        for o in objectives
        if o.name not in tied
    ]
    return min(ahead) >= 0 and max(ahead) > 0
