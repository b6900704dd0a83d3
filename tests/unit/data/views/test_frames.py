"""However dates lie, what is read shows all bands of the first date, then those of the second."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio

from terrasweep.data.inspect.survey import IMAGE
from terrasweep.data.views import understand as module
from terrasweep.data.views.file_set import NOTE, Remark
from terrasweep.results.errors import DataError
from tests.unit.data.rasters import write_raster
from tests.unit.data.series import BANDS, DATES, series, write_places
from tests.unit.data.views.dated import read, understood

ISO = "2024-01-10,2024-03-01,2024-12-31"


def named(folder, names):
    for file in (folder / "images").iterdir():
        with rasterio.open(file, "r+") as image:
            image.descriptions = names


@pytest.mark.parametrize("lie", ["files", "date_major", "band_major"])
def test_all_ways_to_lie_are_read_alike(tmp_path, lie):
    write_places(tmp_path / "data", lie)
    stated = [] if lie == "files" else [f"data.frame_order={lie}"]
    listing = understood(tmp_path / "data", *stated)
    for seed in range(6):
        pixels, dates, _ = read(listing, f"p{seed}")
        assert np.array_equal(pixels, series(seed).reshape(6, 32, 32))
        assert dates == (ISO if lie == "files" else None)
    (note,) = listing.remarks
    assert note["level"] == "note"
    assert "3 dates of 2 bands" in note["line"]
    assert listing.frame_files == {}


@pytest.mark.parametrize("lie", ["date_major", "band_major"])
def test_named_bands_tell_order_and_dates(tmp_path, lie):
    write_places(tmp_path / "data", lie)
    names = [f"{date}_{band}" for date in DATES for band in BANDS]
    if lie == "band_major":
        names = [f"{date}_{band}" for band in BANDS for date in DATES]
    named(tmp_path / "data", names)
    pixels, dates, descriptions = read(understood(tmp_path / "data"), "p3")
    assert np.array_equal(pixels, series(3).reshape(6, 32, 32))
    assert (dates, descriptions) == (ISO, BANDS * 3)
    other = "band_major" if lie == "date_major" else "date_major"
    with pytest.raises(DataError, match=rf"data\.frame_order={other}: .* set data\.frame_order={lie}"):
        understood(tmp_path / "data", f"data.frame_order={other}")


def test_an_order_that_nothing_tells_is_said(tmp_path):
    write_places(tmp_path / "data", "date_major")
    (note,) = understood(tmp_path / "data").remarks
    assert (
        "all bands of one date before those of the next (nothing says so; else data.frame_order=band_major)"
        in (note["line"])
    )
    (note,) = understood(tmp_path / "data", "data.frame_order=date_major").remarks
    assert "nothing says so" not in note["line"]
    named(tmp_path / "data", [f"{date}_{band}" for date in DATES for band in BANDS])
    assert "nothing says so" not in understood(tmp_path / "data").remarks[0]["line"]


def test_dates_in_a_file_are_put_in_order(tmp_path):
    write_places(tmp_path / "data", "date_major")
    named(tmp_path / "data", [f"{date}_{band}" for date in reversed(DATES) for band in BANDS])
    pixels, dates, _ = read(understood(tmp_path / "data"), "p0")
    assert np.array_equal(pixels, series(0)[::-1].reshape(6, 32, 32))
    assert dates == ISO


def test_dates_in_tags_order_numbered_files(tmp_path):
    for number, (date, image) in enumerate(zip(DATES, series(0), strict=True)):
        file = write_raster(tmp_path / "data" / "images" / f"p0_{3 - number}.tif", image)
        with rasterio.open(file, "r+") as image:
            image.update_tags(ACQUISITION_DATE=date)
    write_raster(tmp_path / "data" / "masks" / "p0.tif", np.zeros((1, 32, 32), np.uint8))
    pixels, dates, _ = read(understood(tmp_path / "data", r"data.date_pattern='(?P<place>.+)_(?P<frame>\d+)'"), "p0")
    assert np.array_equal(pixels, series(0).reshape(6, 32, 32))
    assert dates == ISO


@pytest.mark.parametrize("lie", ["files", "date_major", "band_major"])
def test_bands_are_chosen_from_each_date(tmp_path, lie):
    write_places(tmp_path / "data", lie)
    stated = [] if lie == "files" else [f"data.frame_order={lie}"]
    pixels, _, _ = read(understood(tmp_path / "data", "data.bands=[2]", *stated), "p1")
    assert np.array_equal(pixels, series(1)[:, 1])


def test_bands_that_dates_can_not_share_are_refused(tmp_path):
    write_places(tmp_path / "data", "date_major")
    with pytest.raises(DataError, match=r"data\.frames=4: p0\.tif has 6 bands, which 4 dates can't share"):
        understood(tmp_path / "data", "data.frames=4")


def test_a_rule_sees_each_date_and_is_heard_once(tmp_path, monkeypatch):
    def doubled(files):
        views = [replace(v, bands=tuple(replace(b, scale=2.0) for b in v.bands)) for v in files.views[IMAGE]]
        return files.with_views(IMAGE, views).with_remarks(Remark(rule="twice", level=NOTE, line="doubled"))

    monkeypatch.setattr(module, "READING_RULES", (doubled,))
    write_places(tmp_path / "data", "band_major")
    listing = understood(tmp_path / "data", "data.frame_order=band_major")
    assert np.array_equal(read(listing, "p0")[0], 2 * series(0).reshape(6, 32, 32))
    assert [remark["rule"] for remark in listing.remarks] == ["frames", "twice"]


def test_a_file_of_several_dates_that_is_no_image_leaves_the_others_as_they_are(tmp_path):
    write_places(tmp_path / "data", "date_major")
    (tmp_path / "data" / "images" / "p2.tif").write_text("no image")
    listing = understood(tmp_path / "data", "data.frame_order=date_major")
    with pytest.raises(rasterio.errors.RasterioIOError):
        read(listing, "p2")
    for seed in (0, 1, 3, 4, 5):
        assert np.array_equal(read(listing, f"p{seed}")[0], series(seed).reshape(6, 32, 32))
