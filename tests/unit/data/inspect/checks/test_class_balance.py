"""Each fault of how often classes occur, alone, gives its own finding and no other."""

import pytest

from terrasweep.data.inspect.checks import class_balance, find_problems
from tests.unit.data.inspect.checks.faults import BALANCE, assert_found_alone, found_at
from tests.unit.data.surveys import config, with_labels


@pytest.mark.parametrize(("rule", "seen", "given", "told"), BALANCE, ids=[rule for rule, *_ in BALANCE])
def test_a_fault_of_the_balance_gives_its_own_finding_and_no_other(rule, seen, given, told):
    assert_found_alone(rule, seen, given, told)


def test_weights_that_are_given_answer_a_rare_class():
    seen = with_labels("segmentation", "train", counts={0: 9000, 1: 9000, 2: 9})
    assert find_problems(seen, config(task__class_weights=[1.0, 1.0, 9.0])) == []


def test_a_limit_lies_where_it_is_documented():
    def two_and(share):
        third = round(share * 1e6)
        return with_labels("segmentation", "train", counts={0: 500_000, 1: 500_000 - third, 2: third})

    assert found_at(class_balance.RARE / 3, two_and, config()) == {0.98: ["class-rare"], 1.02: []}
