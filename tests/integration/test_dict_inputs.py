"""Every knob works on samples of several modalities as on single images, and none changes what is learnt."""

import numpy as np
import pytest

from tests.composing import compose_trial
from tests.trials import run_measured
from tests.unit.data.rasters import write_raster

pytestmark = pytest.mark.slow

EARTHMIND = "{hidden_size: 32, num_hidden_layers: 4, num_attention_heads: 4, intermediate_size: 64}"
BACKBONES = {
    "terramind": ("backbone=terramind_v1_tiny",),
    "earthmind": (
        "backbone=earthmind_v1",
        f"+backbone.arguments={EARTHMIND}",
        "backbone.out_indices=[0,1,2,3]",
        "backbone.merge=concat",
    ),
}
STEPS = ("train.batch_size=4", "train.max_steps=6", "train.untimed_steps=1", "train.save_weights=false")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Eight samples of 32 px: three bands of one sensor, two of another, and a mask of two classes."""
    home = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(0)
    for number in range(12):
        split = "train" if number < 8 else "val"
        mask = np.zeros((1, 32, 32), np.uint8)
        mask[0, :, : 4 + 2 * number] = 1
        for modality, bands in (("S2", 3), ("S1", 2)):
            image = rng.normal(0, 1, (bands, 32, 32)) + mask
            write_raster(
                home / "data" / split / modality / f"{number}.tif", image.astype(np.float32), place=(0, number)
            )
        write_raster(home / "data" / split / "masks" / f"{number}.tif", mask, place=(0, number))
    return home


def losses(home, backbone, folder, *knobs):
    overrides = (
        "data=multimodal_folder",
        f"data.root={home / 'data'}",
        "+data.modalities={S2L2A: {folder: S2, bands: [RED, GREEN, BLUE]}, S1GRD: {folder: S1, bands: [VV, VH]}}",
        "decoder=linear",
    )
    config = compose_trial(*overrides, *STEPS, *BACKBONES[backbone], *knobs)
    outcome = run_measured(home, config, folder)
    assert outcome.error is None, outcome.error
    assert outcome.reported["measurements"]["flops_per_step"] > 0
    return np.array([loss for _, loss in outcome.reported["curves"]["train_loss"]]), outcome.reported


@pytest.mark.parametrize("backbone", BACKBONES)
def test_what_saves_memory_leaves_the_loss_of_dict_inputs_as_it_was(home, tmp_path, backbone):
    plain, _ = losses(home, backbone, tmp_path / "plain")
    for knob, tolerance in (
        ("checkpointing=blocks", 1e-6),
        ("offload=activations", 1e-6),
        ("offload=optimizer", 1e-5),
        ("offload=parameters", 1e-5),
    ):
        changed, _ = losses(home, backbone, tmp_path / knob, knob)
        assert np.abs(changed - plain).max() <= tolerance, knob


@pytest.mark.parametrize("backbone", BACKBONES)
def test_calibration_and_4_bits_take_dict_inputs(home, tmp_path, backbone):
    knobs = ("quantization=nf4", "quantization.skip=auto", "quantization.skip_count=2", "tuning.targets=qv")
    curve, reported = losses(home, backbone, tmp_path / "nf4", *knobs)
    assert np.isfinite(curve).all()
    assert len(reported["sensitivity"]) == len(reported["touched"]["quantized"]) + 2
    assert reported["touched"]["adapted"]
