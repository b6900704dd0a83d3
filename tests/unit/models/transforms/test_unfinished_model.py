"""Knobs act in the order of their stages, and one that touched nothing is an error."""

import dataclasses

import pytest
import torch

from terrasweep.config.knobs.knob import EVERYTHING, Knob, Stage
from terrasweep.config.schema import TrialConfig
from terrasweep.models.transforms import unfinished_model
from terrasweep.models.transforms.unfinished_model import UnfinishedModel, transform
from terrasweep.results.errors import InvalidConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    name: str = "on"


def log(settings, unfinished):
    unfinished.model.append(settings.name)
    return {"logged": [settings.name]}


def nothing(settings, unfinished):
    return {"logged": []}


def a_list(settings, unfinished):
    return [settings.name]


def knob(group, transforms, **more):
    here = {stage: target if ":" in target else f"{__name__}:{target}" for stage, target in transforms.items()}
    return Knob(group=group, settings=Settings, bears_on={"name": EVERYTHING}, transforms=here, off="off", **more)


@pytest.fixture
def run(monkeypatch):
    """Transforms a list with the given knobs and options; returns the list and what was touched."""

    def transform_with(knobs, **options):
        monkeypatch.setattr(unfinished_model, "every_knob", lambda: knobs)
        config = TrialConfig(outside={group: Settings(name=name) for group, name in options.items()})
        unfinished = UnfinishedModel(model=[], config=config, device=torch.device("cpu"))
        return unfinished.model, transform(unfinished)

    return transform_with


def test_the_stage_decides_and_within_one_the_order_of_the_knobs(run):
    knobs = (
        knob("wrap", {Stage.CHECKPOINT: "log"}),
        knob("adapt", {Stage.ADAPT: "log"}),
        knob("both", {Stage.OFFLOAD: "log", Stage.SPLIT: "log"}),
        knob("adapt_too", {Stage.ADAPT: "log"}),
    )
    done, touched = run(knobs, wrap="w", adapt="a", both="b", adapt_too="a2")
    assert done == ["b", "a", "a2", "w", "b"]
    assert touched == {"logged": done}


def test_what_is_off_does_not_run(run):
    assert run((knob("one", {Stage.ADAPT: "log"}),), one="off") == ([], {})


def test_an_option_that_touched_nothing_is_an_error(run):
    with pytest.raises(InvalidConfig, match=r"^one=on: it touched nothing"):
        run((knob("one", {Stage.ADAPT: "nothing"}),), one="on")


def test_one_stage_that_touched_something_is_enough(run):
    assert run((knob("one", {Stage.SPLIT: "nothing", Stage.ADAPT: "log"}),), one="on") == (["on"], {"logged": ["on"]})


def test_an_option_that_names_no_module_may_touch_nothing(run):
    assert run((knob("one", {Stage.ADAPT: "nothing"}, names_no_module=("whole",)),), one="whole") == ([], {})


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("no_such_module:f", "can't be imported: No module named 'no_such_module'"),
        ("no_such_function", "can't be imported: module"),
        ("a_list", "returned a list, not names of modules"),
    ],
)
def test_a_transformation_that_can_not_be_used_is_one_line(run, target, told):
    with pytest.raises(InvalidConfig) as refused:
        run((knob("one", {Stage.ADAPT: target}),), one="on")
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith("mend the package that declares the knob")
