"""Pixels as small as they are drawn, and what is said below them."""

from __future__ import annotations

import numpy as np

from terrasweep.results.wording import with_decimals

THUMBNAIL_PX = 192
"""Longest side of a picture."""


def span(values: np.ndarray) -> str:
    """``-1.8 to 2.4``."""
    finite = values[np.isfinite(values)]
    return f"{with_decimals(finite.min(), 1)} to {with_decimals(finite.max(), 1)}" if finite.size else "no value"


def rgb(bands: np.ndarray, places: list[int]) -> np.ndarray:
    """Three of some bands (bands, height, width) as an image (height, width, 3)."""
    return np.ascontiguousarray(np.moveaxis(bands[places], 0, -1))


def shrunk(pixels: np.ndarray) -> np.ndarray:
    """Means over squares, so that an image is no larger than it is drawn."""
    step = -(-max(pixels.shape[1:]) // THUMBNAIL_PX)
    if step == 1:
        return pixels
    height, width = pixels.shape[1] // step or 1, pixels.shape[2] // step or 1
    kept = pixels[:, : height * step, : width * step]
    if kept.shape[1] < height * step or kept.shape[2] < width * step:
        return pixels[:, ::step, ::step]
    blocks = kept.reshape(len(pixels), height, step, width, step)
    means: np.ndarray = blocks.mean(axis=(2, 4))
    return means


def shrunk_mask(mask: np.ndarray) -> np.ndarray:
    """Some rows and columns of a drawn mask (height, width, 4), whose colours stay what they are."""
    step = -(-max(mask.shape[:2]) // THUMBNAIL_PX)
    return np.ascontiguousarray(mask[step // 2 :: step, step // 2 :: step])


def with_opacity(mask: np.ndarray, opacity: int) -> np.ndarray:
    """A drawn mask that lets through what lies below it."""
    faint = mask.copy()
    faint[..., 3] = opacity
    return faint


def ends_of(band: np.ndarray) -> tuple[float, float]:
    """The values that are drawn black and white where nobody says it."""
    finite = band[np.isfinite(band)]
    return tuple(np.percentile(finite, (2, 98)).tolist()) if finite.size else (0.0, 1.0)
