"""Synthetic crop-type mapping: real GeoTIFFs, drawn by a procedure, for the quickstart and the tests.

A tile is a mosaic of parcels, each grown with one crop. Crops differ a little in their spectrum and in the direction
and spacing of their rows; illumination, haze, vigour and soil moisture vary over the tile and move the spectra
further than the crops do, so a model has to learn what to ignore. The `target` domain sees the same crops through
another spectral response and with turned rows: what a backbone has learned on `source` must be corrected in several
directions at once, which is what makes the rank of a LoRA update matter.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.transform import from_origin

from terrasweep.machine.files import draft_folder

GENERATOR_VERSION = 1
"""Part of the folder's name: raise it whenever the same settings would give other pixels."""

SPLITS = ("train", "val", "test")
PIXEL_M = 30.0
PARCEL_PX = 20
"""Typical side of a parcel in pixels: somewhat more than a ViT's patch of 16."""

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.uint8]
Image = npt.NDArray[np.uint16]


@dataclass(frozen=True, kw_only=True)
class SyntheticScenes:
    """How many tiles of which domain. The same settings always give the same pixels."""

    domain: str
    """`target`, on which the quickstart tunes, or `source`, on which its backbone is trained beforehand."""
    seed: int = 0
    """At least 0."""
    tile_px: int = 64
    """Width and height of a tile in pixels of 30 m, at least 32."""
    train: int = 256
    """Number of tiles, as are `val` and `test`: 0, or at least one for each crop."""
    val: int = 96
    test: int = 96

    BANDS: ClassVar[tuple[str, ...]] = ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")
    CLASSES: ClassVar[tuple[str, ...]] = ("fallow", "grassland", "maize", "rapeseed", "soybean", "wheat")
    """Alphabetical, so that the scene folders sort into the order of the mask's values."""
    MEANS: ClassVar[dict[str, tuple[float, ...]]] = {
        "source": (930.0, 1125.0, 1305.0, 2845.0, 2165.0, 1630.0),
        "target": (900.0, 1120.0, 1330.0, 2845.0, 2205.0, 1705.0),
    }
    """Per domain and band, reflectance x 10000, over many training tiles of 64 px."""
    STDS: ClassVar[dict[str, tuple[float, ...]]] = {
        "source": (395.0, 300.0, 445.0, 1255.0, 825.0, 800.0),
        "target": (385.0, 265.0, 530.0, 1065.0, 1010.0, 760.0),
    }

    def __post_init__(self) -> None:
        if self.domain not in self.MEANS:
            raise ValueError(f"domain={self.domain!r}: must be one of {', '.join(self.MEANS)}")
        if self.tile_px < 32:
            raise ValueError(f"tile_px={self.tile_px}: a tile has room for its parcels from 32 px on; use 32 or more")
        for split in SPLITS:
            if 0 != (count := self.count(split)) < len(self.CLASSES):
                raise ValueError(f"{split}={count}: must be 0, or at least {len(self.CLASSES)}, one tile per crop")

    def count(self, split: str) -> int:
        """Number of tiles in a split."""
        return {"train": self.train, "val": self.val, "test": self.test}[split]


BASE_REFLECTANCE = np.array([900.0, 1100.0, 1300.0, 2800.0, 2300.0, 1700.0])
"""Of a mean field, x 10000, in the order of BANDS. Everything below is in units of BAND_SCALE around it."""
BAND_SCALE = np.array([85.0, 100.0, 140.0, 280.0, 210.0, 180.0])
# One row per crop, nearly orthogonal: no band alone tells two crops apart.
CROP_SPECTRA = 0.8 * np.array(
    [
        [-0.23, -0.80, 0.63, -1.24, -1.12, -1.45],
        [0.36, -0.76, 0.81, 2.00, -0.43, -0.67],
        [0.49, -0.01, -2.14, 0.36, -0.61, -0.83],
        [0.52, 0.08, 0.11, -0.04, -1.91, 1.43],
        [1.81, 1.36, 0.60, -0.25, 0.11, -0.65],
        [-1.42, 1.71, 0.16, 0.50, -0.71, -0.53],
    ]
)
# What varies over a tile and says nothing about its crops: illumination, haze, vigour, soil moisture.
DISTURBANCES = np.array(
    [
        [1.50, 1.50, 1.50, 1.50, 1.50, 1.50],
        [3.21, 1.60, 0.80, 0.00, 0.00, 0.00],
        [-0.45, 0.30, -1.52, 3.03, -0.76, -1.06],
        [0.00, 0.00, 0.36, 0.55, 2.37, 2.73],
    ]
)
ROW_SPECTRUM = 0.8 * np.array([0.5, 0.6, 1.0, -1.2, 0.8, 1.0])
"""Soil between the rows against the plants in them."""
SENSOR_NOISE = 0.5
# A rotation by 52 and 30 degrees in two planes, rounded: it differs from the source's in four directions, not in one.
SPECTRAL_RESPONSE = {
    "source": np.eye(6),
    "target": np.array(
        [
            [0.93, 0.05, -0.16, 0.18, -0.18, 0.20],
            [-0.09, 0.93, 0.01, 0.17, 0.21, 0.22],
            [0.02, -0.21, 0.70, 0.62, 0.22, 0.17],
            [-0.31, -0.14, -0.59, 0.66, -0.24, 0.21],
            [0.15, -0.13, -0.36, 0.11, 0.87, -0.26],
            [-0.07, -0.21, -0.07, -0.33, 0.25, 0.88],
        ]
    ),
}
ROW_TURN_RAD = {"source": 0.0, "target": 0.5}
CRS = {"source": "EPSG:32615", "target": "EPSG:32633"}


def synthetic_folder(folder: Path, scenes: SyntheticScenes) -> Path:
    """Returns where the tiles lie below `folder`. It exists only when they are complete."""
    settings = json.dumps({"version": GENERATOR_VERSION, **asdict(scenes)}, sort_keys=True)
    return folder / f"{scenes.domain}-{hashlib.sha256(settings.encode()).hexdigest()[:12]}"


def write_synthetic(folder: Path, scenes: SyntheticScenes) -> Path:
    """Writes the tiles below `folder`, all or nothing, unless they are there already.

    Returns:
        The folder of `synthetic_folder`: `<split>/images/NAME.tif` (uint16, reflectance x 10000, six bands),
        `<split>/masks/NAME.tif` (uint8, an index into CLASSES), and for classification
        `scenes/<split>/<crop>/NAME.tif`, hard links to the images, where the crop is the one of the largest area.
    """
    complete = synthetic_folder(folder, scenes)
    if complete.exists():
        return complete
    # Another process may be faster, with the same pixels.
    with draft_folder(complete, keep_existing=True) as draft:
        for split in SPLITS:
            _write_split(draft, split, scenes)
    return complete


def draw_tile(scenes: SyntheticScenes, split: str, index: int) -> tuple[Image, Mask]:
    """Draws one tile, which does not depend on how many others there are.

    Returns:
        The image, shape (6, tile_px, tile_px), reflectance x 10000, and the mask, shape (tile_px, tile_px).
    """
    domain = sorted(scenes.MEANS).index(scenes.domain)
    rng = np.random.default_rng([scenes.seed, domain, SPLITS.index(split), index])
    mask = _draw_crops(rng, scenes.tile_px, dominant=index % len(scenes.CLASSES))
    return _draw_reflectance(rng, mask, scenes.domain), mask


def _write_split(draft: Path, split: str, scenes: SyntheticScenes) -> None:
    images, masks = draft / split / "images", draft / split / "masks"
    images.mkdir(parents=True)
    masks.mkdir()
    for index in range(scenes.count(split)):
        image, mask = draw_tile(scenes, split, index)
        name = f"{split}_{index:05d}.tif"
        tile_m = scenes.tile_px * PIXEL_M
        north_west = (300_000 + index % 16 * tile_m, 5_500_000 - (index // 16 + 100 * SPLITS.index(split)) * tile_m)
        _write_geotiff(images / name, image, CRS[scenes.domain], north_west)
        _write_geotiff(masks / name, mask[None], CRS[scenes.domain], north_west)
        scene = draft / "scenes" / split / scenes.CLASSES[np.bincount(mask.ravel()).argmax()]
        scene.mkdir(parents=True, exist_ok=True)
        os.link(images / name, scene / name)


def _write_geotiff(path: Path, pixels: Image | Mask, crs: str, north_west: tuple[float, float]) -> None:
    count, height, width = pixels.shape
    # Interleaved by pixel: TerraTorch's classification data set reads with tifffile and wants the bands last.
    shape = {"count": count, "height": height, "width": width, "dtype": pixels.dtype, "interleave": "pixel"}
    transform = from_origin(*north_west, PIXEL_M, PIXEL_M)
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, **shape) as tile:
        tile.write(pixels)


def _draw_crops(rng: np.random.Generator, tile_px: int, dominant: int) -> Mask:
    """A mosaic of parcels around jittered centres, in which the dominant crop has the largest area."""
    per_side = round(tile_px / PARCEL_PX)
    corners = np.indices((per_side, per_side)).reshape(2, -1).T
    centres = (corners + rng.uniform(0.1, 0.9, corners.shape)) * tile_px / per_side
    pixels = np.indices((tile_px, tile_px)).transpose(1, 2, 0)[:, :, None]
    parcel = ((pixels - centres) ** 2).sum(axis=-1).argmin(axis=-1)
    crop_of = rng.integers(len(CROP_SPECTRA), size=len(centres))
    for convert in rng.permutation(len(centres)):
        if np.bincount(crop_of[parcel].ravel()).argmax() == dominant:
            break
        crop_of[convert] = dominant
    mask: Mask = crop_of[parcel].astype(np.uint8)
    return mask


def _draw_reflectance(rng: np.random.Generator, mask: Mask, domain: str) -> Image:
    spectra = CROP_SPECTRA[mask] + _draw_rows(rng, mask, ROW_TURN_RAD[domain])[..., None] * ROW_SPECTRUM
    for disturbance in DISTURBANCES:
        spectra = spectra + _draw_smooth(rng, len(mask))[..., None] * disturbance
    spectra = spectra @ SPECTRAL_RESPONSE[domain] + SENSOR_NOISE * rng.standard_normal(spectra.shape)
    reflectance = (BASE_REFLECTANCE + BAND_SCALE * spectra).clip(1, 10_000)
    return np.ascontiguousarray(reflectance.round().astype(np.uint16).transpose(2, 0, 1))


def _draw_rows(rng: np.random.Generator, mask: Mask, turn_rad: float) -> Floats:
    """Waves in [-1, 1]: each crop has its own direction and spacing, each tile its own phase."""
    south, east = np.indices(mask.shape)
    waves = []
    for crop in range(len(CROP_SPECTRA)):
        direction, spacing_px = turn_rad + crop // 2 * np.pi / 3, (5, 8)[crop % 2]
        across = east * np.cos(direction) + south * np.sin(direction)
        waves.append(np.cos(2 * np.pi * across / spacing_px + rng.uniform(0, 2 * np.pi)))
    rows: Floats = np.choose(mask, waves)
    return rows


def _draw_smooth(rng: np.random.Generator, tile_px: int) -> Floats:
    """A field around a level of its own, with three long waves: level and waves have a standard deviation near 1."""
    south, east = np.indices((tile_px, tile_px)) / 64
    field = np.full((tile_px, tile_px), rng.normal())
    for _ in range(3):
        waves_east, waves_south = rng.normal(0, 3, size=2)
        phase = rng.uniform(0, 2 * np.pi)
        field += 0.7 * rng.normal() * np.cos(waves_east * east + waves_south * south + phase)
    return field
