"""Each fault of the images' values, alone, gives its own finding and no other."""

import pytest

from terrasweep.data.inspect.checks import find_problems
from terrasweep.data.inspect.checks import images as image_rules
from tests.unit.data.inspect.checks.faults import IMAGES, assert_found_alone, found_at
from tests.unit.data.surveys import (
    config,
    survey,
    with_image,
)


@pytest.mark.parametrize(("rule", "seen", "given", "told"), IMAGES, ids=[rule for rule, *_ in IMAGES])
def test_a_fault_of_images_gives_its_own_finding_and_no_other(rule, seen, given, told):
    assert_found_alone(rule, seen, given, told)


@pytest.mark.parametrize(
    ("seen", "answered"),
    [
        (with_image("val", not_finite=[0.1, 0.1]), config(data__no_data_replace=0.0)),
        (survey(), config(data__means=[1000.0, 2400.0], data__stds=[400.0, 600.0])),
    ],
)
def test_settings_that_answer_a_finding_silence_it(seen, answered):
    assert find_problems(seen, answered) == []


@pytest.mark.parametrize(
    ("rule", "limit", "made", "given"),
    [
        (
            "domain-shift",
            image_rules.SHIFT,
            lambda shift: with_image("val", means=[900.0 - 300 * shift, 2500.0]),
            config(),
        ),
        (
            "mostly-no-data",
            image_rules.MOSTLY,
            lambda share: with_image("val", not_finite=[share, 0.0]),
            config(data__no_data_replace=0.0),
        ),
    ],
)
def test_a_limit_lies_where_it_is_documented(rule, limit, made, given):
    assert found_at(limit, made, given) == {0.98: [], 1.02: [rule]}
