"""``terrasweep check`` as a user types it, on files: what it counts is there, and what is broken is found."""

import json
import shutil
from collections import Counter

import numpy as np
import pytest
import rasterio

from terrasweep.data.synthetic import SyntheticScenes, write_synthetic
from tests.conftest import run_sweep, run_terrasweep

pytestmark = pytest.mark.slow

SCENES = SyntheticScenes(domain="target", train=12, val=6, test=0, tile_px=32)


@pytest.fixture
def fields(home):
    """Tiles in folders, with masks, and the overrides that name them."""
    root = write_synthetic(home / "made", SCENES)
    fields = home / "fields"
    for split in ("train", "val"):
        for kind in ("images", "masks"):
            shutil.copytree(root / split / kind, fields / split / kind)
    shutil.rmtree(home / "made")
    return fields


OVERRIDES = (
    "data=segmentation_folder",
    "data.root=fields",
    f"data.bands=[{','.join(SCENES.BANDS)}]",
    "data.num_classes=6",
    "data.tile_px=32",
    "train.batch_size=4",
)


@pytest.fixture
def command(home):
    def run(*arguments):
        return run_terrasweep(home, "check", *OVERRIDES, *arguments, COLUMNS="80")

    return run


def tiles(fields, split, kind):
    return sorted((fields / split / kind).iterdir())


def rewrite(file, change, dtype=None):
    """Change the pixels of a file."""
    with rasterio.open(file) as source:
        pixels, profile = source.read(), source.profile
    changed = change(pixels.astype(dtype or pixels.dtype))
    profile |= {"count": len(changed), "dtype": changed.dtype}
    with rasterio.open(file, "w", **profile) as target:
        target.write(changed)


def with_nan(pixels):
    pixels[3, :2, :4] = np.nan
    return pixels


def with_class_six(mask):
    mask[0, 0, 0] = 6
    return mask


def test_what_is_counted_is_in_the_files(fields, command):
    finished = command("--json")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    told = json.loads(finished.stdout)
    assert [(split["name"], split["samples"]) for split in told["summary"]["splits"]] == [("train", 12), ("val", 6)]
    for split in ("train", "val"):
        pixels: Counter[int] = Counter()
        for file in tiles(fields, split, "masks"):
            with rasterio.open(file) as source:
                pixels.update(source.read().ravel().tolist())
        shares = {entry["label"]: entry["shares"][split] for entry in told["summary"]["classes"]}
        assert shares == {label: pytest.approx(pixels[label] / pixels.total()) for label in range(6)}
        images = np.stack([rasterio.open(file).read() for file in tiles(fields, split, "images")]).astype(float)
        bands = told["summary"]["images"][0]["bands"]
        assert [band["name"] for band in bands] == list(SCENES.BANDS)
        for band, mean, std in zip(bands, images.mean((0, 2, 3)), images.std((0, 2, 3)), strict=True):
            assert band["seen"][split] == pytest.approx([mean, std], rel=1e-5)
    shown = command()
    assert shown.returncode == 0
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_each_of_many_faults_is_found_in_one_go_and_stops_a_sweep(fields, command, home):
    images = tiles(fields, "train", "images")
    images[0].write_bytes(images[0].read_bytes()[:3000])
    images[1].write_text("no image")
    rewrite(images[2], with_nan, np.float32)
    rewrite(images[3], lambda pixels: pixels[:5])
    rewrite(tiles(fields, "train", "masks")[4], with_class_six)
    shutil.copy(images[5], tiles(fields, "val", "images")[0])
    finished = command("--json")
    assert finished.returncode == 2, finished.stderr
    lines = {f["rule"]: f["line"] for f in json.loads(finished.stdout)["findings"] if f["level"] == "error"}
    assert lines.keys() == {"unreadable", "shapes", "band-count", "not-finite", "label-range", "leak", "ground"}
    assert "2 samples of train can't be read" in lines["unreadable"]
    assert f"first {images[0].stem}" in lines["unreadable"]
    assert images[2].stem in lines["not-finite"]
    assert "6 (first in train/" in lines["label-range"]
    assert images[5].stem in lines["leak"]
    assert "1 mask on other ground than the image of the same sample" in lines["ground"]
    sweep = run_sweep(home, "-m", *OVERRIDES, "backbone.checkpoint=null", "study.name=broken", "study.n_trials=1")
    assert sweep.returncode == 2
    assert set(lines.values()) <= set(sweep.stderr.splitlines())
    assert list((home / "results").glob("broken/trials/*")) == []


def test_an_empty_split_is_a_line_and_status_2(fields, command):
    for kind in ("images", "masks"):
        for file in tiles(fields, "val", kind):
            file.unlink()
    finished = command()
    assert finished.returncode == 2
    assert "val" in finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
