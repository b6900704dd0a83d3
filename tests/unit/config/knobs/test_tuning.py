"""A wrong setting of adapters is one line with its key."""

import pytest

from terrasweep.config.knobs.tuning import find_bad_values
from tests.composing import compose_trial


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("tuning.dropout=1", "tuning.dropout=1.0"),
        ("tuning.alpha_ratio=0", "tuning.alpha_ratio=0.0"),
        ("tuning.targets=[]", "tuning.targets=[]"),
        ("tuning.targets=attn", "tuning.targets=attn: unknown preset; did you mean"),
    ],
)
def test_a_bad_value_is_one_line_that_begins_with_its_key(override, told):
    (line,) = find_bad_values(compose_trial(override).tuning)
    assert line.startswith(told)
    assert "\n" not in line


def test_what_is_shipped_is_allowed():
    assert list(find_bad_values(compose_trial().tuning)) == []
