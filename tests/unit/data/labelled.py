"""Folders of images with labels as people have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio

from terrasweep.data import files_state, stored
from terrasweep.data.find.sample_list import MASK
from terrasweep.data.inspect.checks import Finding, find_problems
from terrasweep.data.prepare import prepare_data
from tests.composing import compose_trial
from tests.unit.data.rasters import noise, write_raster

TILES = {"train": range(4), "val": range(4, 6)}


def roads(seed: int, px: int = 32) -> np.ndarray:
    """Where roads are: bool (px, px)."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:px, :px]
    lines = [(random.uniform(-1, 1), random.uniform(0, px)) for _ in range(3)]
    return np.any([np.abs(columns - slope * rows - start) < 3 for slope, start in lines], axis=0)


def road_mask(seed: int, px: int = 32) -> np.ndarray:
    """Roads as grey levels from 0 to 255, blurred as resampling does: uint8 (1, px, px)."""
    sharp = np.pad(roads(seed, px) * 255.0, 1, mode="edge")
    weights = {-1: 1, 0: 2, 1: 1}
    sums = sum(
        a * b * sharp[1 + row : px + 1 + row, 1 + column : px + 1 + column]
        for row, a in weights.items()
        for column, b in weights.items()
    )
    spoilt = sums / 16 + np.random.default_rng(seed).integers(-3, 4, (px, px))
    return np.clip(spoilt, 0, 255).round().astype(np.uint8)[None]


def write_tiles(root: Path, mask: Callable[[int], np.ndarray] | None, ending: str = ".png", **profile: object) -> Path:
    """Four training and two validation tiles side by side, of 32 px, each with the mask that its number gives."""
    for split, tiles in TILES.items():
        for tile in tiles:
            write_raster(root / split / "images" / f"{tile}.tif", noise(tile), place=(0, tile))
            if mask is not None:
                place = (0, tile) if ending == ".tif" else None
                write_raster(root / split / "masks" / f"{tile}{ending}", mask(tile), place=place, **profile)
    return root


def looked_at(root: Path, *overrides: str) -> list[Finding]:
    """What is found about a folder of tiles."""
    files_state.state_below.cache_clear()
    config = compose_trial("data=segmentation_folder", f"data.root={root}", "train.batch_size=4", *overrides)
    prepare_data(config)
    return find_problems(stored.read_survey(config), config)


def lines(findings: list[Finding], level: str) -> list[str]:
    """The lines of a level."""
    return [finding.line for finding in findings if finding.level == level]


def masks_read(root: Path, *overrides: str) -> dict[int, np.ndarray]:
    """Each tile's mask as a trial reads it, with -1 where it says that there is none."""
    config = compose_trial("data=segmentation_folder", f"data.root={root}", *overrides)
    listing, found = stored.read_listing(config), {}
    for split, names in listing.names.items():
        for name in names:
            with rasterio.open(listing.file(split, name, MASK)) as file:
                found[int(name)] = file.read(1, masked=True).astype(int).filled(-1)
    return found
