"""The sampler is told of memory and speed by a few traces: exact where there is one, estimated for all others."""

import itertools
import math
from contextlib import nullcontext

import numpy as np
import pytest
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution

from terrasweep.results.speed_calibration import StepWork
from terrasweep.study import predicted_costs
from terrasweep.study.factored.candidates import draw_independently, split_by
from terrasweep.study.factored.quantities import BearsOn, Quantity
from terrasweep.study.factored.sampler import FactoredSampler
from terrasweep.study.predicted_costs import READY, PredictedCosts
from terrasweep.trial.traced_costs import ExpectedCost, TracedCost

SPACE = {
    "lr": FloatDistribution(1e-5, 1e-2, log=True),
    "rank": CategoricalDistribution([4, 8, 16, 32]),
    "train.batch_size": CategoricalDistribution([2, 4, 8, 16]),
    "checkpointing": CategoricalDistribution([False, True]),
}
COST = ("rank", "train.batch_size", "checkpointing")
KEYS = split_by(quality=["lr", "rank", "train.batch_size"], cost=COST)
BASE = OmegaConf.create({"train": {"batch_size": 8, "max_steps": 60, "untimed_steps": 3}, "probe": {"steps": 6}})


def law(settings):
    """MiB, and seconds of a step."""
    of_batch = settings["train.batch_size"] * (0.4 if settings["checkpointing"] else 1.0)
    peak = 300 + 5 * settings["rank"] + 90 * of_batch
    seconds = 0.01 * settings["train.batch_size"] * (1.3 if settings["checkpointing"] else 1.0)
    return peak, seconds


class Allowance:
    """As many traces as a test allows."""

    def __init__(self):
        self.affordable = 0

    def patience_s(self, count):
        return 1.0

    def while_tracing(self, count):
        return nullcontext()

    def note_answers(self, count):
        self.answers = count


class Calibration:
    """Calibrated costs are the traced ones."""

    def __init__(self, device):
        assert device == "cpu"

    def expected(self, cost):
        return ExpectedCost(peak_mib=cost.peak_mib, peak_error=0.03, step_seconds=cost.work.compute_s, step_error=0.1)


@pytest.fixture
def traced(monkeypatch):
    """Candidates that were traced, in their order; what is in ``kept`` was before."""
    found, kept = [], {}

    def trace(configs, log, timeout_s):
        found.extend(configs)
        return [None if config["rank"] == 8 and config["checkpointing"] else cost_of(config) for config in configs]

    monkeypatch.setattr(predicted_costs, "trace_costs", trace)
    monkeypatch.setattr(predicted_costs, "kept_cost", lambda config: kept.get(repr(sorted(config.items()))))
    monkeypatch.setattr(predicted_costs, "CostCalibration", Calibration)
    found.append(kept)
    return found


def cost_of(settings):
    peak, seconds = law(settings)
    return TracedCost(peak_mib=peak, work=StepWork(compute_s=seconds, memory_s=0.0, launch_s=0.0))


@pytest.fixture
def costs(tmp_path):
    return PredictedCosts(
        SPACE,
        BASE,
        keys=KEYS,
        draw=draw_independently(SPACE),
        compose=lambda settings: {name: settings[name] for name in COST},
        device="cpu",
        log=tmp_path / "log",
        allowance=Allowance(),
    )


def settings(rank=4, batch=8, checkpointing=False, lr=1e-3):
    return {"lr": lr, "rank": rank, "train.batch_size": batch, "checkpointing": checkpointing}


def test_without_time_nothing_is_traced_and_nothing_is_told(costs, traced):
    told = costs(settings())
    costs.look_ahead([settings()])
    assert len(traced) == 1
    assert dict(told) == {}
    assert told, "the sampler keeps it, and asks again"


def test_what_is_about_to_run_is_traced_first_and_then_what_is_unlike_it(costs, traced):
    told = costs(settings(rank=16))
    costs.allowance.affordable = 3
    costs.look_ahead([settings(rank=16)])
    assert traced[1] == {"rank": 16, "train.batch_size": 8, "checkpointing": False}
    others = [(config["checkpointing"], config["train.batch_size"]) for config in traced[2:]]
    assert len(others) == 2
    assert (False, 8) not in others
    costs.look_ahead([settings(rank=16, lr=1e-4)])
    assert len({tuple(config.values()) for config in traced[1:]}) == len(traced) - 1, "none twice"
    assert dict(told) == {}, "too few yet"


def test_all_are_told_by_some_with_an_error_and_those_exactly_that_were_traced(costs, traced):
    told = {repr(s): (s, costs(s)) for s in (settings(rank, batch) for rank in (4, 16, 32) for batch in (2, 4, 8, 16))}
    costs.allowance.affordable = 4
    while len(traced) <= 18:
        costs.look_ahead([])
    known = [config for config in traced[1:] if not (config["rank"] == 8 and config["checkpointing"])]
    for candidate, found in told.values():
        peak, seconds = law(candidate)
        is_traced = {name: candidate[name] for name in COST} in known
        expected = found["peak_memory_mib"]
        assert expected.value == pytest.approx(peak, rel=1e-9 if is_traced else 0.2)
        assert (expected.relative_error == pytest.approx(0.03)) == is_traced
        assert abs(math.log(expected.value / peak)) < 4 * expected.relative_error
        assert found["throughput_samples_per_s"].value == pytest.approx(
            candidate["train.batch_size"] / seconds, rel=1e-9 if is_traced else 0.2
        )
        step = found["step_time_p50_s"].value
        assert found["training_seconds"].value == pytest.approx(63 * step)
        assert found["probe_seconds"].value == pytest.approx(9 * step)


def test_what_cannot_be_traced_is_asked_once_and_still_estimated(costs, traced):
    told = costs(settings(rank=8, checkpointing=True))
    costs.allowance.affordable = 8
    for _ in range(6):
        costs.look_ahead([settings(rank=8, checkpointing=True)])
    asked = [config for config in traced[1:] if config == {n: settings(8, 8, True)[n] for n in COST}]
    assert len(asked) == 1
    assert told["peak_memory_mib"].value == pytest.approx(law(settings(8, 8, True))[0], rel=0.3)


def test_what_is_kept_is_not_traced(costs, traced):
    for rank, batch, checkpointing in itertools.product((4, 8, 16, 32), (2, 4, 8, 16), (False, True)):
        config = {n: settings(rank, batch, checkpointing)[n] for n in COST}
        traced[0][repr(sorted(config.items()))] = cost_of(config)
    told = costs(settings(rank=32, batch=16, lr=5e-3))
    costs.look_ahead([])
    assert dict(told) == {}, "looking it up takes time, too"
    costs.allowance.affordable = 8
    costs.look_ahead([])
    assert len(traced) == 1
    assert told["peak_memory_mib"].value == pytest.approx(law(settings(32, 16))[0])
    assert len(traced[0]) >= READY


def test_the_sampler_goes_by_it(costs, traced):
    """Candidates that are predicted not to fit are not proposed, though none like them has run."""
    sampler = FactoredSampler(
        SPACE,
        [Quantity(name="accuracy", of=BearsOn.QUALITY)],
        keys=KEYS,
        predict=costs,
        limited=[Quantity(name="peak_memory_mib", of=BearsOn.COST, maximize=False, most=700.0)],
        candidates=200,
    )
    costs.allowance.affordable = 8
    for _ in range(5):
        costs.look_ahead([])
    fits = [law(sampler.propose([], number).candidate.settings)[0] <= 700 for number in range(12)]
    share = np.mean([law(s)[0] <= 700 for s in draw_independently(SPACE)(400, np.random.default_rng(1), {})])
    assert share < 0.8
    assert all(fits)
