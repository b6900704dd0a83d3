"""However dates lie, what is read shows all bands of the first date, then those of the second."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from terrasweep.data.find.dates import DATES as DATES_TAG
from terrasweep.data.find.frame_files import gather_dates
from terrasweep.data.find.sample_list import find_samples
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.data.views import understand as module
from terrasweep.data.views.file_set import NOTE, Remark
from terrasweep.data.views.understand import understand
from terrasweep.results.errors import DataError
from tests.composing import compose_trial
from tests.unit.data.rasters import write_raster
from tests.unit.data.series import BANDS, DATES, series, write_places

ISO = "2024-01-10,2024-03-01,2024-12-31"


def understood(root, *overrides):
    config = compose_trial(
        "data=segmentation_folder", f"data.root={root}", "data.split.by=fraction", "data.frames=3", *overrides
    )
    return understand(gather_dates(find_samples(config, root), config), config, root.parent / "kept")


def read(listing, place):
    with rasterio.open(listing.file("all", place, IMAGE)) as image:
        return image.read(), image.tags().get(DATES_TAG), image.descriptions


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


def test_bands_of_later_dates_are_put_in_the_order_of_the_first(tmp_path):
    write_places(tmp_path / "data", "files", places=1)
    for date in DATES:
        with rasterio.open(tmp_path / "data" / "images" / f"p0_{date}.tif", "r+") as image:
            image.descriptions = BANDS
    turned = write_raster(tmp_path / "data" / "images" / "p0_20240301.tif", series(0)[1, ::-1])
    with rasterio.open(turned, "r+") as image:
        image.descriptions = BANDS[::-1]
    assert np.array_equal(read(understood(tmp_path / "data"), "p0")[0], series(0).reshape(6, 32, 32))


def test_values_that_stand_for_nothing_stay_so_where_dates_mark_them_differently(tmp_path):
    write_places(tmp_path / "data", "files", places=1)
    first, second = series(0)[0], series(0)[1]
    first[:, 0, 0], second[:, 1, 1] = -9999, -1
    write_raster(tmp_path / "data" / "images" / "p0_20240110.tif", first, nodata=-9999)
    write_raster(tmp_path / "data" / "images" / "p0_20240301.tif", second, nodata=-1)
    with rasterio.open(understood(tmp_path / "data").file("all", "p0", IMAGE)) as image:
        hidden = np.argwhere(image.read(masked=True).mask)
    assert hidden.tolist() == [[0, 0, 0], [1, 0, 0], [2, 1, 1], [3, 1, 1]]


def test_each_date_is_valid_where_its_own_alpha_says_so(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (2, 3, 4, 32, 32), dtype=np.uint8)
    pixels[:, :, 3] = 255
    pixels[0, 0, 3, :4], pixels[0, 1, 3, :, :4], pixels[1, 2, 3, -1] = 0, 0, 0
    for place, dates in enumerate(pixels):
        write_raster(tmp_path / "data" / "masks" / f"p{place}.tif", np.zeros((1, 32, 32), np.uint8), place=(0, place))
        for day, image in zip(DATES, dates, strict=True):
            write_raster(tmp_path / "data" / "images" / f"p{place}_{day}.tif", image, place=(0, place))
    listing = understood(tmp_path / "data")
    assert [(remark["rule"], remark["level"]) for remark in listing.remarks] == [("frames", "note"), ("alpha", "note")]
    for place, dates in enumerate(pixels):
        with rasterio.open(listing.file("all", f"p{place}", IMAGE)) as image:
            read = image.read(masked=True)
            assert (image.dtypes[0], image.nodata) == ("int16", -32768)
        hidden = np.repeat(dates[:, 3:] == 0, 3, axis=1).reshape(9, 32, 32)
        assert np.array_equal(read.mask, hidden)
        assert np.array_equal(read.data[~hidden], dates[:, :3].reshape(9, 32, 32)[~hidden])


@pytest.mark.parametrize("lie", ["files", "date_major", "band_major"])
def test_bands_are_chosen_from_each_date(tmp_path, lie):
    write_places(tmp_path / "data", lie)
    stated = [] if lie == "files" else [f"data.frame_order={lie}"]
    pixels, _, _ = read(understood(tmp_path / "data", "data.bands=[2]", *stated), "p1")
    assert np.array_equal(pixels, series(1)[:, 1])


def too_small(folder):
    write_raster(folder / "p1_20240301.tif", series(1, px=16)[1])


def elsewhere(folder):
    write_raster(folder / "p1_20240301.tif", series(1)[1], place=(0, 5))


def other_bands(folder):
    write_raster(folder / "p1_20240301.tif", series(1)[1, :1], place=(0, 1))


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (too_small, "have 32 x 32 and 16 x 16 pixels"),
        (elsewhere, "don't lie over each other"),
        (other_bands, "2 and 1"),
    ],
)
def test_dates_that_do_not_fit_are_an_error_with_the_file(tmp_path, spoil, line):
    write_places(tmp_path / "data", "files")
    spoil(tmp_path / "data" / "images")
    said = [remark for remark in understood(tmp_path / "data").remarks if remark["rule"] == "frames"]
    (error,) = [remark for remark in said if remark["level"] == "error"]
    assert error["line"].startswith("p1_20240110.tif: its dates")
    assert line in error["line"]


def test_bands_that_dates_can_not_share_are_refused(tmp_path):
    write_places(tmp_path / "data", "date_major")
    with pytest.raises(DataError, match=r"data\.frames=4: p0\.tif has 6 bands, which 4 dates can't share"):
        understood(tmp_path / "data", "data.frames=4")


def test_a_rule_sees_each_date_and_is_heard_once(tmp_path, monkeypatch):
    def doubled(files):
        views = [replace(v, bands=tuple(replace(b, scale=2.0) for b in v.bands)) for v in files.views[IMAGE]]
        return files.with_views(IMAGE, views).with_remarks(Remark(rule="twice", level=NOTE, line="doubled"))

    monkeypatch.setattr(module, "RULES", (doubled,))
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


def test_dates_of_a_place_are_read_by_its_own_names_where_they_are_none_of_the_first_place(tmp_path):
    write_places(tmp_path / "data", "files", places=2)
    own = ("B04", "B08")
    for date, names in zip(DATES, (own, own[::-1], own), strict=True):
        for place, given in (("p0", BANDS), ("p1", names)):
            with rasterio.open(tmp_path / "data" / "images" / f"{place}_{date}.tif", "r+") as image:
                image.descriptions = given
    expected = series(1)
    expected[1] = expected[1, ::-1]
    pixels, _, names = read(understood(tmp_path / "data"), "p1")
    assert np.array_equal(pixels, expected.reshape(6, 32, 32))
    assert names == own * 3


@pytest.mark.parametrize(("placed", "lines"), [((), 0), ((0, 1, 2), 0), ((1,), 1)])
def test_dates_without_a_coordinate_system_lie_where_all_or_none_of_them_say(tmp_path, placed, lines):
    write_raster(tmp_path / "data" / "masks" / "p0.tif", np.zeros((1, 32, 32), np.uint8), place=None)
    for number, date in enumerate(DATES):
        profile = {"transform": from_origin(0, 320, 10, 10)} if number in placed else {}
        file = tmp_path / "data" / "images" / f"p0_{date}.tif"
        write_raster(file, series(0)[number], place=None, **profile)
    listing = understood(tmp_path / "data")
    told = [remark["line"] for remark in listing.remarks if remark["rule"] == "frames" and remark["level"] == "error"]
    assert len(told) == lines
    assert all("its dates don't lie over each other on the ground" in line for line in told)
    if not lines:
        assert np.array_equal(read(listing, "p0")[0], series(0).reshape(6, 32, 32))


def test_complex_dates_with_masks_of_their_own_are_refused(tmp_path):
    """No value marks what is hidden in complex numbers, and one image has one mask."""
    write_places(tmp_path / "data", "files", places=1)
    for number, date in enumerate(DATES):
        pixels = series(0)[number].astype(np.complex64)
        file = write_raster(tmp_path / "data" / "images" / f"p0_{date}.tif", pixels)
        if number == 1:
            with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(file, "r+") as image:
                image.write_mask(np.arange(1024).reshape(32, 32) > 100)
    (line,) = [remark["line"] for remark in understood(tmp_path / "data").remarks if remark["level"] == "error"]
    assert line.startswith("p0_20240110.tif: its dates have masks or alpha bands of their own, and one image has one;")
