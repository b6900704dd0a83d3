"""A stored value is a mark where it stands alone among what files of one scale store."""

import numpy as np

from terrasweep.data.views import stored_marks
from terrasweep.data.views.headers import read_header
from terrasweep.data.views.stored_marks import find_stored_mark, read_thinned
from tests.unit.data.rasters import noise, write_raster


def stored(folder, seed, **profile):
    pixels = noise(seed)
    pixels[1, :4] = -9999
    return read_header(write_raster(folder / f"{seed}.tif", pixels, **profile))


def test_the_value_its_share_and_the_mean_of_the_rest(tmp_path):
    headers = [stored(tmp_path, seed) for seed in range(3)]
    found = find_stored_mark([(header, (1, 2)) for header in headers])
    assert (found.value, found.share, found.first) == (-9999, 4 / 32, "0.tif")
    assert np.isclose(found.mean, np.mean([noise(seed)[1, 4:] for seed in range(3)]))


def test_bands_that_are_not_read_and_what_headers_mark_are_none(tmp_path):
    assert find_stored_mark([(stored(tmp_path, 0), (1,))]) is None
    assert find_stored_mark([(stored(tmp_path, 1, nodata=-9999), (1, 2))]) is None


def test_a_damaged_file_is_passed_over(tmp_path):
    headers = [stored(tmp_path, seed) for seed in range(2)]
    (tmp_path / "0.tif").write_bytes(b"no image")
    assert find_stored_mark([(header, (2,)) for header in headers]).first == "1.tif"


def test_of_a_large_image_some_pixels_are_read_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_marks, "MOST_PX", 16)
    pixels = noise(0)
    file = write_raster(tmp_path / "a.tif", pixels)
    some = read_thinned(str(file), [2])
    assert some.shape == (1, 16, 16)
    assert np.isin(some.data, pixels[1]).all()
