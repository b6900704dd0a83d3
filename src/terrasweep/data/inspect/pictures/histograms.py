"""How often which values occur in a band, and the values that stand apart from all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 48
APART = 0.5
"""A value that stands for nothing lies further from the others than this part of their range."""
LEAST_SHARE = 0.001
"""And more pixels have it than this."""
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
    """Values that look as if they stand for nothing, and their shares of all pixels with a value."""


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
    """Lowest and highest values that many pixels have exactly, and that lie far from all others, with their shares."""
    found, counts = np.unique(values, return_counts=True)
    apart = {}
    while len(found) > 2 and (end := _end_apart(found, counts / values.size)) is not None:
        apart[float(found[end])] = float(counts[end] / values.size)
        found, counts = np.delete(found, end), np.delete(counts, end)
    return sorted(apart.items())


def _end_apart(found: np.ndarray, shares: np.ndarray) -> int | None:
    """0 or -1 where the first or the last of sorted values lies far from the others."""
    for end, near, far in ((0, 1, -1), (-1, -2, 0)):
        gap, others = (abs(float(found[near]) - float(found[other])) for other in (end, far))
        if shares[end] >= LEAST_SHARE and gap > max(APART * others, 1e-30):
            return end
    return None
