"""A wrong setting of the optimizer is one line with its key."""

import pytest

from terrasweep.config.knobs.optimizer import find_bad_values
from tests.composing import compose_trial


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("optimizer.weight_decay=-1", "optimizer.weight_decay=-1.0"),
        ("optimizer.weight_decay=nan", "optimizer.weight_decay=nan"),
        ("optimizer.betas=[0.9]", "optimizer.betas=[0.9]"),
        ("optimizer.betas=[0.9,1]", "optimizer.betas=[0.9, 1.0]"),
        ("optimizer.min_8bit_size=-1", "optimizer.min_8bit_size=-1"),
        ("optimizer.implementation=fusedd", "optimizer.implementation=fusedd: unknown; did you mean fused?"),
    ],
)
def test_a_bad_value_is_one_line_that_begins_with_its_key(override, told):
    (line,) = find_bad_values(compose_trial(override).optimizer)
    assert line.startswith(told)
    assert "\n" not in line


def test_what_is_shipped_is_allowed():
    assert list(find_bad_values(compose_trial().optimizer)) == []
