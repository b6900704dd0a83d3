"""A study that lost some of its files, started again by the real command line."""

import pytest

from terrasweep.machine.process_identity import short_name
from tests.conftest import SMALL, make_home, run_sweep, run_terrasweep
from tests.integration.study import read_mlflow, read_optuna, read_record, read_results, read_rows

pytestmark = pytest.mark.slow

STUDY = ("-m", "quantization=none", "tuning.targets=mlp", "checkpointing=none", *SMALL)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    made = make_home(tmp_path_factory.mktemp("project"))
    finished = run_sweep(made, *STUDY, "study.n_trials=2")
    assert finished.returncode == 0, finished.stderr
    return made


def start_again(home):
    finished = run_sweep(home, *STUDY, "study.n_trials=2")
    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr
    return finished.stderr.strip().splitlines()


def remove_database(study, *, leave_empty):
    for file in study.glob("optuna.db*"):
        file.unlink()
    if leave_empty:
        (study / "optuna.db").touch()


@pytest.mark.parametrize("leave_empty", [False, True])
def test_without_its_database_a_study_is_still_complete(home, leave_empty):
    study = home / "results" / "quickstart"
    results = {file: file.read_bytes() for file in study.glob("trials/*/result.json")}
    remove_database(study, leave_empty=leave_empty)
    (line,) = start_again(home)
    assert "0, 1" in line
    assert {file: file.read_bytes() for file in study.glob("trials/*/result.json")} == results
    told = {trial.number: trial for trial in read_optuna(study)}
    assert told.keys() == {0, 1}
    for number, result in read_results(study).items():
        assert told[number].params == result.searched
        assert told[number].values == result.objective_values(list(read_objectives(study)))


def read_objectives(study):
    return [objective.name for objective in read_record(study).objectives]


def test_without_its_record_a_study_is_still_the_same_in_mlflow(home):
    study = home / "results" / "quickstart"
    before = (study / "study.json").read_text()
    (study / "study.json").unlink()
    place, _, pid, ticks = short_name().split("-")
    owner = f"{place}-{'0' * 8}-{pid}-{ticks}"  # Killed in the middle of writing, before the machine started anew.
    drafts = [folder / f".result.json.{owner}-{'a' * 8}" for folder in (study, study / "trials" / "1")]
    for draft in drafts:
        draft.write_text("{")
    assert start_again(home) == []
    assert not any(draft.exists() for draft in drafts)
    assert (study / "study.json").read_text() == before
    _, parents, nested = read_mlflow(home, "quickstart")
    assert (len(parents), len(nested)) == (1, 2)


def test_a_result_that_is_lost_is_made_up_for_and_said(home):
    study = home / "results" / "quickstart"
    lost = study / "trials" / "1" / "result.json"
    content = lost.read_bytes()
    values = read_results(study)[1].objective_values(read_objectives(study))
    lost.unlink()
    (line,) = start_again(home)
    assert "trial 1" in line
    assert read_results(study)[1].objective_values(read_objectives(study)) == values
    assert [row["number"] for row in read_rows(study / "trials.csv")] == ["0", "1"]
    lost.write_bytes(content)


def test_a_torn_result_is_a_line_for_every_command_and_stays(home):
    study = home / "results" / "quickstart"
    torn = study / "trials" / "1" / "result.json"
    content = torn.read_bytes()
    torn.write_bytes(content[:100])
    try:
        assert len(start_again(home)) == 1
        for command, status in (("report quickstart", 0), ("recommend quickstart", 0), ("export quickstart 1", 2)):
            ended = run_terrasweep(home, *command.split())
            assert ended.returncode == status, ended.stderr
            assert "Traceback" not in ended.stderr
            assert f"{torn}: it can't be read" in ended.stderr
        assert torn.read_bytes() == content[:100]
    finally:
        torn.write_bytes(content)


@pytest.mark.parametrize(
    "moved", ["hydra.sweep.subdir=x", "hydra.sweep.dir=/tmp/x", "hydra.sweep.subdir=${hydra:job.num}"]
)
def test_a_trial_s_folder_is_not_moved(home, moved):
    finished = run_sweep(home, *STUDY, "study.n_trials=3", moved)
    assert finished.returncode == 2
    assert len(finished.stderr.strip().splitlines()) == 1
    assert "hydra.sweep" in finished.stderr
