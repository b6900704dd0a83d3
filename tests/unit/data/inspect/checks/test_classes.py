"""Each fault of class labels, alone, gives its own finding and no other."""

import pytest

from terrasweep.data.inspect.checks import find_problems
from tests.unit.data.inspect.checks.faults import CLASSES, assert_found_alone
from tests.unit.data.surveys import (
    config,
    labels,
    survey,
    with_labels,
)


@pytest.mark.parametrize(("rule", "seen", "given", "told"), CLASSES, ids=[rule for rule, *_ in CLASSES])
def test_a_fault_of_classes_gives_its_own_finding_and_no_other(rule, seen, given, told):
    assert_found_alone(rule, seen, given, told)


def test_a_label_that_is_ignored_answers_one_out_of_range():
    seen = with_labels("segmentation", "train", counts={0: 9, 1: 9, 2: 9, 255: 5})
    assert find_problems(seen, config(task__ignore_index=255)) == []


def test_a_count_from_one_is_recognised():
    counted = {1: 20, 2: 10, 3: 10}
    both = {name: {"labels": labels("classification", 40, counts=counted)} for name in ("train", "val")}
    found = find_problems(survey("classification", **both), config("classification"))
    line = next(finding.line for finding in found if finding.rule == "label-range")
    assert line.endswith("number the classes from 0, or raise data.num_classes to 4")


@pytest.mark.parametrize(("seen", "far"), [((1, 2), False), ((0, 2), False), ((0, 1, 3, 5), False), ((0, 255), True)])
def test_a_few_missing_numbers_are_no_gap(seen, far):
    counts = dict.fromkeys(seen, 20)
    both = {name: {"labels": labels("classification", 40, counts=counts)} for name in ("train", "val")}
    counted = survey("classification", **both, num_classes=max(seen) + 1, class_names=None)
    assert ("class-gap" in {f.rule for f in find_problems(counted, config("classification"))}) is far
