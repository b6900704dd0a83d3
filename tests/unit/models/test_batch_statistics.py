"""Batches of one sample are refused for the models that can't train on them, and for no other."""

import pytest
import torch

from terrasweep.models.assemble import build_untransformed
from terrasweep.models.backbones.registry import on_paper
from terrasweep.models.batch_statistics import check_batch_of_one, describe_parts
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial

VIT = ("backbone=timm_vit_tiny_patch16_224",)
RESNET = ("backbone=any", "backbone.name=timm_resnet18")


def configured(*overrides, px=32):
    data = ("data=segmentation_folder", "data.root=/tiles", "data.bands=[RED,GREEN,BLUE]", f"data.tile_px={px}")
    return compose_trial(*data, "train.batch_size=1", "backbone.pretrained=false", *overrides)


def trains_on_one(config):
    """Whether torch itself trains the real model on one sample."""
    model, image = build_untransformed(config, 3).train(), torch.zeros(1, 3, config.data.tile_px, config.data.tile_px)
    model(torch.cat([image, image]))
    try:
        model(image)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("model", "px", "part"),
    [
        ((*VIT, "decoder=upernet"), 64, "decoder=UperNetDecoder"),
        ((*VIT, "decoder=unet"), 32, None),
        ((*VIT, "decoder=fcn"), 16, None),
        ((*VIT, "decoder=linear"), 16, None),
        ((*RESNET, "decoder=unet"), 32, "backbone=timm_resnet18"),
        ((*RESNET, "decoder=unet"), 64, None),
    ],
)
def test_what_torch_refuses_is_refused_on_paper_with_the_part_that_does_it(model, px, part):
    config = configured(*model, px=px)
    paper = on_paper(lambda: build_untransformed(config, 3))
    assert trains_on_one(config) is (part is None)
    if part is None:
        check_batch_of_one(config, paper)
        return
    with pytest.raises(InvalidConfig, match=f"train.batch_size=1 with {part}: .*; use train.batch_size=2 or more"):
        check_batch_of_one(config, paper)


def test_no_hook_is_left():
    config = configured(*VIT, "decoder=unet")
    paper = on_paper(lambda: build_untransformed(config, 3))
    check_batch_of_one(config, paper)
    assert not any(module._forward_pre_hooks for module in paper.modules())


def test_parts_of_one_sample_are_refused_as_batches_of_one_are():
    config = configured(*VIT, "decoder=upernet", "train.batch_size=4", "train.accumulate=4", px=64)
    assert config.train.smallest_part == 1
    said = r"train.batch_size=4 with train.accumulate=4 with decoder=.*; use train.batch_size=8 or more"
    with pytest.raises(InvalidConfig, match=said):
        check_batch_of_one(config, on_paper(lambda: build_untransformed(config, 3)))


@pytest.mark.parametrize(("decoder", "named"), [("upernet", "decoder."), ("linear", None)])
def test_statistics_of_parts_are_named(decoder, named):
    config = configured(*VIT, f"decoder={decoder}", "train.batch_size=4", "train.accumulate=2", px=64)
    line = describe_parts(config, on_paper(lambda: build_untransformed(config, 3)))
    assert (line is None) is (named is None)
    if named is not None:
        assert line.startswith(f"train.accumulate=2: batch normalization ({named}")
        whole = configured(*VIT, f"decoder={decoder}", "train.batch_size=4", px=64)
        assert describe_parts(whole, on_paper(lambda: build_untransformed(whole, 3))) is None
