"""The learning rate of each step against its formula, written out, and in a real training."""

import math

import pytest
import torch

from terrasweep.config.schedule import ScheduleConfig
from terrasweep.training.schedules import build_schedule
from terrasweep.training.tasks import build_task
from terrasweep.training.trainer import StepClock, build_trainer, fit
from tests.unit.training.batches import CPU, Tiny, built, config, opened


def rates(schedule, steps, lr=1.0):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = build_schedule(optimizer, schedule, steps)
    used = []
    for _ in range(steps):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return used


def test_constant_is_constant():
    assert rates(ScheduleConfig(name="constant"), 5, lr=0.3) == [0.3] * 5


def test_cosine_falls_by_half_a_period():
    used = rates(ScheduleConfig(name="cosine", end_ratio=0.2), 10)
    assert used == pytest.approx([0.2 + 0.8 * 0.5 * (1 + math.cos(math.pi * k / 10)) for k in range(10)])


def test_linear_falls_on_a_line():
    assert rates(ScheduleConfig(name="linear"), 4, lr=2.0) == pytest.approx([2.0, 1.5, 1.0, 0.5])


@pytest.mark.parametrize("warmup", [4, 0.4])
@pytest.mark.parametrize("name", ["constant", "cosine", "linear"])
def test_each_begins_with_a_rise_that_reaches_the_top(name, warmup):
    used = rates(ScheduleConfig(name=name, warmup=warmup), 10)
    assert used[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert used[5:] == pytest.approx(rates(ScheduleConfig(name=name), 6)[1:])


class Watched(StepClock):
    """Notes the learning rates that steps use."""

    used: list[float]

    def on_train_batch_start(self, trainer, *arguments):
        self.used = [*getattr(self, "used", []), trainer.optimizers[0].param_groups[0]["lr"]]
        super().on_train_batch_start(trainer, *arguments)


def test_a_training_follows_it_over_untimed_and_timed_steps(tmp_path):
    steps = ("train.warmup_steps=2", "train.max_steps=6", "train.lr=0.1")
    trial = config("segmentation", "schedule=linear", "schedule.warmup=0", *steps)
    batch = {"image": torch.randn(2, 2, 8, 8), "mask": torch.randint(0, 3, (2, 8, 8))}
    model, data, clock = built(Tiny("segmentation", 3)), opened([batch, batch], 3), Watched([], CPU)
    fit(build_trainer(trial, CPU, [clock], model, tmp_path), build_task(trial, model, data), data, clock)
    assert clock.used == pytest.approx([0.1 * (1 - k / 8) for k in range(8)])
