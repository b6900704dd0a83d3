"""The package of docs/outside-knobs.md adds a knob to the real ``sweep.py``, from the help to an exported trial."""

import json

import pytest
import yaml

from tests.composing import ROOT
from tests.conftest import SMALL, make_home, run_sweep, run_terrasweep
from tests.integration.study import read_mlflow, read_results, read_rows
from tests.outside_package import install, python_path

NORMS, WIDTH = 9, 256
"""Of prithvi_eo_tiny: two norms in each of four blocks and one behind them, each with a scale and a shift so wide."""
pytestmark = pytest.mark.slow

FULL = (*SMALL, "tuning=full", "decoder=linear", "train.count_flops=false")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return install(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def run(package, project):
    return lambda *arguments, **options: run_sweep(project, *arguments, **python_path(package), **options)


@pytest.fixture(scope="module")
def single(run, project):
    """One trial's result; its configuration; its folder."""
    finished = run(*FULL, "freeze_norms=on", "freeze_norms.last=2")
    assert finished.returncode == 0, finished.stderr
    (folder,) = (project / "results" / "single").glob("[0-9]*")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    return json.loads((folder / "result.json").read_text()), config, folder


def test_it_does_what_was_asked_and_stands_in_the_result(single):
    result, config, _ = single
    assert result["state"] == "complete"
    assert len(result["touched"]["norms_frozen"]) == NORMS - 2
    assert result["config"]["freeze_norms"] == config["freeze_norms"] == {"name": "on", "last": 2}
    assert "outside" not in config


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["freeze_norms=onn"], ["freeze_norms=onn", "did you mean on?"]),
        (["freeze_norms.last=-1"], ["freeze_norms.last=-1: it can't be negative"]),
        (["freeze_norms=on", "tuning=lora"], ["freeze_norms=on with tuning=lora: the norms are frozen already"]),
        (["freeze_norms.first=1"], ["freeze_norms.first", "FreezeNorms"]),
    ],
)
def test_bad_input_is_refused_in_one_line(run, arguments, told):
    finished = run(*FULL, *arguments)
    assert finished.returncode == 2
    assert len(finished.stderr.splitlines()) == 1
    assert [part for part in told if part not in finished.stderr] == []


def test_an_option_that_touches_nothing_is_an_error(run):
    finished = run(*FULL, "freeze_norms=on", f"freeze_norms.last={NORMS}")
    assert finished.returncode == 1
    assert "freeze_norms=on: it touched nothing of backbone=prithvi_eo_tiny" in finished.stdout


def test_the_help_lists_it(run):
    assert "freeze_norms    off, on" in run("--help").stdout


def test_without_the_package_there_is_no_such_group(project):
    finished = run_sweep(project, "freeze_norms=on")
    assert finished.returncode == 2
    assert "freeze_norms" in finished.stderr


@pytest.fixture(scope="module")
def study(run, project):
    """A study that searches the knob, by its space."""
    (project / "search_spaces").unlink()
    (project / "search_spaces").mkdir()
    space = "# @package hydra.sweeper.params\nfreeze_norms: choice(off,on)\n"
    space += "freeze_norms.last: choice(0, 3) if freeze_norms=on\n"
    (project / "search_spaces" / "norms.yaml").write_text(space)
    chosen = ["study.name=norms", "study.n_trials=4", "search_spaces=norms", "hydra/sweeper/sampler=random"]
    finished = run("-m", *FULL, *chosen, "train.max_steps=2")
    assert finished.returncode == 0, finished.stderr
    return project / "results" / "norms"


def test_it_is_searched_tracked_and_reported(study, project):
    results = read_results(study)
    assert {result.searched["freeze_norms"] for result in results.values()} == {"off", "on"}
    for result in results.values():
        chosen = result.searched["freeze_norms"]
        assert result.config["freeze_norms"]["name"] == chosen
        expected = {"off": 0, "on": NORMS - int(result.searched.get("freeze_norms.last", 0))}[chosen]
        assert len(result.touched.get("norms_frozen", [])) == expected
    assert {row["freeze_norms"] for row in read_rows(study / "trials.csv")} == {"off", "on"}
    _, _, nested = read_mlflow(project, "norms")
    assert {run.data.params["freeze_norms"] for run in nested} == {"off", "on"}
    assert "freeze_norms" in (study / "report.html").read_text()


def test_what_is_frozen_does_not_learn(study):
    learning = {
        len(result.touched.get("norms_frozen", [])): result.measurements["trainable_parameters"]
        for result in read_results(study).values()
    }
    assert len(learning) > 1
    assert {learning[0] - parameters - 2 * WIDTH * frozen for frozen, parameters in learning.items()} == {0}


def test_a_recommended_configuration_runs_again(study, run):
    file = study / "recommended" / "most_accurate.yaml"
    wanted = yaml.safe_load(file.read_text())["freeze_norms"]
    finished = run("--config-dir", str(file.parent), "--config-name", file.stem, "--cfg", "job")
    assert yaml.safe_load(finished.stdout)["freeze_norms"] == wanted, finished.stderr


@pytest.mark.slow
def test_a_trial_of_it_is_exported(study, package, project):
    number = next(number for number, result in read_results(study).items() if result.touched)
    finished = run_terrasweep(project, "export", "norms", number, cwd=ROOT, **python_path(package))
    assert finished.returncode == 0, finished.stderr
