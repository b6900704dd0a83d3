"""A training that is ended early, by a pruner or as one that is beaten, in a study that is run for real."""

import json
import shutil

import pytest

from terrasweep.results.optimistic_bound import LEAST_CURVES
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
    client, _, nested = read_mlflow(home, "pruned")
    whole = next(run for run in nested if run.data.tags["trial_number"] == str(complete.number))
    for name in ("val_accuracy", "val_loss", "val_train_seconds"):
        logged = {(metric.step, metric.value) for metric in client.get_metric_history(whole.info.run_id, name)}
        assert logged == {(steps, value) for steps, value in complete.curves[name]}
        assert sorted(steps for steps, _ in logged) == [3, 6, 8]
    run = next(run for run in nested if run.data.tags["trial_number"] == str(pruned.number))
    assert (run.data.tags["state"], run.info.status) == ("pruned", "FINISHED")

    again = cli(*STUDY)
    assert again.returncode == 0, again.stderr
    assert len(read_results(study)) == 2, "it is known, and nothing runs again"


BEATEN = (
    *("-m", "study.name=beaten", "study.stop_dominated=true", "~search_spaces", "train.seed=choice(0,1)"),
    *(*SMALL, "train.max_steps=7", "train.validate_every=2", "decoder=linear", "train.count_flops=false"),
)


def make_known(study, accuracy):
    """As many complete trials as a bound needs: copies of the first one that stand at an accuracy from early on."""
    for number in range(1, LEAST_CURVES):
        own = study / "trials" / str(number)
        shutil.copytree(own.with_name("0"), own)
        result = json.loads((own / "result.json").read_text()) | {"number": number}
        result["curves"]["val_accuracy"] = [[2, accuracy], [8, accuracy]]
        result["measurements"]["accuracy"] = accuracy
        (own / "result.json").write_text(json.dumps(result))
    (study / "optuna.db").unlink()  # It is made again of the results.


def test_a_training_that_would_be_beaten_at_its_best_ends_and_is_told_everywhere(cli, home):
    study = home / "results" / "beaten"
    first = cli(*BEATEN, "study.n_trials=1")
    assert first.returncode == 0, first.stderr
    make_known(study, accuracy=0.95)
    finished = cli(*BEATEN, f"study.n_trials={LEAST_CURVES + 1}", "train.lr=1e-7")
    assert finished.returncode == 0, finished.stderr

    results = read_results(study)
    assert sorted(results) == list(range(LEAST_CURVES + 1))
    pruned = results[LEAST_CURVES]
    assert {r.state for n, r in results.items() if n != pruned.number} == {"complete"}
    assert (pruned.state, pruned.reason, pruned.value("accuracy")) == ("pruned", "pruner", None)
    assert pruned.message.startswith("study.stop_dominated: ended after step ")
    assert " of 8: trial 1 beats the best it could reach (accuracy 0." in pruned.message
    ended = [steps for steps, _ in pruned.curves["val_accuracy"]][-1]
    assert f"after step {ended} of 8" in pruned.message
    assert ended < 8
    assert pruned.value("peak_memory_mib") > 0

    told = read_optuna(study)
    assert [trial.state.name for trial in told] == ["COMPLETE"] * LEAST_CURVES + ["PRUNED"]
    row = read_rows(study / "trials.csv")[-1]
    assert (row["number"], row["state"], row["reason"]) == (str(pruned.number), "pruned", "pruner")
    assert (row["accuracy"], row["front"]) == ("", "")
    assert pruned.message.replace("_", "\\_") in (study / "report.md").read_text()
    run = next(r for r in read_mlflow(home, "beaten")[2] if r.data.tags["trial_number"] == str(pruned.number))
    assert (run.data.tags["state"], run.data.tags["reason"]) == ("pruned", "pruner")
