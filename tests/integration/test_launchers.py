"""The launcher recipes: joblib's runs a real study, and those of launchers that are absent name what to install."""

import datetime as dt
import importlib.util
import itertools

import pytest
import yaml

from tests.composing import ROOT, compose_all
from tests.conftest import SMALL
from tests.integration.study import read_results

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
