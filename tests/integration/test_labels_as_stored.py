"""Masks of grey levels: from a first ``terrasweep check`` to a trained trial in one more command."""

import json
import re

import pytest

from tests.conftest import run_terrasweep
from tests.integration.study import read_results
from tests.unit.data.labelled import TILES, road_mask, write_tiles

pytestmark = pytest.mark.slow

OVERRIDES = (
    *("data=segmentation_folder", "data.root=aerial", "backbone=timm_vit_tiny_patch16_224"),
    *("backbone.pretrained=false", "train.batch_size=4", "train.max_steps=4", "train.untimed_steps=1"),
)


def test_road_masks_go_from_a_check_to_a_trained_trial(home, cli):
    write_tiles(home / "aerial", road_mask)
    checked = run_terrasweep(home, "check", *OVERRIDES, "--json")
    assert checked.returncode == 2, checked.stderr
    (line,) = [found["line"] for found in json.loads(checked.stdout)["findings"] if found["level"] == "error"]
    key = re.search(r"'(data\.labels\.[^']+)'", line)[1]
    named = (
        "data.class_names=[ground, road]",
        "sweeps=own_data",
        "data.split.by=folders",
        "study.n_trials=1",
        "study.baselines=none",
    )
    done = cli("-m", *named, "study.name=roads", "quantization=none", "tuning=full", *OVERRIDES, key)
    assert done.returncode == 0, done.stderr
    (result,) = read_results(home / "results" / "roads").values()
    assert result.state == "complete", result.message
    assert result.config["data"]["labels"] == {"threshold": 128}
    assert result.config["data"]["num_classes"] == 2
    study = home / "results" / "roads"
    confusion = result.confusion
    assert confusion.classes == ["ground", "road"]
    assert confusion.total == 2 * 32 * 32  # Two validation tiles, and nothing in them is ignored.
    roads_of_val = sum(int((road_mask(tile) >= 128).sum()) for tile in TILES["val"])
    assert sum(confusion.counts[1]) == roads_of_val
    ious = [tally.iou for tally in confusion.tallies() if tally.occurs]
    assert result.value("accuracy") == pytest.approx(sum(ious) / len(ious))
    page = (study / "report.html").read_text()
    assert '<section id="confusion">' in page
    assert "road found: " in page or "road taken for ground: " in page
    assert "values of masks below it are class 0" in (study / "report.md").read_text()
    assert '<a href="data.html">' in (study / "report.html").read_text()
    page = (study / "data.html").read_text()
    assert "values of masks below it are class 0" in page
    assert page.count("model&#39;s input") + page.count("model's input") >= 6
