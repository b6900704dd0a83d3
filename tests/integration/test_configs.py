"""Every shipped configuration composes, and the help names every option."""

import subprocess
import sys
from itertools import product

import pytest

from terrasweep.config.compose import composed_trial
from terrasweep.study.preflight import check_space
from terrasweep.study.search_space import parse_space
from terrasweep.trial import rules
from tests.composing import ROOT, compose_all

CONF = ROOT / "src" / "terrasweep" / "conf"
SWEEPS = sorted(path.stem for path in (ROOT / "sweeps").glob("*.yaml"))
SPACES = sorted(path.stem for path in (ROOT / "search_spaces").glob("*.yaml"))
GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name not in ("hydra", "__pycache__"))
OPTIONS = [(group, file.stem) for group in GROUPS for file in sorted((CONF / group).glob("*.yaml"))]


def own_space(sweep):
    chosen = [f"sweeps={sweep}", *([] if sweep == "quickstart" else ["data.root=x"])]
    return compose_all(chosen).hydra.runtime.choices.search_spaces


@pytest.mark.slow
@pytest.mark.parametrize(("sweep", "space"), list(product(SWEEPS, SPACES)))
def test_every_sweep_composes_with_every_search_space(sweep, space, monkeypatch):
    # Data and weights are the user's.
    for files in ("config.allowed_values._files", "data.rules._folders"):
        monkeypatch.setattr(f"terrasweep.{files}", lambda _: iter(()))
    chosen = [f"sweeps={sweep}", f"search_spaces={space}", *([] if sweep == "quickstart" else ["data.root=x"])]
    config = compose_all(chosen)
    assert config.study.name == sweep
    if sweep != "quickstart" and space != own_space(sweep):
        return  # Every choice of a space is composed with one sweep, and every sweep with its own space.
    check_space(parse_space(config.hydra.sweeper.params, []), lambda searched: compose_all([*chosen, *searched]))


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_of_every_group_composes_against_the_schema(group, option):
    required = {"any": ["backbone.name=resnet18"], "hf_vision": ["backbone.source=x"]}.get(option, [])
    required += ["data.root=x"] if group == "data" and option != "synthetic" else []
    required += ["+data.modalities={S1: {folder: s1}}"] if option == "multimodal_folder" else []
    config = compose_all([f"{group}={option}", *required])
    typed = composed_trial(config)
    assert getattr(typed, group) is not None


def test_the_help_names_every_group_and_option_and_is_readable():
    command = [sys.executable, str(ROOT / "sweep.py"), "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert max(len(line) for line in text.splitlines()) <= 80
    words = text.replace(",", " ").split()
    shown = [(group, option) for group, option in OPTIONS if option not in ("default", "auto")]
    assert [pair for pair in shown if pair[0] not in words or pair[1] not in words] == []
    assert "tracking.uri (default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)" in text


def test_the_shipped_quickstart_breaks_no_rule():
    config = compose_all([])
    typed = composed_trial(config)
    assert list(rules.find_violations(typed)) == []


def test_the_published_protocol_is_what_its_study_sets():
    """Marti Escofet et al. 2025, arXiv 2504.17397, as issue 13 sums it up; what their text leaves open is not held."""
    composed = compose_all(["sweeps=peft_geofm_burn_scars", "data.root=x"])
    chosen = {
        "backbone": "prithvi_eo_v2_300",
        "data": "burn_scars",
        "task": "segmentation",
        "decoder": "linear",
        "tuning": "lora",
        "optimizer": "adamw",
        "schedule": "plateau",
        "augment": "d4",
    }
    assert {group: composed.hydra.runtime.choices[group] for group in chosen} == chosen
    config = composed_trial(composed)
    tuning, train = config.tuning, config.train
    assert config.backbone.pretrained
    assert (tuning.rank, tuning.rank * tuning.alpha_ratio, tuning.use_dora, tuning.use_rslora) == (16, 16, False, False)
    assert tuning.targets == ["q_linear", "v_linear", "mlp.fc1", "mlp.fc2"]
    assert (train.batch_size, train.accumulate, train.max_steps, train.epochs) == (8, 1, None, 100)
    assert (train.validate_every, train.keep, train.patience) == ("epoch", "best", 15)
    assert {key.name for key in parse_space(composed.hydra.sweeper.params, []).keys} == {
        *("quantization", "tuning.frozen_dtype", "checkpointing", "precision", "train.lr")
    }


EXAMPLE = sorted((ROOT / "results" / "example" / "recommended").glob("*.yaml"))


@pytest.mark.parametrize("file", EXAMPLE, ids=lambda file: file.stem)
def test_the_example_s_recommendations_still_run(file):
    command = [sys.executable, str(ROOT / "sweep.py"), "--config-dir", str(file.parent), "--config-name", file.stem]
    finished = subprocess.run([*command, "--cfg", "job"], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
