"""The lowest and the highest value of a stream of numbers, each with its count, and what all the others are like."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from terrasweep.data.inspect.survey import Extreme, Extremes


@dataclass
class ExtremesCount:
    """Counts in one pass: what stops being the lowest or highest value is one of the others from then on."""

    _low: float = math.inf
    _high: float = -math.inf
    _above_low: float = math.inf
    """The value next to the lowest."""
    _below_high: float = -math.inf
    _pixels: dict[float, int] = field(default_factory=dict)
    """Of the lowest and the highest value."""
    _first: dict[float, str] = field(default_factory=dict)
    _others: int = 0
    _total: float = 0.0
    _squares: float = 0.0

    def add(self, name: str, values: np.ndarray) -> None:
        """Count the values of a sample.

        Args:
            name: Of the sample.
            values: Float64 (N,), all of them finite.
        """
        if not values.size:
            return
        low, high = float(values.min()), float(values.max())
        ends = {min(low, self._low), max(high, self._high)}
        self._see_neighbours(values, low, high)
        inside = values
        pixels: dict[float, int] = {}
        for end in ends & {low, high}:
            is_end = inside == end
            pixels[end] = int(is_end.sum())
            inside = inside[~is_end]
        self._keep(ends, pixels, name)
        self._others += len(inside)
        with np.errstate(over="ignore"):
            self._total += float(inside.sum())
            self._squares += float(np.dot(inside, inside))
        self._low, self._high = min(ends), max(ends)

    def _see_neighbours(self, values: np.ndarray, low: float, high: float) -> None:
        """Renew the values beside the extremes, before these are."""
        new_low, new_high = min(low, self._low), max(high, self._high)
        above = (self._low, self._above_low, _above(values, low, new_low))
        below = (self._high, self._below_high, _below(values, high, new_high))
        self._above_low = min(value for value in above if value > new_low)
        self._below_high = max(value for value in below if value < new_high)

    def _keep(self, ends: set[float], pixels: dict[float, int], name: str) -> None:
        """Add what a sample has of the extremes; what was an extreme before becomes one of the others."""
        for value in self._pixels.keys() - ends:
            count = self._pixels.pop(value)
            self._first.pop(value)
            self._add_others(value, count)
        for value, count in pixels.items():
            self._pixels[value] = self._pixels.get(value, 0) + count
            self._first.setdefault(value, name)

    def merge(self, later: ExtremesCount) -> None:
        """Add what was counted in samples that come after these."""
        low, high = min(self._low, later._low), max(self._high, later._high)
        lows = (self._low, self._above_low, later._low, later._above_low)
        highs = (self._high, self._below_high, later._high, later._below_high)
        self._above_low = min((value for value in lows if value > low), default=math.inf)
        self._below_high = max((value for value in highs if value < high), default=-math.inf)
        self._others += later._others
        self._total += later._total
        self._squares += later._squares
        self._keep({low, high}, {}, "")
        for value, count in later._pixels.items():
            if value in (low, high):
                self._keep({low, high}, {value: count}, later._first[value])
            else:
                self._add_others(value, count)
        self._low, self._high = low, high

    def _add_others(self, value: float, count: int) -> None:
        """Numbers of one value that are no extremes, or no longer."""
        self._others += count
        self._total += count * value
        self._squares += count * value**2 if abs(value) < 1e150 else math.inf

    def extremes(self) -> Extremes | None:
        """What was counted; None where there was nothing."""
        if not self._pixels:
            return None
        mean = self._total / max(self._others, 1)
        variance = self._squares / max(self._others, 1) - mean**2 if math.isfinite(self._squares) else math.inf
        return Extremes(
            lowest=self._extreme(self._low, self._above_low),
            highest=self._extreme(self._high, self._below_high),
            others=self._others,
            mean=mean,
            std=math.sqrt(max(variance, 0.0)),
        )

    def _extreme(self, value: float, beside: float) -> Extreme:
        return Extreme(
            value=value,
            pixels=self._pixels[value],
            beside=beside if math.isfinite(beside) else None,
            first=self._first[value],
        )


def _above(values: np.ndarray, low: float, limit: float) -> float:
    """The lowest of the values above a limit, which is their lowest or lies below."""
    if low > limit:
        return low
    return float(np.min(values, where=values > limit, initial=math.inf))


def _below(values: np.ndarray, high: float, limit: float) -> float:
    if high < limit:
        return high
    return float(np.max(values, where=values < limit, initial=-math.inf))
