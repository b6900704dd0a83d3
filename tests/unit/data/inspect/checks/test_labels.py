"""Each fault of labels and targets, alone, gives its own finding and no other."""

import pytest

from terrasweep.data.inspect.checks import find_problems
from terrasweep.data.inspect.checks import labels as label_rules
from tests.unit.data.inspect.checks.faults import LABELS, assert_found_alone, found_at
from tests.unit.data.surveys import (
    config,
    with_labels,
)


@pytest.mark.parametrize(("rule", "seen", "given", "told"), LABELS, ids=[rule for rule, *_ in LABELS])
def test_a_fault_of_labels_gives_its_own_finding_and_no_other(rule, seen, given, told):
    assert_found_alone(rule, seen, given, told)


@pytest.mark.parametrize(
    ("seen", "answered"),
    [
        (with_labels("segmentation", "train", shapes={"32x32": 40}), config(data__resize_px=64)),
    ],
)
def test_settings_that_answer_a_finding_silence_it(seen, answered):
    assert find_problems(seen, answered) == []


def test_a_limit_lies_where_it_is_documented():
    def spread(std):
        return with_labels("regression", "train", std=std)

    found = found_at(label_rules.TARGET_SPREAD[1], spread, config("regression"))
    assert found == {0.98: [], 1.02: ["target-scale"]}
