"""Configurations of backbones and data, as far as both bear on each other."""

from terrasweep.config.data import DataConfig, ModalityConfig
from terrasweep.config.schema import BackboneConfig, TrialConfig

RGB = ["RED", "GREEN", "BLUE"]
MODALITIES = {
    "S2L2A": ModalityConfig(folder="s2", bands=RGB),
    "S1GRD": ModalityConfig(folder="s1", bands=["VV", "VH"]),
}


def config(name, data=None, **backbone):
    data = data or DataConfig(name="x", bands=RGB, tile_px=64)
    return TrialConfig(backbone=BackboneConfig(name=name, **backbone), data=data)


def several(**backbone):
    return config(data=DataConfig(name="x", modalities=MODALITIES, tile_px=64), **backbone)


def of_dates(name, frames=3, **data):
    way = data.pop("frames_for_one_date", "refuse")
    return config(name, DataConfig(name="x", bands=RGB, tile_px=64, frames=frames, frames_for_one_date=way), **data)
