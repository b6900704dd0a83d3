"""Fake tensors leave the trace of real ones; sizes and ends of a small network are worked out by hand."""

import itertools

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from terrasweep.measure.flops import operator_formulas
from terrasweep.predict.fake_tensors import fake_tensors
from terrasweep.predict.storage_watch import StorageWatch
from terrasweep.predict.trace import Kind, Phase

BATCH, WIDTH = 8, 64
FLOAT = 4


def watched(train, *, for_gpu=False):
    watch = StorageWatch(operator_formulas(), for_gpu=for_gpu)
    with watch:
        watch.begin(Phase.BUILD)
        train(watch)
    return watch.trace()


def _twice(values):
    return torch.nn.functional.gelu(torch.nn.functional.gelu(values))


def train(watch, *, batch=BATCH, recompute=False):
    """Two linear layers and AdamW."""
    model = nn.ModuleList([nn.Linear(WIDTH, WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)])
    optimizer = torch.optim.AdamW(model.parameters(), foreach=False)
    for step in range(2):
        watch.begin(Phase.STEADY_STEP if step else Phase.FIRST_STEP)
        values = torch.ones(batch, WIDTH)
        for layer in model:
            values = layer(values)
            values = checkpoint(_twice, values, use_reentrant=False) if recompute else _twice(values)
        values.sum().backward()
        watch.name([parameter.grad for parameter in model.parameters()], Kind.GRADIENTS)
        del values
        optimizer.step()
        optimizer.zero_grad()
        watch.name((t for state in optimizer.state.values() for t in state.values()), Kind.OPTIMIZER)


@pytest.mark.parametrize("recompute", [False, True])
def test_fake_tensors_leave_the_trace_of_real_ones(recompute):
    real = watched(lambda watch: train(watch, recompute=recompute))
    with fake_tensors():
        fake = watched(lambda watch: train(watch, recompute=recompute))
    assert (fake.events, fake.blocks, fake.begins) == (real.events, real.blocks, real.begins)
    assert fake.step.flops == real.step.flops
    assert real.step.flops == 2 * 3 * 2 * BATCH * WIDTH * WIDTH - 2 * BATCH * WIDTH * WIDTH  # No gradient of the input.


def test_states_have_the_bytes_of_weights_and_moments():
    with fake_tensors():
        trace = watched(train)
    weight = WIDTH * WIDTH * FLOAT
    steady = trace.peaks(on_host=True)[Phase.STEADY_STEP]
    assert steady[Kind.WEIGHTS] == 2 * weight
    assert steady[Kind.OPTIMIZER] == 2 * (2 * weight + FLOAT)  # With one number of steps for each tensor.
    assert trace.peaks(on_host=True)[Phase.FIRST_STEP][Kind.GRADIENTS] == 2 * weight


def test_recomputation_keeps_less():
    """Of each layer one of three, in a batch whose activations are larger than all states."""
    batch = 100 * BATCH
    with fake_tensors():
        kept = watched(lambda watch: train(watch, batch=batch))
        recomputed = watched(lambda watch: train(watch, batch=batch, recompute=True))
    first, second = (trace.peaks(on_host=True)[Phase.FIRST_STEP][Kind.ACTIVATIONS] for trace in (kept, recomputed))
    assert second <= first - batch * WIDTH * FLOAT
    assert kept.step.kernels < recomputed.step.kernels


def test_a_storage_ends_with_its_last_view():
    def use(watch):
        first = torch.ones(100)
        view = first[:10]
        del first
        watch.begin(Phase.FIRST_STEP)
        del view
        watch.begin(Phase.STEADY_STEP)

    with fake_tensors():
        peaks = watched(use).peaks(on_host=True)
    assert [sum(peaks[phase].values()) for phase in Phase if phase in peaks] == [400, 400, 0]


def test_what_stands_for_a_gpu_is_apart_from_what_is_on_the_host():
    kept = []

    def use(watch):
        kept.append(torch.ones(100))
        with watch.on_host():
            kept.append(torch.ones(50))
        kept.append(torch.ones(10))

    with fake_tensors():
        trace = watched(use, for_gpu=True)
    on_gpu, on_host = (sum(trace.peaks(on_host=place)[Phase.BUILD].values()) for place in (False, True))
    assert (on_gpu, on_host) == (440, 200)


def test_products_on_a_gpu_take_a_workspace_for_the_forward_and_one_for_the_backward_pass_and_keep_them():
    def use(watch):
        weight = torch.ones(64, 64, requires_grad=True)
        for _ in range(2):
            (torch.ones(8, 64) @ weight @ weight).sum().backward()

    with fake_tensors():
        on_gpu, on_cpu = watched(use, for_gpu=True), watched(use)
    workspaces = [name for name, block in enumerate(on_gpu.blocks) if block.size == 32 * 2**20]
    assert [event for event in on_gpu.events if event[0] in workspaces] == [(name, 32 * 2**20) for name in workspaces]
    assert [on_gpu.blocks[name].kind for name in workspaces] == [Kind.WORKSPACES, Kind.WORKSPACES]
    others = [block.size for name, block in enumerate(on_gpu.blocks) if name not in workspaces]
    assert others == [block.size for block in on_cpu.blocks]


def test_an_evaluation_takes_what_a_training_s_forward_pass_does():
    """In inference mode operators arrive that consist of others."""

    def use(watch):
        layer, values = torch.nn.Linear(64, 64), torch.ones(8, 64)
        for phase, mode in ((Phase.STEADY_STEP, torch.no_grad()), (Phase.EVALUATION, torch.inference_mode())):
            watch.begin(phase)
            with mode:
                assert torch.nn.functional.gelu(layer(values)).sum().item() == 1.0

    with fake_tensors():
        peaks = watched(use).peaks(on_host=True)
    assert sum(peaks[Phase.EVALUATION].values()) == sum(peaks[Phase.STEADY_STEP].values())


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda: torch.zeros(()).item(), 1.0),
        (lambda: bool(torch.zeros(3, dtype=torch.bool).any()), True),
        (lambda: bool(torch.zeros(3).sum() == 0), False),
        (lambda: bool(torch.zeros(3).sum() < 2), False),
        (lambda: bool(torch.zeros(3).sum() > 0), True),
        (lambda: torch.zeros(3, dtype=torch.int64).tolist(), [2, 2, 2]),
        (lambda: torch.bincount(torch.zeros(9, dtype=torch.int64), minlength=4).shape, (4,)),
        (lambda: torch.zeros(2, 3, dtype=torch.bool).nonzero().shape, (6, 2)),
        (lambda: torch.zeros(2, 3)[torch.zeros(2, dtype=torch.bool)].shape, (2, 3)),
        (lambda: torch.zeros(2, 3)[torch.zeros(2, 3, dtype=torch.bool)].shape, (6,)),
        (lambda: torch.masked_select(torch.zeros(2, 3), torch.zeros(3, dtype=torch.bool)).shape, (6,)),
        (lambda: torch.unique(torch.zeros(5)).shape, (1,)),
        (lambda: torch.allclose(torch.zeros(5), torch.zeros(5)), False),
    ],
    ids=itertools.count(),
)
def test_what_depends_on_values_has_an_answer(ask, answer):
    answers = []
    with fake_tensors():
        watched(lambda watch: answers.append(ask()))
    assert answers == [answer]
