"""Every file is read at ``data.pixel_size`` metres on the ground, whatever its own pixels are."""

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import from_origin
from shapely.geometry import box

from terrasweep.data import stored
from terrasweep.data.inspect.checks import errors
from tests.unit.data.rasters import NORTH_WEST, classes, noise, write_raster
from tests.unit.data.series import DATES
from tests.unit.data.views.reading_rules.looking import MASK, look_at, places
from tests.unit.data.views.reading_rules.test_pixel_sizes import geographic, projected, said
from tests.unit.data.views.test_resampled_view import lines as between
from tests.unit.data.views.test_resampled_view import weights

TEN = "data.pixel_size=10"
COARSE, FINE = "b", "c"


def fine_classes(number, px=64):
    """Classes of blocks of two by two pixels, one of which is another."""
    wanted = classes(number, px=px // 2)
    fine = wanted.repeat(2, 1).repeat(2, 2)
    fine[:, ::2, ::2] = 7
    return fine, wanted


def mixed(root, targets=False):
    """Tiles of 320 m in pixels of 10 m, but one of 20 m and one of 5 m; what their files hold by name."""
    held = {}
    for number, (name, path) in enumerate(places(root).items()):
        metres, px = {COARSE: (20.0, 16), FINE: (5.0, 64)}.get(name, (10.0, 32))
        image = noise(number, px=px)
        mask = noise(10 + number, bands=1, px=px) if targets else classes(number, px=px)
        if name == FINE and not targets:
            mask, _ = fine_classes(number)
        profile = {"crs": "EPSG:32633", "transform": from_origin(NORTH_WEST[0] + 320 * number, 5e6, metres, metres)}
        write_raster(path, image, **profile)
        write_raster(places(root, "masks")[name], mask, **profile)
        held[name] = image, mask
    return held


def halves(pixels):
    count, height, width = pixels.shape
    return pixels.reshape(count, height // 2, 2, width // 2, 2).mean((2, 4))


def doubled(pixels):
    by = between(2 * pixels.shape[1], 0.5, pixels.shape[1])
    return by @ pixels @ by.T


def test_images_and_masks_are_read_at_one_size(root):
    held = mixed(root)
    seen = look_at(root, TEN)
    assert said(seen) == {("pixel-size", "note")}
    (line,) = seen.lines("pixel-size")
    assert "data.pixel_size=10: 6 images read in pixels of 10 m on the ground (1 of larger pixels bilinearly, " in line
    assert "1 of smaller ones by their mean), with what lies over them" in line
    for name, (image, mask) in held.items():
        change = {COARSE: doubled, FINE: halves}.get(name, lambda pixels: pixels)
        assert seen.pixels(name).filled(np.nan) == pytest.approx(change(image), rel=1e-5)
        votes = {COARSE: mask.repeat(2, 1).repeat(2, 2), FINE: fine_classes(2)[1]}.get(name, mask)
        assert np.array_equal(seen.pixels(name, MASK).data, votes)
        with rasterio.open(seen.listing.file("train" if name < "e" else "val", name, MASK)) as read:
            assert (read.transform.a, read.transform.e, read.crs.to_epsg()) == (10, -10, 32633)
    assert seen.config.data.tile_px == 32


def test_a_mask_on_other_ground_is_read_at_that_size_all_the_same(root):
    held = mixed(root)
    elsewhere = {"crs": "EPSG:32633", "transform": from_origin(NORTH_WEST[0], 6e6, 20.0, 20.0)}
    mask = classes(0, px=16)
    write_raster(places(root, "masks")["a"], mask, **elsewhere)
    seen = look_at(root, TEN)
    assert ("ground", "error") in said(seen)
    assert np.array_equal(seen.pixels("a", MASK).data, mask.repeat(2, 1).repeat(2, 2))
    assert np.array_equal(seen.pixels("d", MASK).data, held["d"][1])


def test_targets_are_means_or_nearest(root):
    held = mixed(root, targets=True)
    seen = look_at(root, "task=regression", "data=regression_folder", "data.label_folder=masks", TEN)
    assert seen.pixels(FINE, MASK).filled(np.nan) == pytest.approx(halves(held[FINE][1]), rel=1e-5)
    assert np.array_equal(seen.pixels(COARSE, MASK).data, held[COARSE][1].repeat(2, 1).repeat(2, 2))


def test_a_size_that_all_have_changes_nothing(root):
    for number, (name, path) in enumerate(places(root).items()):
        write_raster(path, noise(number), place=(0, number))
        write_raster(places(root, "masks")[name], classes(number), place=(0, number))
    seen = look_at(root, TEN)
    assert (said(seen), seen.viewed) == ({("pixel-size", "note")}, set())
    assert "as all lie" in seen.lines("pixel-size")[0]


@pytest.mark.parametrize("cut", ["true", "lazily"])
def test_scenes_are_cut_in_the_new_pixels(root, cut):
    """Tiles of 32 pixels out of 63 of 10 m that fit into 90 of 7 m."""
    for number, (name, path) in enumerate(places(root).items()):
        metres, px = (7.0, 90) if number % 2 else (10.0, 64)
        profile = {"crs": "EPSG:32633", "transform": from_origin(NORTH_WEST[0] + 1e3 * number, 5e6, metres, metres)}
        write_raster(path, noise(number, px=px), **profile)
        write_raster(places(root, "masks")[name], classes(number, px=px), **profile)
    seen = look_at(root, TEN, f"data.cut={cut}", "data.tile_px=16")
    assert errors(seen.findings) == []
    by = weights(63, 10 / 7, 90)
    whole = by @ noise(1, px=90) @ by.T
    assert sum(name.startswith("b_") for name in seen.listing.names["train"]) == 9
    for row in range(3):
        for column in range(3):
            with rasterio.open(seen.listing.file("train", f"b_r{row:03}_c{column:03}", "image")) as tile:
                there = whole[:, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
                assert tile.read() == pytest.approx(there, rel=1e-5)
                assert (tile.transform.a, tile.transform.c) == (10, NORTH_WEST[0] + 1e3 + 160 * column)


def test_values_that_stand_for_nothing_are_not_mixed(root):
    held = mixed(root)
    for name, path in places(root).items():
        with rasterio.open(path, "r+") as file:
            pixels = file.read()
            pixels[:, 2:4, 2:5] = -9999
            file.write(pixels)
            held[name] = pixels, None
    seen = look_at(root, TEN, "data.no_data=-9999", "data.no_data_replace=100")
    assert errors(seen.findings) == []
    read = seen.pixels(FINE)
    assert np.argwhere(read.mask[0]).tolist() == [[1, 1]]
    assert read[0, 1, 2] == pytest.approx(held[FINE][0][0, 2:4, 5].mean(), rel=1e-5)
    assert seen.pixels(COARSE).min() > 50


def test_files_of_several_scales_are_mixed_in_physical_units(root):
    held = mixed(root)
    for name, path in places(root).items():
        with rasterio.open(path, "r+") as file:
            file.scales, file.offsets = ((0.5, 0.5), (10.0, 10.0)) if name == FINE else ((1.0, 1.0), (0.0, 0.0))
    seen = look_at(root, TEN)
    assert seen.pixels(FINE).filled(np.nan) == pytest.approx(halves(held[FINE][0]) * 0.5 + 10, rel=1e-5)


def test_values_of_masks_become_classes_before_they_are_counted(root):
    """Of four pixels 1, 2, 0, 0, the classes 1 and 2 merged make as many as 0: and 1, 2, 3, 0 more."""
    mixed(root)
    path = places(root, "masks")[FINE]
    stored_classes = np.tile(np.array([[1, 2], [3, 0]], np.uint8), (1, 32, 32))
    with rasterio.open(path, "r+") as file:
        file.write(stored_classes)
    seen = look_at(root, TEN, "data.labels={map: {1: 5, 2: 5, 3: 5}}")
    assert (seen.pixels(FINE, MASK) == 5).all()


def test_modalities_over_one_ground_get_one_grid(root):
    for number, (name, path) in enumerate(places(root, "s2").items()):
        place = from_origin(NORTH_WEST[0] + 320 * number, 5e6, 10, 10)
        write_raster(path, noise(number), place=(0, number), transform=place)
        coarse = from_origin(place.c, 5e6, 20, 20)
        write_raster(places(root, "s1")[name], noise(10 + number, px=16), place=(0, 0), transform=coarse)
        write_raster(places(root, "masks")[name], classes(number), place=(0, number), transform=place)
    modalities = "data.modalities={S2L2A: {folder: s2}, S1GRD: {folder: s1}}"
    assert look_at(root, "data=multimodal_folder", modalities).rules == {"modality-sizes"}
    seen = look_at(root, "data=multimodal_folder", modalities, TEN)
    assert said(seen) == {("pixel-size", "note")}
    assert seen.viewed == {"S1GRD"}
    assert seen.pixels("a", "S1GRD").filled(np.nan) == pytest.approx(doubled(noise(10, px=16)), rel=1e-5)


def test_masks_without_a_place_lie_on_their_images(root):
    held = mixed(root)
    for name, path in places(root, "masks").items():
        path.unlink()
        write_raster(path.with_suffix(".png"), held[name][1])
    seen = look_at(root, TEN)
    assert np.array_equal(seen.pixels(FINE, MASK).data, fine_classes(2)[1])
    assert np.array_equal(seen.pixels(COARSE, MASK).data, held[COARSE][1].repeat(2, 1).repeat(2, 2))


@pytest.mark.parametrize("source", ["ground", "coco"])
def test_polygons_are_drawn_on_the_new_grid(root, source):
    """Borders lie off all centres, so that each of them is on one side."""
    held = mixed(root)
    for path in places(root, "masks").values():
        path.unlink()
    fields = {}
    for number, name in enumerate(held):
        west = NORTH_WEST[0] + 320 * number
        fields[name] = box(west + 13, 5e6 - 171, west + 154, 5e6 - 49)
    vector = root / "fields.gpkg"
    if source == "ground":
        geopandas.GeoDataFrame({"crop": ["rye"] * 6}, geometry=list(fields.values()), crs="EPSG:32633").to_file(vector)
    else:
        vector = write_coco(root, held, fields)
    seen = look_at(root, TEN, f"data.labels={{vector: {vector.name}}}")
    assert errors(seen.findings) == []
    rows, columns = np.mgrid[:32, :32] * 10 + 5.0
    for number, name in enumerate(held):
        inside = shapely.contains_xy(fields[name], NORTH_WEST[0] + 320 * number + columns, 5e6 - rows)
        assert np.array_equal(seen.pixels(name, MASK).data[0], inside)
        assert inside.sum() == 14 * 12


def write_coco(root, held, fields):
    """Polygons in the pixels of each file."""
    import json

    images, annotations = [], []
    for number, (name, (image, _)) in enumerate(held.items()):
        px = image.shape[1]
        images.append({"id": number, "file_name": f"{name}.tif", "height": px, "width": px})
        west, metres = NORTH_WEST[0] + 320 * number, 320 / px
        corners = [((x - west) / metres, (5e6 - y) / metres) for x, y in fields[name].exterior.coords]
        ring = [value for corner in corners for value in corner]
        annotations.append({"image_id": number, "category_id": 1, "segmentation": [ring]})
    file = root / "fields.json"
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "rye"}]}
    file.write_text(json.dumps(content))
    return file


def test_dates_of_several_sizes_are_stacked(root):
    for number, (name, path) in enumerate(places(root).items()):
        for date, (metres, px) in zip(DATES, ((10.0, 32), (20.0, 16), (5.0, 64)), strict=True):
            place = from_origin(NORTH_WEST[0] + 320 * number, 5e6, metres, metres)
            file = path.with_name(f"{name}_{date}.tif")
            write_raster(file, noise(number + int(date[4:6]), px=px), crs="EPSG:32633", transform=place)
        write_raster(places(root, "masks")[name], classes(number), place=(0, number))
    seen = look_at(root, TEN, "data.frames=3")
    assert errors(seen.findings) == []
    expected = np.concatenate([noise(2), doubled(noise(4, px=16)), halves(noise(13, px=64))])
    assert seen.pixels("b").filled(np.nan) == pytest.approx(expected, rel=1e-5)


def test_degrees_become_as_many_metres_each_way(root):
    """5 m wide and 10 m high: two columns make one."""
    held = {}
    for number, (name, path) in enumerate(places(root).items()):
        profile = geographic(5, 10, 60) if number == 2 else projected(10.0)
        held[name] = noise(number)
        write_raster(path, held[name], **profile)
        write_raster(places(root, "masks")[name], classes(number), **profile)
    seen = look_at(root, TEN, "data.cut=lazily", "data.tile_px=16")
    assert errors(seen.findings) == []
    assert [name for name in seen.listing.names["train"] if name[0] == "c"] == ["c_r000_c000", "c_r001_c000"]
    with rasterio.open(seen.listing.file("train", "c_r000_c000", "image")) as tile:
        expected = noise(2)[:, :16].reshape(2, 16, 16, 2).mean(3)
        assert tile.read() == pytest.approx(expected, rel=1e-3)
        assert tile.crs.to_epsg() == 4326


def test_images_without_a_place_are_refused(root):
    mixed(root)
    write_raster(places(root)["d"], noise(3), place=None)
    (line,) = look_at(root, TEN).lines("pixel-size")
    assert "data.pixel_size=10: 1 image without a place on the ground (first d.tif)" in line
    assert "; " in line


def test_a_pixel_that_no_tile_holds_is_refused(root):
    mixed(root)
    lines = look_at(root, "data.pixel_size=400").lines("pixel-size")
    assert "a.tif with 32 x 32 pixels covers less ground than one such pixel; use a smaller one" in lines[0]


def test_files_over_many_degrees_are_refused_with_the_command(root):
    mixed(root)
    place = from_origin(12, 64, 0.125, 0.125)
    write_raster(places(root)["d"], noise(3), crs="EPSG:4326", transform=place)
    write_raster(places(root, "masks")["d"], classes(3), crs="EPSG:4326", transform=place)
    (line,) = look_at(root, TEN).lines("pixel-size")
    assert "pixels of d.tif change their size on the ground by 14.1 % from its upper to its lower edge" in line
    assert line.endswith("gdalwarp -t_srs EPSG:32633 -tr 10 10 -r average d.tif d_10m.tif")


def test_each_size_has_a_listing_of_its_own(root):
    mixed(root)
    folders = {stored.data_folder(look_at(root, key).config).name for key in (TEN, "data.pixel_size=5", "train.seed=1")}
    assert len(folders) == 3
