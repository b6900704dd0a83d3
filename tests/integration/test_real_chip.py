"""A real Sentinel-1 and Sentinel-2 chip with its mask: dict inputs, from the file to the metric, by real commands."""

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.integration.study import read_record, read_results

CHIP = ROOT.parent / "shared" / "data" / "sen1floods11_sample"
EARTHMIND = "{hidden_size: 64, num_hidden_layers: 4, num_attention_heads: 4, intermediate_size: 128}"
STUDIES = {
    "terramind_multimodal": ("backbone=terramind_v1_tiny", "data.tile_px=64"),
    "earthmind_24gb": (
        f"backbone.arguments={EARTHMIND}",
        "backbone.out_indices=[0,1,2,3]",
        "data.resize_px=null",
        "data.cut=true",
        "data.tile_px=56",
        "data.split.by=blocks",
    ),
}
FOLDERS = {
    "terramind_multimodal": ("data.modalities.S2L1C.folder=S2", "data.modalities.S1GRD.folder=S1"),
    "earthmind_24gb": ("data.modalities.optical.folder=S2", "data.modalities.sar.folder=S1"),
}
SMALL = (
    "data.label_folder=Labels",
    "backbone.pretrained=false",
    "decoder=linear",
    "search_spaces=quickstart",
    "quantization=none",
    "tuning=full",
    "checkpointing=choice(none,blocks)",
    "train.lr=choice(1e-3,5e-4)",
    "train.batch_size=8",
    "train.max_steps=40",
    "train.untimed_steps=1",
    "study.n_trials=3",
    "study.baselines=none",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHIP.is_dir(), reason="the sample chip is not beside the project"),
]


@pytest.mark.parametrize("sweep", STUDIES)
def test_a_sweep_over_both_sensors_beats_the_majority(home: Path, cli, sweep):
    done = cli("-m", f"sweeps={sweep}", f"data.root={CHIP}", *SMALL, *STUDIES[sweep], *FOLDERS[sweep])
    assert done.returncode == 0, done.stderr
    study = home / "results" / sweep
    results = read_results(study)
    assert [result.state for result in results.values()] == ["complete"] * 3
    summary = read_record(study).data["summary"]
    val = next(split for split in summary["splits"] if split["name"] == "val")
    shares = {entry["name"]: entry["shares"]["val"] for entry in summary["classes"] if entry["shares"]["val"]}
    majority = max(shares.values())
    best = max(results.values(), key=lambda result: result.value("accuracy") or 0.0)
    assert best.metrics["val_Pixel_Accuracy"] > majority
    assert (best.value("accuracy") or 0.0) > majority / 2  # The mIoU of an answer that is always the majority.
    assert val["samples"] > 0
    assert list(best.config["data"]["modalities"]) == (["S2L1C", "S1GRD"] if "terra" in sweep else ["optical", "sar"])
