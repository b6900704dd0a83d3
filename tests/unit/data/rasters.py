"""Rasters that tests write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from PIL import Image, TiffImagePlugin, TiffTags
from rasterio.transform import from_origin

GDAL_NODATA = 42113
"""GDAL's tag of TIFFs."""
NORTH_WEST = (300_000.0, 5_000_000.0)


def write_raster(path: Path, pixels: np.ndarray, *, place: tuple[int, int] | None = (0, 0), **profile: object) -> Path:
    """Write pixels (bands, height, width); `place` is the row and column of the tile in a mosaic of such tiles."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = pixels.shape
    shape = {"count": count, "height": height, "width": width, "dtype": pixels.dtype}
    driver = {".png": "PNG", ".jpg": "JPEG"}.get(path.suffix, "GTiff")
    if place is not None and driver == "GTiff":
        west, north = NORTH_WEST[0] + place[1] * width * 10, NORTH_WEST[1] - place[0] * height * 10
        profile = {"crs": "EPSG:32633", "transform": from_origin(west, north, 10, 10), **profile}
    with rasterio.open(path, "w", driver=driver, **shape, **profile) as file:
        file.write(pixels)
    return path


def write_declaring(path: Path, pixels: np.ndarray, no_data: str) -> Path:
    """Write one band of whole numbers (height, width) as a TIFF that declares any text to be no data, as GDAL reads it.

    rasterio refuses to write what the number type can't hold; other tools do it.
    """
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[GDAL_NODATA] = no_data
    tags.tagtype[GDAL_NODATA] = TiffTags.ASCII
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, tiffinfo=tags)
    return path


def noise(seed: int, bands: int = 2, px: int = 32) -> np.ndarray:
    """Float32 (bands, px, px), differing between seeds."""
    return np.random.default_rng(seed).normal(100, 10, (bands, px, px)).astype(np.float32)


def classes(seed: int, number: int = 3, px: int = 32) -> np.ndarray:
    """Uint8 (1, px, px) of class numbers, each of which occurs."""
    return np.random.default_rng(seed).permutation(np.arange(px * px) % number).reshape(1, px, px).astype(np.uint8)


def write_no_images(root: Path) -> Path:
    """The folder ``tiles`` of a segmentation below a root, whose files are no images: for what opens none."""
    for name in ("train/images/0.tif", "train/masks/0.tif", "val/images/1.tif", "val/masks/1.tif"):
        file = root / "tiles" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return root / "tiles"
