"""Every key of every knob says which numbers it bears on, and each transformation is there."""

import dataclasses
import importlib

import pytest

from terrasweep.config.knobs import KNOBS
from terrasweep.config.knobs.knob import EVERYTHING, Knob, Stage, undeclared
from terrasweep.config.schema import TrialConfig
from tests.composing import ROOT


@dataclasses.dataclass
class Settings:
    name: str = "off"
    strength: int = 1


BY_GROUP = {knob.group: knob for knob in KNOBS}


@pytest.mark.parametrize("knob", KNOBS, ids=BY_GROUP)
def test_every_field_is_declared(knob):
    assert undeclared(knob) == set()
    assert all(numbers and set(numbers) <= EVERYTHING for numbers in knob.bears_on.values())


def test_a_field_that_is_not_declared_is_found():
    knob = Knob(group="x", settings=Settings, bears_on={"name": EVERYTHING, "power": EVERYTHING})
    assert undeclared(knob) == {"strength", "power"}


def test_what_changes_no_mathematics_does_not_bear_on_quality():
    assert not BY_GROUP["checkpointing"].bears_on_quality
    for group, key in (("offload", "name"), ("offload", "nvme_path"), ("optimizer", "implementation")):
        assert "quality" not in BY_GROUP[group].bears_on[key]


def test_what_changes_no_kernel_bears_on_quality_alone():
    for group, key in (
        *(("tuning", "alpha_ratio"), ("tuning", "use_rslora"), ("tuning", "initialisation")),
        *(("optimizer", "weight_decay"), ("optimizer", "betas")),
    ):
        assert set(BY_GROUP[group].bears_on[key]) == {"quality"}


def test_the_order_of_building_is_the_design_s():
    order = [stage for knob in KNOBS for stage in knob.transforms]
    assert sorted(order) == [
        *(Stage.SPLIT, Stage.QUANTIZE, Stage.ADAPT, Stage.STORE, Stage.CHECKPOINT, Stage.OFFLOAD),
    ]
    assert BY_GROUP["tuning"].transforms.keys() == {Stage.SPLIT, Stage.ADAPT, Stage.STORE}


@pytest.mark.parametrize("target", [target for knob in KNOBS for target in knob.transforms.values()])
def test_each_transformation_is_there(target):
    module, _, function = target.partition(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("knob", KNOBS, ids=BY_GROUP)
def test_each_knob_is_a_section_with_files_for_its_options(knob):
    sections = {field.name: field.default_factory for field in dataclasses.fields(TrialConfig)}
    assert sections[knob.group] is knob.settings
    options = {file.stem for file in (ROOT / "src" / "terrasweep" / "conf" / knob.group).glob("*.yaml")}
    assert {*knob.names_no_module, *([knob.off] if knob.off else [])} <= options
