"""Every pruner that can be named: how it is built, and what is wrong with its settings."""

import optuna
import pytest
from omegaconf import OmegaConf

from terrasweep.results.errors import InvalidConfig
from terrasweep.study.pruners import build_pruner
from tests.composing import ROOT

FILES = {f.stem: f for f in (ROOT / "src/terrasweep/conf/hydra/sweeper/pruner").glob("*.yaml")}
NEEDED = {"threshold": {"lower": 0.1}}


def build(name, **settings):
    return build_pruner(OmegaConf.merge(OmegaConf.load(FILES[name]), settings))


@pytest.mark.parametrize("name", sorted(FILES.keys() - {"none"}))
def test_a_named_pruner_is_optuna_s_with_optuna_s_defaults(name):
    built = build(name, **NEEDED.get(name, {}))
    assert type(built).__name__ == f"{name.title().replace('_', '')}Pruner"
    plain = type(built)(
        **{"percentile": {"percentile": 25.0}, "patient": {"wrapped_pruner": None, "patience": 3}}.get(
            name, NEEDED.get(name, {})
        )
    )
    assert vars(built) == vars(plain)


def test_all_of_optuna_s_pruners_have_a_name():
    known = {name for name in optuna.pruners.__all__ if name not in ("BasePruner", "NopPruner")}
    assert {f"{name.title().replace('_', '')}Pruner" for name in FILES.keys() - {"none"}} == known


def test_none_is_no_pruner():
    assert build("none") is None


def test_a_pruner_may_stand_in_another():
    built = build("patient", wrapped_pruner={"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 2})
    assert isinstance(vars(built)["_wrapped_pruner"], optuna.pruners.MedianPruner)


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("threshold", {}, "Either lower or upper must be specified"),
        ("percentile", {"percentile": 150.0}, "Percentile must be between"),
        ("median", {"n_startup_trials": -1}, "n_startup_trials"),
        ("median", {"windup": 1}, "windup"),
        ("none", {"_target_": "optuna.samplers.RandomSampler"}, "RandomSampler"),
        ("none", {"_target_": "os.system", "command": "true"}, "os.system"),
    ],
)
def test_settings_that_a_pruner_refuses_are_one_line(name, settings, says):
    with pytest.raises(InvalidConfig) as refused:
        build(name, **settings)
    (line,) = str(refused.value).splitlines()
    assert line.startswith("hydra.sweeper.pruner: ")
    assert says in line
    assert line.endswith("; correct its settings")


def test_settings_that_name_no_pruner_are_refused():
    with pytest.raises(InvalidConfig, match=r"^hydra\.sweeper\.pruner: DictConfig is no pruner; correct its settings$"):
        build_pruner(OmegaConf.create({"n_startup_trials": 3}))


def test_a_package_that_a_pruner_lacks_is_named(monkeypatch):
    def lacking(*_):
        raise ImportError("No module named 'scipy'")

    monkeypatch.setattr(optuna.pruners.WilcoxonPruner, "prune", lacking)
    with pytest.raises(InvalidConfig, match=r"lacks a package: .*scipy.*; install it, or use another pruner"):
        build("wilcoxon")
