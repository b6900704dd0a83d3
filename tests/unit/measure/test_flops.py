"""FLOPs of a step against a count by hand."""

import bitsandbytes  # noqa: F401 - its operators
import pytest
import torch

from terrasweep.measure.flops import count_flops, count_step_flops, model_flops_utilization
from terrasweep.models.assemble import build_model
from tests.composing import compose_trial

CPU = torch.device("cpu")


def test_forward_and_backward_of_a_linear_layer():
    first, second = torch.nn.Linear(8, 16, bias=False), torch.nn.Linear(16, 4, bias=False)
    batch = torch.randn(32, 8)
    forward = 2 * 32 * (8 * 16 + 16 * 4)
    # Backward: each weight's gradient, and the gradient of the second layer's input.
    backward = forward + 2 * 32 * 16 * 4
    assert count_flops(lambda: second(first(batch)).sum()) == forward + backward


@pytest.mark.parametrize("quantization", ["int8", "fp4", "nf4", "nf4_double"])
def test_quantized_products_count_as_those_of_full_precision(quantization):
    counts = {}
    for name in ("none", quantization):
        model = build_model(
            compose_trial(f"quantization={name}", "tuning.rank=2", "decoder=linear"), 3, torch.device("cpu")
        ).module.train()
        batch = torch.randn(2, 6, 64, 64)
        counts[name] = count_flops(lambda model=model, batch=batch: model(batch).output.sum())
    assert counts[quantization] == counts["none"] > 0


def test_bitsandbytes_product_of_integers_counts_as_the_product_it_is():
    a, b = torch.ones(2, 5, 8, dtype=torch.int8), torch.ones(16, 8, dtype=torch.int8)
    scale = torch.ones((), requires_grad=True)
    count = count_flops(lambda: (torch.ops.bitsandbytes.int8_linear_matmul(a, b).float() * scale).sum())
    assert count == 2 * (2 * 5) * 8 * 16


def test_what_checkpointing_computes_again_is_told_apart():
    """Of each block all but its last product is computed again; the model itself needs what it needs without."""
    found = {}
    for name in ("none", "blocks"):
        model = build_model(compose_trial(f"checkpointing={name}", "tuning.rank=2", "decoder=linear"), 3, CPU).module
        batch = torch.randn(2, 6, 64, 64)
        found[name] = count_step_flops(lambda model=model, batch=batch: model.train()(batch).output.sum())
    assert found["none"].recomputed == 0 < found["blocks"].recomputed
    assert found["blocks"].of_model == found["none"].total < found["blocks"].total
    both = found["none"] + found["blocks"]
    assert (both.total, both.recomputed) == (
        found["none"].total + found["blocks"].total,
        found["blocks"].recomputed,
    )


@pytest.mark.parametrize("missing", range(3))
def test_utilization_is_the_share_of_the_peak_and_nothing_without_one_of_its_numbers(missing):
    numbers = [3e12, 20.0, 120e12]
    assert model_flops_utilization(*numbers) == pytest.approx(0.5)
    assert model_flops_utilization(*(None if place == missing else n for place, n in enumerate(numbers))) is None
