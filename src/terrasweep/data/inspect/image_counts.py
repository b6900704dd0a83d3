"""What is counted of images, sample by sample: their shapes and types, and running sums per band."""

from __future__ import annotations

from collections import Counter

import numpy as np

from terrasweep.data.inspect.extremes import ExtremesCount
from terrasweep.data.inspect.survey import ImageSurvey


class ImageCounts:
    """Counts of a modality's images in a split, with running sums per band."""

    def __init__(self) -> None:
        self._shapes: Counter[str] = Counter()
        self._dtypes: Counter[str] = Counter()
        self._bands = 0
        self._first_not_finite: str | None = None

    def add(self, name: str, pixels: np.ndarray, stored: str) -> None:
        """Count a sample.

        Args:
            name: Of the sample.
            pixels: Of shape (B, ...), NaN or infinite where there is none.
            stored: The type that its file stores.
        """
        self._shapes["x".join(map(str, pixels.shape))] += 1
        self._dtypes[stored] += 1
        flat = pixels.reshape(len(pixels), -1).astype(np.float64) if pixels.ndim else pixels.reshape(1, 1)
        if not self._bands:
            self._bands = len(flat)
            self._pixels, self._count = np.zeros(self._bands), np.zeros(self._bands)
            self._total, self._squares = np.zeros(self._bands), np.zeros(self._bands)
            self._low, self._high = np.full(self._bands, np.inf), np.full(self._bands, -np.inf)
            self._infinite = np.zeros(self._bands)
            self._extremes = [ExtremesCount() for _ in range(self._bands)]
        if len(flat) != self._bands:
            return  # The shapes tell.
        finite = np.isfinite(flat)
        if not finite.all() and self._first_not_finite is None:
            self._first_not_finite = name
        clean = np.where(finite, flat, 0.0)
        self._pixels += flat.shape[1]
        self._count += finite.sum(axis=1)
        self._infinite += np.isinf(flat).sum(axis=1)
        self._total += clean.sum(axis=1)
        with np.errstate(over="ignore"):  # The lowest number of a type, where it stands for nothing.
            self._squares += (clean**2).sum(axis=1)
        self._low = np.minimum(self._low, np.where(finite, flat, np.inf).min(axis=1))
        self._high = np.maximum(self._high, np.where(finite, flat, -np.inf).max(axis=1))
        for extremes, values, is_finite in zip(self._extremes, flat, finite, strict=True):
            extremes.add(name, values if is_finite.all() else values[is_finite])

    def merge(self, later: ImageCounts) -> None:
        """Add what was counted in samples that come after these."""
        self._shapes += later._shapes
        self._dtypes += later._dtypes
        if len(later._low) != self._bands:
            return  # The shapes tell.
        self._first_not_finite = self._first_not_finite or later._first_not_finite
        self._pixels += later._pixels
        self._count += later._count
        self._infinite += later._infinite
        self._total += later._total
        with np.errstate(over="ignore"):
            self._squares += later._squares
        self._low = np.minimum(self._low, later._low)
        self._high = np.maximum(self._high, later._high)
        for extremes, more in zip(self._extremes, later._extremes, strict=True):
            extremes.merge(more)

    def survey(self) -> ImageSurvey:
        """The counts as a record."""
        count = np.maximum(self._count, 1)
        means = self._total / count
        seen = self._count > 0
        return ImageSurvey(
            shapes=dict(self._shapes),
            dtypes=dict(self._dtypes),
            means=means.tolist(),
            stds=deviation(means, self._squares / count).tolist(),
            minima=np.where(seen, self._low, 0.0).tolist(),
            maxima=np.where(seen, self._high, 0.0).tolist(),
            not_finite=(1 - self._count / self._pixels).tolist(),
            infinite=(self._infinite / self._pixels).tolist(),
            first_not_finite=self._first_not_finite,
            extremes=[extremes.extremes() for extremes in self._extremes],
        )


def deviation(means: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """The standard deviation by the mean of numbers and that of their squares; infinite beyond floats."""
    with np.errstate(over="ignore", invalid="ignore"):
        variance = squares - means**2
    return np.sqrt(np.where(np.isfinite(squares), np.maximum(variance, 0.0), np.inf))
