"""A trained trial as plain TerraTorch, run by TerraTorch's own command."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio
import torch
import yaml

from tests.conftest import SMALL, make_home, run_sweep, run_terrasweep
from tests.integration.study import read_results
from tests.unit.data.series import write_places

pytestmark = pytest.mark.slow

TERRATORCH = str(Path(sys.executable).with_name("terratorch"))
STUDY = (
    "-m",
    "study.name=mine",
    "study.n_trials=3",
    "study.objectives=[{name: accuracy, direction: maximize}]",
    "quantization=nf4",
    "train.lr=0.01",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = make_home(tmp_path_factory.mktemp("home"))
    finished = run_sweep(folder, *STUDY, *SMALL)
    assert finished.returncode == 0, finished.stderr
    return folder


@pytest.fixture
def export(home, tmp_path):
    """Run ``terrasweep export`` in an empty folder."""

    def run(*arguments):
        return run_terrasweep(home, "export", *arguments, cwd=tmp_path)

    return run


def by_accuracy(home):
    """The numbers of the study's trials, the best one first."""
    results = read_results(home / "results" / "mine")
    return sorted(results, key=lambda number: -results[number].measurements["accuracy"]), results


def printed_commands(finished):
    """What `terrasweep export` says to run, with this environment's `terratorch`."""
    lines = [shlex.split(line) for line in finished.stdout.splitlines() if " terratorch " in line]
    return {line[2]: ["env", line[0], TERRATORCH, *line[2:]] for line in lines if line[1] == "terratorch"}


def run_terratorch(command, folder):
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr[-2000:]
    return finished.stdout


def score(command, metric, folder):
    found = re.search(rf"test/{metric}\s+│\s+([\d.e-]+)", run_terratorch(command, folder))
    assert found, "the metric is in TerraTorch's table"
    return float(found[1])


def test_the_front_keeps_its_weights_and_is_exported_as_it_was(home, export, tmp_path):
    (best, *others), results = by_accuracy(home)
    trials = home / "results" / "mine" / "trials"
    assert [n for n in (best, *others) if (trials / str(n) / "weights").exists()] == [best]

    finished = export("mine", best)
    assert finished.returncode == 0, finished.stderr
    assert "training it again" not in finished.stderr
    difference = float(re.search(r"outputs differ from the trial's by (\S+) ", finished.stdout)[1])
    assert difference < 1e-5
    folder = home / "results" / "mine" / "exported" / str(best)
    assert {path.name for path in folder.iterdir()} == {"config.yaml", "weights.ckpt"}
    names = torch.load(folder / "weights.ckpt", weights_only=True)["state_dict"].keys()
    assert not any(word in name for name in names for word in ("lora", "absmax", "q_linear", "checkpoint"))

    written = (folder / "config.yaml").read_bytes()
    commands = printed_commands(finished)
    # There are no test tiles, so that the validation split is tested.
    assert score(commands["test"], "mIoU", tmp_path) == pytest.approx(results[best].measurements["accuracy"], abs=1e-4)
    run_terratorch(commands["predict"], tmp_path)
    tiles = sorted((folder / "predictions").iterdir())
    assert len(tiles) == 12
    with rasterio.open(tiles[0]) as tile:
        assert tile.shape == (64, 64)
        assert set(tile.read().flatten()) <= set(range(6))
    assert (folder / "config.yaml").read_bytes() == written
    assert list(tmp_path.iterdir()) == [], "TerraTorch leaves nothing where it was started"


def test_a_trial_whose_weights_are_gone_is_trained_again(home, export, tmp_path):
    (_, other, _), results = by_accuracy(home)
    finished = export("mine", other, "--output", "elsewhere")
    assert finished.returncode == 0, finished.stderr
    assert "its weights were not kept; training it again, with seed 0" in finished.stderr
    assert "after training again" in finished.stderr
    command = printed_commands(finished)["test"]
    assert command[5] == "elsewhere/config.yaml", "as it is typed in this folder"
    assert score(command, "mIoU", tmp_path) == pytest.approx(results[other].measurements["accuracy"], abs=1e-4)
    trial = home / "results" / "mine" / "trials" / str(other)
    assert {path.name for path in trial.iterdir()} == {"config.yaml", "result.json", "log.txt", "export.log"}


def test_a_single_trial_of_a_classification_is_exported_by_its_folder(home, export, tmp_path):
    overrides = ("task=classification", "decoder=identity", "quantization=int8", "tuning.targets=qv")
    finished = run_sweep(home, *SMALL, *overrides, "data.synthetic.test=6", "train.lr=0.01")
    assert finished.returncode == 0, finished.stderr
    folder = Path(re.search(r"^folder: (.*)$", finished.stdout, re.MULTILINE)[1])
    finished = export(folder)
    assert finished.returncode == 0, finished.stderr
    assert "int8 layers round their inputs" in finished.stdout
    commands = printed_commands(finished)
    settings = yaml.safe_load((folder / "exported" / "config.yaml").read_text())
    data = settings["data"]["init_args"]
    assert data["test_data_root"]["image"].endswith("/test")
    data |= {key.replace("val_", "test_", 1): value for key, value in data.items() if key.startswith("val_")}
    (home / "on_validation.yaml").write_text(yaml.safe_dump(settings))
    on_validation = [*commands["test"], "--config", str(home / "on_validation.yaml")]
    told = float(re.search(r"validation split, in fp32: (\S+);", finished.stdout)[1])
    assert score(on_validation, "Accuracy_Micro", tmp_path) == pytest.approx(told, abs=1e-4)
    run_terratorch(commands["predict"], tmp_path)
    predicted = Path(data["predict_data_root"]["image"])
    assert len(list((folder / "exported" / "predictions").iterdir())) == len(list(predicted.iterdir()))


def test_rounded_weights_and_blocks_that_learnt_are_exported_as_they_were(home, export):
    overrides = ("tuning.frozen_dtype=bf16", "tuning.unfreeze_last=1", "quantization=nf4", "train.lr=0.01")
    finished = run_sweep(home, *SMALL, *overrides)
    assert finished.returncode == 0, finished.stderr
    folder = Path(re.search(r"^folder: (.*)$", finished.stdout, re.MULTILINE)[1])
    finished = export(folder)
    assert finished.returncode == 0, finished.stderr
    assert float(re.search(r"outputs differ from the trial's by (\S+) ", finished.stdout)[1]) < 1e-5
    accuracy, recorded = re.search(r"in fp32: (\S+); the trial's: (\S+)", finished.stdout).groups()
    assert float(accuracy) == pytest.approx(float(recorded), abs=1e-4)
    state = torch.load(folder / "exported" / "weights.ckpt", weights_only=True)["state_dict"]
    assert torch.bfloat16 not in {tensor.dtype for tensor in state.values()}


def test_a_trial_on_several_dates_is_exported_and_tested_by_terratorch(home, export, tmp_path):
    write_places(home / "places", "files", places=12)
    data = ("data=segmentation_folder", "data.root=places", "data.split.by=fraction", "data.frames=3")
    steps = ("train.batch_size=4", "train.max_steps=4", "train.untimed_steps=1", "train.lr=0.01")
    folders = {}
    for backbone in ("prithvi_eo_tiny", "prithvi_eo_v2_tiny_tl"):
        finished = run_sweep(home, *data, f"backbone={backbone}", "backbone.checkpoint=null", *steps)
        assert finished.returncode == 0, finished.stderr
        folders[backbone] = re.search(r"^folder: (.*)$", finished.stdout, re.MULTILINE)[1]
    finished = export(folders["prithvi_eo_tiny"])
    assert finished.returncode == 0, finished.stderr
    told = float(re.search(r"validation split, in fp32: (\S+);", finished.stdout)[1])
    settings = yaml.safe_load((Path(folders["prithvi_eo_tiny"]) / "exported" / "config.yaml").read_text())
    own = settings["data"]["init_args"]
    own |= {key.replace("val_", "test_", 1): value for key, value in own.items() if key.startswith("val_")}
    (home / "on_dates.yaml").write_text(yaml.safe_dump(settings))
    command = [*printed_commands(finished)["test"], "--config", str(home / "on_dates.yaml")]
    assert score(command, "mIoU", tmp_path) == pytest.approx(told, abs=1e-4)
    refused = export(folders["prithvi_eo_v2_tiny_tl"])
    assert refused.returncode == 2
    assert "it was trained with each sample's time and location" in refused.stderr


def test_what_can_not_be_exported_is_one_line_and_status_2(home, export, tmp_path):
    best = by_accuracy(home)[0][0]
    trials = home / "results" / "mine" / "trials"
    failed = json.loads((trials / str(best) / "result.json").read_text()) | {"state": "failed", "reason": "crashed"}
    (trials / "99").mkdir()
    (trials / "99" / "result.json").write_text(json.dumps(failed | {"number": 99}))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "config.yaml").write_text("mine: true")
    for arguments, told in (
        (["nime", "0"], "did you mean mine?"),
        (["mine", "98"], f"number=98: study mine has no such trial; on the front: {best}"),
        (["mine", "99"], f"trial 99 of mine: it is failed (crashed) and has no trained model; on the front: {best}"),
        (["mine"], "give the number of a trial, too"),
        ([tmp_path], "holds no trial that came to an end"),
        (["mine", best, "--output", "taken"], "it holds something else than an export"),
    ):
        finished = export(*arguments)
        assert finished.returncode == 2, finished.stdout + finished.stderr
        assert told in finished.stderr
        assert len([line for line in finished.stderr.splitlines() if not line.startswith("Exporting")]) == 1
    assert (tmp_path / "taken" / "config.yaml").read_text() == "mine: true"
