"""Fronts, hypervolume and knees: pure functions of objective values.

Rows are trials, columns are objectives, ``maximize`` says per column whether more is better. Dominance and hypervolume
come from moocore (https://github.com/multi-objective/moocore).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray

from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult

UNIT_INTERVAL_WORDS = frozenset(
    {"accuracy", "ap", "auc", "auroc", "dice", "f1", "fbeta", "iou", "jaccard", "kappa", "map", "mcc", "miou", "oa"}
    | {"precision", "r2", "recall"}
)
"""Words in the names of metrics whose best value is 1 and that are worth nothing at 0."""
BUDGET_MARGIN = 4.0
"""A minimised objective counts up to this many times its first measured value."""


def front(values: ArrayLike, maximize: Sequence[bool]) -> list[int]:
    """Rows that no other row dominates; equal rows do not dominate each other, so all of them stay.

    Args:
        values: Objective values, shape (n, m); infinities are allowed.
        maximize: Per objective whether more is better.

    Returns:
        Indices of the non-dominated rows, ascending.

    Raises:
        ValueError: A value is NaN, or the shape does not fit ``maximize``.
    """
    rows = _matrix(values, maximize)
    if not len(rows):
        return []
    # Dominance depends on ranks alone, and moocore 0.3 errs on infinities with four objectives and more.
    ranks = np.column_stack([np.unique(column, return_inverse=True)[1] for column in rows.T]).astype(np.float64)
    kept = moocore.is_nondominated(ranks, maximise=list(maximize), keep_weakly=True)
    return [int(index) for index in np.flatnonzero(kept)]


def hypervolume(values: ArrayLike, maximize: Sequence[bool], reference: Sequence[tuple[float, float]]) -> float:
    """Volume of objective space that the rows dominate, after normalising each objective.

    An objective's gain is ``(value - worst) / scale`` where it is maximised and ``(worst - value) / scale`` where it is
    minimised. A row without a positive gain in every objective contributes nothing (Zitzler and Thiele 1998).

    Args:
        values: Objective values, shape (n, m), finite.
        maximize: Per objective whether more is better.
        reference: Per objective ``(worst, scale)``, in the objective's own unit.

    Returns:
        The hypervolume, without a unit, at least 0.

    Raises:
        ValueError: A value is not finite, a scale is not positive, or the shapes do not fit.
    """
    gains = _gains(_matrix(values, maximize), maximize, reference)
    return _volume(gains[(gains > 0).all(axis=1)])


def hypervolume_history(
    values: Sequence[Sequence[float] | None], maximize: Sequence[bool], reference: Sequence[tuple[float, float]]
) -> list[float]:
    """Hypervolume after each trial, in the order given; it never falls.

    Args:
        values: One row per trial, None for a trial that has no objective values.
        maximize: Per objective whether more is better.
        reference: Per objective ``(worst, scale)``.

    Returns:
        As many hypervolumes as there are trials.
    """
    kept = np.empty((0, len(maximize)))
    history: list[float] = []
    for row in values:
        volume = history[-1] if history else 0.0
        if row is not None:
            gains = _gains(_matrix([row], maximize), maximize, reference)
            if (gains > 0).all():
                kept = np.vstack([kept, gains])
                kept = kept[moocore.is_nondominated(kept, maximise=True)]
                volume = max(volume, _volume(kept))
        history.append(volume)
    return history


def knee(values_of_front: ArrayLike, maximize: Sequence[bool]) -> int:
    """The front's member nearest to its ideal point: the best compromise when no objective is preferred.

    Every objective is normalised over the front to 0 at its best and 1 at its worst, and the row with the least
    Euclidean distance to the origin is taken: compromise programming with p = 2 (Yu 1973, "A class of solutions for
    group decision problems"; Zeleny 1973). Unlike the distance to the hyperplane through the extremes (Das 1999) it is
    defined for any number of objectives and members. An objective that is constant over the front counts nothing; of
    rows at the same distance, such as the two of a front of two, the first is taken.

    Args:
        values_of_front: Objective values of the front's members, shape (n, m) with n at least 1, finite.
        maximize: Per objective whether more is better.

    Returns:
        Index of the row.

    Raises:
        ValueError: The front is empty, or a value is not finite.
    """
    rows = _matrix(values_of_front, maximize)
    if not len(rows):
        raise ValueError("an empty front has no knee")
    if not np.isfinite(rows).all():
        raise ValueError("a knee needs finite values")
    losses = np.where(np.asarray(maximize, dtype=bool), -rows, rows)
    losses = losses - losses.min(axis=0)
    span = losses.max(axis=0)
    normalised = losses / np.where(span > 0, span, 1.0)
    distances = np.sqrt((normalised**2).sum(axis=1))
    # Rounding must not decide between rows that are equally far away.
    return int(np.flatnonzero(distances <= distances.min() + 1e-12)[0])


def ranked(results: Sequence[TrialResult], objectives: Sequence[Objective]) -> list[TrialResult]:
    """The complete trials whose objectives are all there and finite, in the order given."""
    names = [objective.name for objective in objectives]
    rows = [(result, result.objective_values(names)) for result in results]
    return [result for result, row in rows if row is not None and all(math.isfinite(value) for value in row)]


def objective_matrix(results: Sequence[TrialResult], objectives: Sequence[Objective]) -> list[list[float]]:
    """Objective values of trials that :func:`ranked` returned, shape (n, m)."""
    rows = [result.objective_values([objective.name for objective in objectives]) for result in results]
    return [row for row in rows if row is not None]


def front_of(results: Sequence[TrialResult], objectives: Sequence[Objective]) -> list[TrialResult]:
    """The complete trials that no other one dominates, in the order given."""
    candidates = ranked(results, objectives)
    maximize = [objective.maximize for objective in objectives]
    return [candidates[index] for index in front(objective_matrix(candidates, objectives), maximize)]


def fix_reference(first: TrialResult, objectives: Sequence[Objective]) -> dict[str, tuple[float, float]]:
    """The hypervolume's reference, from the first complete trial; fixed for the study from then on.

    A metric known to lie in [0, 1] counts from 0 with scale 1. Any other maximised objective counts from 0 in units of
    its first value, a minimised one from four times its first value down, in units of that. A first value on the wrong
    side of 0 moves the worst value three times its magnitude beyond it, a first value of 0 counts as 1.

    Args:
        first: The first trial that completed.
        objectives: The study's objectives.

    Returns:
        Per objective's name ``(worst, scale)``; the scale is positive.

    Raises:
        ValueError: The trial isn't complete, or an objective is absent or not finite.
    """
    if not ranked([first], objectives):
        raise ValueError(f"trial {first.number} is {first.state} or lacks an objective; it fixes no reference")
    values = [first.value(objective.name) or 0.0 for objective in objectives]
    names = (objective.name for objective in objectives)
    return dict(zip(names, reference_from(values, objectives), strict=True))


def reference_from(first: Sequence[float], objectives: Sequence[Objective]) -> list[tuple[float, float]]:
    """Per objective ``(worst, scale)`` by the rule of :func:`fix_reference`, from the first complete trial's values."""
    return [_reference(objective, value) for objective, value in zip(objectives, first, strict=True)]


def _reference(objective: Objective, first: float) -> tuple[float, float]:
    """One objective's ``(worst, scale)``."""
    if objective.maximize and _in_unit_interval(objective.name):
        return 0.0, 1.0
    if first == 0.0:
        return (0.0, 1.0) if objective.maximize else (1.0, 1.0)
    if objective.maximize and first > 0:
        return 0.0, first
    margin = (BUDGET_MARGIN - 1.0) * abs(first)
    worst = first - margin if objective.maximize else first + margin
    return worst, abs(worst)


def _in_unit_interval(name: str) -> bool:
    """Whether a metric's name (``val/mIoU``, ``Multiclass_F1_Score``) says that it lies in [0, 1]."""
    return not UNIT_INTERVAL_WORDS.isdisjoint(re.findall(r"[a-z]+[0-9]*", name.lower()))


def _matrix(values: ArrayLike, maximize: Sequence[bool]) -> NDArray[np.float64]:
    """The values as an (n, m) matrix without NaN."""
    rows = np.asarray(values, dtype=np.float64)
    if not maximize:
        raise ValueError("at least one objective is needed")
    if rows.size == 0:
        return np.empty((0, len(maximize)))
    if rows.ndim != 2 or rows.shape[1] != len(maximize):
        raise ValueError(f"values have shape {rows.shape}, but there are {len(maximize)} objectives")
    if np.isnan(rows).any():
        raise ValueError("values contain NaN, which neither dominates nor is dominated")
    return rows


def _gains(
    rows: NDArray[np.float64], maximize: Sequence[bool], reference: Sequence[tuple[float, float]]
) -> NDArray[np.float64]:
    """How far each value lies on the good side of its worst value, in units of its scale."""
    if len(reference) != len(maximize):
        raise ValueError(f"{len(reference)} references for {len(maximize)} objectives")
    if not np.isfinite(rows).all():
        raise ValueError("a hypervolume needs finite values")
    worst, scale = np.asarray(reference, dtype=np.float64).T
    if not (np.isfinite(worst).all() and np.isfinite(scale).all() and (scale > 0).all()):
        raise ValueError(f"each reference needs a finite worst value and a positive scale: {list(reference)}")
    sign = np.where(np.asarray(maximize, dtype=bool), 1.0, -1.0)
    gains: NDArray[np.float64] = sign * (rows - worst) / scale
    return gains


def _volume(gains: NDArray[np.float64]) -> float:
    """Hypervolume of positive gains above the origin."""
    return float(moocore.hypervolume(gains, ref=np.zeros(gains.shape[1]), maximise=True)) if len(gains) else 0.0
