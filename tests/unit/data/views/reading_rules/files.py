"""Data sets on the disk whose headers a test chooses, and what rules make of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.sample_list import Listing, find_samples
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.data.views.understand import understand
from tests.composing import compose_trial
from tests.unit.data.rasters import classes, noise, write_raster

Profile = Callable[[int], dict[str, Any]]
SEEDS = {"train": range(4), "val": range(4, 6)}


def plain(_: int) -> dict[str, Any]:
    """Nothing that a header says."""
    return {}


def write_set(
    root: Path,
    image: Callable[[int], np.ndarray] = noise,
    mask: Callable[[int], np.ndarray] = classes,
    *,
    images: Profile = plain,
    masks: Profile = plain,
) -> Path:
    """Images and masks of four training and two validation samples, with a profile for each."""
    for split, seeds in SEEDS.items():
        for seed in seeds:
            write_raster(root / split / "images" / f"{seed}.tif", image(seed), **images(seed))
            write_raster(root / split / "masks" / f"{seed}.tif", mask(seed), **masks(seed))
    return root


def configured(root: Path, *overrides: str) -> TrialConfig:
    """A configuration of a set."""
    return compose_trial("data=segmentation_folder", f"data.root={root}", *overrides)


def understood(root: Path, *overrides: str) -> Listing:
    """The listing of a set as it is to be read."""
    config = configured(root, *overrides)
    return understand(find_samples(config, root), config, root.parent / "kept")


def pixels_of(listing: Listing, split: str, name: str, kind: str = IMAGE) -> np.ma.MaskedArray:
    """What is read, masked where it is no data."""
    with rasterio.open(listing.file(split, name, kind)) as image:
        return image.read(masked=True)


def remarks_of(listing: Listing) -> list[tuple[str, str]]:
    """Level and line of each."""
    return [(remark["level"], remark["line"]) for remark in listing.remarks]
