"""Settings of labels that can't be meant are refused before any file is opened, each in one line with the way out."""

import pytest

from terrasweep.data.label_rules import find_bad_labels
from tests.composing import compose_trial

SOUND = [
    "map={0: 0, 255: 1}",
    "map={1: ignore, 2: 0}",
    "threshold=0.5",
    "colours={a: [0, 0, 0], b: [255, 0, 0]}",
    "colours={0: [0, 0, 0, 0], 1: [255, 0, 0, 255]}",
    "merge={a: [0, 1], ignore: [2]}",
    "merge={0: [1, 2], 1: [0]}",
]
WRONG = {
    "map={a: 0}": "data.labels.map: a is no whole number",
    "map={0: road}": "data.labels.map: 0 becomes road, which is no class",
    "map={0: -1}": "data.labels.map: 0 becomes -1, which is no class",
    "map={0: 0.5}": "0 becomes 0.5, which is no class",
    "map=5": "data.labels.map=5: stored values with their classes are needed",
    "threshold=high": "data.labels.threshold=high: it is no number",
    "threshold=true": "data.labels.threshold=True: it is no number",
    "threshold=nan": "data.labels.threshold=nan: it is no number",
    "colours=[1]": "data.labels.colours: classes with their colours are needed",
    "colours={a: [0, 0]}": "data.labels.colours: a has [0, 0]",
    "colours={a: [0, 0, 256]}": "each from 0 to 255",
    "colours={a: [0, 0, 0], 1: [1, 1, 1]}": "are partly numbers and partly names",
    "colours={a: [0, 0, 0], b: [0, 0, 0]}": "a and b have one colour",
    "colours={a: [0, 0, 0], b: [0, 0, 0, 0]}": "some colours have three numbers and some four",
    "colours={-1: [0, 0, 0]}": "-1 is no class",
    "merge=[1]": "data.labels.merge: classes with what makes them up are needed",
    "merge={a: 1}": "data.labels.merge: a has 1; give a list",
    "merge={a: [1, 2], b: [2]}": "2 is in a and b; name it once",
    "merge={a: [tree]}": "tree in a is no whole number",
    "layer=x": "data.labels.layer without data.labels.vector",
    "outside=ignore": "data.labels.outside without data.labels.vector",
    "outside=3": "data.labels.outside=3: unknown; use 0",
    "colour_distance=5": "data.labels.colour_distance without data.labels.colours",
    "vector=nowhere.gpkg": "data.labels.vector=nowhere.gpkg: there is no such file",
}


def lines(*settings, task="segmentation", data="segmentation_folder"):
    keys = [f"data.labels.{setting}" for setting in settings]
    root = [] if data == "synthetic" else ["data.root=x"]
    return list(find_bad_labels(compose_trial(f"data={data}", f"task={task}", *root, *keys)))


@pytest.mark.parametrize("setting", SOUND)
def test_what_can_be_meant_is_not_refused(setting):
    assert lines(setting) == []


@pytest.mark.parametrize("setting", WRONG)
def test_what_can_not_be_meant_is_refused_in_a_line(setting):
    found = lines(setting)
    assert any(WRONG[setting] in line for line in found), found
    assert all(";" in line and "\n" not in line for line in found)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["map={0: 1}", "threshold=3"], "data.labels.map with data.labels.threshold"),
        (["colours={0: [0, 0, 0]}", "vector=x"], "data.labels.colours with data.labels.vector"),
        (["merge={a: [0]}", "map={0: 1}"], "data.labels.merge with data.labels.map"),
        (["table=x.csv", "map={0: 1}"], "data.labels.table with data.labels.map"),
    ],
)
def test_two_that_exclude_each_other_are_named(settings, told):
    assert any(told in line for line in lines(*settings))


def test_they_are_about_masks_of_classes_that_are_read_here():
    assert any(
        "with task=regression" in line for line in lines("map={0: 1}", task="regression", data="regression_folder")
    )
    assert any("with data=synthetic" in line for line in lines("map={0: 1}", data="synthetic"))


def test_ignore_needs_a_label():
    config = compose_trial(
        "data=segmentation_folder", "data.root=x", "task.ignore_index=null", "data.labels.map={0: ignore}"
    )
    assert any("task.ignore_index=null" in line for line in find_bad_labels(config))
    absent = compose_trial("data=segmentation_folder", "data.root=x", "data.labels.vector=nowhere.gpkg")
    assert list(find_bad_labels(absent, files=False)) == []


@pytest.mark.parametrize(
    ("distance", "is_fine"), [("0", True), ("255", True), ("-1", False), ("256", False), ("0.5", False)]
)
def test_colours_are_no_further_apart_than_numbers_of_a_byte(distance, is_fine):
    found = lines("colours={0: [0, 0, 0], 1: [255, 0, 0]}", f"colour_distance={distance}")
    told = f"data.labels.colour_distance={distance}: it lies outside 0 to 255; use 0 for exact colours"
    assert found == ([] if is_fine else [told])
