"""How long a step takes, from what it computes, by what trials on the same device have taken.

At the rates of a data sheet a step would take ``compute_s`` for its arithmetic, ``memory_s`` for the bytes that its
operators read and write, and ``launch_s`` to start them. Devices don't reach those rates; each part takes a factor of
its own, and settings that change kernels another one:

    log seconds = log(a x compute_s + b x memory_s + c x launch_s) + the sum of d over traits

The parts are added. The roofline (Williams, Waterman and Patterson 2009) takes the larger of the first two for one
kernel, whose traffic hides behind its arithmetic; a step is hundreds of kernels one after the other, some bound by the
one and some by the other. The sum is at most twice the larger of two, and the factors learn the rest.

The factors are the most probable ones of a Bayesian regression of the logarithm (Gelman et al., "Bayesian Data
Analysis", chapter 14) by Gauss-Newton steps: they start from stated defaults, which hold before the first trial, and
each trial moves them. One odd trial has less weight (Huber 1964). More work never takes less time.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.9
"""Of the interval."""
_SPREAD, _MOST_SPREAD = 0.2, 0.3
"""How far off logarithms of seconds are expected before anything is known, and how far at most trials are taken to be
when the factors are found: however far off they are, the defaults must not hold them back."""
_PSEUDO_TRIALS = 3
"""How many trials that expectation counts as."""
_TOGETHER, _APART, _TRAIT = 0.7, 0.7, 0.4
"""Standard deviations of the factors' logarithms before anything is known: of what all three parts share, of what each
has of its own, and of a trait."""
_TUNING = 1.345
"""Huber's constant: 95 % as efficient as least squares where errors are normal."""
_LEAST_SPREAD = 0.02
"""Of the robust spread: trials that agree by chance make no other one odd."""
_ROUNDS = 30
_FOLDS = 10

Array = NDArray[np.float64]

USUAL = {
    # Of eager kernels: about half of the peak of the arithmetic, about 70 % of the bandwidth. Not measured here yet.
    "cuda": (log(2.0), log(1.4), 0.0),
    # The rates of a CPU are no data sheet's, but what they come to (predict/step_work.py).
    "cpu": (0.0, 0.0, 0.0),
}
"""Logarithms of the three factors before anything is known, by kind of device."""


@dataclass(frozen=True, kw_only=True)
class StepWork:
    """What a training step would take at the rates of the device's data sheet, part by part, in seconds."""

    compute_s: float
    memory_s: float
    launch_s: float
    traits: tuple[str, ...] = ()
    """Settings that change kernels, like ``precision=bf16``."""

    @property
    def seconds(self) -> float:
        """All parts, one after the other."""
        return self.compute_s + self.memory_s + self.launch_s


class Timed(NamedTuple):
    """A step's work, and the seconds that it took."""

    work: StepWork
    seconds: float


@dataclass(frozen=True, kw_only=True, eq=False)
class SpeedCalibration:
    """The factors, with what is known of their error."""

    factors: Array
    """Logarithms: of the three parts, then of each trait."""
    traits: tuple[str, ...]
    covariance: Array
    spread: float
    """Of the logarithm of a trial's seconds about what is expected."""
    freedom: float
    """Degrees of freedom behind it."""
    trials: int
    """It was fitted to."""

    def expected(self, work: StepWork) -> float:
        """Seconds that a step will most likely take."""
        return exp(float(_expected_logs([work], self.factors, self.traits)[0]))

    def relative_error(self, work: StepWork) -> float:
        """One standard deviation of the logarithm of what will be measured."""
        gradient = _design([work], self.factors, self.traits)[0]
        new = sum(trait not in self.traits for trait in work.traits) * _TRAIT**2
        return sqrt(self.spread**2 + float(gradient @ self.covariance @ gradient) + new)

    def interval(self, work: StepWork) -> tuple[float, float]:
        """Both ends in seconds of what will be measured at :data:`LEVEL`, by Student's t."""
        from scipy.special import stdtrit  # A fifth of a second, and few need it.

        half = float(stdtrit(self.freedom, (1 + LEVEL) / 2)) * self.relative_error(work)
        middle = log(self.expected(work))
        return exp(middle - half), exp(middle + half)


def calibrate(timed: Sequence[Timed], device: str) -> SpeedCalibration:
    """The factors by which measured steps are slower than a data sheet.

    Args:
        timed: Trials in any order; there may be none.
        device: A key of :data:`USUAL`.
    """
    works = [trial.work for trial in timed]
    traits = tuple(sorted({trait for work in works for trait in work.traits}))
    usual, known = _defaults(device, len(traits))
    logs = np.array([log(trial.seconds) for trial in timed])
    factors, weights, robust = usual, np.ones(len(timed)), _SPREAD
    for _ in range(_ROUNDS if timed else 0):
        design = _design(works, factors, traits)
        apart = logs - _expected_logs(works, factors, traits)
        robust = max(_LEAST_SPREAD, 1.4826 * statistics.median(map(abs, apart.tolist())))
        weights = np.minimum(1.0, _TUNING * robust / np.maximum(np.abs(apart), 1e-12))
        around = (_PSEUDO_TRIALS * _SPREAD**2 + len(timed) * robust**2) / (_PSEUDO_TRIALS + len(timed))
        weighted = design.T * (weights / min(_MOST_SPREAD**2, around))
        factors = np.linalg.solve(weighted @ design + known, weighted @ (apart + design @ factors) + known @ usual)
    return _with_errors(works, logs, factors, traits, weights, known)


def errors_of_unseen(timed: Sequence[Timed], device: str) -> list[float]:
    """For each trial, how far a calibration by the others is off, relative to what was measured; as they come.

    With more than ten trials, a tenth of them is left out at a time.
    """
    errors = [0.0] * len(timed)
    for first in range(min(_FOLDS, len(timed))):
        left_out = range(first, len(timed), _FOLDS)
        found = calibrate([trial for place, trial in enumerate(timed) if place not in left_out], device)
        for place in left_out:
            errors[place] = abs(found.expected(timed[place].work) / timed[place].seconds - 1)
    return errors


def _with_errors(
    works: Sequence[StepWork], logs: Array, factors: Array, traits: tuple[str, ...], weights: Array, known: Array
) -> SpeedCalibration:
    """The factors with the spread about them, which counts every trial as it is."""
    design = _design(works, factors, traits)
    squares = float(np.sum((logs - _expected_logs(works, factors, traits)) ** 2)) if len(works) else 0.0
    spread, learnt = _SPREAD, 0.0
    covariance: Array = np.asarray(np.linalg.inv(known), dtype=np.float64)
    for _ in range(2):  # How many numbers the trials have settled depends on the spread, and the spread on that.
        freedom = _PSEUDO_TRIALS + max(0.0, len(works) - learnt)
        spread = sqrt((_PSEUDO_TRIALS * _SPREAD**2 + squares) / freedom)
        told = (design.T * (weights / spread**2)) @ design
        covariance = np.asarray(np.linalg.inv(told + known), dtype=np.float64)
        learnt = float(np.trace(covariance @ told))
    return SpeedCalibration(
        factors=factors, traits=traits, covariance=covariance, spread=spread, freedom=freedom, trials=len(works)
    )


def _defaults(device: str, traits: int) -> tuple[Array, Array]:
    """The factors before anything is known, and the inverse of their covariance."""
    covariance: Array = np.diag([_APART**2] * 3 + [_TRAIT**2] * traits)
    covariance[:3, :3] += _TOGETHER**2
    usual: Array = np.array([*USUAL[device], *[0.0] * traits], dtype=np.float64)
    return usual, np.asarray(np.linalg.inv(covariance), dtype=np.float64)


def _parts(works: Sequence[StepWork], factors: Array) -> Array:
    seconds = np.array([(w.compute_s, w.memory_s, w.launch_s) for w in works], dtype=np.float64).reshape(-1, 3)
    parts: Array = seconds * np.exp(factors[:3])
    return parts


def _has(works: Sequence[StepWork], traits: Sequence[str]) -> Array:
    found = [[float(trait in work.traits) for trait in traits] for work in works]
    return np.array(found, dtype=np.float64).reshape(len(works), len(traits))


def _expected_logs(works: Sequence[StepWork], factors: Array, traits: Sequence[str]) -> Any:
    return np.log(_parts(works, factors).sum(axis=1)) + _has(works, traits) @ factors[3:]


def _design(works: Sequence[StepWork], factors: Array, traits: Sequence[str]) -> Array:
    """By how much the logarithm grows with each factor's: a part's share of the whole, and 1 for a trait."""
    parts = _parts(works, factors)
    return np.hstack([parts / parts.sum(axis=1, keepdims=True), _has(works, traits)])
