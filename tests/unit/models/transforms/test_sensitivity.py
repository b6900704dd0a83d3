"""Layers are ranked by what their quantization does to the output, and the model stays as it was."""

import pytest
import torch
from terratorch.models.model import ModelOutput
from torch import nn

from terrasweep.models.transforms.quantize import quantized
from terrasweep.models.transforms.sensitivity import rank_layers

pytestmark = pytest.mark.usefixtures("products_in_32_bits")


class Halves(nn.Module):
    """An encoder of two layers, each for one half of the image's bands, and a factor on the second one's output."""

    def __init__(self, factor=1.0):
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.ModuleDict({"first": nn.Linear(64, 64), "second": nn.Linear(64, 64)})
        self.factor = factor

    def forward(self, images):
        if isinstance(images, dict):
            images = torch.cat([images["first"], images["second"]], dim=1)
        first, second = images.chunk(2, dim=1)
        parts = [self.encoder["first"](first), self.factor * self.encoder["second"](second)]
        return ModelOutput(output=torch.cat(parts, dim=1))


IMAGES = torch.randn(8, 128, generator=torch.Generator().manual_seed(1))


def ranked(model, images=IMAGES, quantization="nf4"):
    return rank_layers(model, ["first", "second"], quantization, torch.float32, torch.device("cpu"), images)


@pytest.mark.parametrize("quantization", ["int8", "fp4", "nf4", "nf4_double"])
def test_the_error_is_that_of_the_output_with_this_layer_alone_in_low_bits(quantization):
    model = Halves(factor=3.0)
    with torch.no_grad():
        exact = model(IMAGES).output
        low = quantized(model.encoder["second"], quantization, torch.float32, torch.device("cpu"))
        changed = exact.clone()
        changed[:, 64:] = 3.0 * low(IMAGES[:, 64:])
    expected = ((changed - exact).norm() / exact.norm()).item()
    assert ranked(model, quantization=quantization)["second"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("factor", "order"), [(10.0, ["second", "first"]), (0.1, ["first", "second"])])
def test_the_layer_that_matters_most_comes_first(factor, order):
    assert list(ranked(Halves(factor))) == order


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_afterwards_what_it_was(training):
    model = Halves().train(training)
    layers = dict(model.encoder.items())
    with torch.no_grad():
        before = model(IMAGES).output
        ranked(model)
        assert torch.equal(model(IMAGES).output, before)
    assert dict(model.encoder.items()) == layers
    assert model.training is training


def test_modalities_are_ranked_as_one_image_of_their_bands():
    first, second = IMAGES.chunk(2, dim=1)
    assert ranked(Halves(), {"first": first, "second": second}) == ranked(Halves())
