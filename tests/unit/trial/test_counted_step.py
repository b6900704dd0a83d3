"""A step that is counted while it is trained has the operations of one that is counted alone, and learns the same."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from terrasweep import process
from terrasweep.measure.flops import FLOPS_PER_STEP, count_flops, operator_formulas
from terrasweep.process.parent import Limits
from terrasweep.trial.counted_step import CountedStep, OperationCounter
from tests.composing import compose_trial
from tests.trials import tiny

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


class Small(nn.Module):
    """A convolution, attention and a product, of which the last is computed again in the backward pass."""

    def __init__(self):
        super().__init__()
        self.patches, self.attention = nn.Conv2d(3, 16, 4, 4), nn.MultiheadAttention(16, 2, batch_first=True)
        self.product = nn.Linear(16, 32)

    def forward(self, images):
        tokens = self.patches(images).flatten(2).mT
        attended, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        return checkpoint(self.product, attended + tokens, use_reentrant=False).square().mean()


def gradients(model):
    return [parameter.grad.clone() for parameter in model.parameters()]


def test_operations_are_those_that_torch_counts_and_gradients_those_without_a_counter():
    torch.manual_seed(0)
    model, images = Small(), torch.randn(2, 3, 16, 16)
    expected = count_flops(lambda: model(images))
    model.zero_grad()
    model(images).backward()
    plain = gradients(model)
    model.zero_grad()
    with OperationCounter(operator_formulas()) as counter:
        model(images).backward()
    assert counter.flops == expected > 2 * 2 * 16 * 16 * 32
    assert all(torch.equal(one, other) for one, other in zip(plain, gradients(model), strict=True))


def test_what_can_not_be_counted_runs_and_leaves_no_number():
    def fail(*_, **__):
        raise AssertionError("no such shape")

    a, b = torch.ones(2, 3), torch.ones(3, 4)
    with OperationCounter({torch.ops.aten.mm: fail}) as broken:
        assert (a @ b).sum() == 24
    with torch.inference_mode(), OperationCounter(operator_formulas()) as hidden:
        assert torch.nn.functional.linear(a, torch.ones(4, 3)).sum() == 24  # Arrives as a whole.
    with OperationCounter(operator_formulas()) as whole:
        assert (a @ b).sum() == 24
    assert (broken.flops, hidden.flops, whole.flops) == (None, None, 2 * 2 * 3 * 4)


def steps(config, device, count=6):
    """Which steps of a training are counted."""
    counted, found = CountedStep(config, device), []
    for step in range(count):
        counted.on_train_batch_start(SimpleNamespace(global_step=step))
        torch.ones(1, 1, requires_grad=True) @ torch.ones(1, 1)
        if torch.utils._python_dispatch._get_current_dispatch_mode() is not None:
            found.append(step)
        counted.on_train_batch_end()
        assert torch.utils._python_dispatch._get_current_dispatch_mode() is None
    return found, counted.reading()


@pytest.mark.parametrize(("untimed", "expected"), [(0, []), (2, []), (3, [2]), (5, [4])])
def test_the_step_between_those_that_take_the_memory_and_those_that_are_timed_is_counted(untimed, expected):
    found, reading = steps(compose_trial(f"train.untimed_steps={untimed}"), CPU)
    assert found == expected
    assert reading == ({FLOPS_PER_STEP.name: 2.0} if expected else {})


def test_no_step_is_counted_on_cuda_or_where_no_count_is_asked_for():
    assert steps(compose_trial(), CUDA) == ([], {})
    assert steps(compose_trial("train.count_flops=false"), CPU) == ([], {})


def test_a_step_that_fails_is_left_and_tells_nothing():
    counted = CountedStep(compose_trial("train.untimed_steps=3"), CPU)
    counted.on_train_batch_start(SimpleNamespace(global_step=2))
    counted.on_exception()
    assert torch.utils._python_dispatch._get_current_dispatch_mode() is None
    assert counted.reading() == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    "knobs",
    [
        ("checkpointing=blocks", "quantization=nf4", "precision=bf16"),
        ("train.accumulate=3", "offload=activations"),
        ("offload=optimizer", "checkpointing=every_n"),
        ("offload=parameters", "quantization=int8"),
    ],
)
def test_a_trial_s_count_is_that_of_one_more_step(tmp_path, knobs):
    config = tiny("train.device=cpu", "train.untimed_steps=3", "train.max_steps=1", "train.count_flops=true", *knobs)
    arguments = {"home": str(tmp_path), "config": config, "folder": tmp_path}
    outcome = process.run("tests.unit.trial.counting:count_twice", arguments, tmp_path / "log.txt", Limits())
    assert outcome.error is None, (tmp_path / "log.txt").read_text()
    assert outcome.reported["counted_in_step"] is True
    assert outcome.reported["measurements"][FLOPS_PER_STEP.name] == outcome.reported["counted_after"] > 0
