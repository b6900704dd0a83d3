"""The default recipe beside the former one, by the program that compares them."""

import json
import subprocess
import sys
from typing import Any

import pytest

from terrasweep.data.synthetic import SyntheticScenes, write_synthetic
from tests.benchmarks import load_benchmark
from tests.composing import ROOT


@pytest.fixture(scope="module")
def benchmark() -> Any:
    """``benchmarks/recipe.py`` as a module."""
    return load_benchmark("recipe")


def curve(*accuracies, seconds_per_step=1.0):
    """Validated every other step."""
    return [(2 * n, 2 * n * seconds_per_step, accuracy) for n, accuracy in enumerate(accuracies, start=1)]


def test_the_recipes_are_compared_at_each_validation_from_a_quarter_on(benchmark):
    """By hand: of eight steps a quarter are two; behind in one seed at the fourth step, and on the whole never."""
    curves = {
        "constant": [curve(0.1, 0.3, 0.4, 0.5), curve(0.1, 0.2, 0.4, 0.5)],
        "default": [curve(0.2, 0.25, 0.6, 0.7), curve(0.2, 0.4, 0.6, 0.8)],
    }
    assert benchmark.moments(curves, benchmark.STEPS) == [0.25, 0.5, 0.75, 1.0]
    assert benchmark.gains(curves, 0.5, benchmark.STEPS) == pytest.approx([-0.05, 0.2])
    *_, by_steps, _, said = benchmark.table(curves).splitlines()
    assert by_steps == "| steps: 1.00 | 0.500 | 0.750 | +0.250 (+0.200 to +0.300) |"
    assert "| time: 0.50 | 0.250 | 0.325 | +0.075 (-0.050 to +0.200) |" in benchmark.table(curves)
    assert said == "mean difference from 0.25 of the time on: at least +0.075; at the end +0.250"


def test_a_recipe_that_is_behind_for_a_moment_between_two_rows_is_found(benchmark):
    """The slower one has its accuracy later: by time it is behind where by steps it is ahead."""
    fast, slow = curve(0.1, 0.3, 0.5, 0.6), curve(0.2, 0.4, 0.6, 0.7, seconds_per_step=1.5)
    curves = {"constant": [fast], "default": [slow]}
    assert all(benchmark.gains(curves, part, benchmark.STEPS)[0] > 0 for part in (0.25, 0.5, 0.75, 1.0))
    # The slow one is at 0.4 from 6 s on and at 0.6 from 9 s on, the fast one at 0.5 from 6 s and at 0.6 from 8 s.
    assert benchmark.least(curves).endswith("at least -0.200; at the end +0.100")
    assert benchmark.gains(curves, 8 / 12, benchmark.TIME) == pytest.approx([-0.2])


def test_a_validation_belongs_to_the_part_that_it_stands_for(benchmark):
    """Of 23 steps the 13th is at 13/23, which times 23 is a little less than 13 in floating-point numbers."""
    assert 13 / 23 * 23 < 13
    points = [(3, 3.0, 0.1), (13, 13.0, 0.2), (23, 23.0, 0.3)]
    parts = benchmark.moments({"default": [points]}, benchmark.STEPS)
    assert [benchmark.reached(points, part, benchmark.STEPS, 23) for part in parts] == [0.1, 0.2, 0.3]


MODEL = (
    *("backbone=timm_vit_tiny_patch16_224", "+backbone.arguments.embed_dim=96", "+backbone.arguments.depth=2"),
    *("backbone.out_indices=[0,1]", "backbone.checkpoint=null", "train.device=cpu", "train.batch_size=4"),
)
FEW = ("train.max_steps=8", "train.untimed_steps=0", "train.count_flops=false", "train.save_weights=false")
SYNTHETIC = ("data.synthetic.train=12", "data.synthetic.val=6", "data.synthetic.test=0", "data.tile_px=32")
FOLDER = (
    *("sweeps=own_data", "data=classification_folder", "task=classification", "decoder=identity", "augment=d4"),
    *("backbone.pretrained=false", "data.split.by=folders"),
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["synthetic", "folder"])
def test_both_recipes_are_trained_on_synthetic_tiles_and_on_a_folder(benchmark, home, kind):
    overrides = SYNTHETIC
    if kind == "folder":
        tiles = write_synthetic(home / "tiles", SyntheticScenes(domain="target", tile_px=32, train=12, val=6, test=0))
        overrides = (*FOLDER, f"data.root={tiles / 'scenes'}")
    program = [sys.executable, str(ROOT / "benchmarks" / "recipe.py"), "--json", "--seeds=1"]
    finished = subprocess.run([*program, *overrides, *MODEL, *FEW], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    curves = json.loads(finished.stdout)
    assert list(curves) == ["constant", "default"]
    for (found,) in curves.values():
        assert [step for step, _, _ in found] == list(range(1, 9))
        assert all(0 <= accuracy <= 1 for _, _, accuracy in found)
    rows = [line for line in benchmark.table(curves).splitlines() if line.startswith("| time: ")]
    assert len(rows) == 7, "each validation from the second on"
