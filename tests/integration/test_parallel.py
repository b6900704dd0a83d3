"""Several trials at once: a batch by one of Hydra's launchers, and two processes on one study."""

import pytest

from tests.conftest import SMALL, run_sweep, start_sweep
from tests.integration.study import (
    OBJECTIVES,
    check_front,
    read_mlflow,
    read_optuna,
    read_results,
    read_rows,
    wait_for,
)

pytestmark = pytest.mark.slow

SPACE = ("quantization=none", "tuning.targets=mlp", "checkpointing=none", "tuning.rank=choice(2,4,8,16)")


def check_each_trial_once(study, total):
    """Every trial is complete, and folder, table and Optuna tell the same of it."""
    results, rows, trials = read_results(study), read_rows(study / "trials.csv"), read_optuna(study)
    assert sorted(results) == [trial.number for trial in trials] == list(range(total))
    assert [row["number"] for row in rows] == [str(number) for number in range(total)]
    for trial, row in zip(trials, rows, strict=True):
        result = results[trial.number]
        assert (result.state, row["state"], trial.state.name) == ("complete", "complete", "COMPLETE"), result.message
        values = result.objective_values(list(OBJECTIVES))
        assert trial.values == values == [float(row[name]) for name in OBJECTIVES]
        assert trial.params == result.searched
        assert result.config["tuning"]["rank"] == trial.params["tuning.rank"] == int(row["tuning.rank"])
        assert (study / "trials" / str(trial.number) / "log.txt").stat().st_size
    check_front(study)


def test_joblib_runs_a_study_two_trials_at_a_time_and_goes_on(home):
    joblib = ("-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweeper.n_jobs=2", *SPACE, *SMALL)
    study = home / "results" / "quickstart"
    for total in (2, 3):  # The second start finds an odd one to do.
        finished = run_sweep(home, *joblib, f"study.n_trials={total}")
        assert finished.returncode == 0, finished.stderr
        check_each_trial_once(study, total)
    owners = {trial.user_attrs["owner"] for trial in read_optuna(study)}
    assert len(owners) == 2, "each start has its own"


@pytest.mark.parametrize("together", [False, True])
def test_two_sweeps_on_one_study_share_its_total(home, together):
    """The second one joins, or both start at the same moment in an empty root: ``command & command &``."""
    total = 4
    command = ("-m", f"study.n_trials={total}", *SPACE, *SMALL, "train.max_steps=60", "reuse=off")
    study = home / "results" / "quickstart"
    sweeps = [start_sweep(home, *command)]
    try:
        if not together:
            wait_for(lambda: (study / "study.json").is_file(), sweeps[0])
        sweeps.append(start_sweep(home, *command))
        told = [sweep.communicate(timeout=300) for sweep in sweeps]
    finally:
        for sweep in sweeps:
            sweep.kill()
    assert [sweep.returncode for sweep in sweeps] == [0, 0], told
    check_each_trial_once(study, total)
    shares = [trial.user_attrs["owner"] for trial in read_optuna(study)]
    assert len(set(shares)) == 2, f"one did all of the work: {shares}"
    assert [sum(f"trial {number} " in out for out, _ in told) for number in range(total)] == [1] * total
    _, parents, nested = read_mlflow(home, "quickstart")
    assert [parent.info.status for parent in parents] == ["FINISHED"]
    logged = {run.data.tags["trial_number"]: run.data.tags["mlflow.parentRunId"] for run in nested}
    assert logged == dict.fromkeys(map(str, range(total)), parents[0].info.run_id)
    assert len(nested) == total, "no trial is logged twice"
