"""PiSSA divides a weight and LoftQ gives back what quantization took, whatever the adapter's scaling is."""

import numpy as np
import pytest
import torch
from peft.tuners.lora import LoraLayer

from terrasweep.models.assemble import build_model, build_untransformed
from terrasweep.models.transforms import starting_points
from terrasweep.models.transforms.adapters import lora_config, split_fused
from terrasweep.models.transforms.quantize import unpacked_weight
from terrasweep.models.transforms.starting_points import fit_to_quantized, principal_part
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial
from tests.unit.models.built import CLASSES, CPU, built, images

pytestmark = pytest.mark.usefixtures("products_in_32_bits")

LORA = ("decoder=linear", "tuning.rank=4", "tuning.targets=attention")
PISSA, LOFTQ = "tuning.initialisation=pissa", "tuning.initialisation=loftq"


def features(model):
    return model.module.encoder.eval()(images())[-1].detach()


def relative(actual, expected):
    return float((actual - expected).norm() / expected.norm())


def plain_weights(*flags):
    """Of the backbone that ``built`` starts from."""
    torch.manual_seed(0)
    config = compose_trial(*LORA, *flags)
    encoder = build_untransformed(config, CLASSES).encoder
    split_fused(encoder, config.tuning.targets)
    return encoder.state_dict()


def errors(model, weights):
    """Per adapted layer the Frobenius norm of the weight less what the layer stands for."""
    found = {}
    for name, layer in model.module.encoder.named_modules():
        if isinstance(layer, LoraLayer):
            base = layer.get_base_layer()
            frozen = base.weight if type(base) is torch.nn.Linear else unpacked_weight(base)
            found[name] = float(
                (weights[f"{name}.weight"] - frozen - layer.get_delta_weight("default")).detach().norm()
            )
    return found


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("tuning.alpha_ratio=0.25",),
        ("tuning.use_rslora=true",),
        ("tuning.use_dora=true",),
        ("tuning.targets=qv",),
    ],
)
def test_pissa_at_its_start_leaves_the_features_but_for_rounding(flags):
    common = (*LORA, "quantization=none", *flags)
    started = built(*common, PISSA)
    assert relative(features(started), features(built("tuning=frozen", "decoder=linear", "quantization=none"))) < 1e-5
    # And it is no start at nothing.
    layers = [layer for layer in started.module.encoder.modules() if isinstance(layer, LoraLayer)]
    assert all(float(layer.get_delta_weight("default").detach().norm()) > 0.1 for layer in layers)


@pytest.mark.parametrize("flags", [(), ("tuning.alpha_ratio=1",), ("tuning.alpha_ratio=0.5", "tuning.use_rslora=true")])
def test_pissa_starts_at_the_leading_singular_vectors(flags):
    tuning = compose_trial(*LORA, PISSA, *flags).tuning
    weight = torch.randn(24, 40, generator=torch.Generator().manual_seed(0))
    part = principal_part(weight, lora_config(tuning, ["any"]))
    left, values, right = np.linalg.svd(weight.numpy())
    expected = (left[:, :4] * values[:4]) @ right[:4]
    scaling = tuning.alpha_ratio * (2.0 if tuning.use_rslora else 1.0)
    assert np.allclose(scaling * (part.up @ part.down).numpy(), expected, atol=1e-5)
    assert relative(part.left_of(weight, scaling), weight - torch.from_numpy(expected)) < 1e-5


@pytest.mark.parametrize(
    ("quantization", "flags"),
    [
        ("nf4", ()),
        ("fp4", ("tuning.use_rslora=true",)),
        ("nf4_double", ("tuning.use_dora=true", "tuning.alpha_ratio=0.5")),
        ("int8", ("tuning.targets=qv",)),
    ],
)
def test_loftq_is_nearer_to_the_full_weight_in_every_layer(quantization, flags):
    weights, common = plain_weights(*flags), (*LORA, f"quantization={quantization}", *flags)
    default, fitted = errors(built(*common), weights), errors(built(*common, LOFTQ), weights)
    assert default.keys() == fitted.keys()
    assert len(default) == 8
    assert all(0 < fitted[name] < default[name] for name in default)


@pytest.mark.slow
@pytest.mark.parametrize("quantization", ["fp4", "nf4"])
def test_loftq_s_features_are_nearer_to_those_of_the_full_model(quantization):
    common = ("decoder=linear", "tuning.rank=32", "tuning.targets=attention_mlp")
    full = features(built(*common, "quantization=none"))
    default, fitted = (features(built(*common, f"quantization={quantization}", *start)) for start in ((), (LOFTQ,)))
    assert relative(fitted, full) < relative(default, full)


@pytest.mark.parametrize("quantization", ["fp4", "nf4"])
def test_what_pissa_leaves_of_a_weight_loses_less_to_quantization(quantization):
    """Of a weight whose singular values fall, as those of a trained network do."""
    config = compose_trial(*LORA, PISSA, f"quantization={quantization}")
    left, values, right = torch.linalg.svd(torch.randn(128, 256, generator=torch.Generator().manual_seed(0)))
    weight = left @ torch.diag(values / torch.arange(1, 129).sqrt()) @ right[:128]
    part = principal_part(weight, lora_config(config.tuning, ["any"]))
    whole, rest = (
        float((given - unpacked_weight(starting_points._low_bit(given, None, config))).norm())
        for given in (weight, part.left_of(weight, config.tuning.alpha_ratio))
    )
    assert rest < 0.9 * whole


@pytest.mark.parametrize("scaling", [0.5, 2.0])
def test_turns_of_quantizing_and_fitting_come_nearer(monkeypatch, scaling):
    config = compose_trial(*LORA, LOFTQ, "quantization=nf4")
    weight = torch.randn(128, 256, generator=torch.Generator().manual_seed(0))

    def error(turns):
        monkeypatch.setattr(starting_points, "ALTERNATIONS", turns)
        start, part = fit_to_quantized(weight, 8, scaling, config)
        left = weight if part is None else part.left_of(weight, scaling)
        low_bit = unpacked_weight(starting_points._low_bit(left, None, config))
        return float((weight - low_bit - scaling * start.up @ start.down).norm())

    assert error(5) < error(2) < error(1)


def test_the_nearest_turn_counts_where_a_later_one_is_worse(monkeypatch):
    config = compose_trial(*LORA, LOFTQ, "quantization=nf4")
    weight = torch.randn(32, 64, generator=torch.Generator().manual_seed(0))
    unpacked, turns = starting_points.unpacked_weight, []

    def worse_from_the_second_turn_on(layer):
        turns.append(layer)
        return unpacked(layer) * (1.0 if len(turns) == 1 else 0.5)

    monkeypatch.setattr(starting_points, "unpacked_weight", worse_from_the_second_turn_on)
    _, part = fit_to_quantized(weight, 4, 2.0, config)
    assert len(turns) == starting_points.ALTERNATIONS
    assert part is None


def test_layers_that_are_not_quantized_start_as_by_default():
    common = (*LORA, "quantization=nf4", "quantization.skip=[blocks.0]")
    default, fitted = (built(*common, *start).module.encoder.state_dict() for start in ((), (LOFTQ,)))
    skipped = [name for name in default if name.startswith("blocks.0.")]
    assert all(torch.equal(default[name], fitted[name]) for name in skipped)
    assert any(bool(fitted[name].any()) for name in fitted if "blocks.1." in name and "lora_B" in name)


def test_loftq_without_a_low_bit_layer_to_adapt_is_refused():
    with pytest.raises(
        InvalidConfig, match=r"^tuning.initialisation=loftq with quantization.skip=\['mlp'\]: no adapted"
    ):
        built("decoder=linear", "tuning.targets=mlp", "quantization=nf4", "quantization.skip=[mlp]", LOFTQ)


@pytest.mark.parametrize("start", [PISSA, LOFTQ])
def test_a_start_is_the_same_again_and_leaves_what_is_drawn_beside_it(start):
    common = (*LORA, "quantization=nf4")
    built(*common)
    drawn = torch.rand(1)
    one = built(*common, start).module.state_dict()
    assert torch.equal(torch.rand(1), drawn), "the order of the training data depends on it"
    other = built(*common, start).module.state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("start", [PISSA, LOFTQ])
def test_calibration_sees_whole_weights(start):
    chosen = (*LORA, "quantization=nf4", "quantization.skip=auto", "quantization.skip_count=3")
    rankings = []
    for flags in ((), (start,)):
        torch.manual_seed(0)
        rankings.append(build_model(compose_trial(*chosen, *flags), CLASSES, CPU, images()).sensitivity)
    assert rankings[0] == rankings[1]
