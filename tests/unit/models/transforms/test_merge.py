"""A model without adapters, low-bit layers and split projections predicts what the trial's did."""

import itertools

import pytest
import torch

from terrasweep.models.assemble import build_untransformed
from terrasweep.models.trained_weights import restore
from terrasweep.models.transforms.merge import merge
from tests.unit.models.trained import CLASSES, CPU, outputs

pytestmark = pytest.mark.usefixtures("products_in_32_bits")

LORA = ("tuning.rank=4", "tuning.targets=attention_mlp")


LOW_BIT = ["int8", "fp4", "nf4", "nf4_double"]
QUANTIZATIONS = ["none", *LOW_BIT]
TUNINGS = [
    ("tuning.targets=qv",),
    (*LORA, "tuning.use_rslora=true"),
    (*LORA, "tuning.use_dora=true"),
    ("tuning=frozen",),
]
STARTS = [
    ("tuning.targets=qv", "tuning.initialisation=pissa"),
    (*LORA, "tuning.initialisation=pissa", "tuning.use_dora=true"),
    (*LORA, "tuning.initialisation=eva"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("quantization", "tuning"),
    [
        *itertools.product(QUANTIZATIONS, TUNINGS),
        *itertools.product(("none", "int8", "nf4"), STARTS),
        *itertools.product(LOW_BIT, [(*LORA, "tuning.initialisation=loftq")]),
        ("nf4", (*LORA, "tuning.initialisation=loftq", "tuning.use_dora=true")),
        ("nf4", (*LORA, "tuning.initialisation=eva", "tuning.use_dora=true")),
    ],
)
def test_a_merged_model_predicts_what_its_parts_did(trained, tmp_path, quantization, tuning):
    config, _ = trained(f"quantization={quantization}", *tuning)
    model = restore(tmp_path, config, CPU)
    expected = outputs(model.module)
    adapter = tmp_path / "weights" / "adapter"
    base = build_and_fill(config, model)
    merge(model.module.encoder, adapter if adapter.is_dir() else None, model.touched.get("split", []))
    # Plain TerraTorch: the same names as a model that nothing was done to, in the same type.
    plain = {name: tensor.dtype for name, tensor in build_untransformed(config, CLASSES).state_dict().items()}
    assert {name: tensor.dtype for name, tensor in model.module.state_dict().items()} == plain
    # int8 layers also round what comes in.
    tolerance = 0.05 if quantization == "int8" else 1e-5
    assert relative(outputs(model.module), expected) < tolerance
    if adapter.is_dir():
        assert relative(base, expected) > 0.1, "the adapter matters"


@pytest.mark.slow
@pytest.mark.parametrize("quantization", ["none", "nf4"])
@pytest.mark.parametrize(
    "tuning",
    [("tuning.targets=qv",), (*LORA, "tuning.use_dora=true"), ("tuning=frozen", "tuning.unfreeze_last=2"), LORA],
)
def test_adapters_are_merged_into_rounded_weights_in_32_bits(trained, tmp_path, quantization, tuning):
    """In 16 bits a merged weight would lose what the adapter adds: 2e-3 of the outputs, and not 1e-6."""
    more = ("tuning.unfreeze_last=1",) if "tuning=frozen" not in tuning else ()
    config, _ = trained(f"quantization={quantization}", *tuning, "tuning.frozen_dtype=bf16", *more)
    model = restore(tmp_path, config, CPU)
    expected = outputs(model.module)
    adapter = tmp_path / "weights" / "adapter"
    merge(model.module.encoder, adapter if adapter.is_dir() else None, model.touched.get("split", []))
    plain = {name: tensor.dtype for name, tensor in build_untransformed(config, CLASSES).state_dict().items()}
    assert {name: tensor.dtype for name, tensor in model.module.state_dict().items()} == plain
    assert type(model.module.encoder.blocks[0].mlp.fc1) is torch.nn.Linear
    assert relative(outputs(model.module), expected) < 1e-5


def build_and_fill(config, model):
    """Outputs of the trial's model without its adapter."""
    for module in model.module.modules():
        if hasattr(module, "enable_adapters"):
            module.enable_adapters(False)
    without = outputs(model.module)
    for module in model.module.modules():
        if hasattr(module, "enable_adapters"):
            module.enable_adapters(True)
    return without


def relative(actual, expected):
    return float((actual - expected).norm() / expected.norm())
