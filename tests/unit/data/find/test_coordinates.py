"""When and where a sample is, against values known beforehand."""

import json
from datetime import date

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from terrasweep.data.find.coordinates import find_coordinates, temporal_coordinates
from terrasweep.data.find.frame_files import gather_dates
from terrasweep.data.find.sample_list import find_samples
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.data.views.understand import understand
from tests.composing import compose_trial
from tests.unit.data.rasters import classes, write_raster
from tests.unit.data.series import DATES, series, write_places


def located(root, *overrides):
    config = compose_trial(
        "data=segmentation_folder", f"data.root={root}", "data.split.by=fraction", "data.frames=3", *overrides
    )
    listing = understand(gather_dates(find_samples(config, root), config), config, root.parent / "kept")
    return find_coordinates(listing, config)


def test_days_are_counted_from_0():
    days = [date(2023, 1, 1), date(2023, 12, 31), date(2024, 12, 31)]
    assert temporal_coordinates(days) == [[2023, 0], [2023, 364], [2024, 365]]


def test_dates_by_names_and_the_place_of_the_centre(tmp_path):
    # On the central meridian of zone 33, 15 degrees east, at the equator: 16 pixels of 10 m to each side.
    write_places(tmp_path / "data", "files", transform=from_origin(500_000 - 160, 160, 10, 10))
    found = located(tmp_path / "data").coordinates["all"]["p0"]
    assert found["time"] == [[2024, 9], [2024, 60], [2024, 365]]
    assert found["location"] == pytest.approx([0, 15], abs=1e-6)


def test_latitude_comes_first(tmp_path):
    write_places(tmp_path / "data", "files", crs="EPSG:4326", transform=from_origin(11, 48, 0.25, 0.125))
    assert located(tmp_path / "data").coordinates["all"]["p2"]["location"] == pytest.approx([46, 15])


def test_what_not_every_sample_has_is_told_of_none(tmp_path):
    write_places(tmp_path / "data", "date_major")
    listing = located(tmp_path / "data", "data.frame_order=date_major")
    assert set(listing.coordinates["all"]["p0"]) == {"location"}
    assert "told location; not time" in listing.remarks[-1]["line"]


def stac_item(folder, name, day, west, file):
    """An item with the image of a date, which has no place on the ground itself, and the one mask of its place."""
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "bbox": [west, 46.0, west + 2, 47.0],
        "properties": {"datetime": f"{day[:4]}-{day[4:6]}-{day[6:]}T10:30:21Z"},
        "assets": {
            "data": {"href": str(file), "roles": ["data"]},
            "labels": {"href": str(folder / "masks" / f"{file.name[:2]}.tif"), "roles": ["labels"]},
        },
    }


@pytest.mark.parametrize("frames", [3, 1])
def test_items_tell_when_and_where_images_without_a_place_are(tmp_path, frames):
    items = []
    for seed in range(6):
        write_raster(tmp_path / "else" / "masks" / f"p{seed}.tif", classes(seed), place=None)
        for number, (day, image) in enumerate(zip(DATES, series(seed), strict=True)):
            if number >= frames:
                continue
            file = write_raster(tmp_path / "else" / f"p{seed}" / f"p{seed}_{number}.tif", image, place=None)
            items.insert(0, stac_item(tmp_path / "else", f"p{seed}_{day}", day, 10.0 + seed, file))
    root = tmp_path / "stac" / "items.json"
    root.parent.mkdir()
    root.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    listing = located(root, f"data.frames={frames}")
    suffix = "" if frames == 3 else "_20240110"
    found = listing.coordinates["all"][f"p4{suffix}"]
    assert found["time"] == [[2024, 9], [2024, 60], [2024, 365]][:frames]
    assert found["location"] == [46.5, 15.0]
    with rasterio.open(listing.file("all", f"p4{suffix}", IMAGE)) as image:
        assert np.array_equal(image.read(), series(4)[:frames].reshape(-1, 32, 32))
    assert "told time and location" in listing.remarks[-1]["line"]
    del items[0]["bbox"]
    root.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    kept = located(root, f"data.frames={frames}").coordinates["all"][f"p4{suffix}"]
    assert set(kept) == ({"time"} if frames == 1 else {"time", "location"})


def test_nothing_is_looked_for_without_frames(tmp_path):
    write_places(tmp_path / "data", "date_major")
    config = compose_trial("data=segmentation_folder", f"data.root={tmp_path / 'data'}", "data.split.by=fraction")
    listing = find_samples(config, tmp_path / "data")
    assert find_coordinates(listing, config) is listing


def test_a_building_site_has_no_place_on_the_earth(tmp_path):
    write_places(tmp_path / "data", "files")
    assert set(located(tmp_path / "data").coordinates["all"]["p0"]) == {"time", "location"}
    for number, day in enumerate(DATES):
        file = tmp_path / "data" / "images" / f"p3_{day}.tif"
        write_raster(file, series(3)[number], crs='LOCAL_CS["site",UNIT["metre",1]]')
    listing = located(tmp_path / "data")
    assert [set(found) for found in listing.coordinates["all"].values()] == [{"time"}] * 6
    assert "told time; not location, which not every image has" in listing.remarks[-1]["line"]
