"""A wrong interval of blocks is one line with its key."""

import pytest

from terrasweep.config.knobs.checkpointing import find_bad_values
from tests.composing import compose_trial


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("checkpointing.every=0", "checkpointing.every=0"),
    ],
)
def test_a_bad_value_is_one_line_that_begins_with_its_key(override, told):
    (line,) = find_bad_values(compose_trial(override).checkpointing)
    assert line.startswith(told)
    assert "\n" not in line


def test_what_is_shipped_is_allowed():
    assert list(find_bad_values(compose_trial().checkpointing)) == []
