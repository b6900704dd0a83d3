"""What is counted on paper equals what a built model and a stepped optimizer occupy, to the byte."""

import itertools

import pytest
import torch
from bitsandbytes.nn import Linear4bit, Linear8bitLt

from terrasweep.models.assemble import build_model
from terrasweep.models.transforms.quantize import logical_parameters, stored_bytes
from terrasweep.predict import count_states
from terrasweep.predict.count_states import count_built, count_planned, state_bytes
from terrasweep.predict.memory_needs import optimizer_bytes
from terrasweep.results.errors import InvalidConfig
from terrasweep.training.optimizers import build_optimizer
from tests.composing import compose_trial

CPU = torch.device("cpu")
BACKBONES = ["prithvi_eo_tiny", "timm_vit_tiny_patch16_224"]
TUNINGS = {
    "full": ["tuning=full"],
    "frozen": ["tuning=frozen"],
    "attention": ["tuning.rank=3", "tuning.targets=attention"],
    "mlp": ["tuning.rank=16", "tuning.targets=mlp"],
    "attention_mlp": ["tuning.rank=8"],
    "qv": ["tuning.rank=4", "tuning.targets=qv"],
    "dora": ["tuning.rank=4", "tuning.targets=attention_mlp", "tuning.use_dora=true"],
}
QUANTIZATIONS = ["none", "int8", "fp4", "nf4", "nf4_double"]
MODELS = [
    (backbone, tuning, quantization)
    for backbone, tuning, quantization in itertools.product(BACKBONES, TUNINGS, QUANTIZATIONS)
    if tuning != "full" or quantization == "none"
]


def composed(backbone, tuning, quantization="none", *more):
    return compose_trial(f"backbone={backbone}", *TUNINGS[tuning], f"quantization={quantization}", *more)


def occupied(tensors):
    """Bytes of tensors, each storage once."""
    return sum({t.untyped_storage().data_ptr(): t.numel() * t.element_size() for t in tensors}.values())


@pytest.mark.slow
@pytest.mark.parametrize(("backbone", "tuning", "quantization"), MODELS)
def test_bytes_on_paper_are_those_of_the_model(backbone, tuning, quantization):
    config = composed(backbone, tuning, quantization)
    planned, notes = count_planned(config)
    built = build_model(config, 6, CPU)
    assert planned.weight_bytes == stored_bytes(built.module)
    assert planned.trainable_parameters == built.trainable_parameters
    assert planned.total_parameters == logical_parameters(built.module)
    assert planned == count_built(built.module)
    assert (planned.quantized_bytes > 0) == (quantization != "none")
    assert notes == []


@pytest.mark.parametrize("start", ["pissa", "loftq", "eva"])
def test_where_adapters_start_changes_no_byte_and_the_plan_says_so(start):
    common = ("prithvi_eo_tiny", "dora", "nf4")
    config = composed(*common, f"tuning.initialisation={start}")
    planned, notes = count_planned(config)
    assert planned == count_planned(composed(*common))[0]
    assert planned == count_built(build_model(config, 6, CPU, torch.randn(2, 6, 64, 64)).module)
    assert notes == [f"tuning.initialisation={start}: adapters start elsewhere, and take the same bytes."]


@pytest.mark.parametrize("decoder", ["unet", "upernet"])
def test_decoders_with_buffers_are_counted(decoder):
    config = composed("prithvi_eo_tiny", "qv", "nf4", f"decoder={decoder}")
    planned, _ = count_planned(config)
    assert planned == count_built(build_model(config, 6, CPU).module)
    assert planned.buffer_bytes > count_planned(composed("prithvi_eo_tiny", "qv", "nf4"))[0].buffer_bytes


@pytest.mark.parametrize("optimizer", ["adamw", "adamw8bit", "paged_adamw8bit"])
@pytest.mark.parametrize(
    ("backbone", "tuning", "quantization"),
    [
        ("prithvi_eo_tiny", "full", "none"),
        ("prithvi_eo_tiny", "dora", "nf4"),
        ("prithvi_eo_tiny", "frozen", "int8"),
        ("timm_vit_tiny_patch16_224", "full", "none"),
        ("timm_vit_tiny_patch16_224", "qv", "int8"),
    ],
)
def test_gradients_and_optimizer_state_are_those_of_a_step(backbone, tuning, quantization, optimizer):
    config = composed(backbone, tuning, quantization, f"optimizer={optimizer}")
    model = build_model(config, 6, CPU).module
    expected = state_bytes(count_built(model), config.optimizer)
    stepped = build_optimizer(model.parameters(), config.optimizer, lr=1e-3)
    model(torch.randn(2, 6, 64, 64)).output.square().mean().backward()
    stepped.step()
    assert expected["gradient_bytes"] == occupied(p.grad for p in model.parameters() if p.grad is not None)
    kept = [value for state in stepped.state.values() for value in state.values() if isinstance(value, torch.Tensor)]
    assert expected["optimizer_bytes"] == occupied(kept)
    planned, _ = count_planned(config)
    assert expected["optimizer_bytes"] == optimizer_bytes(planned.trainable_sizes, config.optimizer)


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["tuning.unfreeze_last=1"]])
@pytest.mark.parametrize("quantization", ["none", "int8", "nf4_double"])
@pytest.mark.parametrize("tuning", ["frozen", "qv", "dora"])
@pytest.mark.parametrize("backbone", [*BACKBONES, "terramind_v1_tiny"])
def test_frozen_weights_in_16_bits_are_counted_to_the_byte(backbone, tuning, quantization, more):
    config = composed(backbone, tuning, quantization, "tuning.frozen_dtype=bf16", *more)
    planned, _ = count_planned(config)
    built = build_model(config, 6, CPU)
    assert planned == count_built(built.module)
    assert planned.weight_bytes == stored_bytes(built.module)
    in_32_bits = count_planned(composed(backbone, tuning, quantization, *more))[0]
    saved = in_32_bits.frozen_bytes - planned.frozen_bytes
    packed = (m for m in built.module.modules() if isinstance(m, Linear4bit | Linear8bitLt) and m.bias is not None)
    biases = 4 * sum(layer.bias.numel() for layer in packed)
    assert saved == (in_32_bits.frozen_bytes - biases) // 2 > 0, "half of all but the biases of quantized layers"
    assert in_32_bits.weight_bytes - planned.weight_bytes == saved, "nothing else changes"


@pytest.mark.parametrize("tuning", ["frozen", "attention_mlp"])
def test_blocks_that_learn_are_counted_as_such(tuning):
    counts = {
        n: count_planned(composed("prithvi_eo_tiny", tuning, "nf4", f"tuning.unfreeze_last={n}"))[0] for n in (0, 1, 2)
    }
    assert counts[0].total_parameters == counts[1].total_parameters + (
        0 if tuning == "frozen" else adapter_of_a_block()
    )
    block = 12 * 256 * 256 + 13 * 256  # Twelve squares of its width, their biases, and two norms.
    learnt = counts[2].trainable_parameters - counts[1].trainable_parameters
    assert learnt == block - (0 if tuning == "frozen" else adapter_of_a_block())
    assert counts[1].quantized_parameters - counts[2].quantized_parameters == 12 * 256 * 256
    assert counts[2] == count_built(
        build_model(composed("prithvi_eo_tiny", tuning, "nf4", "tuning.unfreeze_last=2"), 6, CPU).module
    )


def adapter_of_a_block(rank=8, width=256):
    """Of qkv, proj, fc1 and fc2: rank times the sum of both sides."""
    return rank * ((width + 3 * width) + 2 * width + 2 * (width + 4 * width))


def test_named_layers_stay_in_full_precision():
    config = composed("prithvi_eo_tiny", "qv", "nf4", "quantization.skip=[blocks.1,mlp.fc2]")
    assert count_planned(config)[0] == count_built(build_model(config, 6, CPU).module)


def test_layers_chosen_on_data_are_taken_as_the_largest():
    config = composed("prithvi_eo_tiny", "attention", "nf4", "quantization.skip=auto", "quantization.skip_count=3")
    planned, notes = count_planned(config)
    assert len(notes) == 1
    assert "skip=auto" in notes[0]
    everything, _ = count_planned(composed("prithvi_eo_tiny", "attention", "nf4"))
    assert planned.total_parameters == everything.total_parameters
    images = torch.randn(2, 6, 64, 64)
    assert planned.weight_bytes >= stored_bytes(build_model(config, 6, CPU, images).module)
    with pytest.raises(InvalidConfig, match=r"quantization\.skip_count=16: the backbone has 16"):
        count_planned(composed("prithvi_eo_tiny", "mlp", "nf4", "quantization.skip=auto", "quantization.skip_count=16"))


def test_what_a_trial_refuses_is_refused_on_paper():
    for overrides, told in (
        (["tuning.targets=[no_such_layer]"], r"tuning\.targets=no_such_layer"),
        (["backbone.name=nope"], r"backbone\.name=nope"),
        (["backbone=timm_vit_tiny_patch16_224", "+backbone.arguments.nonsense=1"], "TerraTorch refuses it.*nonsense"),
    ):
        with pytest.raises(InvalidConfig, match=told):
            count_planned(compose_trial(*overrides))


def test_planning_allocates_nothing(monkeypatch):
    """A model of a terabyte is counted; where a constructor reads values, a real one is built instead."""
    large = ["+backbone.arguments.embed_dim=16384", "+backbone.arguments.depth=90", "+backbone.arguments.num_heads=64"]
    assert count_planned(compose_trial("tuning=full", *large))[0].weight_bytes > 2**40
    config = composed("prithvi_eo_tiny", "qv")
    expected = count_planned(config)
    plain = count_states.build_untransformed

    def reads_values(*arguments):
        model = plain(*arguments)
        next(model.parameters()).sum().item()
        return model

    monkeypatch.setattr(count_states, "build_untransformed", reads_values)
    assert count_planned(config) == expected


def test_classes_come_from_the_data():
    heads = {
        classes: count_planned(compose_trial(*(f"data.num_classes={c}" for c in classes)))[0].trainable_parameters
        for classes in [(), (6,), (7,)]
    }
    assert heads[()] == heads[(6,)] < heads[(7,)]
