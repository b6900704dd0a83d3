"""``terrasweep plan`` as a user types it: from the configuration alone, in little memory, and nothing left behind."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import ROOT, run_terrasweep
from tests.unit.data.rasters import write_raster

pytestmark = pytest.mark.slow

PEAK = """
import resource, subprocess, sys
finished = subprocess.run([sys.executable, "-c", "from terrasweep.cli.app import main; main()", *sys.argv[1:]])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(finished.returncode)
"""
"""Runs the command, and then tells the peak resident set of its largest process in KiB."""


@pytest.fixture
def command(home, tmp_path_factory):
    temporary = tmp_path_factory.mktemp("temporary")

    def run(*arguments):
        finished = subprocess.run(
            [sys.executable, "-c", PEAK, *arguments],
            cwd="/",
            env={**os.environ, "TERRASWEEP_HOME": str(home), "TMPDIR": str(temporary), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        *finished.stderr_lines, peak = finished.stderr.strip().splitlines()
        finished.peak_gib = int(peak) / 2**20
        assert list(temporary.glob("terrasweep*")) == []
        assert {path.name for path in home.iterdir()} == {"sweeps", "search_spaces"}
        return finished

    return run


def documented():
    """The example's command and its output, as docs/planning.md shows them."""
    text = (ROOT / "docs" / "planning.md").read_text()
    shell, output = re.search(r"## An example.*?```shell\n(.*?)```.*?```text\n(.*?)```", text, re.DOTALL).groups()
    program, *arguments = shlex.split(shell.replace("\\\n", " "))
    assert program == "terrasweep"
    return arguments, [line.rstrip() for line in output.splitlines()]


def test_the_documented_giant_is_planned_in_little_memory(command):
    arguments, output = documented()
    finished = command(*arguments)
    assert finished.returncode == 0, finished.stderr
    assert [line.rstrip() for line in finished.stdout.strip().splitlines()] == output
    assert finished.stderr_lines == []
    assert finished.peak_gib < 4


def test_json_needs_neither_data_nor_weights_nor_disk(command):
    finished = command(
        *("plan", "--json", "data=segmentation_folder", "data.bands=[BLUE,GREEN,RED,NIR_NARROW,SWIR_1,SWIR_2]"),
        *("backbone.checkpoint=/nowhere/weights.pt", "decoder=unet", "tuning.targets=qv"),
        *("offload=nvme", "budget.memory_gib=0.001"),
    )
    assert finished.returncode == 0, finished.stderr
    numbers = json.loads(finished.stdout)
    assert numbers["parameters"]["frozen"] > numbers["parameters"]["trainable"] > 0
    assert numbers["bytes"]["sum"] == sum(v for k, v in numbers["bytes"].items() if k != "sum")
    assert [(row["stage"], row["offload"]) for row in numbers["zero"] if row["gpus"] == 8] == [
        *((2, "none"), (3, "none"), (2, "optimizer"), (3, "parameters"), (3, "nvme"))
    ]
    assert {row["gpus"] for row in numbers["zero"]} == set(range(1, 9))
    assert not any(row["fits"] for row in numbers["zero"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["quantization=nf5"], ["quantization=nf5: not found; did you mean nf4?"]),
        (["tuning.rank=0", "train.lr=-1"], ["train.lr=-1", "tuning.rank=0"]),
        (["tuning.targets=[no_such_layer]"], ["tuning.targets=no_such_layer"]),
        (
            ["backbone=any", "backbone.name=timm_resnet18", "decoder=unet"],
            ["tuning.targets=attention: the backbone has no linear layer at all"],
        ),
    ],
)
def test_bad_input_is_a_line_each_and_status_2(command, arguments, told):
    finished = command("plan", *arguments)
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert len(finished.stderr_lines) == len(told)
    assert all(part in line for part, line in zip(told, finished.stderr_lines, strict=True))


def test_data_tell_the_plan_what_they_tell_a_check(home):
    """On real tiles of two bands, seven classes and 32 px; a look at them once is enough."""
    rng = np.random.default_rng(0)
    for tile in range(12):
        write_raster(home / "fields" / "images" / f"{tile}.tif", rng.integers(1, 99, (2, 32, 32)).astype(np.uint16))
        write_raster(home / "fields" / "masks" / f"{tile}.tif", rng.integers(0, 7, (1, 32, 32)).astype(np.uint8))

    def run(*arguments):
        overrides = ["sweeps=own_data", "data.root=fields", "backbone=timm_vit_tiny_patch16_224"]
        return run_terrasweep(home, *arguments, *overrides)

    seen = run("plan", "--json", "--no-space")
    assert seen.returncode == 0, seen.stderr
    stated = run("plan", "--json", "--no-space", "data.bands=[B1,B2]", "data.tile_px=32", "data.num_classes=7")
    other = run("plan", "--json", "--no-space", "data.bands=[B1,B2,B3]", "data.tile_px=32", "data.num_classes=7")
    numbers = [json.loads(finished.stdout)["parameters"] for finished in (seen, stated, other)]
    assert numbers[0] == numbers[1] != numbers[2]
    assert "a look at the data" in seen.stderr
    assert run("plan", "--json", "--no-space").stderr == run("check", "--json").stderr == ""
    shutil.rmtree(home / "fields")
    absent = run("plan", "--no-space")
    assert absent.returncode == 2
    (line,) = absent.stderr.splitlines()
    assert "data.bands=[]" in line
    assert "data.root=fields: there is no such folder" in line


def test_a_space_is_planned_by_traces_that_it_shares_and_kept(home, tmp_path):
    """A learning rate makes no other configuration; asked again, nothing is traced."""

    def run():
        files = [f"--csv={tmp_path / 'a.csv'}", f"--html={tmp_path / 'a.html'}", "--memory-gib=0.05,4"]
        space = [
            "backbone.checkpoint=null",
            "backbone=prithvi_eo_tiny",
            "search_spaces=one",
            "train.batch_size=choice(2,4)",
        ]
        return run_terrasweep(home, "plan", "--json", *files, *space, "data.tile_px=32")

    (home / "search_spaces").unlink()
    (home / "search_spaces").mkdir()
    (home / "search_spaces" / "one.yaml").write_text(
        "# @package hydra.sweeper.params\ntrain.lr: interval(0.1, 0.2)\ntuning.rank: choice(2, 4)\n"
    )
    first = run()
    assert first.returncode == 0, first.stderr
    numbers = json.loads(first.stdout)
    rows = numbers["fits"]["configurations"]
    assert [row["values"] for row in rows] == [
        {"tuning.rank": rank, "train.batch_size": batch} for rank in (2, 4) for batch in (2, 4)
    ]
    peaks = [row["predicted_peak_mib"] for row in rows]
    assert peaks[1] > peaks[0] > 0
    assert numbers["parameters"]["total"] > 0, "what is fixed is planned as well"
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 5
    assert len(list((home / "results" / ".cache" / "predictions").glob("*.json"))) == 4
    again = run()
    assert [row["predicted_peak_mib"] for row in json.loads(again.stdout)["fits"]["configurations"]] == peaks
    assert any("0 were not known before" in note for note in json.loads(again.stdout)["fits"]["notes"])
