"""What terrasweep tells the factored sampler: which searched key bears on what, and which candidates there are."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import optuna
import pytest
from omegaconf import OmegaConf

from terrasweep.config.knobs.knob import COST, EVERYTHING, QUALITY
from terrasweep.config.schema import ObjectiveConfig, StudyConfig
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.factored.quantities import BearsOn
from terrasweep.study.factored.sampler import FactoredSampler
from terrasweep.study.factored_search import (
    beside_objectives,
    draw_space,
    objective_quantity,
    search_arguments,
    searched_bearing,
    space_keys,
)
from terrasweep.study.samplers import ignores_pruned
from terrasweep.study.search_space import parse_space

CHOICES = {"quantization": "none", "tuning": "lora", "checkpointing": "none", "offload": "none", "optimizer": "adamw"}
BASE = OmegaConf.create(
    {
        "hydra": {"runtime": {"choices": CHOICES}},
        "reuse": {"name": "on", "to_rounding": False},
        "budget": {"memory_gib": 2},
        "train": {"lr": 0.001, "batch_size": 16},
        "task": {"loss": "ce"},
    }
)
SPACE = parse_space(
    {
        "quantization": "choice(none, int8, nf4)",
        "tuning.rank": "choice(1, 2, 4) if tuning=lora",
        "quantization.skip": "choice([], auto) if quantization!=none",
        "train.lr": "tag(log, interval(1e-4, 1e-2))",
        "checkpointing": "choice(none, blocks)",
        "offload": "choice(none, activations, optimizer) if checkpointing=none",
        "train.accumulate": "choice(1, 4) if train.batch_size=16|32 and task.loss=ce",
        "train.patience": "choice(1, 2) if tuning=full",
    },
    [],
)


@pytest.mark.parametrize(
    ("name", "is_group", "numbers"),
    [
        ("quantization", True, EVERYTHING),
        ("checkpointing", True, COST),
        ("offload", True, COST),
        ("tuning.rank", False, EVERYTHING),
        ("tuning.alpha_ratio", False, {QUALITY}),
        ("checkpointing.every", False, COST),
        ("train.lr", False, {QUALITY}),
        ("train.accumulate", False, COST),
        ("train.batch_size", False, EVERYTHING),
        ("schedule", True, {QUALITY}),
        ("backbone", True, EVERYTHING),
    ],
)
def test_a_searched_key_bears_on_what_is_declared(name, is_group, numbers):
    assert searched_bearing(name, is_group=is_group).numbers == numbers


def test_settings_are_split_by_what_they_bear_on():
    values = {"quantization": "nf4", "train.lr": 0.001, "checkpointing": "none", "offload": "activations"}
    quality, cost = space_keys(SPACE, BASE)(values)
    assert quality == {"quantization": "nf4", "train.lr": 0.001, "rounding of offload": None}
    assert cost == {"quantization": "nf4", "checkpointing": "none", "offload": "activations"}


def test_deepspeed_is_another_quality_unless_rounding_counts_as_the_same():
    to_rounding = OmegaConf.merge(BASE, {"reuse": {"to_rounding": True}})
    by_itself, as_usual = (
        [space_keys(SPACE, base)({"offload": offload})[0] for offload in ("none", "activations", "optimizer")]
        for base in (BASE, to_rounding)
    )
    assert by_itself[0] == by_itself[1] != by_itself[2]
    assert as_usual == [{}, {}, {}]


def test_of_a_key_whose_cost_is_whether_it_is_given_no_value_counts():
    keys = space_keys(parse_space({"train.layer_decay": "choice(1.0, 0.8, 0.9)"}, []), BASE)
    costs = [keys({"train.layer_decay": value})[1] for value in (1.0, 0.8, 0.9)]
    assert costs[0] != costs[1] == costs[2]


def test_what_is_drawn_could_have_been_suggested():
    """The space itself suggests from a drawn candidate exactly its values, so that all conditions hold."""
    drawn = list(draw_space(SPACE, BASE)(200, np.random.default_rng(0), {}))
    for values in drawn:
        asked = []

        def take(name, *_, values=values, asked=asked, **__):
            asked.append(name)
            return values[name]

        trial = SimpleNamespace(suggest_categorical=take, suggest_float=take, suggest_int=take)
        assert SPACE.suggest(trial, BASE) == values
        assert asked == list(values)
    assert {"train.patience"} == {key.name for key in SPACE.keys} - {name for values in drawn for name in values}


def test_what_is_held_stays_where_it_is_active():
    held = {"quantization": "nf4", "offload": "optimizer"}
    for values in draw_space(SPACE, BASE)(50, np.random.default_rng(1), held):
        assert values["quantization"] == "nf4"
        assert values.get("offload", "optimizer") == "optimizer"
        assert ("offload" in values) == (values["checkpointing"] == "none")


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("accuracy", BearsOn.QUALITY),
        ("val/Class_Accuracy_1", BearsOn.QUALITY),
        ("throughput_samples_per_s", BearsOn.COST),
        ("peak_memory_mib", BearsOn.COST),
        ("train_seconds", BearsOn.BOTH),
    ],
)
def test_an_objective_depends_on_what_its_measurement_does(name, of):
    assert objective_quantity(Objective(name=name, direction="maximize")).of is of


def arguments(*names, base=BASE):
    objectives = [ObjectiveConfig(name=name, direction="maximize") for name in names]
    return search_arguments(StudyConfig(name="s", objectives=objectives), SPACE, base, lambda values: True)


def test_a_whole_training_as_objective_leaves_nothing_to_reuse():
    assert arguments("accuracy", "peak_memory_mib")["reuse"]
    assert not arguments("accuracy", "energy_joules")["reuse"]
    assert not arguments("accuracy", base=OmegaConf.merge(BASE, {"reuse": {"name": "off"}}))["reuse"]


def test_the_budget_is_a_limit_unless_it_is_searched():
    (limit,) = arguments("accuracy")["limited"]
    assert (limit.name, limit.most) == ("peak_memory_mib", 2048.0)
    assert arguments("accuracy", base=OmegaConf.merge(BASE, {"budget": {"memory_gib": None}}))["limited"] == []


def test_a_trial_tells_what_it_took_by_what_it_was():
    whole = TrialResult(
        number=0, state=State.COMPLETE, measurements=Measurements(wall_seconds=9.0, peak_memory_mib=80.0)
    )
    assert beside_objectives(whole) == {"peak_memory_mib": 80.0, "training_seconds": 9.0}
    probe = dataclasses.replace(whole, accuracy_from="3")
    assert beside_objectives(probe) == {"peak_memory_mib": 80.0, "probe_seconds": 9.0}
    assert beside_objectives(dataclasses.replace(probe, cost_from="4")) == {"peak_memory_mib": 80.0}
    assert beside_objectives(TrialResult(number=1, state=State.FAILED)) == {}


def test_a_study_is_searched_by_its_own_space_and_rules():
    given = arguments("accuracy", "throughput_samples_per_s", "peak_memory_mib")
    given["allowed"] = lambda settings: settings["quantization"] != "int8"
    sampler = FactoredSampler(**given, candidates=200)
    assert not ignores_pruned(sampler)
    study = optuna.create_study(sampler=sampler, directions=["maximize"] * 3)
    for number in range(12):
        trial = study.ask()
        values = SPACE.suggest(trial, BASE)
        assert values == sampler.reason(trial.number).candidate.settings
        assert values["quantization"] != "int8"
        study.tell(trial, [0.5 + 0.01 * number, 10.0 + number, 1000.0 - number])
