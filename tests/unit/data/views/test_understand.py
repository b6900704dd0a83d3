"""Files that lie as they should are read as they lie; others through views of their own."""

from dataclasses import replace

import numpy as np
import rasterio

from terrasweep.config.compose import compose
from terrasweep.data.find.sample_list import MASK, find_samples
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.data.views import understand as module
from terrasweep.data.views.file_set import NOTE, Remark
from terrasweep.data.views.understand import understand
from tests.unit.data.rasters import classes, noise, write_raster


def listed(root):
    for split, seeds in {"train": (0, 1), "val": (2,)}.items():
        for seed in seeds:
            write_raster(root / split / "images" / f"{seed}.tif", noise(seed))
            write_raster(root / split / "masks" / f"{seed}.tif", classes(seed))
    config = compose(["sweeps=own_data", f"data.root={root}", "data.split.by=folders"])
    return find_samples(config, root), config


def test_files_that_need_nothing_are_read_as_they_lie(tmp_path):
    listing, config = listed(tmp_path / "tiles")
    assert understand(listing, config, tmp_path / "kept") == listing
    assert not (tmp_path / "kept").exists()


def test_a_rule_changes_how_files_are_read_and_says_so(tmp_path, monkeypatch):
    listing, config = listed(tmp_path / "tiles")

    def last_band_only(files):
        views = [replace(view, bands=view.bands[1:], names=view.names[1:]) for view in files.views[IMAGE]]
        return files.with_views(IMAGE, views).with_remarks(Remark(rule="bands", level=NOTE, line="one band"))

    monkeypatch.setattr(module, "READING_RULES", (last_band_only,))
    changed = understand(listing, config, tmp_path / "kept")
    assert changed.names == listing.names
    assert changed.remarks == [{"rule": "bands", "level": "note", "line": "one band"}]
    assert changed.file("train", "0", MASK) == listing.file("train", "0", MASK)
    with rasterio.open(changed.file("val", "2", IMAGE)) as image:
        assert np.array_equal(image.read(), noise(2)[1:])


def test_scattered_files_are_brought_together(tmp_path):
    listing, config = listed(tmp_path / "tiles")
    elsewhere = write_raster(tmp_path / "else" / "where.png", classes(7))
    paths = {
        split: {name: str(listing.file(split, name, MASK)) for name in names} for split, names in listing.names.items()
    }
    paths["train"]["1"] = str(elsewhere)
    gathered = understand(replace(listing, scattered={MASK: paths}), config, tmp_path / "kept")
    assert gathered.scattered == {}
    assert gathered.file("train", "1", IMAGE) == listing.file("train", "1", IMAGE)
    for name, seed in {"0": 0, "1": 7}.items():
        with rasterio.open(gathered.file("train", name, MASK)) as mask:
            assert np.array_equal(mask.read(), classes(seed))
