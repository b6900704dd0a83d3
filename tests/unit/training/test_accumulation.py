"""A batch in parts trains as the batch does: exactly weighted, with ignored labels, class weights and empty parts."""

import copy

import pytest
import torch

from terrasweep.config.losses import LOSSES
from terrasweep.config.schema import TaskConfig
from terrasweep.training.accumulation import loss_weight, split_batch
from terrasweep.training.tasks import build_task
from terrasweep.training.trainer import StepClock, build_trainer, fit
from tests.unit.training.batches import CPU, Tiny, built, config, opened

pytestmark = pytest.mark.usefixtures("products_in_32_bits")

SAMPLES = 6
CASES = [(task, loss) for task, losses in LOSSES.items() for loss in losses]


def test_parts_are_the_batch_in_order_and_nearly_equal():
    images = {"S1": torch.arange(7), "S2": torch.arange(14).reshape(7, 2)}
    parts = split_batch({"image": images, "label": torch.arange(7)}, 3)
    assert [len(part["label"]) for part in parts] == [3, 2, 2]
    assert torch.equal(torch.cat([part["label"] for part in parts]), torch.arange(7))
    for name, whole in images.items():
        assert torch.equal(torch.cat([part["image"][name] for part in parts]), whole)


def test_a_batch_of_fewer_samples_has_fewer_parts():
    assert len(split_batch({"image": torch.zeros(2, 1)}, 4)) == 2


def test_labels_count_by_the_weight_of_their_class():
    target = torch.tensor([[0, 1, -1], [2, 2, -1]])
    assert loss_weight(target, TaskConfig(name="segmentation"), None) == 4
    assert loss_weight(target, TaskConfig(name="segmentation"), torch.tensor([0.5, 2.0, 10.0])) == 22.5
    assert loss_weight(target, TaskConfig(name="segmentation", ignore_index=None), None) == 6


def target_of(task, loss, generator):
    """Labels of which, where that is possible, some do not count: ever more of them from sample to sample."""
    if task == "segmentation":
        target = torch.randint(0, 3, (SAMPLES, 4, 4), generator=generator)
    elif task == "regression":
        target = torch.rand(SAMPLES, 4, 4, generator=generator)
    elif task == "classification":
        target = torch.randint(0, 3, (SAMPLES,), generator=generator)
    else:
        target = torch.randint(0, 2, (SAMPLES, 3), generator=generator)
    if LOSSES[task][loss].ignores and task != "classification":
        for sample in range(SAMPLES):
            target.view(SAMPLES, -1)[sample, : sample // 2] = -1
    return target


def step(task, loss, accumulate, **changes):
    """The loss that is told, and the gradient, of one step of a linear layer."""
    ignored = -1 if LOSSES[task][loss].ignores else None
    trial = config(task, f"train.accumulate={accumulate}", loss=loss, ignore_index=ignored, **changes)
    generator = torch.Generator().manual_seed(0)
    key = "mask" if task in ("segmentation", "regression") else "label"
    batch = {"image": torch.randn(SAMPLES, 2, 4, 4, generator=generator), key: target_of(task, loss, generator)}
    torch.manual_seed(1)
    outputs = 1 if task == "regression" else 3
    data = opened([batch], outputs)
    module = build_task(trial, built(Tiny(task, outputs)), data)
    module.log = lambda *_, **__: None
    parts = module.parts(batch)
    losses = [share * module.part_loss(part) for part, share in parts]
    torch.stack(losses).sum().backward()
    assert len(parts) == accumulate
    return sum(losses).item(), module.model.layer.weight.grad


@pytest.mark.parametrize(("task", "loss"), CASES)
def test_a_mean_is_the_weighted_mean_of_its_parts_and_the_other_losses_are_not(task, loss):
    """In 32 bits; what is said of each loss is what is refused of it (``find_bad_values``)."""
    (whole, gradient), (parts, in_parts) = step(task, loss, 1), step(task, loss, 4)
    same = parts == pytest.approx(whole, rel=1e-5) and torch.allclose(in_parts, gradient, rtol=1e-4, atol=1e-6)
    assert same is LOSSES[task][loss].means


@pytest.mark.parametrize("task", ["segmentation", "classification", "multilabel"])
def test_with_class_weights_too(task):
    loss, weights = ("bce" if task == "multilabel" else "ce"), [0.2, 1.0, 7.0]
    (whole, gradient), (parts, in_parts) = (step(task, loss, n, class_weights=weights) for n in (1, 3))
    assert parts == pytest.approx(whole, rel=1e-5)
    torch.testing.assert_close(in_parts, gradient, rtol=1e-5, atol=1e-6)


def trained(tmp_path, batches, model, *overrides):
    trial = config("segmentation", "train.max_steps=5", "train.lr=0.05", *overrides)
    data, clock = opened(batches, 3), StepClock([], CPU)
    task = build_task(trial, built(model), data)
    fit(build_trainer(trial, CPU, [clock], built(model), data, tmp_path), task, data, clock)
    return [loss for _, loss in clock.losses]


@pytest.mark.parametrize("clip", ["null", "0.05"])
def test_a_training_in_parts_is_that_in_whole_batches(tmp_path, clip):
    """In 32 bits: losses and weights, with a part in which nothing counts and a last batch of one sample."""
    generator = torch.Generator().manual_seed(3)
    batches = [
        {
            "image": torch.randn(size, 2, 8, 8, generator=generator),
            "mask": torch.randint(-1, 3, (size, 8, 8), generator=generator),
        }
        for size in (6, 4, 1)
    ]
    batches[0]["mask"][:2] = -1
    start = Tiny("segmentation", 3)
    whole, in_parts = copy.deepcopy(start), copy.deepcopy(start)
    overrides = (f"train.clip_norm={clip}", "optimizer.weight_decay=0.1")
    expected = trained(tmp_path, batches, whole, *overrides)
    assert trained(tmp_path, batches, in_parts, *overrides, "train.accumulate=3") == pytest.approx(expected, rel=1e-5)
    for ours, theirs in zip(in_parts.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
