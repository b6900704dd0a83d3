"""Baselines as they are given: shapes, mistakes in one line each, and what the default ones set."""

import dataclasses

import pytest

from terrasweep.config.baselines import find_bad_baselines, given_baselines, is_default
from terrasweep.config.knobs.checkpointing import CheckpointingConfig
from terrasweep.config.knobs.offload import OffloadConfig
from terrasweep.config.knobs.quantization import QuantizationConfig
from terrasweep.config.knobs.tuning import TuningConfig

KNOBS = {
    "tuning": TuningConfig,
    "quantization": QuantizationConfig,
    "checkpointing": CheckpointingConfig,
    "offload": OffloadConfig,
}
BAD = {
    "study.baselines=full: it names no configuration; use default, none": "full",
    "study.baselines=['tuning=full']: it names no configuration": ["tuning=full"],
    "study.baselines: 'a/b': it names a folder; use letters": {"a/b": {"tuning": "full"}},
    "study.baselines: a=['tuning=full']: it sets nothing; use default": {"a": ["tuning=full"]},
    "study.baselines: a={}: it sets nothing": {"a": {}},
    "study.baselines: a: 'tuning full': it is no key; write KEY: VALUE": {"a": {"tuning full": 1}},
    "study.baselines: a: study.n_trials: it is the study's, not a training's": {"a": {"study.n_trials": 4}},
    "study.baselines: a: +hydra.job.name: it is the study's": {"a": {"+hydra.job.name": "x"}},
    "study.baselines: a: hydra/launcher: it is the study's": {"a": {"hydra/launcher": "ray"}},
}


@pytest.mark.parametrize("told", BAD)
def test_a_mistake_is_one_line(told):
    (line,) = find_bad_baselines(BAD[told])
    assert line.startswith(told)
    assert "\n" not in line


@pytest.mark.parametrize("given", [None, "none", [], {}])
def test_there_may_be_none(given):
    assert (list(find_bad_baselines(given)), given_baselines(given), is_default(given)) == ([], [], False)


def test_named_ones_set_what_they_name():
    given = {"wide": {"tuning": "lora", "tuning.rank": 64, "+decoder.arguments.x": [1]}, "full": {"tuning": "full"}}
    assert list(find_bad_baselines(given)) == []
    wide, full = given_baselines(given)
    assert (wide.name, dict(wide.settings), dict(wide.overrides)) == ("wide", given["wide"], given["wide"])
    assert full.name == "full"


def test_the_default_ones_set_every_setting_of_the_knobs_that_they_choose():
    """Nothing that a study sets of them is left, whatever fields a knob gets later."""
    full, lora = given_baselines("default")
    assert is_default("default")
    assert list(find_bad_baselines("default")) == []
    for baseline in (full, lora):
        fields = {
            group if field.name == "name" else f"{group}.{field.name}"
            for group, knob in KNOBS.items()
            for field in dataclasses.fields(knob)
        }
        assert set(baseline.overrides) == fields
        plain = {name: baseline.overrides[name] for name in ("quantization", "checkpointing", "offload")}
        assert set(plain.values()) == {"none"}
    assert (full.overrides["tuning"], full.overrides["tuning.rank"]) == ("full", None)
    assert (lora.overrides["tuning.rank"], lora.overrides["tuning.targets"]) == (16, "attention_mlp")
    assert dict(lora.settings)["tuning.rank"] == 16
    assert "tuning.rank" not in full.settings
