"""A wrong setting of adapters is one line with its key."""

import pytest

from terrasweep.config.compose import as_dict, trial_config
from terrasweep.config.knobs.tuning import find_bad_values
from terrasweep.trial.rules import find_violations
from tests.composing import compose_trial


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("tuning.dropout=1", "tuning.dropout=1.0"),
        ("tuning.alpha_ratio=0", "tuning.alpha_ratio=0.0"),
        ("tuning.frozen_dtype=bf17", "tuning.frozen_dtype=bf17: unknown; did you mean bf16"),
        ("tuning.unfreeze_last=-1", "tuning.unfreeze_last=-1: it counts blocks"),
        ("tuning.targets=[]", "tuning.targets=[]"),
        ("tuning.initialisation=pisa", "tuning.initialisation=pisa: unknown; did you mean pissa"),
        ("tuning.targets=attn", "tuning.targets=attn: unknown preset; did you mean"),
    ],
)
def test_a_bad_value_is_one_line_that_begins_with_its_key(override, told):
    (line,) = find_bad_values(compose_trial(override).tuning)
    assert line.startswith(told)
    assert "\n" not in line


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            ["tuning=full", "tuning.frozen_dtype=bf16"],
            "tuning.frozen_dtype=bf16 with tuning=full: nothing is frozen; drop",
        ),
        (
            ["tuning=full", "tuning.unfreeze_last=2"],
            "tuning.unfreeze_last=2 with tuning=full: every block learns; drop",
        ),
        (
            ["tuning.frozen_dtype=bf16", "offload=nvme", "offload.nvme_path=/mnt/nvme"],
            "tuning.frozen_dtype=bf16 with offload=nvme: DeepSpeed reads 16-bit weights back",
        ),
    ],
)
def test_what_has_no_meaning_is_refused(overrides, told):
    (line,) = [line for line in find_violations(compose_trial(*overrides), files=False) if "nvme needs" not in line]
    assert line.startswith(told)


def test_a_trial_that_was_stored_without_the_keys_has_what_it_had():
    stored = as_dict(compose_trial("tuning.rank=4"))
    for key in ("frozen_dtype", "unfreeze_last"):
        del stored["tuning"][key]
    assert trial_config(stored) == compose_trial("tuning.rank=4")
    assert (trial_config(stored).tuning.frozen_dtype, trial_config(stored).tuning.unfreeze_last) == ("fp32", 0)


def test_what_is_shipped_is_allowed():
    assert list(find_bad_values(compose_trial().tuning)) == []
