"""A key that had another name: one line with the present one, and stored configurations go on being read."""

import dataclasses

import pytest
from hydra.errors import HydraException

from terrasweep.config.bad_input import describe_bad_input
from terrasweep.config.compose import as_dict, compose, stored_trial_config
from terrasweep.config.renamed_keys import RENAMED, with_present_names
from terrasweep.config.schema import TrialConfig
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial

LINE = ["train.warmup_steps: its name is train.untimed_steps now; use that"]


@pytest.mark.parametrize("override", ["train.warmup_steps=2", "+train.warmup_steps=2"])
def test_the_line_names_the_present_key(override):
    with pytest.raises((HydraException, InvalidConfig)) as refused:
        compose([override])
    assert describe_bad_input(refused.value) == LINE


def test_a_file_that_sets_it_gives_the_same_line(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "mine.yaml").write_text("# @package _global_\ntrain:\n  warmup_steps: 2\n")
    with pytest.raises((HydraException, InvalidConfig)) as refused:
        compose(["sweeps=mine"])
    assert describe_bad_input(refused.value) == LINE


def test_a_stored_configuration_of_an_earlier_version_is_read():
    config = compose_trial("train.untimed_steps=7")
    stored = as_dict(config)
    stored["train"]["warmup_steps"] = stored["train"].pop("untimed_steps")
    assert stored_trial_config(stored) == config
    assert "warmup_steps" in stored["train"], "what was handed in stays"


def test_each_old_name_leads_to_a_key_that_exists():
    sections = {field.name: field for field in dataclasses.fields(TrialConfig)}
    for before, now in RENAMED.items():
        group, _, key = now.partition(".")
        assert group in sections
        assert key in as_dict(compose_trial())[group]
        assert before.partition(".")[2] not in as_dict(compose_trial())[group]
    assert with_present_names({"train": {"untimed_steps": 1, "warmup_steps": 2}}) == {"train": {"untimed_steps": 1}}
