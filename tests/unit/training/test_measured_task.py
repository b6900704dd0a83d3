"""A step is taken in the trial's precision, and a loss that needs it in full precision."""

import math

import pytest
import torch

from terrasweep.config.losses import LOSSES
from terrasweep.training.batch_entries import target_key
from terrasweep.training.tasks import build_task
from terrasweep.training.trainer import StepClock, build_trainer, fit
from tests.unit.training.batches import CPU, Tiny, built, config, opened
from tests.unit.training.step_losses import loss_of, some_scores, some_target

pytestmark = pytest.mark.usefixtures("products_in_32_bits")


@pytest.mark.parametrize("loss", [name for name in LOSSES["segmentation"] if name != "ce"])
def test_a_loss_is_computed_in_full_precision(loss):
    scores = some_scores("segmentation").detach().bfloat16()
    trial = config("segmentation", loss=loss, ignore_index=None)
    exact = loss_of(trial, scores.float(), some_target("segmentation"), 3)
    assert torch.equal(loss_of(trial, scores, some_target("segmentation"), 3), exact)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("task", "loss"), [(task, loss) for task, losses in LOSSES.items() for loss in losses])
def test_every_loss_that_is_offered_trains(task, loss, precision, tmp_path):
    trial = config(task, f"precision={precision}", loss=loss, ignore_index=None)
    outputs = 1 if task == "regression" else 3
    images = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(2))
    batch = {"image": images, target_key(task): some_target(task)}
    model, data = built(Tiny(task, outputs)), opened([batch], outputs)
    before = model.module.layer.weight.detach().clone()
    clock = StepClock([], CPU)
    fit(build_trainer(trial, CPU, [clock], model, data, tmp_path), build_task(trial, model, data), data, clock)
    assert len(clock.losses) == 1
    assert math.isfinite(clock.losses[0][1])
    assert not torch.equal(before, model.module.layer.weight)
