"""What goes into a backbone is named as the backbone does it, in order."""

from terrasweep.config.data import DataConfig, ModalityConfig
from terrasweep.config.input_bands import input_bands, input_modalities
from terrasweep.config.schema import BackboneConfig, TrialConfig


def config(backbone=(), data=(), **modalities):
    named = {name: ModalityConfig(folder="x", bands=bands) for name, bands in modalities.items()}
    return TrialConfig(
        backbone=BackboneConfig(name="x", bands=list(backbone)),
        data=DataConfig(name="x", bands=list(data), modalities=named),
    )


def test_the_backbone_s_names_go_before_those_of_the_data():
    assert input_bands(config(["RED"], ["B04"])) == ["RED"]
    assert input_bands(config([], ["B04"])) == ["B04"]


def test_numbers_are_called_as_files_without_names_call_them():
    assert input_bands(config([], ["4", "12"])) == ["B4", "B12"]
    assert input_bands(config(["RED", "NIR"], ["4", "12"])) == ["RED", "NIR"]
    assert input_modalities(config(S2=["4"], S1=["VV"])) == {"S2": ["B4"], "S1": ["VV"]}


def test_modalities_keep_their_order_and_a_single_image_has_none():
    assert list(input_modalities(config(S2=["RED", "NIR"], DEM=["z"], S1=["VV"])).items()) == [
        *(("S2", ["RED", "NIR"]), ("DEM", ["z"]), ("S1", ["VV"])),
    ]
    assert input_modalities(config(["RED"])) == {}
