"""How much hypervolume candidates promise: expected gains, exact for independent normal numbers but for sampling.

The expected gain of hypervolume is the integral, over what the front does not dominate yet, of the chance that a point
there becomes dominated (Emmerich, Deutz and Klinkenberg 2011). Candidates that share their quality become dominators
together: given the quality, their costs are independent, so the chance is that of the quality times one less the chance
that none of their costs is good enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terrasweep.results import pareto

Array = NDArray[np.float64]
Chances = NDArray[np.float32]

_MOST_DRAWN = 1 << 14
_IMPOSSIBLE = 4.0
"""Standard deviations below what it has to reach at which a number is taken not to reach it."""


@dataclass(frozen=True, kw_only=True)
class OpenRegion:
    """Points of objective space that nothing measured dominates and some candidate may."""

    points: Array
    """In the objectives' own units, shape (n, m)."""
    volume_each: float
    """Hypervolume that each point stands for."""


def gains_of(values: Array, maximize: Sequence[bool], reference: Sequence[tuple[float, float]]) -> Array:
    """How far values lie on the good side of the worst one, in units of the scale; shape (n, m)."""
    worst, scale = np.asarray(reference, dtype=np.float64).T
    gains: Array = np.where(np.asarray(maximize), 1.0, -1.0) * (values - worst) / scale
    return gains


def find_open_region(
    front: Array,
    optimistic: Array,
    maximize: Sequence[bool],
    reference: Sequence[tuple[float, float]],
    *,
    count: int,
) -> OpenRegion:
    """Points evenly over what can be gained.

    Args:
        front: Objective values that are had, shape (n, m).
        optimistic: What candidates may reach at best, shape (c, m).
        maximize: Per objective.
        reference: Per objective ``(worst, scale)``.
        count: How many points at most.
    """
    had, hoped = (gains_of(rows, maximize, reference) for rows in (front, optimistic))
    had = had[pareto.front(had, [True] * len(maximize))]
    hoped = hoped[(hoped > 0).all(axis=1)]
    hoped = hoped[~_dominated(hoped, had)]
    if not len(hoped):
        return OpenRegion(points=np.empty((0, len(maximize))), volume_each=0.0)
    hoped = hoped[pareto.front(hoped, [True] * len(maximize))]
    upper = hoped.max(axis=0)
    drawn, found, kept = 0, [], 0
    while drawn < _MOST_DRAWN and kept < count:
        more = max(4 * count, drawn)
        points = upper * _even_points(drawn, more, len(maximize))
        drawn += more
        points = points[_dominated(points, hoped)]
        found.append(points[~_dominated(points, had)])
        kept += len(found[-1])
    points = np.concatenate(found)
    share = len(points) / drawn
    volume = float(np.prod(upper)) * share
    points = points[:count]
    worst, scale = np.asarray(reference, dtype=np.float64).T
    units = worst + np.where(np.asarray(maximize), 1.0, -1.0) * scale * points
    return OpenRegion(points=units, volume_each=volume / max(1, len(points)))


def chance_of_all(margins: Sequence[Chances]) -> Chances:
    """The chance that independent normal numbers are all large enough.

    Args:
        margins: Of each number, how many standard deviations its expectation lies above what it has to reach.
    """
    from scipy.special import ndtr  # A fifth of a second, and only a search that has answers needs it.

    possible = margins[0] > -_IMPOSSIBLE
    for margin in margins[1:]:
        possible &= margin > -_IMPOSSIBLE
    chances = np.zeros(possible.shape, dtype=np.float32)
    together = ndtr(margins[0][possible])
    for margin in margins[1:]:
        together *= ndtr(margin[possible])
    chances[possible] = together
    return chances


def group_chances(of_quality: Chances, of_cost: Chances, groups: NDArray[np.intp]) -> Chances:
    """How likely groups of candidates, whose members count together, dominate each point.

    Args:
        of_quality: Chance that a group's quality is good enough for a point, shape (points, groups).
        of_cost: Chance that a candidate's costs are, and that it fits, shape (points, candidates).
        groups: Each candidate's group; ascending, and none is empty.

    Returns:
        Shape (points, groups). Their sum over the points, times the volume of each, is the expected gain.
    """
    none = np.log1p(-np.minimum(of_cost, np.float32(1 - 1e-6)))
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    some = -np.expm1(np.add.reduceat(none, starts, axis=1))
    chances: Chances = of_quality * some
    return chances


def _even_points(start: int, count: int, columns: int) -> Array:
    """Points of the unit cube by the additive recurrence of Roberts (2018), from the ``start``-th on."""
    golden = 1.0
    for _ in range(64):
        golden = (1 + golden) ** (1 / (columns + 1))
    steps = golden ** -np.arange(1, columns + 1)
    return (0.5 + np.arange(start + 1, start + count + 1)[:, None] * steps[None, :]) % 1.0


def _dominated(points: Array, by: Array) -> NDArray[np.bool_]:
    """Which points some row reaches or exceeds in all columns."""
    found = np.zeros(len(points), dtype=bool)
    columns = np.ascontiguousarray(points.T)
    for row in by:
        below = columns[0] <= row[0]
        for column, most in zip(columns[1:], row[1:], strict=True):
            below &= column <= most
        found |= below
    return found
