"""Values that are wrong on their own are told in one line each, with a way out, and no others."""

import dataclasses
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.config.allowed_values import HYDRA_KEYS, find_bad_values
from terrasweep.config.losses import LOSSES
from tests.composing import compose_trial

CONFIG = compose_trial()


def with_task(task, **changes):
    composed = compose_trial(f"task={task}")
    return replace(composed, task=replace(composed.task, **changes))


@pytest.mark.parametrize("task", LOSSES)
def test_every_task_as_it_is_shipped_is_allowed(task):
    assert list(find_bad_values(with_task(task), files=False)) == []


BAD_TASKS = {
    "an unknown loss": ("segmentation", {"loss": "bce"}, "use ce, dice, dice_ce, focal, focal_tversky, jaccard"),
    "a loss that TerraTorch names and can't run": ("classification", {"loss": "bce"}, "use ce, focal, jaccard"),
    "a loss of another task": ("regression", {"loss": "ce"}, "use huber, mae, mse, rmse"),
    "a loss that can't ignore": ("segmentation", {"loss": "jaccard"}, "task.ignore_index=-1 with task.loss=jaccard"),
    "weights for numbers": ("regression", {"class_weights": [1.0]}, "it takes none; use null"),
    "weights by frequency for numbers": ("regression", {"class_weights": "auto"}, "it takes none; use null"),
    "weights in another word": ("segmentation", {"class_weights": "balanced"}, "use auto, a list of one number per"),
    "weights of truth values": ("segmentation", {"class_weights": [True, 1.0, 1.0]}, "use auto, a list of one number"),
    "an unknown argument": ("segmentation", {"loss": "tversky", "loss_arguments": {"alfa": 1}}, "did you mean alpha?"),
    "an argument of no loss": ("segmentation", {"loss_arguments": {"gamma": 1}}, "it takes none: drop it"),
    "an argument that is none": (
        "segmentation",
        {"loss": "focal", "loss_arguments": {"gamma": -1}},
        "task.loss_arguments.gamma=-1: task.loss=focal can't take it; use a number of 0 or more",
    ),
    "a power of 0": ("segmentation", {"loss": "focal_tversky", "loss_arguments": {"gamma": 0}}, "of more than 0"),
    "a share above 1": ("multilabel", {"loss": "focal", "loss_arguments": {"alpha": 1.5}}, "and at most 1, or null"),
    "a switch that is none": (
        "classification",
        {"loss": "focal", "loss_arguments": {"normalized": 1}},
        "use true or false",
    ),
    "a sum of nothing": (
        "segmentation",
        {"loss": "dice_ce", "loss_arguments": {"dice": 0, "ce": 0.0}},
        "dice and ce are both 0, and nothing is left of the loss",
    ),
    "weights for a loss without": (
        "segmentation",
        {"loss": "dice", "class_weights": [1.0, 2.0, 3.0]},
        "it takes none; use task.loss=ce, or null",
    ),
    "a weight of 0": ("segmentation", {"class_weights": [1.0, 0.0, 3.0]}, "above 0 and finite"),
    "a weight that is no number": ("multilabel", {"class_weights": [1.0, math.nan, 3.0]}, "above 0 and finite"),
    "a weight too few": ("segmentation", {"class_weights": [1.0, 2.0]}, "2 values for 3 classes"),
    "a class too few": ("segmentation", {"class_weights": None}, "data.num_classes=1"),
    "an unknown task": ("segmentation", {"name": "segmentaton"}, "did you mean segmentation?"),
}


@pytest.mark.parametrize("name", BAD_TASKS)
def test_a_bad_value_of_a_task_is_one_line_with_a_way_out(name):
    task, changes, told = BAD_TASKS[name]
    trial = with_task(task, **changes)
    classes = 1 if name == "a class too few" else 3
    trial = replace(trial, data=replace(trial.data, num_classes=classes))
    (line,) = find_bad_values(trial, files=False)
    assert told in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ("segmentation", {"class_weights": "auto"}),
        ("segmentation", {"loss": "focal", "class_weights": "auto", "loss_arguments": {"alpha": None, "gamma": 0}}),
        ("segmentation", {"loss": "focal_tversky", "class_weights": [1, 2.5, 3], "loss_arguments": {"alpha": 0}}),
        ("classification", {"loss": "focal", "loss_arguments": {"normalized": False}}),
        ("multilabel", {"class_weights": "auto"}),
    ],
)
def test_what_a_loss_can_take_is_allowed(task, changes):
    trial = with_task(task, **changes)
    assert list(find_bad_values(replace(trial, data=replace(trial.data, num_classes=3)), files=False)) == []


BAD_VALUES = {
    "study.name='a/b'": ["study.name=a/b"],
    "study.name='single'": ["study.name=single"],
    "study.n_trials=0": ["study.n_trials=0"],
    "study.budget_hours=0: no trial could begin; use hours above 0": ["study.budget_hours=0"],
    "study.stop_when=convergd: unknown; did you mean converged?": ["study.stop_when=convergd"],
    "study.stop_share=1: it is a share": ["study.stop_share=1"],
    "study.stop_proposals=0: it counts proposals": ["study.stop_proposals=0"],
    "study.objectives=[]": ["study.objectives=[]"],
    "study.objectives: direction 'more' of accuracy": ["study.objectives=[{name: accuracy, direction: more}]"],
    "study.objectives=['accuracy', 'accuracy']": [
        "study.objectives=[{name: accuracy, direction: maximize}, {name: accuracy, direction: minimize}]"
    ],
    "study.keep_weights=some": ["study.keep_weights=some"],
    "study.stop_after_same_failures=1: one failure is like no other; use 2": ["study.stop_after_same_failures=1"],
    "train.lr=nan": ["train.lr=nan"],
    "train.untimed_steps=-1": ["train.untimed_steps=-1"],
    "train.device='tpu'": ["train.device=tpu"],
    "study.baselines=full: it names no configuration; use default": ["study.baselines=full"],
    "repeats.seeds=1: one other seed has no spread; use 2 or more": ["repeats.seeds=1"],
    "repeats.n_trainings=0: it counts trainings": ["repeats.n_trainings=0"],
    "budget.timeout_s=0.0: it must be above 0; null means no limit": ["budget.timeout_s=0"],
    "budget.gate_verify=1.5: it is a share of the trials; use 0 to 1": ["budget.gate_verify=1.5"],
}
BAD_FILES = {
    "backbone.checkpoint=/nowhere.pt: there is no such file": ["backbone.checkpoint=/nowhere.pt"],
    "backbone.checkpoint=synthetic with data=segmentation_folder": [
        *("backbone.checkpoint=synthetic", "data=segmentation_folder", "data.root=/"),
    ],
    "backbone.pretrained=true with backbone.checkpoint=w.pt: ": [
        "backbone.checkpoint=w.pt",
        "backbone.pretrained=true",
    ],
}


@pytest.mark.parametrize("told", [*BAD_VALUES, *BAD_FILES])
def test_a_bad_value_is_one_line_that_begins_with_its_key(told):
    (line,) = find_bad_values(compose_trial(*(BAD_VALUES | BAD_FILES)[told]))
    assert line.startswith(told)
    assert "\n" not in line
    assert ";" in line or "must be" in line, "a way out"


@pytest.mark.parametrize("data", [[], ["data=segmentation_folder", "data.root=/"]], ids=["quickstart", "own data"])
def test_the_hub_s_weights_in_the_quickstart_s_place_are_one_line_with_the_way_out(data):
    chosen = ["backbone=timm_vit_tiny_patch16_224", "backbone.checkpoint=synthetic", *data]
    asked = [*chosen, "backbone.pretrained=true"]
    (line,) = find_bad_values(compose_trial(*asked))
    assert line.startswith("backbone.pretrained=true with backbone.checkpoint=synthetic, which the quickstart sets: ")
    assert "set backbone.checkpoint=null for those of the Hub" in line
    # The way out is one, also of the line that comes without backbone.pretrained.
    assert list(find_bad_values(compose_trial(*asked, "backbone.checkpoint=null"))) == []
    if data:
        (line,) = find_bad_values(compose_trial(*chosen))
        assert "backbone.checkpoint=null, for the Hub's weights with backbone.pretrained=true" in line


@pytest.mark.parametrize(("loss", "told"), [("dice", True), ("focal", True), ("ce", False)])
def test_a_batch_in_parts_needs_a_loss_that_is_a_mean_over_labels(loss, told):
    config = with_task("segmentation", loss=loss)
    lines = list(find_bad_values(replace(config, train=replace(config.train, accumulate=2)), files=False))
    assert [line.startswith(f"train.accumulate=2 with task.loss={loss}: ") for line in lines] == [True] * told
    assert all("use train.accumulate=1, or task.loss=ce" in line for line in lines)


@pytest.mark.parametrize("told", BAD_FILES)
def test_files_can_be_left_aside(told):
    assert list(find_bad_values(compose_trial(*BAD_FILES[told]), files=False)) == []


def test_every_bad_value_is_told():
    everything = [override for name, given in BAD_VALUES.items() if "objectives" not in name for override in given]
    last_of_its_key = {override.partition("=")[0]: override for override in everything}
    lines = list(find_bad_values(compose_trial(*last_of_its_key.values())))
    assert len(lines) == len(last_of_its_key)


@given(
    st.fixed_dictionaries(
        {
            "batch_size": st.integers(1, 2**20),
            "lr": st.floats(min_value=0, exclude_min=True, allow_infinity=False),
            "max_steps": st.integers(1, 2**20),
            "untimed_steps": st.integers(0, 2**20),
        }
    )
)
def test_whatever_is_in_range_is_allowed(values):
    config = replace(CONFIG, train=replace(CONFIG.train, **values))
    assert list(find_bad_values(config, files=False)) == []


PLACES = ["backbone.arguments", "decoder.arguments", "data.arguments"]


def lines(*overrides):
    return list(find_bad_values(compose_trial(*overrides)))


@pytest.mark.parametrize("key", HYDRA_KEYS)
@pytest.mark.parametrize("place", PLACES)
def test_a_key_of_hydra_s_own_is_one_line_that_names_it(place, key):
    (line,) = lines(f"{place}={{{key}: os.getcwd}}")
    assert line.startswith(f"{place}.{key}: it is Hydra's own")


def test_it_is_found_at_whatever_depth():
    (inner,) = lines("backbone.arguments={options: [{of: {_target_: os.getcwd}}]}")
    assert inner.startswith("backbone.arguments.options[0].of._target_: ")
    (neck,) = lines("neck.modules=[{name: SelectIndices, indices: [1]}, {_target_: os.getcwd}]")
    assert neck.startswith("neck.modules[1]._target_: ")


def test_arguments_like_it_are_left_alone():
    assert lines("backbone.arguments={target: x, _mine_: 1}", "data.arguments={args: [1], partial: true}") == []


def test_a_weights_file_that_is_longer_than_a_name_may_be_is_not_there():
    config = compose_trial()
    backbone = dataclasses.replace(config.backbone, checkpoint=300 * "x")
    (line,) = find_bad_values(dataclasses.replace(config, backbone=backbone))
    assert "there is no such file" in line
