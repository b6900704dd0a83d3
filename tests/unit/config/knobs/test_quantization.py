"""A wrong setting of the quantization is one line with its key."""

import pytest

from terrasweep.config.knobs.quantization import find_bad_values
from tests.composing import compose_trial


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("quantization.skip=7", "quantization.skip=7"),
        ("quantization.skip_count=0", "quantization.skip_count=0: it must be at least 1"),
        ("quantization.compute_dtype=fp8", "quantization.compute_dtype=fp8"),
    ],
)
def test_a_bad_value_is_one_line_that_begins_with_its_key(override, told):
    (line,) = find_bad_values(compose_trial(override).quantization)
    assert line.startswith(told)
    assert "\n" not in line


def test_what_is_shipped_is_allowed():
    assert list(find_bad_values(compose_trial().quantization)) == []
