"""How often which values occur in a band, and the values that stand apart from all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from terrasweep.data.inspect.extremes import ExtremesCount
from terrasweep.data.inspect.lone_values import find_lone_values

BINS = 48
_TAILS = (0.2, 99.8)
"""Percentiles between which a histogram is drawn; what lies outside is counted in its first and last bin."""


@dataclass(frozen=True, kw_only=True)
class BandHistogram:
    """The values of a band, over pixels drawn by chance."""

    band: str
    low: float
    """Where the first bin begins, in the files' units."""
    high: float
    """Where the last one ends."""
    bins: dict[str, list[float]]
    """By split the shares of the pixels with a value in each bin; they sum up to 1."""
    apart: list[tuple[float, float]]
    """Values that stand alone as those do that stand for nothing, and their shares of all pixels with a value."""


def band_histogram(band: str, values: dict[str, np.ndarray]) -> BandHistogram | None:
    """Count a band's values.

    Args:
        band: Its name.
        values: By split; those that are not finite are left out.

    Returns:
        None where no value is finite.
    """
    finite = {split: found[np.isfinite(found)] for split, found in values.items()}
    pooled = np.concatenate(list(finite.values())) if finite else np.array([])
    if not pooled.size:
        return None
    apart = values_apart(pooled)
    marked = [value for value, _ in apart]
    low, high = np.percentile(pooled[~np.isin(pooled, marked)], _TAILS)
    if low == high:
        low, high = low - 0.5, high + 0.5
    bins = {}
    for split, found in finite.items():
        counted = found[~np.isin(found, marked)]
        if counted.size:
            numbers, _ = np.histogram(np.clip(counted, low, high), BINS, (low, high))
            bins[split] = (numbers / counted.size).tolist()
    return BandHistogram(band=band, low=float(low), high=float(high), bins=bins, apart=apart)


def values_apart(values: np.ndarray) -> list[tuple[float, float]]:
    """Values that stand alone by the rule of the checks, with their shares; none where there are no others."""
    count = ExtremesCount()
    count.add("", values.astype(np.float64))
    found = sorted(lone.value for lone in find_lone_values(count.extremes()))
    shares = [(value, float(np.mean(values == value))) for value in found]
    return shares if sum(share for _, share in shares) < 1 else []
