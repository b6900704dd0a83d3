"""Labels and values as people have them: from a first look to a trained trial by the key that its line offers."""

import math
import re

import numpy as np
import pytest

from terrasweep.data.inspect.checks import errors, warnings
from tests.composing import compose_trial
from tests.trials import TINY, run_measured
from tests.unit.data.labelled import TILES, looked_at, road_mask, roads, write_tiles
from tests.unit.data.rasters import classes, noise, write_raster

pytestmark = pytest.mark.slow

COLOURS = np.array([[0, 0, 0], [0, 0, 255], [255, 0, 0]], np.uint8)
SMALL = (*(setting for setting in TINY if not setting.startswith("data.synthetic")), "train.device=cpu")
MODEL = ("backbone=timm_vit_tiny_patch16_224", "backbone.checkpoint=null", "backbone.pretrained=false")


def coloured(tile):
    return COLOURS[classes(tile)[0]].transpose(2, 0, 1)


def with_column(root):
    """Images with a column that was not measured, which nothing declares."""
    for split, tiles in TILES.items():
        for tile in tiles:
            pixels = noise(tile) / 500
            pixels[:, :, 5] = -9999
            write_raster(root / split / "images" / f"{tile}.tif", pixels, place=(0, tile))
            write_raster(root / split / "masks" / f"{tile}.tif", classes(tile), place=(0, tile))


CASES = {
    "grey levels": lambda root: write_tiles(root, road_mask),
    "0 and 255": lambda root: write_tiles(root, lambda tile: roads(tile)[None].astype(np.uint8) * 255),
    "gaps": lambda root: write_tiles(root, lambda tile: classes(tile) * 50),
    "colours": lambda root: write_tiles(root, coloured),
    "a class that headers mark": lambda root: write_tiles(root, classes, ".tif", nodata=0),
    "an undeclared value": with_column,
}


def offered(line):
    """The keys that a line offers to copy: the first in quotes, else all of labels and no data."""
    quoted = re.findall(r"'(data\.[^']+)'", line)
    found = quoted[:1] or re.findall(r"data\.(?:labels|no_data)[\w.]*=[^\s;,)]+", line)
    assert found, line
    return found


@pytest.mark.parametrize("case", CASES)
def test_what_the_first_look_offers_leads_to_a_trained_trial(case, tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    root = tmp_path / "tiles"
    CASES[case](root)
    found = looked_at(root)
    (line,) = errors(found) or warnings(found)
    keys = offered(line)
    assert errors(looked_at(root, *keys)) == []
    config = compose_trial("data=segmentation_folder", f"data.root={root}", *MODEL, *SMALL, *keys)
    folder = tmp_path / "trial"
    outcome = run_measured(tmp_path, config, folder)
    assert outcome.error is None, (folder / "log.txt").read_text()
    assert math.isfinite(outcome.reported["measurements"]["accuracy"])
