"""Mean and standard deviation per band over the training tiles."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import rasterio

from terrasweep.errors import DataError
from terrasweep.records import write_atomically


def compute_statistics(files: list[Path], bands: int) -> tuple[list[float], list[float]]:
    """Population mean and standard deviation of each band, in the files' units; pixels that aren't finite don't count.

    Raises:
        DataError: A file can't be read, has another number of bands, or there is no finite pixel.
    """
    count, total, squares = np.zeros(bands), np.zeros(bands), np.zeros(bands)
    for file in files:
        with rasterio.open(file) as source:
            pixels = source.read(masked=True).astype(np.float64).filled(np.nan).reshape(source.count, -1)
        if len(pixels) != bands:
            raise DataError(f"{file}: it has {len(pixels)} bands, data.bands names {bands}; correct data.bands")
        finite = np.isfinite(pixels)
        clean = np.where(finite, pixels, 0.0)
        count += finite.sum(axis=1)
        total += clean.sum(axis=1)
        squares += (clean**2).sum(axis=1)
    if not (count > 0).all():
        raise DataError(f"no finite pixel in band {int(np.argmin(count)) + 1} of {len(files)} training tiles")
    means = total / count
    stds = np.sqrt(np.maximum(squares / count - means**2, 0.0))
    return means.tolist(), np.where(stds > 0, stds, 1.0).tolist()


def write_statistics(target: Path, files: list[Path], bands: int) -> None:
    """Compute the statistics and store them as JSON."""
    means, stds = compute_statistics(files, bands)
    write_atomically(target, json.dumps({"means": means, "stds": stds}))


def read_statistics(target: Path) -> tuple[list[float], list[float]]:
    """The stored means and standard deviations."""
    stored = json.loads(target.read_text())
    return stored["means"], stored["stds"]
