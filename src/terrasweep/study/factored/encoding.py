"""Settings as numbers between 0 and 1, in which near means alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from terrasweep.study.factored.quantities import Settings

_APART = math.sqrt(0.5)
"""A column of two categories: they are 1 apart."""
_SCALED = 8.0
"""Positive choices are on a logarithmic scale where the largest is at least so many times the smallest."""

_Columns = Callable[[Settings], list[float]]


class Encoder:
    """Writes settings as rows of numbers.

    A number is one column, on its logarithmic scale where it has one; a category has a column for each choice. A key
    that is not active in some candidates has a level of its own for that.
    """

    def __init__(self, space: Mapping[str, BaseDistribution], sample: Sequence[Settings]) -> None:
        """Args: ``sample``: candidates' settings; columns that are the same in all of them are left out."""
        names = [name for name in space if any(name in settings for settings in sample)]
        self._columns: list[_Columns] = [_columns(name, space[name]) for name in names]
        rows = np.array([self._all(settings) for settings in sample])
        self._kept = np.flatnonzero(np.ptp(rows, axis=0) > 0) if rows.size else np.array([], dtype=int)

    def row(self, settings: Settings) -> NDArray[np.float64]:
        """The columns of one candidate."""
        row: NDArray[np.float64] = np.array(self._all(settings), dtype=np.float64)[self._kept]
        return row

    def _all(self, settings: Settings) -> list[float]:
        return [number for columns in self._columns for number in columns(settings)]


def _columns(name: str, distribution: BaseDistribution) -> _Columns:
    scale = _scale(distribution)
    if scale is None:
        assert isinstance(distribution, CategoricalDistribution)
        return _one_hot(name, distribution.choices)

    def number(settings: Settings) -> list[float]:
        return [scale(settings[name]), 0.0] if name in settings else [0.5, _APART]

    return number


def _one_hot(name: str, choices: Sequence[Any]) -> _Columns:
    def columns(settings: Settings) -> list[float]:
        is_active = name in settings
        chosen = [is_active and settings[name] == choice for choice in choices]
        return [_APART * hit for hit in [*chosen, not is_active]]

    return columns


def _scale(distribution: BaseDistribution) -> Callable[[float], float] | None:
    """From a number to 0 to 1; None where values are no numbers."""
    if isinstance(distribution, CategoricalDistribution):
        choices = distribution.choices
        numbers = [c for c in choices if isinstance(c, int | float) and not isinstance(c, bool)]
        if len(numbers) < len(choices):
            return None
        low, high = min(numbers), max(numbers)
        log = low > 0 and high / low >= _SCALED
    else:
        assert isinstance(distribution, IntDistribution | FloatDistribution)
        low, high, log = distribution.low, distribution.high, distribution.log
    start, end = (math.log(low), math.log(high)) if log else (low, high)
    span = (end - start) or 1.0
    return lambda value: ((math.log(value) if log else value) - start) / span
