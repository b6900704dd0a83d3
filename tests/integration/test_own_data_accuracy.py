"""What the shipped study of one's own folder learns, beside a logistic regression on the same frozen features."""

from typing import Any

import pytest

from terrasweep.data.synthetic import SyntheticScenes, write_synthetic
from tests.benchmarks import load_benchmark

pytestmark = pytest.mark.slow

TILE_PX = 32
BACKBONE = (
    *("backbone=timm_vit_tiny_patch16_224", "+backbone.arguments.embed_dim=96", "+backbone.arguments.depth=6"),
    "backbone.out_indices=[2,5]",
)
"""Six blocks of half the width: a training of the study's length takes seconds."""


@pytest.fixture(scope="module")
def benchmark() -> Any:
    """``benchmarks/own_data.py`` as a module."""
    return load_benchmark("own_data")


@pytest.mark.usefixtures("products_in_32_bits")
def test_the_study_reaches_more_than_a_regression_on_frozen_features(home, cli, benchmark):
    """On the test split, by the trial that validation chooses, with nothing of the recipe changed."""
    pretraining = (*benchmark.PRETRAINING, *BACKBONE, f"data.tile_px={TILE_PX}", "data.synthetic.domain=source")
    pretrained = cli(*pretraining, "train.max_steps=300")
    assert pretrained.returncode == 0, pretrained.stderr
    (weights,) = (home / "results" / "single").glob("*/weights/trained.safetensors")
    tiles = write_synthetic(home / "tiles", SyntheticScenes(domain="target", tile_px=TILE_PX, **benchmark.SPLITS))
    own = (f"data.root={tiles / 'scenes'}", "data.split.by=folders", "augment=d4", "backbone.pretrained=false")
    common = ["sweeps=own_data", *benchmark.CLASS_FOLDERS, *BACKBONE, *own, f"backbone.checkpoint={weights}"]
    done = cli("-m", *common, "study.n_trials=2", "train.count_flops=false", "confirm.rounds=0")
    assert done.returncode == 0, done.stderr
    studied = benchmark.most_accurate(home / "results" / "own_data")
    regressed, _ = benchmark.regression(common)
    assert float(studied["test_accuracy"]) > regressed + 0.1
