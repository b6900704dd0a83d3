"""One small study by the real command line, and everything that it must leave."""

import shlex

import pytest
import yaml
from safetensors.torch import save_file

from terrasweep.models.assemble import build_untransformed
from tests.composing import compose_trial
from tests.conftest import SMALL, make_home, run_sweep
from tests.integration.study import (
    OBJECTIVES,
    check_front,
    read_mlflow,
    read_optuna,
    read_record,
    read_results,
    read_rows,
)

pytestmark = pytest.mark.slow

N_TRIALS = 5


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def study(home):
    finished = run_sweep(home, "-m", f"study.n_trials={N_TRIALS}", *SMALL, forked=False)  # As a user starts it.
    assert finished.returncode == 0, finished.stderr
    assert "Pareto front" in finished.stdout
    assert "report.html" in finished.stdout
    return home / "results" / "quickstart"


def test_every_file_of_the_contract_is_there(study):
    files = ["trials.csv", "pareto.csv", "report.html", "report.md", "pareto.png", "pareto.svg", "optuna.db"]
    files += [f"recommended/{name}.yaml" for name in ("most_accurate", "smallest", "fastest", "knee")]
    for number in range(N_TRIALS):
        files += [f"trials/{number}/{name}" for name in ("config.yaml", "result.json", "log.txt")]
    assert [name for name in files if not (study / name).stat().st_size] == []


def test_nothing_else_is_left_lying_about(home, study):
    assert {p.name for p in home.iterdir()} == {"sweeps", "search_spaces", "results", "mlflow.db"}
    assert {p.name for p in study.parent.iterdir()} == {".cache", ".mlflow", "quickstart"}


def test_the_table_has_the_contract_s_columns_and_all_objectives_of_complete_trials(study):
    rows = read_rows(study / "trials.csv")
    assert list(rows[0])[:6] == ["number", "state", "reason", *OBJECTIVES]
    space = list(read_record(study).space)
    assert list(rows[0])[-len(space) :] == space
    assert [row["number"] for row in rows] == [str(n) for n in range(N_TRIALS)]
    assert all(row["state"] == "complete" and row["reason"] == "" for row in rows)
    assert all(float(row[name]) > 0 for row in rows for name in OBJECTIVES)


def test_the_tables_tell_the_front_and_where_every_trial_stands(study):
    check_front(study)


def test_optuna_knows_every_trial_with_its_values(study):
    results = read_results(study)
    for trial in read_optuna(study):
        assert trial.state.name == "COMPLETE"
        assert trial.values == results[trial.number].objective_values(list(OBJECTIVES))
        assert trial.params == results[trial.number].searched


def test_mlflow_has_one_parent_and_a_nested_run_per_trial_with_the_table_s_numbers(home, study):
    client, parents, nested = read_mlflow(home, "quickstart")
    rows = {row["number"]: row for row in read_rows(study / "trials.csv")}
    assert len(parents) == 1
    assert {run.data.tags["mlflow.parentRunId"] for run in nested} == {parents[0].info.run_id}
    assert sorted(run.data.tags["trial_number"] for run in nested) == sorted(rows)
    for run in nested:
        row = rows[run.data.tags["trial_number"]]
        assert run.data.tags["state"] == row["state"] == "complete"
        assert run.info.status == "FINISHED"
        for name, value in run.data.metrics.items():
            if name in row:
                assert float(row[name]) == value
        assert {key: row[key] for key in run.data.params} == run.data.params
        assert {a.path for a in client.list_artifacts(run.info.run_id)} == {"config.yaml", "confusion.json"}
        curve = client.get_metric_history(run.info.run_id, "train_loss")
        assert len(curve) >= 5
        estimate = client.get_metric_history(run.info.run_id, "zero3_offload_parameters_host_mib")
        assert [metric.step for metric in estimate] == list(range(1, 9)), "one GPU up to eight"
        assert {"gradient_bytes", "optimizer_bytes"} <= run.data.metrics.keys()
    artifacts = {a.path for a in client.list_artifacts(parents[0].info.run_id)}
    assert {"report.html", "trials.csv", "pareto.csv", "recommended"} <= artifacts


def test_a_complete_study_started_again_runs_nothing(home, study):
    before = {p: p.stat().st_mtime_ns for p in study.glob("trials/*/*")}
    (study / "report.html").unlink()
    finished = run_sweep(home, "-m", f"study.n_trials={N_TRIALS}", *SMALL)
    assert finished.returncode == 0, finished.stderr
    assert {p: p.stat().st_mtime_ns for p in study.glob("trials/*/*")} == before
    assert (study / "report.html").is_file()
    _, parents, nested = read_mlflow(home, "quickstart")
    assert (len(parents), len(nested)) == (1, N_TRIALS)


def test_other_objectives_are_refused(home, study):
    finished = run_sweep(home, "-m", "study.objectives=[{name: accuracy, direction: maximize}]", *SMALL)
    assert finished.returncode == 2
    assert "exists with other objectives" in finished.stderr
    assert len(finished.stderr.strip().splitlines()) == 1


def test_a_task_s_own_validation_metrics_can_be_objectives(home):
    wanted = "[{name: val_F1_Score, direction: maximize}, {name: val_loss, direction: minimize}]"
    settings = ("study.name=f1", "study.n_trials=2", f"study.objectives={wanted}", *SMALL)
    finished = run_sweep(home, "-m", *settings)
    assert finished.returncode == 0, finished.stderr
    folder = home / "results" / "f1"
    names, results = ["val_F1_Score", "val_loss"], read_results(folder)
    rows = {row["number"]: row for row in read_rows(folder / "trials.csv")}
    for trial in read_optuna(folder):
        values = [results[trial.number].metrics[name] for name in names]
        assert trial.values == values
        assert [float(rows[str(trial.number)][name]) for name in names] == values
    assert "val_F1_Score against val_loss" in (folder / "report.html").read_text()


def test_other_choices_of_a_key_are_refused(home, study):
    finished = run_sweep(home, "-m", "tuning.rank=choice(3,5)", *SMALL)
    assert finished.returncode == 2
    assert "tuning.rank" in finished.stderr
    assert "use another study.name" in finished.stderr


@pytest.mark.slow
def test_a_recommended_configuration_gives_the_accuracy_that_its_trial_had(home, study):
    file = study / "recommended" / "most_accurate.yaml"
    command = next(line for line in file.read_text().splitlines() if "python sweep.py" in line)
    assert shlex.split(command.lstrip("# "))[2:] == [
        "--config-dir",
        "results/quickstart/recommended",
        "--config-name",
        "most_accurate",
    ]
    assert command.lstrip("# ").strip() in (study / "report.html").read_text()
    best = max(read_results(study).values(), key=lambda result: result.measurements["accuracy"])
    finished = run_sweep(home, "--config-dir", str(file.parent), "--config-name", "most_accurate")
    assert finished.returncode == 0, finished.stderr
    printed = dict(line.split(": ", 1) for line in finished.stdout.splitlines() if ": " in line)
    assert float(printed["accuracy"]) == pytest.approx(best.measurements["accuracy"], abs=1e-6)
    (single,) = (home / "results" / "single").iterdir()
    assert {f.name for f in single.iterdir()} == {"config.yaml", "result.json", "log.txt", "weights"}
    rerun, stored = (yaml.safe_load((f / "config.yaml").read_text()) for f in (single, study / f"trials/{best.number}"))
    assert {k: v for k, v in rerun.items() if k != "trial"} == {k: v for k, v in stored.items() if k != "trial"}


@pytest.mark.slow
def test_a_study_goes_on_to_a_larger_total(home, study):
    finished = run_sweep(home, "-m", f"study.n_trials={N_TRIALS + 1}", *SMALL)
    assert finished.returncode == 0, finished.stderr
    assert sorted(read_results(study)) == list(range(N_TRIALS + 1))
    assert len(read_mlflow(home, "quickstart")[2]) == N_TRIALS + 1


def test_searched_files_whose_names_need_quotes_reach_their_trials(home, tmp_path):
    """Lightning's checkpoints are called so; Hydra's grammar reads the sign as an assignment."""
    encoder = build_untransformed(compose_trial("backbone.checkpoint=null"), 3).encoder
    files = [tmp_path / f"epoch={epoch}-step={10 * epoch}, last.safetensors" for epoch in (1, 2)]
    for file in files:
        save_file({name: tensor.contiguous() for name, tensor in encoder.state_dict().items()}, file)
    choice = f"backbone.checkpoint=choice({','.join(repr(str(file)) for file in files)})"
    small = [override for override in SMALL if not override.startswith("backbone.checkpoint")]
    grid = (
        "hydra/sweeper/sampler=grid",
        "quantization=none",
        "tuning.rank=2",
        "tuning.targets=mlp",
        "checkpointing=none",
    )
    finished = run_sweep(home, "-m", "study.name=files", "study.n_trials=2", choice, *grid, *small)
    assert finished.returncode == 0, finished.stderr
    trials = home / "results" / "files" / "trials"
    configs = [yaml.safe_load((trials / str(number) / "config.yaml").read_text()) for number in range(2)]
    assert {config["backbone"]["checkpoint"] for config in configs} == {str(file) for file in files}
    assert all(result.state == "complete" for result in read_results(home / "results" / "files").values())
