"""What was requested is what was built: names, gradients, outputs, bytes."""

import pytest
import torch

from terrasweep.results.errors import InvalidConfig
from tests.unit.models.built import BACKBONES, CLASSES, built, images

pytestmark = pytest.mark.usefixtures("products_in_32_bits")

MODELS = [("segmentation", d) for d in ("unet", "upernet", "fcn", "linear")] + [("classification", "identity")]


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize(("task", "decoder"), MODELS)
def test_every_backbone_fits_every_decoder(backbone, task, decoder):
    model = built(f"backbone={backbone}", f"decoder={decoder}", f"task={task}")
    output = model.module(images()).output
    assert output.shape == ((2, CLASSES, 64, 64) if task == "segmentation" else (2, CLASSES))
    assert output.dtype == torch.float32
    assert torch.isfinite(output).all()


def test_a_transformation_that_touches_nothing_is_an_error():
    with pytest.raises(InvalidConfig, match=r"tuning\.targets=no_such_layer"):
        built("tuning.targets=[no_such_layer]")
    with pytest.raises(InvalidConfig, match="no linear layer to quantize"):
        built("quantization=nf4", "quantization.skip=[blocks]")


def test_unknown_names_are_refused_with_the_field():
    with pytest.raises(InvalidConfig, match=r"backbone\.name=nope"):
        built("backbone.name=nope")
