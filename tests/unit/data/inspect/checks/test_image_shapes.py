"""Each fault of the images' shapes, alone, gives its own finding and no other."""

import pytest

from terrasweep.data.inspect.checks import find_problems
from tests.unit.data.inspect.checks.faults import SHAPES, assert_found_alone
from tests.unit.data.surveys import config, with_image


@pytest.mark.parametrize(("rule", "seen", "given", "told"), SHAPES, ids=[rule for rule, *_ in SHAPES])
def test_a_fault_of_shapes_gives_its_own_finding_and_no_other(rule, seen, given, told):
    assert_found_alone(rule, seen, given, told)


def test_images_that_are_resized_may_differ():
    seen = with_image("train", shapes={"2x64x64": 39, "2x63x64": 1})
    assert find_problems(seen, config(data__resize_px=64)) == []
