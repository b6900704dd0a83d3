"""How sure a rate is that was measured over steps which are not independent of each other.

The rate is all samples over all seconds. Its variance is that of a circular block bootstrap of the steps (Künsch 1989;
Politis & Romano 1992), in the closed form that Künsch gives for a mean, to which the ratio is linearised: what
infinitely many resamples would give, without drawing any. How long a block is follows from the steps' autocorrelation
(Politis & White 2004, corrected by Patton, Politis & White 2009). Blocks of few steps see too little of a long memory,
so an autoregression of first order is taken out before and put back after (Andrews & Monahan 1992).

- Künsch, H. R. (1989). The jackknife and the bootstrap for general stationary observations. Ann. Statist. 17(3).
- Politis, D. N., Romano, J. P. (1992). A circular block-resampling procedure for stationary data. In: Exploring the
  Limits of Bootstrap, Wiley.
- Politis, D. N., White, H. (2004). Automatic block-length selection for the dependent bootstrap. Econometric Reviews
  23(1); Patton, A., Politis, D. N., White, H. (2009). Correction. Econometric Reviews 28(4).
- Andrews, D. W. K., Monahan, J. C. (1992). An improved heteroskedasticity and autocorrelation consistent covariance
  matrix estimator. Econometrica 60(4).
- Kendall, M. G. (1954). Note on bias in the estimation of autocorrelation. Biometrika 41(3/4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

MIN_STEPS = 10
"""Fewer steps say nothing about their autocorrelation."""
_NORMAL_95 = 1.96
_MOST_MEMORY = 0.95
"""Of the autoregression: more can't be told from a drift."""
_LEAST_BLOCKS = 4

Steps = npt.NDArray[np.float64]


def rate_error(samples: Sequence[int], seconds: Sequence[float]) -> float | None:
    """Relative standard error of Σ samples / Σ seconds.

    It is widened where steps are few or their memory long, as Student's t is wider than the normal distribution, so
    that 1.96 of it to both sides make a 95 % interval.

    Args:
        samples: Of each step.
        seconds: Of each step.

    Returns:
        None with fewer than MIN_STEPS steps, or where they took no time.
    """
    count, total, counted = len(seconds), sum(seconds), sum(samples)
    if count < MIN_STEPS or total <= 0 or counted <= 0:
        return None
    # Each step's influence on the rate, relative to it: the ratio's linear part.
    influence = count * (np.asarray(samples, float) / counted - np.asarray(seconds, float) / total)
    memory = _memory(influence)
    rest = influence[1:] - memory * influence[:-1]
    rest -= rest.mean()
    block = min(block_length(rest), len(rest) // _LEAST_BLOCKS)
    error = math.sqrt(block_variance(rest, block) / count) / (1 - memory)
    independent = len(rest) / block * (1 - memory) / (1 + memory)
    return error * _student_over_normal(max(1.0, independent - 1))


def block_variance(values: Steps, block: int) -> float:
    """The variance of a mean times the number of values, by circular blocks of this length.

    Args:
        values: Shape (steps,), their mean is 0.
        block: Number of values in a block, less than there are values.
    """
    count = len(values)
    sums = np.cumsum(np.concatenate([[0.0], values, values[:block]]))
    blocks = sums[block : block + count] - sums[:count]
    # The blocks' mean is the sample's own, which costs them a degree of freedom.
    return float((blocks @ blocks) / count / block * count / (count - block))


def block_length(values: Steps) -> int:
    """The length of blocks at which a circular block bootstrap's variance has the least mean squared error.

    Args:
        values: Shape (steps,), their mean is 0.
    """
    count = len(values)
    variance = values @ values / count
    if variance <= 0:
        return 1
    run = max(5, math.isqrt(math.ceil(math.log10(count))))
    lags = min(count - 1, math.ceil(math.sqrt(count)) + run)
    correlation = np.array([values[: count - k] @ values[k:] / count / variance for k in range(lags + 1)])
    bandwidth = min(2 * max(1, _last_lag(correlation, run, count)), lags)
    k = np.arange(1, bandwidth + 1)
    weighted = np.clip(2 * (1 - k / bandwidth), 0, 1) * correlation[1 : bandwidth + 1]  # A flat-top window.
    spectrum = 1 + 2 * weighted.sum()
    slope = 2 * (k * weighted).sum()
    longest = min(3 * math.sqrt(count), count / 3)
    best_cubed = 1.5 * count * slope**2  # Times the squared spectrum, which vanishes where the steps cancel each other.
    if best_cubed >= longest**3 * spectrum**2:
        return math.ceil(longest)
    return max(1, math.ceil(math.cbrt(best_cubed / spectrum**2)))


def _last_lag(correlation: Steps, run: int, count: int) -> int:
    """The lag after which a run of autocorrelations can't be told from none."""
    large = np.abs(correlation) >= 2 * math.sqrt(math.log10(count) / count)
    for lag in range(len(correlation) - run):
        if not large[lag + 1 : lag + 1 + run].any():
            return lag
    return int(np.flatnonzero(large)[-1])


def _memory(values: Steps) -> float:
    """The coefficient of an autoregression of first order, Kendall's bias corrected; what alternates counts as none."""
    variance = values @ values
    if variance <= 0:
        return 0.0
    found = float(values[:-1] @ values[1:] / variance)
    return min(max(found + (1 + 4 * found) / len(values), 0.0), _MOST_MEMORY)


def _student_over_normal(degrees: float) -> float:
    """How much wider Student's 95 % interval is, to the first order in 1 / degrees of freedom (Cornish & Fisher)."""
    return 1 + (_NORMAL_95**2 + 1) / (4 * degrees)
