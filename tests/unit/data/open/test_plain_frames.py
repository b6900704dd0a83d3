"""TerraTorch alone, told what an export says, reads what a trial reads; what it can't be told is refused."""

import importlib

import pytest
import torch

from terrasweep.data import stored
from terrasweep.data.open.folders import datamodule_arguments, open_data
from terrasweep.data.open.plain_frames import plain_frames, refuse_untold
from terrasweep.results.errors import InvalidConfig
from tests.unit.data.open.test_frames import ONE_DATE, PRITHVI, TL, prepared  # noqa: F401


def built(node):
    """What Lightning's command line makes of a class path."""
    module, _, name = node["class_path"].rpartition(".")
    return getattr(importlib.import_module(module), name)(**node["init_args"])


def read_plainly(config):
    from terratorch.datamodules import GenericMultiModalDataModule

    arguments = plain_frames(datamodule_arguments(config, 3, stored.read_listing(config)), config)
    arguments |= {
        key: [built(step) for step in steps] for key, steps in arguments.items() if key.endswith("_transform")
    }
    module = GenericMultiModalDataModule(**arguments)
    module.setup("fit")
    return module.aug(next(iter(module.val_dataloader())))


@pytest.mark.parametrize("resized", [(), ("data.resize_px=48",)])
@pytest.mark.parametrize("backbone", [PRITHVI, (*ONE_DATE, "data.frames_for_one_date=stack")])
def test_terratorch_reads_what_a_trial_reads(prepared, backbone, resized):  # noqa: F811
    config = prepared("band_major", *backbone, *resized)
    ours = open_data(config).validation_batch(torch.device("cpu"))
    plain = read_plainly(config)
    torch.testing.assert_close(plain["image"].float(), ours["image"], rtol=1e-4, atol=1e-4)
    assert torch.equal(plain["mask"].long(), ours["mask"].long())


def test_what_terratorch_can_not_do_is_refused(prepared):  # noqa: F811
    with pytest.raises(InvalidConfig, match=r"frames_for_one_date=mean: TerraTorch's .* can't average"):
        refuse_untold(prepared("files", *ONE_DATE, "data.frames_for_one_date=mean"))
    with pytest.raises(InvalidConfig, match=r"each sample's time and location, .*coords_encoding=\[\]"):
        refuse_untold(prepared("files", *TL))
    for fine in (PRITHVI, (*TL, "backbone.arguments.coords_encoding=[]")):
        refuse_untold(prepared("files", *fine))
