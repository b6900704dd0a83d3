"""The launcher recipes: joblib's runs a real study, and those of launchers that are absent name what to install."""

import datetime as dt
import importlib.util
import itertools
import os
import signal

import psutil
import pytest
import yaml

from tests.composing import ROOT, compose_all
from tests.conftest import SMALL, start_sweep
from tests.integration.study import read_results, training, wait_for

RECIPES = sorted((ROOT / "src" / "terrasweep" / "conf" / "hydra" / "launcher").glob("*.yaml"))
EXTRAS = {"joblib": "joblib", "ray": "ray", "submitit_slurm": "slurm"}


def stands_on(recipe):
    return yaml.safe_load(recipe.read_text())["defaults"][0]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_a_recipe_composes_or_names_the_extra_to_install(recipe, cli):
    extra = EXTRAS[stands_on(recipe)]
    package = "hydra_submitit_launcher" if extra == "slurm" else f"hydra_{extra}_launcher"
    if importlib.util.find_spec(f"hydra_plugins.{package}"):
        own = {key: value for key, value in yaml.safe_load(recipe.read_text()).items() if key != "defaults"}
        assert own.items() <= dict(compose_all([f"hydra/launcher={recipe.stem}"]).hydra.launcher).items()
        return
    for mode in ([], ["-m"]):
        finished = cli(*mode, f"hydra/launcher={recipe.stem}")
        assert finished.returncode == 2
        (line,) = finished.stderr.splitlines()
        assert line == (
            f"hydra/launcher={stands_on(recipe)}: this launcher is not installed; pip install -e '.[{extra}]'"
        )


@pytest.mark.slow
def test_two_trials_run_at_a_time(cli, home):
    """Trials of a batch overlap in time, and each has a number and a result of its own."""
    finished = cli(
        *("-m", "hydra/launcher=joblib_two", "study.name=two", "study.n_trials=4", "train.count_flops=false"),
        *(*SMALL, "decoder=linear", "hydra/sweeper/sampler=random"),
    )
    assert finished.returncode == 0, finished.stderr
    results = read_results(home / "results" / "two")
    assert sorted(results) == [0, 1, 2, 3]
    spans = {}
    for number, result in results.items():
        start = dt.datetime.fromisoformat(result.started)
        spans[number] = (start, start + dt.timedelta(seconds=result.value("wall_seconds")))
    overlapping = {
        (a, b)
        for a, b in itertools.combinations(sorted(spans), 2)
        if spans[a][0] < spans[b][1] and spans[b][0] < spans[a][1]
    }
    assert {(0, 1), (2, 3)} <= overlapping


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_joblib_s_workers_end_with_their_sweep(home, how):
    """As Ctrl-C does it: the terminal tells every process of the sweep's group."""
    arguments = ("-m", "hydra/launcher=joblib_two", "study.name=two", "study.n_trials=2", *SMALL, "decoder=linear")
    sweep = start_sweep(home, *arguments, "train.max_steps=1000000")
    try:
        wait_for(lambda: all(training(home / "results" / "two", number) for number in (0, 1)), sweep)
        family = psutil.Process(sweep.pid).children(recursive=True)
        told = [p for p in family if os.getpgid(p.pid) == os.getpgid(sweep.pid)] if how == signal.SIGINT else []
        for process in (psutil.Process(sweep.pid), *told):
            process.send_signal(how)
        _, said = sweep.communicate(timeout=60)
    finally:
        sweep.kill()
    _, left = psutil.wait_procs(family, timeout=15)
    assert [p for p in left if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    assert "Traceback" not in said
    if how == signal.SIGINT:
        assert sweep.returncode == 130
        assert [r.reason for r in read_results(home / "results" / "two").values()] == ["interrupted"] * 2


def test_a_backend_whose_workers_can_t_start_trials_is_refused(cli, home):
    finished = cli("-m", "hydra/launcher=joblib_two", "hydra.launcher.backend=multiprocessing")
    assert finished.returncode == 2
    (line,) = finished.stderr.splitlines()
    assert line.startswith("hydra.launcher.backend=multiprocessing: ")
    assert not (home / "results").exists()
