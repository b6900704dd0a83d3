"""What a trace holds: states to the byte, and activations that follow the knobs."""

import functools

import pytest

from terrasweep.config.losses import LOSSES
from terrasweep.predict.count_states import count_planned, state_bytes
from terrasweep.predict.trace import Kind, Phase
from terrasweep.predict.trace_training import trace_training
from tests.composing import compose_trial

COMMON = ("augment=none", "data.tile_px=64", "train.batch_size=8")


@functools.cache
def traced(*knobs, device="cpu"):
    return trace_training(compose_trial(*COMMON, *knobs), device)


def held(trace, phase=Phase.STEADY_STEP, *, on_host=True):
    return trace.peaks(on_host=on_host)[phase]


@pytest.mark.parametrize(
    ("device", "knobs"),
    [
        ("cpu", ("tuning=full",)),
        ("cuda", ("quantization=nf4",)),
        ("cuda", ("quantization=int8", "tuning.targets=mlp", "optimizer=adamw8bit")),
        ("cuda", ("tuning.frozen_dtype=bf16", "precision=bf16")),
        ("cuda", ("quantization=nf4_double", "tuning.use_dora=true")),
        ("cpu", ("quantization=int8", "tuning.use_dora=true")),
    ],
)
def test_states_are_those_that_a_plan_counts(device, knobs):
    config = compose_trial(*COMMON, *knobs)
    counts, _ = count_planned(config)
    states = state_bytes(counts, config.optimizer)
    steady = held(traced(*knobs, device=device), on_host=device == "cpu")
    assert steady[Kind.WEIGHTS] == pytest.approx(counts.weight_bytes, rel=1e-3)
    assert steady[Kind.OPTIMIZER] == pytest.approx(states["optimizer_bytes"], rel=1e-3)


def test_activations_are_affine_in_the_batch():
    small, middle, large = (held(traced(f"train.batch_size={batch}"))[Kind.ACTIVATIONS] for batch in (8, 16, 24))
    assert large - middle == pytest.approx(middle - small, rel=1e-3)
    assert large > 2 * small


@pytest.mark.parametrize(
    ("knobs", "at_most"),
    [
        (("checkpointing=blocks",), 0.8),
        (("train.accumulate=2",), 0.6),
        (("tuning=frozen",), 0.9),
    ],
)
def test_knobs_that_save_activations_do(knobs, at_most):
    assert held(traced(*knobs))[Kind.ACTIVATIONS] < at_most * held(traced())[Kind.ACTIVATIONS]


def test_accumulated_gradients_stay_from_part_to_part():
    whole, parts = (held(traced("tuning=full", f"train.accumulate={parts}")) for parts in (1, 2))
    assert parts[Kind.GRADIENTS] >= whole[Kind.GRADIENTS]


def test_offloaded_activations_are_on_the_host():
    plain, offloaded = traced(device="cuda"), traced("offload=activations", device="cuda")
    assert held(plain)[Kind.ACTIVATIONS] == 0
    assert held(offloaded)[Kind.ACTIVATIONS] > 0.5 * held(plain, on_host=False)[Kind.ACTIVATIONS]
    assert held(offloaded, on_host=False)[Kind.ACTIVATIONS] < 0.5 * held(plain, on_host=False)[Kind.ACTIVATIONS]


def test_foreach_takes_a_copy_of_what_learns():
    """Where a step's peak is the optimizer's: all learns, and a batch is small."""
    knobs = ("tuning=full", "train.batch_size=1", "decoder=linear")
    fused, foreach = (traced(*knobs, f"optimizer.implementation={name}") for name in ("fused", "foreach"))
    learning = count_planned(compose_trial(*COMMON, *knobs))[0].trainable_bytes
    more = sum(held(foreach).values()) - sum(held(fused).values())
    assert more == pytest.approx(learning, rel=0.3)


def test_a_build_passes_through_full_precision_and_a_checkpoint_beside_it():
    built = held(traced("quantization=nf4"), Phase.BUILD)[Kind.WEIGHTS]
    loaded = held(traced("quantization=nf4", "backbone.pretrained=true"), Phase.BUILD)[Kind.WEIGHTS]
    assert loaded > 1.5 * built > 1.5 * held(traced("quantization=nf4"))[Kind.WEIGHTS]


def test_work_grows_with_the_batch_and_with_recomputation():
    plain, twice, again = (traced(knob).step for knob in ("train.lr=1", "train.batch_size=16", "checkpointing=blocks"))
    assert twice.flops == pytest.approx(2 * plain.flops)
    assert again.flops > 1.2 * plain.flops
    assert again.kernels > plain.kernels
    assert plain.moved_bytes < twice.moved_bytes < 2 * plain.moved_bytes


@pytest.mark.parametrize("loss", [*LOSSES["segmentation"]])
def test_every_loss_can_be_traced(loss):
    ignored = ["task.ignore_index=null"] if loss == "jaccard" else []  # TerraTorch's ignores no label.
    trace = traced("tuning=frozen", "augment=d4", f"task.loss={loss}", *ignored)
    assert {phase for phase, _ in trace.begins} == set(Phase)


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_every_task_can_be_traced(task):
    of_images = ("decoder=identity", "task.class_weights=auto")  # Nobody has counted the classes yet.
    own = of_images if task in ("classification", "multilabel") else ("decoder=fcn",)
    assert held(traced(f"task={task}", *own, "tuning=frozen"), Phase.EVALUATION)[Kind.ACTIVATIONS] > 0


def test_paged_states_lie_beside_the_device_s_memory_but_for_short_ones():
    """Of parameters of 100,000 elements and more, with a byte for each moment."""
    knobs = ("tuning=full", "optimizer=paged_adamw8bit")
    usual = held(traced("tuning=full", "optimizer=adamw8bit", device="cuda"), on_host=False)[Kind.OPTIMIZER]
    trace = traced(*knobs, device="cuda")
    stays, paged = (held(trace, on_host=place)[Kind.OPTIMIZER] for place in (False, True))
    assert stays + paged == usual
    counts, _ = count_planned(compose_trial(*COMMON, *knobs))
    assert 0 < stays < 0.1 * usual
    assert paged <= 2 * counts.trainable_parameters
    assert all(held(traced(*knobs))[kind] == held(traced("tuning=full", "optimizer=adamw8bit"))[kind] for kind in Kind)
