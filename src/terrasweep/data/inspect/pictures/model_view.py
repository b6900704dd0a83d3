"""What a model gets of an image: bands in order, missing values filled, resampled, normalised, turned as by a trial."""

from __future__ import annotations

from collections.abc import Callable
from itertools import compress, product

import numpy as np

from terrasweep.config.knobs.augment import DIAGONAL, LEFT_RIGHT, UP_DOWN, moves_of

RANGE = 2.5
"""Standard deviations around the mean that a picture of normalised values shows."""
SYMMETRIES = {
    (): "as it is",
    (LEFT_RIGHT,): "left and right swapped",
    (UP_DOWN,): "top and bottom swapped",
    (LEFT_RIGHT, UP_DOWN): "turned by 180°",
    (DIAGONAL,): "mirrored at the diagonal",
    (DIAGONAL, LEFT_RIGHT): "turned by 90° to the right",
    (DIAGONAL, UP_DOWN): "turned by 90° to the left",
    (DIAGONAL, LEFT_RIGHT, UP_DOWN): "mirrored at the other diagonal",
}
"""Moves that are made one after the other, and what they come to."""
_MOVE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    DIAGONAL: lambda pixels: pixels.swapaxes(0, 1),
    LEFT_RIGHT: np.fliplr,
    UP_DOWN: np.flipud,
}


def as_a_model_sees(
    pixels: np.ndarray, means: list[float], stds: list[float], no_data: float | None, resize_px: int | None
) -> np.ndarray:
    """Normalised values, float32 (bands, height, width).

    Args:
        pixels: Float32 (bands, height, width) in the file's units, NaN where there is no value.
        means: Per band.
        stds: Per band.
        no_data: What stands for NaN; None leaves it.
        resize_px: Height and width; None: the image's own.
    """
    filled = pixels if no_data is None else np.where(np.isnan(pixels), np.float32(no_data), pixels)
    sized = filled if resize_px is None else bilinear(filled, resize_px)
    spread = np.asarray(stds, np.float32)[:, None, None]
    normalised: np.ndarray = (sized - np.asarray(means, np.float32)[:, None, None]) / spread
    return normalised


def bilinear(pixels: np.ndarray, px: int) -> np.ndarray:
    """Resample to ``px`` x ``px`` as OpenCV does for Albumentations: pixels' centres, and no smoothing before."""
    rows, below, down = _neighbours(pixels.shape[1], px)
    columns, right, across = _neighbours(pixels.shape[2], px)
    upper = pixels[:, rows][:, :, columns] * (1 - across) + pixels[:, rows][:, :, right] * across
    lower = pixels[:, below][:, :, columns] * (1 - across) + pixels[:, below][:, :, right] * across
    resampled: np.ndarray = (upper * (1 - down[:, None]) + lower * down[:, None]).astype(np.float32)
    return resampled


def nearest(mask: np.ndarray, px: int) -> np.ndarray:
    """Resample the last two places of a mask's shape to ``px`` x ``px``, as OpenCV does for Albumentations."""
    rows, columns = (np.arange(px) * size // px for size in mask.shape[-2:])
    resampled: np.ndarray = mask[..., rows, :][..., columns]
    return resampled


def under_symmetries(pixels: np.ndarray, augment: str, *, square: bool) -> dict[str, np.ndarray]:
    """An image or mask (height, width, ...) under each symmetry that ``augment`` shows it in, by the symmetry's name.

    Args:
        pixels: The image.
        augment: The option's name.
        square: Whether the sample's images are square, as training asks it.
    """
    moves, turned = moves_of(augment, square=square), {}
    for chosen in product((False, True), repeat=len(moves)):
        made, image = tuple(compress(moves, chosen)), pixels
        for move in made:
            image = _MOVE[move](image)
        turned[SYMMETRIES[made]] = np.ascontiguousarray(image)
    return turned


def shades(normalised: np.ndarray) -> np.ndarray:
    """Normalised values as uint8: the mean is grey, :data:`RANGE` standard deviations above it white."""
    grey: np.ndarray = (np.clip(np.nan_to_num(normalised) / (2 * RANGE) + 0.5, 0, 1) * 255).round().astype(np.uint8)
    return grey


def _neighbours(size: int, px: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each new pixel the two old ones around its centre, and how near it is to the second."""
    centres = np.clip((np.arange(px) + 0.5) * size / px - 0.5, 0, size - 1)
    first = np.floor(centres).astype(int)
    return first, np.minimum(first + 1, size - 1), (centres - first).astype(np.float32)
