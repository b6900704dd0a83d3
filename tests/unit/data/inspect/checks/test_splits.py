"""Each fault of the division into splits, alone, gives its own finding and no other."""

import pytest

from terrasweep.config.data import SplitConfig
from terrasweep.data.inspect.checks import find_problems
from tests.unit.data.inspect.checks.faults import SPLITS, assert_found_alone
from tests.unit.data.surveys import (
    config,
    survey,
)


@pytest.mark.parametrize(("rule", "seen", "given", "told"), SPLITS, ids=[rule for rule, *_ in SPLITS])
def test_a_fault_of_splits_gives_its_own_finding_and_no_other(rule, seen, given, told):
    assert_found_alone(rule, seen, given, told)


@pytest.mark.parametrize(
    ("seen", "answered"),
    [
        (survey(), config(train__batch_size=40)),
        (survey(), config(data__split=SplitConfig(by="fraction", fractions=[0.8, 0.2, 0.0]))),
    ],
)
def test_settings_that_answer_a_finding_silence_it(seen, answered):
    assert find_problems(seen, answered) == []
