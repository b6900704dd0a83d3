"""Which trials stand out, given how sure their numbers are: a front on which what can't be told apart is one point.

The relation is epsilon-dominance (Laumanns, Thiele, Deb and Zitzler 2002, "Combining convergence and diversity in
evolutionary multiobjective optimization") with the measured resolution of each objective as its epsilon: one row beats
another where it is nowhere worse beyond the resolution, and somewhere better beyond it. With three objectives, rows
could beat each other in turns, each by what it gains over the next row in one objective, while it loses within the
resolution in the others. The winner's sum of all objectives, in units of their resolutions, therefore has to be
greater, too: it grows along every chain of winners, so that none closes.

With a resolution of 0 this is Pareto dominance, and an objective whose error is unknown has that.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from terrasweep.results import pareto

Matrix = NDArray[np.float64]
Rows = Sequence[int] | NDArray[np.intp]


class Place(enum.StrEnum):
    """Where a row stands."""

    FRONT = "front"
    TIED = "tied"
    """It can't be told from a row on the front, which stands for it."""
    BEATEN = "beaten"


@dataclass(frozen=True)
class Standing:
    """Where a row stands, and by which other one."""

    place: Place
    other: int | None = None
    """Index of the row that stands for it, or beats it; None on the front."""


def standings(
    values: ArrayLike,
    maximize: Sequence[bool],
    resolutions: Sequence[float],
    *,
    preference: Sequence[tuple[float, ...]] | None = None,
    alike: Sequence[Hashable | None] | None = None,
) -> list[Standing]:
    """Where each row stands, within the resolutions.

    Rows that nothing beats and that lie within the resolution of each other in every objective are one point: the
    preferred one stands for it, and of equally preferred ones that with the greater sum of all objectives in units of
    their resolutions. A row that is beaten names a row on the front that beats it, or where only rows do that others
    stand for, the best of those.

    Args:
        values: Objective values, shape (n, m); infinities are allowed where the resolution is 0.
        maximize: Per objective whether more is better.
        resolutions: Per objective the difference beyond which two values are told apart, at least 0.
        preference: Per row what is preferred, the least first; None: nothing is.
        alike: Per row the configuration that it is of; rows of the same one are one point, whatever their values. None
            is a configuration of its own.

    Returns:
        As many standings as there are rows.

    Raises:
        ValueError: A value is NaN, a resolution is negative or not finite, or shapes do not fit.
    """
    pareto.front(values, maximize)  # It refuses what can't be compared.
    if not all(0 <= r < math.inf for r in resolutions) or len(resolutions) != len(maximize):
        raise ValueError(f"each objective needs a finite resolution of at least 0: {list(resolutions)}")
    rows = np.asarray(values, dtype=np.float64).reshape(-1, len(maximize)) * np.where(maximize, 1.0, -1.0)
    contest = Contest(rows, np.asarray(resolutions, dtype=np.float64))
    preferred = [(*(preference[i] if preference else ()), -contest.sums[i], i) for i in range(len(rows))]
    leaders = _leaders(preferred, alike or [None] * len(rows))
    found = contest.standings(sorted(set(leaders), key=preferred.__getitem__))
    return [found[leader] if leader == row else _behind(leader, found[leader]) for row, leader in enumerate(leaders)]


def _leaders(preferred: Sequence[tuple[float, ...]], alike: Sequence[Hashable | None]) -> list[int]:
    """Per row the preferred one of its configuration."""
    groups: dict[Hashable, list[int]] = {}
    for row, configuration in enumerate(alike):
        groups.setdefault(("alone", row) if configuration is None else ("alike", configuration), []).append(row)
    leaders = [0] * len(alike)
    for members in groups.values():
        leader = min(members, key=preferred.__getitem__)
        for row in members:
            leaders[row] = leader
    return leaders


def _behind(leader: int, standing: Standing) -> Standing:
    """Where a row stands whose configuration another one stands for."""
    return Standing(Place.TIED, leader) if standing.place is Place.FRONT else standing


class Contest:
    """The relation between rows whose greater values are better."""

    def __init__(self, rows: Matrix, resolutions: Matrix) -> None:
        self._rows, self._resolutions = rows, resolutions
        self._exact = resolutions == 0.0
        self._sums = (rows[:, ~self._exact] / resolutions[~self._exact]).sum(axis=1)
        self.sums: list[float] = self._sums.tolist()
        """Of each row in units of the resolutions, over the objectives that have one."""

    def standings(self, leaders: list[int]) -> dict[int, Standing]:
        """The standings of the rows that stand for their configurations, given in the order of preference."""
        # What a dominated row beats, the one that dominates it beats as well: nobody else needs to be asked.
        undominated = pareto.front(self._rows[leaders], [True] * self._rows.shape[1])
        winners = self._winners([leaders[row] for row in undominated], leaders)
        found: dict[int, Standing] = {}
        stands: list[int] = []
        for row in (leader for leader in leaders if leader not in winners):
            near = next(iter(np.flatnonzero(self.alike(row, stands))), None) if stands else None
            found[row] = Standing(Place.FRONT) if near is None else Standing(Place.TIED, stands[int(near)])
            if near is None:
                stands.append(row)
        named = self._winners(stands, list(winners))
        return found | {row: Standing(Place.BEATEN, named.get(row, other)) for row, other in winners.items()}

    def _winners(self, contenders: list[int], rows: list[int]) -> dict[int, int]:
        """Of the rows that a contender beats, the best one that does."""
        winners: dict[int, int] = {}
        everyone = np.asarray(rows, dtype=np.intp)
        for contender in sorted(contenders, key=self.sums.__getitem__):
            winners |= dict.fromkeys(everyone[self.beats([contender], rows)].tolist(), contender)
        return winners

    def beats(self, ones: Rows, others: Rows) -> NDArray[np.bool_]:
        """Whether each of some rows beats each of others; either side may be a single row."""
        with np.errstate(invalid="ignore"):  # Infinity less infinity is neither a gain nor a loss.
            gains = self._rows[ones] - self._rows[others]
        gains[np.isnan(gains)] = 0.0
        as_good = (gains >= -self._resolutions).all(axis=1)
        better = (gains > self._resolutions).any(axis=1)
        # A gain where there is no resolution is an endless one in its unit.
        greater = (gains[:, self._exact] > 0).any(axis=1) | (self._sums[ones] > self._sums[others])
        beaten: NDArray[np.bool_] = as_good & better & greater
        return beaten

    def alike(self, row: int, others: Rows) -> NDArray[np.bool_]:
        """Which rows one can't be told from."""
        there = self._rows[others]
        with np.errstate(invalid="ignore"):
            near = np.abs(there - self._rows[row]) <= self._resolutions
        same: NDArray[np.bool_] = (near | (there == self._rows[row])).all(axis=1)
        return same

    def first_seen(self) -> list[bool]:
        """Per row whether none before it that counts itself beats it or can't be told from it."""
        kept: list[int] = []
        for row in range(len(self._rows)):
            if not kept or not (self.beats(kept, [row]) | self.alike(row, kept)).any():
                kept.append(row)
        counting = set(kept)
        return [row in counting for row in range(len(self._rows))]
