"""The pixels of a sample's files, as TerraTorch reads them, and nothing that it makes of them on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from terratorch.datasets import GenericMultimodalDataset

_READ_OTHERWISE = (".npy", ".zarr", ".zarr.zip")
"""Endings of files that TerraTorch reads without rioxarray."""
_GIVEN_AS = {
    **dict.fromkeys(("int8", "uint8", "int16", "uint16", "float32"), np.float32),
    **dict.fromkeys(("int32", "uint32", "int64", "uint64", "float64"), np.float64),
}
"""In what numbers a file's own are given, so that NaN can stand for no data: xarray's rule."""


def read_pixels(file: str) -> NDArray[np.floating[Any]] | None:
    """What ``rioxarray.open_rasterio(file, masked=True).to_numpy()`` gives, in an eighth of its time.

    The rest of it goes into coordinates, tags and a data array, of which a sample takes nothing.

    Args:
        file: An image or a mask.

    Returns:
        (bands, height, width), NaN where the file says that there are no data; None of a file whose bands rioxarray
        does not give as one array of real numbers.

    Raises:
        rasterio.errors.RasterioError: It is no image, or is damaged.
    """
    with rasterio.open(file) as image:
        kinds = set(image.dtypes)
        given_as = _GIVEN_AS.get(*kinds) if len(kinds) == 1 else None
        if given_as is None or image.subdatasets:
            return None
        pixels: NDArray[np.floating[Any]] = np.ma.filled(image.read(masked=True).astype(given_as), np.nan)
        return pixels


class PixelsAlone(GenericMultimodalDataset):
    """TerraTorch's dataset, whose images and masks are read by :func:`read_pixels`."""

    def _load_file(self, path: Any, nan_replace: float | None = None, modality: str | None = None) -> Any:
        """TerraTorch takes an array as it is, in the place of a path."""
        is_raster = isinstance(path, str) and not path.endswith(_READ_OTHERWISE)
        pixels = read_pixels(path) if is_raster else None
        return super()._load_file(path if pixels is None else pixels, nan_replace, modality)


def of_pixels_alone(kind: type[GenericMultimodalDataset]) -> type[GenericMultimodalDataset]:
    """One of TerraTorch's datasets for a task, with its files read by :func:`read_pixels`."""
    return type(kind.__name__, (PixelsAlone, kind), {})
