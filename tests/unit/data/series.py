"""Folders of places with several dates that tests write, in every way that they may lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.unit.data.rasters import classes, write_raster

DATES = ("20240110", "20240301", "20241231")
"""Days 9, 60 and 365 of a leap year, counted from 0."""
BANDS = ("RED", "NIR")


def series(seed: int, px: int = 32) -> np.ndarray:
    """Float32 (dates, bands, px, px), each date and band around a mean of its own."""
    means = 100 * np.arange(1, 4)[:, None, None, None] + 1000 * np.arange(2)[None, :, None, None]
    noise = np.random.default_rng(seed).normal(0, 10, (3, 2, px, px))
    return (means + noise).astype(np.float32)


def write_places(root: Path, lie: str, places: int = 6, px: int = 32, **profile: object) -> None:
    """Write images and masks of places ``p0``, ``p1``, ... below a folder.

    Args:
        root: The folder.
        lie: ``files``, ``date_major`` or ``band_major``.
        places: How many.
        px: Side of an image.
        profile: Of the files.
    """
    for seed in range(places):
        pixels, at = series(seed, px), (0, seed)
        write_raster(root / "masks" / f"p{seed}.tif", classes(seed, px=px), place=at)
        if lie == "files":
            for date, image in zip(DATES, pixels, strict=True):
                write_raster(root / "images" / f"p{seed}_{date}.tif", image, place=at, **profile)
            continue
        flat = pixels if lie == "date_major" else pixels.swapaxes(0, 1)
        write_raster(root / "images" / f"p{seed}.tif", flat.reshape(6, px, px), place=at, **profile)
