"""``terrasweep check`` composes as a sweep does, leaves weights aside, and prints what fits a terminal."""

import os
from dataclasses import replace

import pytest

from terrasweep.cli.check import check, without_weights
from terrasweep.results.errors import DataError, InvalidConfig
from tests.composing import ROOT, compose_trial
from tests.unit.cli.plans import FITTING


def test_the_data_is_looked_at_without_weights_or_disks(looked_at):
    checked = check([*FITTING, "backbone.checkpoint=/nowhere/weights.pt", "offload=nvme", "offload.nvme_path=/nowhere"])
    (asked,) = looked_at.asked
    assert asked == checked.config
    assert (asked.backbone.checkpoint, asked.offload.name) == (None, "none")
    assert checked.findings == []


def test_what_has_to_do_with_data_stays():
    given = compose_trial("data.split.by=blocks", "offload=activations", "tuning.rank=2")
    assert without_weights(given).data == given.data
    assert without_weights(given) == replace(given, offload=replace(given.offload, name="none"))


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["train.batch_size=0", "train.lr=-1"], ["train.batch_size=0", "train.lr=-1"]),
        (["data=synthetc"], ["did you mean synthetic?"]),
        (["data.nothing=3"], ["data.nothing"]),
    ],
)
def test_a_wrong_configuration_is_refused_before_the_data_is_looked_at(looked_at, overrides, told):
    with pytest.raises(InvalidConfig) as refused:
        check(overrides)
    lines = str(refused.value).splitlines()
    assert len(lines) == len(told)
    assert all(part in line for part, line in zip(told, lines, strict=True))
    assert looked_at.asked == []


def test_data_that_can_not_be_opened_is_bad_input(looked_at):
    looked_at.seen = DataError("data.root=/tiles: two files are called a; rename one")
    with pytest.raises(InvalidConfig, match="two files are called a"):
        check(FITTING)


def test_shipped_sweeps_are_found_from_a_project_that_has_none(tmp_path, monkeypatch, looked_at):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("TERRASWEEP_SHIPPED", "set, so that it is restored")
    monkeypatch.delenv("TERRASWEEP_SHIPPED")
    assert check(FITTING).config.study.name == "quickstart"
    assert os.environ["TERRASWEEP_SHIPPED"] == str(ROOT)
