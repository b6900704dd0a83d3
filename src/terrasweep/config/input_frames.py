"""Which dates of a sample go into a backbone, and whether it is told when and where they are. Imports no torch."""

from __future__ import annotations

import re

from terrasweep.config.data import MEAN, STACK
from terrasweep.config.schema import TrialConfig

TIME, LOCATION = "time", "location"
"""TerraTorch's names of what Prithvi TL encodes, in ``coords_encoding``."""
_OF_SEVERAL_DATES = re.compile(r"(terratorch_)?prithvi_(?!swin_)")


def has_frames(config: TrialConfig) -> bool:
    """Whether a sample has several dates."""
    data = config.data
    return max([data.frames_of(name) for name in data.modalities] or [data.frames or 1]) > 1


def sees_each_date(config: TrialConfig) -> bool:
    """Whether TerraTorch's TemporalWrapper shows the backbone each date by itself, and pools the features."""
    return bool(config.backbone.arguments.get("use_temporal"))


def takes_frames(config: TrialConfig) -> bool:
    """Whether the backbone takes images (B, C, T, H, W)."""
    backbone = config.backbone
    several = bool(_OF_SEVERAL_DATES.match(backbone.name)) or "num_frames" in backbone.arguments
    return several or sees_each_date(config)


def input_frames(config: TrialConfig) -> int:
    """T of the images (B, C, T, H, W) that reach the backbone; 1 where they are (B, C, H, W)."""
    return (config.data.frames or 1) if takes_frames(config) else 1


def is_averaged(config: TrialConfig) -> bool:
    """Whether the backbone gets the mean over the dates."""
    return has_frames(config) and not takes_frames(config) and config.data.frames_for_one_date == MEAN


def is_stacked(config: TrialConfig) -> bool:
    """Whether the backbone gets the bands of all dates as one image's, those of the first date first."""
    return has_frames(config) and not takes_frames(config) and config.data.frames_for_one_date == STACK


def input_coordinates(config: TrialConfig) -> tuple[str, ...]:
    """What the backbone is told of each sample where it is known: ``time``, ``location``, both or nothing."""
    name, arguments = config.backbone.name, config.backbone.arguments
    if config.data.frames is None or not _OF_SEVERAL_DATES.match(name) or sees_each_date(config):
        return ()
    taken = arguments.get("coords_encoding", [TIME, LOCATION] if name.endswith("_tl") else [])
    return tuple(kind for kind in (TIME, LOCATION) if kind in taken)
