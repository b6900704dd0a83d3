"""Look at a folder of files as ``terrasweep check`` does, and at the pixels that a trial would read of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import rasterio

from terrasweep.config.schema import TrialConfig
from terrasweep.data import files_state, stored
from terrasweep.data.find.sample_list import MASK, Listing
from terrasweep.data.inspect.checks import Finding, find_problems
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.data.prepare import prepare_data
from tests.composing import compose_trial

SAMPLES = {"train": ("a", "b", "c", "d"), "val": ("e", "f")}


@dataclass(frozen=True)
class Look:
    """What is said about the files, and what is read of them."""

    findings: list[Finding]
    listing: Listing
    config: TrialConfig
    """As a trial gets it."""

    def lines(self, rule: str) -> list[str]:
        """The lines of a check."""
        return [finding.line for finding in self.findings if finding.rule == rule]

    @property
    def rules(self) -> set[str]:
        """Names of the checks that found something."""
        return {finding.rule for finding in self.findings}

    def pixels(self, name: str, kind: str = IMAGE) -> np.ndarray:
        """(bands, height, width), masked where there is no data."""
        split = next(split for split, names in SAMPLES.items() if name in names)
        with rasterio.open(self.listing.file(split, name, kind)) as image:
            return image.read(masked=True)

    @property
    def viewed(self) -> set[str]:
        """Kinds that are not read as they lie."""
        return {kind for kind, suffix in self.listing.suffixes.items() if suffix == ".vrt"}


def places(root: Path, kind: str = "images", ending: str = ".tif") -> dict[str, Path]:
    """Where each sample's file belongs."""
    return {n: root / split / kind / f"{n}{ending}" for split, names in SAMPLES.items() for n in names}


@cache
def _composed(*overrides: str) -> TrialConfig:
    return compose_trial("data=segmentation_folder", "data.root=here", "train.batch_size=2", *overrides)


def look_at(root: Path, *overrides: str) -> Look:
    """List, understand and judge a folder of images and masks."""
    files_state.state_below.cache_clear()
    composed = _composed(*overrides)
    config = stored.located(replace(composed, data=replace(composed.data, root=str(root))))
    prepare_data(config)
    findings = find_problems(stored.read_survey(config), config)
    return Look(findings, stored.read_listing(config), stored.complete(config))


__all__ = ["IMAGE", "MASK", "SAMPLES", "Look", "look_at", "places"]
