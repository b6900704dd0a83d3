"""What files say of themselves."""

import numpy as np
import pytest
from PIL import Image

from terrasweep.data.views.headers import UPRIGHT, declared_no_data, read_header, read_headers
from tests.unit.data.rasters import classes, noise, write_declaring, write_raster


def test_a_geotiff_says_size_type_place_and_no_data(tmp_path):
    file = write_raster(tmp_path / "a.tif", noise(0, bands=3, px=16), place=(2, 1), nodata=-9999)
    header = read_header(file)
    assert (header.count, header.height, header.width) == (3, 16, 16)
    assert header.dtypes == ("float32",) * 3
    assert header.no_data == (-9999.0,) * 3
    assert header.transform == (10.0, 0.0, 300_160.0, 0.0, -10.0, 4_999_680.0)
    assert '"EPSG","32633"' in header.crs
    assert header.orientation == UPRIGHT


def test_a_photo_says_how_it_was_held(tmp_path):
    photo = Image.fromarray(np.zeros((8, 12, 3), np.uint8))
    exif = photo.getexif()
    exif[0x0112] = 6
    photo.save(tmp_path / "a.jpg", exif=exif)
    header = read_header(tmp_path / "a.jpg")
    assert (header.orientation, header.height, header.width) == (6, 8, 12)
    assert (header.transform, header.crs) == (None, "")


def test_a_palette_and_an_alpha_band_are_named(tmp_path):
    indexed = Image.fromarray(classes(0)[0], mode="P")
    indexed.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    indexed.save(tmp_path / "p.png")
    assert read_header(tmp_path / "p.png").palette[:3] == ((255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255))
    Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save(tmp_path / "rgba.png")
    assert read_header(tmp_path / "rgba.png").colours == ("red", "green", "blue", "alpha")


def test_what_cannot_be_read_is_told_by_its_path(tmp_path):
    good = write_raster(tmp_path / "a.tif", noise(0))
    bad = tmp_path / "b.tif"
    bad.write_text("no image")
    headers, reasons = read_headers([good, bad])
    assert list(headers) == [str(good)]
    assert list(reasons) == [str(bad)]
    assert "not recognized" in reasons[str(bad)]


def test_no_memory_left_says_nothing_about_a_file(tmp_path, monkeypatch):
    from terrasweep.data.views import headers
    from terrasweep.results.errors import HostOutOfMemory

    def full(file):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(headers, "read_header", full)
    with pytest.raises(HostOutOfMemory):
        read_headers([tmp_path / "a.tif"])


@pytest.mark.parametrize(("text", "value"), [("300", 300.0), ("-9999", -9999.0), ("255", 255.0)])
def test_a_declared_value_is_read_even_if_no_pixel_can_be_it(tmp_path, text, value):
    file = write_declaring(tmp_path / "a.tif", np.zeros((8, 8), np.uint8), text)
    assert declared_no_data(str(file)) == value
    assert declared_no_data(str(write_raster(tmp_path / "b.tif", noise(0)))) is None
