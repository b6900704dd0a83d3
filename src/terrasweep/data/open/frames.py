"""Dates of samples as tensors: apart, averaged or side by side, and what goes with them into a backbone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from terrasweep.config.data import DataConfig
from terrasweep.config.input_frames import LOCATION, TIME, is_averaged, is_stacked
from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.coordinates import given_coordinates
from terrasweep.data.find.sample_list import Listing
from terrasweep.data.inspect.survey import IMAGE

Sample = dict[str, Any]
KEYS = {TIME: "temporal_coords", LOCATION: "location_coords"}
"""Under which key of a batch TerraTorch's models are told when, (B, T, 2), and where, (B, 2)."""


def with_frames(image: Any, data: DataConfig) -> Any:
    """An image, or a dict of them by modality, with its dates on an axis of their own.

    Args:
        image: (..., T x C, H, W), the bands of the first date first, as views give them.
        data: Says how many dates there are.

    Returns:
        (..., C, T, H, W); as it was where there is one date.
    """
    if isinstance(image, Mapping):
        return {name: _apart(pixels, data, name) for name, pixels in image.items()}
    return _apart(image, data, IMAGE)


def _apart(image: Any, data: DataConfig, modality: str) -> Any:
    frames, bands = data.frames_of(modality), image.shape[-3]
    if frames == 1:
        return image
    shape = (*image.shape[:-3], frames, bands // frames, *image.shape[-2:])
    return image.reshape(shape).swapaxes(-4, -3)


def combined(image: Any, config: TrialConfig) -> Any:
    """An image, or a dict of them, as the backbone takes it: dates averaged or side by side where it takes one.

    Args:
        image: Normalized (B, C, T, H, W), or (B, C, H, W) of one date.
        config: Says which backbone, and what it gets of several dates.
    """
    if isinstance(image, Mapping):
        return {name: combined(pixels, config) for name, pixels in image.items()}
    if image.ndim == 5 and is_averaged(config):
        return image.mean(dim=2)
    if image.ndim == 5 and is_stacked(config):
        return image.transpose(1, 2).flatten(1, 2)
    return image


class WithCoordinates(Dataset[Sample]):
    """The samples of a dataset with when and where they are."""

    def __init__(self, dataset: Dataset[Sample], coordinates: list[dict[str, Tensor]]) -> None:
        self._dataset, self._coordinates = dataset, coordinates

    def __len__(self) -> int:
        return len(self._coordinates)

    def __getitem__(self, index: int) -> Sample:
        return self._dataset[index] | self._coordinates[index]


def with_coordinates(dataset: Dataset[Sample], split: str, listing: Listing, config: TrialConfig) -> Dataset[Sample]:
    """A split's samples with what the backbone takes of their coordinates; as they are where it takes none."""
    kinds = given_coordinates(listing, config)
    if not kinds:
        return dataset
    known = listing.coordinates[split]
    rows = [{KEYS[kind]: torch.tensor(known[name][kind]) for kind in kinds} for name in listing.names[split]]
    return WithCoordinates(dataset, rows)
