"""What several seeds say of an accuracy: its mean with an interval, and which of several can be told apart.

An accuracy over seeds is taken as normally distributed, with a spread that is not known: so Student's t
("The probable error of a mean", Biometrika 1908).
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt

CONFIDENCE = 0.95
"""How often an interval holds the mean over all seeds."""
SIGNIFICANCE = 0.05
"""How often at most any pair is told apart that does not differ, over all pairs together."""


@dataclass(frozen=True, kw_only=True)
class SeedMean:
    """A mean over seeds; the interval's ends are None where one value says nothing of a spread."""

    mean: float
    low: float | None
    high: float | None
    seeds: int


@dataclass(frozen=True, kw_only=True)
class PairTest:
    """Two trials compared over the seeds that both have."""

    first: int
    second: int
    difference: float
    """Mean of the first less that of the second."""
    p_value: float
    adjusted: float
    """The same, corrected for the number of pairs."""

    @property
    def told_apart(self) -> bool:
        """Whether they differ by more than seeds explain."""
        return self.adjusted < SIGNIFICANCE


def seed_mean(values: Sequence[float]) -> SeedMean:
    """The mean of one value or more, with its t interval of CONFIDENCE.

    Raises:
        statistics.StatisticsError: There is no value.
    """
    from scipy.special import stdtrit

    mean, count = statistics.fmean(values), len(values)
    if count < 2:
        return SeedMean(mean=mean, low=None, high=None, seeds=count)
    half = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * statistics.stdev(values) / sqrt(count)
    return SeedMean(mean=mean, low=mean - half, high=mean + half, seeds=count)


def compare_pairs(by_trial: Mapping[int, Mapping[int, float]]) -> list[PairTest]:
    """A paired t test for every two trials that share two seeds or more, in the order of their numbers.

    Seeds are shared, so their values come in pairs: what a seed does to both takes no part in the difference. The
    p-values are corrected by Holm's method ("A simple sequentially rejective multiple test procedure", Scandinavian
    Journal of Statistics 1979), which needs no pair to be independent of another.

    Args:
        by_trial: Trial number to seed to accuracy.
    """
    pairs = [
        (first, second, [by_trial[first][seed] - by_trial[second][seed] for seed in shared])
        for first, second in itertools.combinations(sorted(by_trial), 2)
        if len(shared := sorted(by_trial[first].keys() & by_trial[second].keys())) >= 2
    ]
    p_values = [paired_p_value(differences) for *_, differences in pairs]
    return [
        PairTest(first=first, second=second, difference=statistics.fmean(found), p_value=p, adjusted=adjusted)
        for (first, second, found), p, adjusted in zip(pairs, p_values, holm(p_values), strict=True)
    ]


def paired_p_value(differences: Sequence[float]) -> float:
    """How likely differences at least as large are where both are the same; two or more of them.

    Where all of them are equal there is no spread: 1 if they are zero, else 0.
    """
    from scipy.special import stdtr

    mean, spread = statistics.fmean(differences), statistics.stdev(differences)
    t = (0.0 if mean == 0 else inf) if spread == 0 else abs(mean) / (spread / sqrt(len(differences)))
    return 2 * float(stdtr(len(differences) - 1, -t))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected so that any of them falls below a bound by chance as rarely as a single one would."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = least
    return adjusted
