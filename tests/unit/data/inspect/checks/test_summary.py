"""A summary is strict JSON, and its numbers are those of the survey."""

import json

import pytest

from terrasweep.data.inspect import checks
from terrasweep.data.inspect.checks import describe, find_problems
from terrasweep.data.inspect.checks.summary import summarize
from terrasweep.data.inspect.survey import IMAGE
from tests.unit.data.inspect.checks.faults import FAULTS
from tests.unit.data.surveys import (
    config,
    image,
    survey,
    with_image,
    with_labels,
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[0])
def test_the_description_is_strict_json_and_its_shares_add_up(fault):
    _, seen, given, _ = fault
    findings = find_problems(seen, given)
    described = describe(seen, given, findings)
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert described["warnings"] == checks.warnings(findings)
    summary = described["summary"]
    assert [split["samples"] for split in summary["splits"]] == [split.samples for split in seen.splits.values()]
    if given.task.name in ("segmentation", "classification"):
        for split in seen.splits:
            shares = [entry["shares"][split] for entry in summary["classes"]]
            assert None in shares or sum(shares) == pytest.approx(1.0)


def test_a_band_without_a_finite_pixel_has_no_statistics_in_the_description():
    seen = with_image("train", means=[float("nan"), 1.0], stds=[float("nan"), 1.0])
    bands = describe(seen, config(), [])["summary"]["images"][0]["bands"]
    assert [band["seen"]["train"] for band in bands] == [None, [1.0, 1.0]]


def test_sizes_of_all_splits_and_bands_are_added_up():
    seen = survey(
        train={"images": {IMAGE: image(40, shapes={"2x64x64": 30, "3x64x64": 7, "2x32x64": 3})}},
        val={"images": {IMAGE: image(20, shapes={"2x64x64": 20}, dtypes={"uint16": 5, "float32": 15})}},
    )
    (images,) = summarize(seen, config())["images"]
    assert images["sizes"] == {"64 x 64": 57, "32 x 64": 3}
    assert images["dtypes"] == {"uint16": 45, "float32": 15}


def test_labels_that_do_not_count_are_a_share_of_all_pixels_and_no_class():
    seen = with_labels("segmentation", "val", counts={2: 30, 0: 45, 1: 25}, counted=70)
    summary = summarize(seen, config(task__ignore_index=2))
    assert [split["ignored"] for split in summary["splits"]] == [pytest.approx(0.25), 0.3]
    assert [(entry["label"], entry["shares"]["val"]) for entry in summary["classes"]] == [
        (0, pytest.approx(45 / 70)),
        (1, pytest.approx(25 / 70)),
    ]


def test_shares_of_several_labels_are_of_the_samples_and_may_exceed_one_together():
    summary = summarize(survey("multilabel"), config("multilabel"))
    assert [entry["shares"]["train"] for entry in summary["classes"]] == [0.5, 0.5, 0.25]


def test_targets_are_summarized_for_a_regression_alone():
    summary = summarize(survey("regression"), config("regression"))
    assert summary["classes"] == []
    assert summary["targets"]["val"] == {"minimum": -2.0, "maximum": 2.5, "mean": 0.1, "std": 0.9}
    assert summarize(survey(), config())["targets"] == {}
