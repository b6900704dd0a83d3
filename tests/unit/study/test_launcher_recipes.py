"""A batch is as large as the launcher's recipe says, and one trial where nobody said anything."""

import pytest

from terrasweep.study.launcher_recipes import find_bad_settings, runs_here, runs_in_this_process, trials_at_once


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


JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"


@pytest.mark.parametrize(
    ("launcher", "found"),
    [
        ({"_target_": JOBLIB, "backend": "loky", "require": None}, []),
        ({"_target_": JOBLIB, "backend": None}, []),
        ({"_target_": JOBLIB, "backend": "multiprocessing"}, ["hydra.launcher.backend=multiprocessing"]),
        ({"_target_": JOBLIB, "backend": "threading"}, ["hydra.launcher.backend=threading"]),
        ({"_target_": JOBLIB, "require": "sharedmem"}, ["hydra.launcher.require=sharedmem"]),
        ({"_target_": "another.RayLauncher", "backend": "multiprocessing"}, []),
    ],
)
def test_settings_with_which_no_trial_can_start_are_named(launcher, found):
    assert [line.split(":")[0] for line in find_bad_settings(launcher)] == found


def test_where_trials_run_elsewhere_this_machine_says_nothing_of_them():
    assert runs_here({"_target_": JOBLIB})
    assert runs_here({"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"})
    assert not runs_here({"_target_": "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"})


def test_only_hydra_s_own_launcher_starts_trials_in_the_sweep_s_process():
    assert runs_in_this_process({"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"})
    assert not runs_in_this_process({"_target_": JOBLIB})
