"""A value that stands for nothing: from the first look to the statistics and the batch that a trial gets."""

import numpy as np
import pytest
import rasterio

from terrasweep.data import files_state, stored
from terrasweep.data.find.sample_list import MASK
from terrasweep.data.inspect.checks import errors, find_problems
from terrasweep.data.open.folders import open_data
from terrasweep.data.prepare import prepare_data
from tests.composing import compose_trial
from tests.unit.data.rasters import classes, noise, write_raster

SPLITS = {"train": range(6), "val": range(6, 9)}


def with_column(seed):
    """Reflectance-like floats with a column of -9999, and the pixels that were measured."""
    pixels = noise(seed) / 500
    pixels[:, :, 5] = -9999
    return pixels


def targets(seed):
    values = noise(seed, bands=1) / 10
    values[0, :4] = -9999
    return values


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))

    def fill(image=with_column, mask=classes, labels="masks", **profile):
        for split, seeds in SPLITS.items():
            for seed in seeds:
                write_raster(tmp_path / "data" / split / "images" / f"{seed}.tif", image(seed), place=(0, seed))
                write_raster(tmp_path / "data" / split / labels / f"{seed}.tif", mask(seed), place=(0, seed), **profile)
        return tmp_path / "data"

    return fill


def looked_at(root, *overrides, data="segmentation_folder"):
    """The findings, and the configuration as a trial gets it."""
    files_state.state_below.cache_clear()
    given = stored.located(compose_trial(f"data={data}", f"data.root={root}", "train.batch_size=3", *overrides))
    prepare_data(given)
    return find_problems(stored.read_survey(given), given), stored.complete(given)


def clean_statistics():
    pixels = np.stack([with_column(seed) for seed in SPLITS["train"]]).astype(float).transpose(1, 0, 2, 3)
    values = [band[band != -9999] for band in pixels]
    return [value.mean() for value in values], [value.std() for value in values]


def test_an_undeclared_value_is_an_error_with_its_share_and_the_keys(write):
    (finding,), spoilt = looked_at(write())
    assert (finding.level, finding.rule) == ("error", "undeclared-no-data")
    assert "3.1 % of the pixels of train are -9999 (in B1, B2; first in 0)" in finding.line
    assert "set data.no_data=-9999 data.no_data_replace=0.2, and" in finding.line
    assert spoilt.data.means[0] < -300


@pytest.mark.parametrize("cut", [[], ["data.cut=true", "data.tile_px=16"], ["data.cut=lazily", "data.tile_px=16"]])
def test_with_the_keys_statistics_are_those_of_what_was_measured_and_the_rest_is_filled(write, cut):
    findings, config = looked_at(write(), "data.no_data=-9999", "data.no_data_replace=0.2", *cut)
    assert findings == []
    means, stds = clean_statistics()
    assert config.data.means == pytest.approx(means, rel=1e-6)
    assert config.data.stds == pytest.approx(stds, rel=1e-6)
    batch = next(iter(open_data(config).module.val_dataloader()))["image"]
    assert float(batch.min()) > 0
    if not cut:
        assert np.allclose(batch[:, :, :, 5], 0.2)
        assert np.array_equal(batch[0, :, :, 6:], with_column(6)[:, :, 6:])


def test_the_key_alone_leaves_one_way_to_go(write):
    findings, _ = looked_at(write(), "data.no_data=-9999")
    assert {finding.rule for finding in findings} == {"not-finite"}
    assert "set data.no_data_replace" in findings[0].line


def test_another_value_makes_another_state_and_none_keeps_the_old_one(write):
    root = write()
    states = [looked_at(root, *key)[1].data.state for key in ([], ["data.no_data=-9999"], ["data.no_data=null"])]
    assert states[0] == states[2] != states[1]


def test_targets_are_not_advised_from_a_value_that_stands_for_nothing(write):
    root = write(image=noise, mask=targets, labels="targets")
    (finding,), _ = looked_at(root, "task=regression", data="regression_folder")
    assert (finding.level, finding.rule) == ("error", "undeclared-no-data-targets")
    assert "12.5 % of the targets of train are -9999 (first in 0)" in finding.line
    assert "set task.ignore_index=-9999" in finding.line
    given = ("task=regression", "task.ignore_index=-9999")
    findings, config = looked_at(root, *given, data="regression_folder")
    assert errors(findings) == []
    values = np.stack([targets(seed) for seed in SPLITS["train"]]).astype(float)
    assert stored.read_survey(config).splits["train"].labels.mean == pytest.approx(values[values != -9999].mean())


def test_a_class_that_headers_mark_is_told_by_its_cause_and_kept_by_the_key(write):
    root = write(image=noise, nodata=0)
    (finding,), _ = looked_at(root)
    assert finding.rule == "class-unused"
    assert "the masks' headers mark 0 as no data" in finding.line
    findings, config = looked_at(root, "data.labels.keep_no_data=true")
    assert [finding.level for finding in findings] == ["note"]
    counts = stored.read_survey(config).splits["val"].labels.counts
    stacked = np.stack([classes(seed) for seed in SPLITS["val"]])
    assert counts == {label: int((stacked == label).sum()) for label in range(3)}
    with rasterio.open(stored.read_listing(config).file("val", "7", MASK)) as mask:
        assert np.array_equal(mask.read(masked=True).filled(99), classes(7))
