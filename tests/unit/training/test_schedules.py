"""The learning rate of each step against its formula, written out, and in a real training."""

import math

import pytest
import torch

from terrasweep.config.schedule import ScheduleConfig
from terrasweep.training.schedules import LearningRates
from terrasweep.training.tasks import build_task
from terrasweep.training.trainer import StepClock, build_trainer, fit
from tests.unit.training.batches import CPU, Tiny, built, config, opened


def rates(schedule, steps, lr=1.0):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = LearningRates(optimizer, schedule, steps)
    used = []
    for _ in range(steps):
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.advance()
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


def test_a_plateau_multiplies_what_the_rise_has_reached():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    rates = LearningRates(optimizer, ScheduleConfig(name="plateau", warmup=3, factor=0.5, patience=1), 100)
    seen = []
    for accuracy in (0.1, 0.2, 0.2, 0.2, 0.3, float("-inf"), 0.2):
        rates.judge(accuracy)
        seen.append(rates.highest)
        rates.advance()
    # By torch's own rule: two validations without a better accuracy, then half of it, counted anew.
    assert seen == pytest.approx([0.25, 0.5, 0.75, 0.5, 0.5, 0.5, 0.25])


def test_groups_keep_their_ratio():
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.1, 0.4)]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    rates = LearningRates(optimizer, ScheduleConfig(name="linear"), 4)
    rates.advance()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.075, 0.3])
    assert rates.highest == pytest.approx(0.3)


def test_a_training_follows_it_over_untimed_and_timed_steps(tmp_path):
    steps = ("train.untimed_steps=2", "train.max_steps=6", "train.lr=0.1")
    trial = config("segmentation", "schedule=linear", "schedule.warmup=0", *steps)
    batch = {"image": torch.randn(2, 2, 8, 8), "mask": torch.randint(0, 3, (2, 8, 8))}
    model, data, clock = built(Tiny("segmentation", 3)), opened([batch, batch], 3), StepClock([], CPU)
    fit(build_trainer(trial, CPU, [clock], model, data, tmp_path), build_task(trial, model, data), data, clock)
    assert [rate for _, rate in clock.learning_rates] == pytest.approx([0.1 * (1 - k / 8) for k in range(8)])
