"""How far measured peaks are from predicted ones: a line through pairs of both, with an interval for the next one.

measured = intercept + slope x predicted, as a Bayesian regression with stated defaults (Gelman et al., "Bayesian Data
Analysis", chapter 14): before the first pair the defaults hold, and their interval is wide; each pair moves the line,
and narrows it. A pair far from the others has less weight (Huber 1964), so that one odd measurement does not bend the
line. The interval counts every pair as it is: where predictions scatter, it stays wide.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

LEVEL = 0.98
"""Of the interval: one measured peak in a hundred is below it."""
_FLOOR_MIB, _SHARE = 16.0, 0.02
"""How far off the line a peak is expected before anything is known: so much, and a share of the prediction."""
_PSEUDO_PAIRS = 4
"""How many pairs that expectation counts as."""
_TUNING = 1.345
"""Huber's constant: 95 % as efficient as least squares where errors are normal."""
_LEAST_SCALE = 0.25
"""Of the robust scale: pairs that agree by chance make no other one odd."""
_ROUNDS = 10
_FOLDS = 10


class Pair(NamedTuple):
    """A peak as it was predicted and as it was measured, in MiB."""

    predicted: float
    measured: float


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """What is known of a kind of device before anything is measured, with standard errors."""

    intercept_mib: float
    intercept_error_mib: float
    slope_error: float
    """Of a slope of 1."""


DEFAULTS = {
    # Nine configurations of a ViT-B on 2 cores: 56 to 71 MiB above the prediction (docs/memory.md). Large batches of a
    # small model took twice the prediction: scratch memory of convolutions.
    "cpu": Defaults(intercept_mib=70.0, intercept_error_mib=60.0, slope_error=0.2),
    # 71 configurations on an H100: 4 MiB and 0.999 (docs/memory.md). Other cards have smaller workspaces of cuBLAS.
    "cuda": Defaults(intercept_mib=0.0, intercept_error_mib=32.0, slope_error=0.1),
}
"""By kind of device."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A line with what is known of its error."""

    intercept_mib: float
    slope: float
    scale: float
    """Of the distance to the line, in units of what is expected before anything is known."""
    covariance: tuple[float, float, float]
    """Of the intercept, of both, of the slope."""
    pairs: int
    """It was fitted to."""

    def expected(self, predicted: float) -> float:
        """The peak in MiB that will most likely be measured."""
        return max(0.0, self.intercept_mib + self.slope * predicted)

    def interval(self, predicted: float) -> tuple[float, float]:
        """Both ends in MiB of what will be measured at :data:`LEVEL`, by Student's t."""
        from scipy.special import stdtrit  # A fifth of a second, and only what has a budget needs it.

        half = float(stdtrit(_freedom(self.pairs), (1 + LEVEL) / 2)) * self._deviation(predicted)
        middle = self.intercept_mib + self.slope * predicted
        return max(0.0, middle - half), max(0.0, middle + half)

    def relative_error(self, predicted: float) -> float:
        """One standard deviation of what will be measured, as a share of what is expected."""
        return self._deviation(predicted) / max(1.0, self.expected(predicted))

    def _deviation(self, predicted: float) -> float:
        """One standard deviation in MiB."""
        own, both, slope = self.covariance
        of_line = own + 2 * predicted * both + predicted**2 * slope
        return sqrt((_unit(predicted) * self.scale) ** 2 + of_line * max(1.0, self.scale) ** 2)


def calibrate(pairs: Sequence[Pair], device: str) -> Calibration:
    """The line through measured peaks over predicted ones.

    Args:
        pairs: In any order; there may be none.
        device: A key of :data:`DEFAULTS`.
    """
    defaults, weights, scale = DEFAULTS[device], [1.0] * len(pairs), 1.0
    intercept, slope, covariance = _line(pairs, weights, scale, defaults)
    for _ in range(_ROUNDS if pairs else 0):
        apart = [(p.measured - intercept - slope * p.predicted) / _unit(p.predicted) for p in pairs]
        usual = max(_LEAST_SCALE, 1.4826 * statistics.median(map(abs, apart)))
        weights = [min(1.0, _TUNING * usual / abs(distance)) if distance else 1.0 for distance in apart]
        scale = sqrt((_PSEUDO_PAIRS + sum(distance**2 for distance in apart)) / _freedom(len(pairs)))
        # However far off the pairs are, the defaults count no more beside them: the line has to follow.
        intercept, slope, covariance = _line(pairs, weights, min(1.0, usual), defaults)
    return Calibration(intercept_mib=intercept, slope=slope, scale=scale, covariance=covariance, pairs=len(pairs))


def errors_of_unseen(pairs: Sequence[Pair], device: str) -> list[float]:
    """For each pair, how far a line through the others is off, relative to what was measured; as they come.

    With more than ten pairs, a tenth of them is left out at a time.
    """
    errors = [0.0] * len(pairs)
    for first in range(min(_FOLDS, len(pairs))):
        left_out = range(first, len(pairs), _FOLDS)
        line = calibrate([pair for place, pair in enumerate(pairs) if place not in left_out], device)
        for place in left_out:
            errors[place] = abs(line.expected(pairs[place].predicted) / pairs[place].measured - 1)
    return errors


def _line(
    pairs: Sequence[Pair], weights: Sequence[float], scale: float, defaults: Defaults
) -> tuple[float, float, tuple[float, float, float]]:
    """Intercept, slope and covariance of a weighted regression that starts from the defaults."""
    precise = [w / (_unit(p.predicted) * scale) ** 2 for p, w in zip(pairs, weights, strict=True)]
    own, slope = defaults.intercept_error_mib**-2, defaults.slope_error**-2
    right_own = own * defaults.intercept_mib + sum(q * p.measured for p, q in zip(pairs, precise, strict=True))
    right_slope = slope + sum(q * p.predicted * p.measured for p, q in zip(pairs, precise, strict=True))
    own += sum(precise)
    both = sum(q * p.predicted for p, q in zip(pairs, precise, strict=True))
    slope += sum(q * p.predicted**2 for p, q in zip(pairs, precise, strict=True))
    determinant = own * slope - both**2
    covariance = slope / determinant, -both / determinant, own / determinant
    intercept = covariance[0] * right_own + covariance[1] * right_slope
    return intercept, covariance[1] * right_own + covariance[2] * right_slope, covariance


def _freedom(pairs: int) -> int:
    """Degrees of freedom of the distances to a line of two numbers."""
    return _PSEUDO_PAIRS + max(0, pairs - 2)


def _unit(predicted: float) -> float:
    """MiB by which a measured peak is expected off the line."""
    return _FLOOR_MIB + _SHARE * predicted
