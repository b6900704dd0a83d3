"""A stored value that stands for nothing, though nobody says so, looked for before it is scaled. Imports no torch.

Files of several scales turn one such value into several numbers, which no longer stand alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio

from terrasweep.data.inspect.extremes import ExtremesCount
from terrasweep.data.inspect.lone_values import LoneValue, find_lone_values
from terrasweep.data.views.headers import Header
from terrasweep.data.views.own_bands import spread
from terrasweep.results.errors import raise_out_of_memory

MOST_PX = 2048
"""Of a larger image each second, third, ... row and column is looked at."""
_LOOKED_AT = 64


def read_thinned(file: str, numbers: Sequence[int] | None = None) -> np.ma.MaskedArray:
    """Some bands of an image as they are stored, (bands, height, width); of a large one a part of the pixels.

    Args:
        file: The image.
        numbers: Of its bands, from 1; None: all.

    Raises:
        RasterioError: It can't be read.
    """
    with rasterio.open(file) as image:
        numbers = list(numbers or image.indexes)
        step = -(-max(image.height, image.width) // MOST_PX)
        shape = (len(numbers), max(1, image.height // step), max(1, image.width // step))
        pixels: np.ma.MaskedArray = image.read(numbers, out_shape=shape, masked=True)
    return pixels


def find_stored_mark(files: Sequence[tuple[Header, Sequence[int]]]) -> LoneValue | None:
    """The value that spoils most of a band, among what files of one scale store; None where there is none.

    Args:
        files: Each with the numbers of its bands that are read; a few of them are looked at.
    """
    bands: dict[int, ExtremesCount] = {}
    for header, numbers in spread(files, _LOOKED_AT):
        try:
            pixels = read_thinned(header.file, numbers)
        except rasterio.errors.RasterioError as error:
            raise_out_of_memory(error)
            continue  # The look at all samples tells.
        for place, band in enumerate(pixels):
            values = band.compressed().astype(np.float64)
            bands.setdefault(place, ExtremesCount()).add(Path(header.file).name, values[np.isfinite(values)])
    found = [lone for count in bands.values() for lone in find_lone_values(count.extremes()) if lone.spoils]
    return max(found, key=lambda lone: lone.share, default=None)
