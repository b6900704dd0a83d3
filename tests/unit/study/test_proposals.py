"""What is proposed, runs only where the rules allow it; what they forbid does not count."""

import itertools

import optuna
import pytest

from terrasweep.study import proposals
from terrasweep.study.factored.candidates import split_by
from terrasweep.study.factored.quantities import BearsOn, Quantity
from terrasweep.study.factored.sampler import FactoredSampler
from terrasweep.study.samplers import GridSize, build_grid
from tests.unit.study.instant_trials import BASE, SPACE, Sweep, broken, complete, start

pytestmark = pytest.mark.usefixtures("untracked")

SAMPLERS = {
    "random": lambda: optuna.samplers.RandomSampler(seed=0),
    "tpe": lambda: optuna.samplers.TPESampler(seed=0, multivariate=True, group=True, n_startup_trials=4),
    "nsgaii": lambda: optuna.samplers.NSGAIISampler(seed=0, population_size=4),
}


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_what_the_rules_forbid_is_neither_run_nor_counted(tmp_path, name, n_jobs):
    sweep = Sweep(complete, forbids=lambda v: v["x"] != v["y"], n_jobs=n_jobs)
    status, stored, folder = start(tmp_path, sweep, total=6, sampler=(SAMPLERS[name](), GridSize()))
    assert status == 0
    assert len(sweep.ran) == 6
    assert all(values["x"] == values["y"] for values in sweep.ran)
    assert len(folder.results()) == 6
    assert len(stored.study.trials) > 6


def factored(allowed=lambda values: True):
    space = {key.name: key.distribution for key in SPACE.keys}
    accuracy = Quantity(name="accuracy", of=BearsOn.QUALITY)
    return FactoredSampler(space, [accuracy], keys=split_by("x", "xy"), allowed=allowed, startup_trials=2), GridSize()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_sampler_that_asks_for_the_rules_proposes_nothing_that_they_forbid(tmp_path, n_jobs):
    sweep = Sweep(complete, forbids=lambda v: v["x"] != v["y"], n_jobs=n_jobs)
    sampler = factored(lambda values: not sweep.find_violations(values))
    _, stored, _ = start(tmp_path, sweep, total=3, sampler=sampler)
    assert len(stored.study.trials) == 3
    assert {(values["x"], values["y"]) for values in sweep.ran} == {(1, 1), (2, 2), (3, 3)}


def test_a_result_keeps_why_it_was_proposed(tmp_path):
    _, _, folder = start(tmp_path, Sweep(complete), total=3, sampler=factored())
    reasons = [result.proposed for result in folder.results()]
    assert [why["as"] for why in reasons] == ["filling", "filling", "training"]
    value, low, high = reasons[2]["expected"]["accuracy"]
    assert low <= value <= high
    assert reasons[2]["promise"] > 0


def test_a_grid_ends_when_all_that_is_allowed_has_run(tmp_path):
    grid = build_grid(SPACE, BASE)
    sweep = Sweep(complete, forbids=lambda v: v["x"] == v["y"])
    sampler = (optuna.samplers.GridSampler(grid), GridSize(combinations=9))
    assert start(tmp_path, sweep, total=20, sampler=sampler)[0] == 0
    assert sorted((v["x"], v["y"]) for v in sweep.ran) == sorted(itertools.permutations((1, 2, 3), 2))


def test_a_sampler_that_insists_gives_way_to_chance(tmp_path, monkeypatch):
    class Insists(optuna.samplers.RandomSampler):
        def sample_independent(self, study, trial, name, distribution):
            return 1

    monkeypatch.setattr(proposals, "MOST_TAUGHT", 2)
    sweep = Sweep(complete, forbids=lambda v: v["x"] == v["y"])
    assert start(tmp_path, sweep, total=2, sampler=(Insists(), GridSize()))[0] == 0
    assert len(sweep.ran) == 2
    assert all(values["x"] != values["y"] for values in sweep.ran)


def test_in_the_end_a_forbidden_one_is_run(tmp_path, monkeypatch):
    monkeypatch.setattr(proposals, "MOST_FORBIDDEN", 4)
    sweep = Sweep(lambda values: broken(values, f"no {len(sweep.ran)}"), forbids=lambda values: True)
    _, stored, _ = start(tmp_path, sweep, total=2)
    assert len(sweep.ran) == 2
    assert len(stored.study.trials) == 2 + 2 * 4
