"""A training that a pruner ends, in a study that is run for real."""

import pytest

from tests.conftest import SMALL
from tests.integration.study import read_mlflow, read_optuna, read_results, read_rows

pytestmark = pytest.mark.slow

STUDY = (
    *("-m", "study.name=pruned", "study.n_trials=2", "study.objectives=[{name:accuracy,direction:maximize}]"),
    *("~search_spaces", "train.lr=choice(1e-7,3e-3)", "hydra/sweeper/sampler=grid", "hydra.sweeper.sampler.seed=0"),
    *("hydra/sweeper/pruner=threshold", "hydra.sweeper.pruner.lower=0.06", "train.validate_every=3"),
    *(*SMALL, "train.max_steps=7", "decoder=linear", "train.count_flops=false"),
)


def test_a_pruned_trial_keeps_what_it_measured_and_is_told_everywhere(cli, home):
    """With the larger learning rate the accuracy is at 0.067 after three steps, with the smaller one at 0.052."""
    study = home / "results" / "pruned"
    finished = cli(*STUDY)
    assert finished.returncode == 0, finished.stderr
    (complete, pruned) = sorted(read_results(study).values(), key=lambda result: result.state)
    assert (complete.state, pruned.state, pruned.reason) == ("complete", "pruned", "pruner")
    message = "hydra/sweeper/pruner: ThresholdPruner ended the training after step 3 of 8: accuracy 0.05"
    assert pruned.message.startswith(message)
    assert [steps for steps, _ in pruned.curves["val_accuracy"]] == [3]
    assert pruned.value("accuracy") is None
    assert pruned.value("throughput_samples_per_s") > 0
    assert pruned.value("peak_memory_mib") > 0
    folder = study / "trials" / str(pruned.number)
    assert sorted(file.name for file in folder.iterdir()) == ["config.yaml", "log.txt", "result.json"]

    told = {trial.number: trial for trial in read_optuna(study)}
    assert (told[complete.number].state.name, told[pruned.number].state.name) == ("COMPLETE", "PRUNED")
    assert told[complete.number].intermediate_values == dict(
        enumerate(value for _, value in complete.curves["val_accuracy"][:-1])
    )
    assert told[pruned.number].intermediate_values == {0: pruned.curves["val_accuracy"][0][1]}

    row = next(row for row in read_rows(study / "trials.csv") if row["number"] == str(pruned.number))
    assert (row["state"], row["reason"], row["accuracy"]) == ("pruned", "pruner", "")
    assert float(row["throughput_samples_per_s"]) == pruned.value("throughput_samples_per_s")
    assert message in (study / "report.md").read_text()
    _, _, nested = read_mlflow(home, "pruned")
    run = next(run for run in nested if run.data.tags["trial_number"] == str(pruned.number))
    assert (run.data.tags["state"], run.info.status) == ("pruned", "FINISHED")

    again = cli(*STUDY)
    assert again.returncode == 0, again.stderr
    assert len(read_results(study)) == 2, "it is known, and nothing runs again"
