"""Which layers become low-bit ones: those that are known, all but the skipped, or all but the most sensitive."""

from dataclasses import replace

import bitsandbytes as bnb
import pytest
import torch
from terratorch.models.model import ModelOutput
from torch import nn

from terrasweep.config.knobs.quantization import LOW_BIT, QuantizationConfig
from terrasweep.models.backbones.registry import shapes_alone
from terrasweep.models.transforms.dora_weights import unpacked_by_shape
from terrasweep.models.transforms.quantization import DTYPES, apply_quantization
from terrasweep.models.transforms.sensitivity import rank_layers
from terrasweep.models.transforms.unfinished_model import UnfinishedModel
from terrasweep.results.errors import InvalidConfig
from tests.composing import ROOT, compose_trial
from tests.unit.models.built import CPU

pytestmark = pytest.mark.usefixtures("products_in_32_bits")

NAMES = ["a", "b", "c"]
FACTORS = {"a": 1.0, "b": 20.0, "c": 5.0}
"""Of each layer's part of the output, so that b suffers most, then c."""
IMAGES = torch.randn(4, 64, generator=torch.Generator().manual_seed(1))


class Parts(nn.Module):
    """An encoder of three layers, each with a part of the output."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.ModuleDict({name: nn.Linear(64, 64) for name in NAMES})
        self.decoder = nn.Linear(64, 64)

    def forward(self, images):
        parts = [factor * self.encoder[name](images) for name, factor in FACTORS.items()]
        return ModelOutput(output=torch.cat(parts, dim=1))


def applied(*, precision="fp32", images=IMAGES, quantized=None, **quantization):
    settings = QuantizationConfig(**{"name": "nf4"} | quantization)
    config = replace(compose_trial(f"precision={precision}"), quantization=settings)
    unfinished = UnfinishedModel(model=Parts(), config=config, device=CPU, images=images, quantized=quantized)
    return unfinished, apply_quantization(settings, unfinished)


def low_bit(unfinished):
    encoder = unfinished.model.encoder
    return [name for name in NAMES if isinstance(encoder[name], bnb.nn.Linear4bit | bnb.nn.Linear8bitLt)]


@pytest.mark.parametrize("name", LOW_BIT)
def test_every_layer_of_the_backbone_and_none_of_the_decoder(name):
    unfinished, touched = applied(name=name)
    assert touched == {"quantized": low_bit(unfinished)} == {"quantized": NAMES}
    assert type(unfinished.model.decoder) is nn.Linear
    assert unfinished.sensitivity == {}


def test_a_layer_to_skip_stays():
    unfinished, touched = applied(skip=["b"])
    assert touched["quantized"] == low_bit(unfinished) == ["a", "c"]


@pytest.mark.parametrize(("count", "left"), [(1, ["a", "c"]), (2, ["a"])])
def test_the_most_sensitive_layers_stay_and_the_ranking_is_kept(count, left):
    unfinished, touched = applied(skip="auto", skip_count=count)
    assert touched["quantized"] == low_bit(unfinished) == left
    assert unfinished.sensitivity == rank_layers(Parts(), NAMES, "nf4", torch.float32, CPU, IMAGES)
    assert list(unfinished.sensitivity) == ["b", "c", "a"]


def test_on_paper_the_largest_layers_stay():
    """Nothing can be measured there, and of all choices this one needs most."""
    encoder = nn.ModuleDict({name: nn.Linear(64, width) for name, width in (("a", 64), ("b", 256), ("c", 128))})
    settings = QuantizationConfig(name="nf4", skip="auto", skip_count=2)
    model = nn.ModuleDict({"encoder": encoder}).to("meta")
    config = replace(compose_trial(), quantization=settings)
    unfinished = UnfinishedModel(model=model, config=config, device=torch.device("meta"))
    with unpacked_by_shape(), shapes_alone():
        assert apply_quantization(settings, unfinished) == {"quantized": ["a"]}
    assert unfinished.sensitivity == {}


@pytest.mark.parametrize("count", [3, 4])
def test_a_count_that_leaves_none_is_refused_and_nothing_is_ranked(count):
    with pytest.raises(InvalidConfig, match=rf"^quantization\.skip_count={count}: the backbone has 3 .*; use fewer$"):
        applied(skip="auto", skip_count=count)


@pytest.mark.parametrize("skip", [[], ["a"], "auto"])
def test_layers_that_are_known_are_taken_as_they_are_and_not_ranked_again(skip):
    unfinished, touched = applied(skip=skip, skip_count=1, quantized=["a", "b"], images=None)
    assert touched["quantized"] == low_bit(unfinished) == ["a", "b"]
    assert unfinished.sensitivity == {}


@pytest.mark.parametrize(
    ("precision", "compute_dtype", "expected"),
    [
        ("fp32", "auto", torch.float32),
        ("bf16", "auto", torch.bfloat16),
        ("fp16", "auto", torch.float16),
        ("fp32", "bf16", torch.bfloat16),
        ("bf16", "fp32", torch.float32),
    ],
)
def test_four_bit_weights_are_unpacked_to_what_the_trial_computes_in_unless_told(precision, compute_dtype, expected):
    unfinished, _ = applied(precision=precision, compute_dtype=compute_dtype)
    assert {unfinished.model.encoder[name].compute_dtype for name in NAMES} == {expected}


def test_each_shipped_precision_has_its_type():
    options = (ROOT / "src" / "terrasweep" / "conf" / "precision").glob("*.yaml")
    assert {file.stem for file in options} == set(DTYPES)
