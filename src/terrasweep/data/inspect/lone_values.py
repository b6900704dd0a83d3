"""Finds one exact value, far from all others, that stands for nothing though nobody says so. Imports no torch.

docs/checks.md explains the rule.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from terrasweep.data.inspect.survey import Extreme, Extremes

FAR = 5.0
"""Distance from all other values, in their standard deviations, from which on a value stands alone."""
SHARE = 0.001
"""Share of the pixels that has such a value more often than by chance."""
WIDER = 2.0
"""Factor of the standard deviation from which on a value spoils the statistics."""
SHIFTED = 1.0
"""Shift of the mean, in standard deviations of the others, from which on it does."""
PIXELS = 10
"""Number of them that it has at least."""
_TYPE_ENDS = (127, 255, 32767, 65535, 2**31 - 1, 2**32 - 1)
_NO_MEASUREMENT = 1e20


@dataclass(frozen=True, kw_only=True)
class LoneValue:
    """A value that stands alone."""

    value: float
    share: float
    """Of the finite pixels."""
    first: str
    """The first sample that has it."""
    spoils: bool
    """Whether it is one that people mark nothing by, and the statistics would be others without it."""
    mean: float
    """Of all other pixels."""
    beside: float
    """The nearest of them."""


def find_lone_values(extremes: Extremes | None) -> list[LoneValue]:
    """The lowest and the highest value, where they stand alone."""
    if extremes is None or extremes.lowest.beside is None:
        return []
    found = (_judged(extremes, end, other) for end, other in _ends(extremes))
    return [lone for lone in found if lone is not None]


def is_mark(value: float) -> bool:
    """Whether people are known to mark nothing by a number.

    They take -1, 0, nines (-99, 9999), powers of ten below zero, the ends of number types, and what no instrument
    measures.
    """
    size = abs(value)
    if size >= _NO_MEASUREMENT:
        return True
    if value != round(value):
        return False
    digits = str(int(size))
    nines, power = len(digits) > 1 and set(digits) == {"9"}, value <= -100 and digits.strip("0") == "1"
    return value in (0, -1) or nines or power or value in _TYPE_ENDS or -value - 1 in _TYPE_ENDS


def written(value: float) -> str:
    """A value as a key takes it, exact to the number type that it comes from."""
    if value == round(value) and abs(value) < 1e15:
        return str(int(value))
    single = np.float32(value) if abs(value) <= np.finfo(np.float32).max else None
    return str(single) if single is not None and float(single) == value else repr(value)


def _ends(extremes: Extremes) -> Iterator[tuple[Extreme, Extreme]]:
    yield extremes.lowest, extremes.highest
    yield extremes.highest, extremes.lowest


def _judged(extremes: Extremes, end: Extreme, other: Extreme) -> LoneValue | None:
    """What is to be said of one end."""
    assert end.beside is not None
    # Where the other end stands alone as well, it tells nothing of the rest.
    with_other = not _is_far(other, extremes.std) or not extremes.others
    count, mean, std = _joined(extremes, other) if with_other else (extremes.others, extremes.mean, extremes.std)
    if not (_is_far(end, std) or (std == 0 and _can_only_be_a_mark(end.value))):
        return None
    share = end.pixels / (end.pixels + count)
    distance = abs(end.value - mean)
    widened = math.sqrt((1 - share) * (std / distance) ** 2 + share * (1 - share)) * distance
    spoils = is_mark(end.value) and (widened > WIDER * std or share * distance > SHIFTED * std)
    if not spoils and (share < SHARE or end.pixels < PIXELS):
        return None
    return LoneValue(value=end.value, share=share, first=end.first, spoils=spoils, mean=mean, beside=end.beside)


def _is_far(end: Extreme, std: float) -> bool:
    return end.beside is not None and 0 < FAR * std < abs(end.value - end.beside)


def _can_only_be_a_mark(value: float) -> bool:
    """Also where all other pixels are alike, as they are in a band of zeros and ones, or of 0 and 255."""
    return is_mark(value) and (value <= -99 or value >= _NO_MEASUREMENT)


def _joined(extremes: Extremes, end: Extreme) -> tuple[int, float, float]:
    """Number, mean and standard deviation of the others and one end."""
    count = extremes.others + end.pixels
    share = end.pixels / count
    distance = end.value - extremes.mean
    variance = (1 - share) * extremes.std**2 + share * (1 - share) * distance**2 if abs(distance) < 1e150 else math.inf
    return count, extremes.mean + share * distance, math.sqrt(variance)
