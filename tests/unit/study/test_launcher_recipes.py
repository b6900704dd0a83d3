"""A batch is as large as the launcher's recipe says, and one trial where nobody said anything."""

import pytest

from terrasweep.study.launcher_recipes import trials_at_once


@pytest.mark.parametrize(
    ("launcher", "trials"),
    [
        ({}, 1),
        ({"n_jobs": -1}, 1),
        ({"n_jobs": 2}, 2),
        ({"n_jobs": -2}, 1),
        ({"array_parallelism": 256}, 1),
        ({"array_parallelism": 16}, 16),
    ],
)
def test_the_batch_is_the_launcher_s_own_number(launcher, trials):
    assert trials_at_once(launcher) == trials
