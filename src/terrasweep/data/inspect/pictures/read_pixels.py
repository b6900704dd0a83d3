"""Pixels of a file as a trial reads them, but for those of large files, of which some are left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio

from terrasweep.data.find.dates import DATES
from terrasweep.results.errors import first_line, raise_out_of_memory


class Unreadable(Exception):
    """A file that shows nothing; the text is why."""


def read_pixels(file: Path, most_px: int) -> np.ndarray:
    """All bands of an image: float32 (bands, height, width), NaN where a pixel is no data.

    Args:
        file: The image.
        most_px: Of a larger one each second, third, ... row and column is taken, so that values stay what they are.

    Raises:
        Unreadable: It is no image, or is damaged.
        HostOutOfMemory: It does not fit into memory.
    """
    try:
        with rasterio.open(file) as image:
            step = -(-max(image.height, image.width) // most_px)
            shape = (image.count, max(1, image.height // step), max(1, image.width // step))
            pixels = image.read(out_shape=shape, masked=True)
    except (rasterio.errors.RasterioError, OSError, ValueError) as error:
        raise_out_of_memory(error)
        raise Unreadable(first_line(error)) from error
    real = np.abs(pixels) if np.iscomplexobj(pixels) else pixels
    with np.errstate(over="ignore"):  # float64's largest becomes infinite.
        floats: np.ndarray = real.astype(np.float32).filled(np.nan)
    return floats


def read_dates(file: Path) -> list[str]:
    """The dates of an image in ISO's form, as the view of it tells them; none where nobody does.

    Raises:
        Unreadable: It is no image, or is damaged.
    """
    try:
        with rasterio.open(file) as image:
            told: str = image.tags().get(DATES, "")
    except (rasterio.errors.RasterioError, OSError, ValueError) as error:
        raise_out_of_memory(error)
        raise Unreadable(first_line(error)) from error
    return told.split(",") if told else []
