"""TerraTorch alone, told what an export says, reads what a trial reads; what it can't be told is refused."""

import importlib

import numpy as np
import pytest
import torch

from terrasweep.config.input_frames import is_averaged
from terrasweep.data import stored
from terrasweep.data.open.exported_datamodule import (
    augmentation_left_out,
    check_exportable_data,
    exported_arguments,
    refuse_dates_apart,
)
from terrasweep.data.open.folders import datamodule_arguments, open_data
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial
from tests.unit.data.open.test_frames import ONE_DATE, PRITHVI, TL, prepared  # noqa: F401 - a fixture


def built(node):
    """What Lightning's command line makes of a class path."""
    module, _, name = node["class_path"].rpartition(".")
    return getattr(importlib.import_module(module), name)(**node["init_args"])


def plain_module(config):
    from terratorch.datamodules import GenericMultiModalDataModule

    arguments = exported_arguments(datamodule_arguments(config, 3, stored.read_listing(config)), config)
    arguments |= {
        key: [built(step) for step in steps] for key, steps in arguments.items() if key.endswith("_transform")
    }
    module = GenericMultiModalDataModule(**arguments)
    module.setup("fit")
    return module


def read_plainly(config):
    module = plain_module(config)
    return module.aug(next(iter(module.val_dataloader())))


@pytest.mark.parametrize("resized", [(), ("data.resize_px=48",)])
@pytest.mark.parametrize("backbone", [PRITHVI, (*ONE_DATE, "data.frames_for_one_date=stack")])
def test_terratorch_reads_what_a_trial_reads(prepared, backbone, resized):  # noqa: F811 - the fixture
    config = prepared("band_major", *backbone, *resized)
    ours = open_data(config).validation_batch(torch.device("cpu"))
    plain = read_plainly(config)
    torch.testing.assert_close(plain["image"].float(), ours["image"], rtol=1e-4, atol=1e-4)
    assert torch.equal(plain["mask"].long(), ours["mask"].long())


def symmetries_of(array):
    """The eight, by numpy: turned by 0 to 270 degrees, mirrored or not."""
    return {(k, m): np.rot90(array[..., ::-1] if m else array, k, (-2, -1)) for k in range(4) for m in (False, True)}


@pytest.mark.parametrize(("augment", "kinds"), [("none", 1), ("mirror", 2), ("flips", 4), ("d4", 8)])
@pytest.mark.parametrize("backbone", [PRITHVI, (*ONE_DATE, "data.frames_for_one_date=stack")])
def test_terratorch_trains_on_the_symmetries_that_a_trial_trains_on(prepared, augment, kinds, backbone):  # noqa: F811 - the fixture
    config = prepared("band_major", *backbone, f"augment={augment}", "data.resize_px=48")
    shown = plain_module(config).train_dataset
    as_it_is = plain_module(prepared("band_major", *backbone, "augment=none", "data.resize_px=48")).train_dataset[0]
    images, masks = (symmetries_of(np.asarray(as_it_is[key])) for key in ("image", "mask"))
    found = set()
    for _ in range(20 * kinds):  # Each is missed with a probability of 1e-8.
        sample = shown[0]
        (made,) = [key for key, image in images.items() if np.array_equal(image, np.asarray(sample["image"]))]
        assert np.array_equal(masks[made], np.asarray(sample["mask"]))
        found.add(made)
    assert len(found) == kinds
    assert {(0, True), (2, True)} <= found if augment == "flips" else True


def test_what_a_datamodule_of_others_would_not_train_on_is_said():
    given = ("data=datamodule", "data.datamodule=mine.Fields", "data.bands=[RED]")
    assert augmentation_left_out(compose_trial(*given)) is None
    assert augmentation_left_out(compose_trial("augment=d4")) is None
    line = augmentation_left_out(compose_trial(*given, "augment=flips"))
    assert line.startswith("augment=flips: mine.Fields has steps of its own, so that TerraTorch would train without it")
    assert line.endswith("add albumentations.HorizontalFlip and albumentations.VerticalFlip to it")


def test_what_terratorch_can_not_do_is_refused(prepared):  # noqa: F811 - the fixture
    with pytest.raises(InvalidConfig, match=r"frames_for_one_date=mean: TerraTorch's .* can't average"):
        check_exportable_data(prepared("files", *ONE_DATE, "data.frames_for_one_date=mean"))
    with pytest.raises(InvalidConfig, match=r"each sample's time and location, .*coords_encoding=\[\]"):
        check_exportable_data(prepared("files", *TL))
    for fine in (PRITHVI, (*TL, "backbone.arguments.coords_encoding=[]")):
        check_exportable_data(prepared("files", *fine))


OWN = ("data=datamodule", "data.datamodule=mine.Module", "data.num_classes=3", "data.frames=3")


def test_what_a_datamodule_of_ones_own_does_with_dates_is_not_asked():
    """Nothing lists its files, and it may average dates itself."""
    config = compose_trial(*OWN, *ONE_DATE, "data.frames_for_one_date=mean")
    assert is_averaged(config)
    check_exportable_data(config)
    refuse_dates_apart(config, torch.zeros(2, 6, 8, 8))


@pytest.mark.parametrize("way", ["mean", "stack"])
def test_dates_that_it_gives_apart_are_refused_where_a_trial_makes_one_image_of_them(way):
    config = compose_trial(*OWN, *ONE_DATE, f"data.frames_for_one_date={way}")
    for images in (torch.zeros(2, 6, 3, 8, 8), {"DEM": torch.zeros(2, 1, 8, 8), "S2L2A": torch.zeros(2, 6, 3, 8, 8)}):
        with pytest.raises(InvalidConfig, match=rf"one_date={way} with data.datamodule=mine.Module: it gives dates"):
            refuse_dates_apart(config, images)
        refuse_dates_apart(compose_trial(*OWN, *PRITHVI), images)
