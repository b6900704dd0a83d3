"""One sample per place, its dates in order, whatever in a list tells which lines or items are of one place."""

import json
from pathlib import Path

import pytest

from terrasweep.data.find.sample_list import MASK, find_samples
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.results.errors import DataError
from tests.composing import compose_trial

DAYS = ("2024-01-10", "2024-03-01", "2024-12-31")
UNORDERED = (2, 0, 1)
FILES = {
    "names": "{place}_{day}.tif",
    "folders": "{day}/{place}.tif",
    "numbers": "{place}/{date}.tif",
}


def paths(lie, place, date):
    return f"scenes/{FILES[lie].format(place=place, day=DAYS[date].replace('-', ''), date=date)}"


@pytest.fixture
def scenes(tmp_path):
    """Two places with three dates each, which lie in any of the ways above."""
    for place in "ab":
        for file in [paths(lie, place, date) for lie in FILES for date in range(3)] + [f"masks/{place}.png"]:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
    return tmp_path


def rows(lie, line="{file},{mask}"):
    """A line per place and date, in no order."""
    found = []
    for place in "ab":
        for date in UNORDERED:
            of = {"place": place, "day": DAYS[date], "number": date, "mask": f"masks/{place}.png"}
            found.append(line.format(file=paths(lie, place, date), **of))
    return found


def listed(root, *overrides, by="fraction", frames=3):
    given = ("data=segmentation_folder", f"data.root={root}", f"data.split.by={by}", f"data.frames={frames}")
    return find_samples(compose_trial(*given, *overrides), root)


def table(scenes, titles, lines, *overrides, **settings):
    file = scenes / "scenes.csv"
    file.write_text("\n".join([titles, *lines]))
    return listed(file, *overrides, **settings)


def assert_gathered(listing, lie, days=DAYS, part="all"):
    assert listing.names == {part: ["a", "b"]}
    for place in "ab":
        frames = listing.frame_files[IMAGE][part][place]
        assert [day for day, _ in frames] == list(days)
        assert [file.endswith(paths(lie, place, date)) for date, (_, file) in enumerate(frames)] == [True] * 3
        assert listing.file(part, place, IMAGE) == Path(frames[0][1])
        assert listing.file(part, place, MASK).name == f"{place}.png"


TABLES = {
    "a column of places and one of dates": ("numbers", "image,mask,place,date", "{file},{mask},{place},{day}"),
    "a name that several lines have": ("numbers", "name,date,image,mask", "{place},{day},{file},{mask}"),
    "dates in the files' names": ("names", "image,mask", "{file},{mask}"),
    "dates in the folders' names": ("folders", "image,mask", "{file},{mask}"),
    "names with dates": ("numbers", "name,image,mask", "{place}_{day},{file},{mask}"),
    "the mask that lines share": ("numbers", "image,mask,acquired", "{file},{mask},{day}T10:00:00Z"),
    "another way to write dates": ("numbers", "image,mask,site,date", "{file},{mask},{place},{day}"),
}


@pytest.mark.parametrize("way", TABLES)
def test_lines_of_a_table_are_gathered(scenes, way):
    lie, titles, line = TABLES[way]
    lines = rows(lie, line)
    if way.startswith("another"):
        lines = [text.replace("2024-", "2024/").replace("-", "/") for text in lines]
    listing = table(scenes, titles, lines)
    assert_gathered(listing, lie)
    assert "2 places of 6 scenes, told apart by" in listing.remarks[0]["line"]


def test_numbers_put_dates_in_order_that_nobody_tells(scenes):
    listing = table(scenes, "image,mask,place,frame", rows("numbers", "{file},{mask},{place},{number}"))
    assert_gathered(listing, "numbers", days=("", "", ""))


def test_a_place_may_have_its_mask_in_one_line(scenes):
    lines = rows("numbers", "{file},{mask},{place},{day}")
    lines = [text if DAYS[2] in text else text.replace("masks/a.png", "").replace("masks/b.png", "") for text in lines]
    assert_gathered(table(scenes, "image,mask,place,date", lines), "numbers")


def test_a_table_divides_places(scenes):
    lines = [f"{text},{'train' if 'a.png' in text else 'val'}" for text in rows("names")]
    listing = table(scenes, "image,mask,split", lines, by="folders")
    assert listing.names == {"train": ["a"], "val": ["b"]}
    assert len(listing.frame_files[IMAGE]["val"]["b"]) == 3
    lines[0] = lines[0].replace("train", "val")
    told = r"line 2 and line 3: dates of one place, a, with the split val and train; give all the same"
    with pytest.raises(DataError, match=told):
        table(scenes, "image,mask,split", lines, by="folders")


def test_labels_of_whole_images_are_those_of_places(scenes):
    photos = ("data=classification_folder", "task=classification", "decoder=identity")
    lines = [text.replace("masks/a.png", "wet").replace("masks/b.png", "dry") for text in rows("names")]
    listing = table(scenes, "image,class", lines, *photos)
    assert listing.labels == {"all": {"a": [1], "b": [0]}}
    several = ("data=classification_folder", "task=multilabel", "decoder=identity")
    lines = [
        f"{text},{place == 'a':d},1" for text, place in zip(rows("numbers", "{file},{day}"), "aaabbb", strict=True)
    ]
    named = [f"{line},{place}" for line, place in zip(lines, "aaabbb", strict=True)]
    listing = table(scenes, "image,date,wet,dry,place", named, *several)
    assert listing.class_names == ["wet", "dry"]
    assert listing.labels == {"all": {"a": [1, 1], "b": [0, 1]}}


def test_a_modality_of_one_date_is_named_once_or_in_each_line(scenes):
    (scenes / "dem.tif").touch()
    several = (
        "data=multimodal_folder",
        "+data.modalities={S2: {folder: s2}, DEM: {folder: dem, frames: 1}}",
    )
    lines = rows("numbers", "{file},dem.tif,{mask},{place},{day}")
    once = [text if DAYS[0] in text else text.replace("dem.tif", "") for text in lines]
    for given in (lines, once):
        listing = table(scenes, "S2,DEM,mask,place,date", given, *several)
        assert len(listing.frame_files["S2"]["all"]["a"]) == 3
        assert listing.frame_files["DEM"]["all"]["a"] == [["", str(scenes / "dem.tif")]]


def test_a_date_that_lacks_is_named_with_its_place(scenes):
    lines = rows("numbers", "{file},{mask},{place},{day}")
    with pytest.raises(DataError, match=r"1 of 2 samples .* \(a: 2024-01-10 2024-12-31 without 2024-03-01\); add what"):
        table(scenes, "image,mask,place,date", [lines[0], lines[1], *lines[3:]])
    with pytest.raises(DataError, match=r"b has several files of one date \(0\.tif, 1\.tif, 2\.tif\)"):
        table(scenes, "image,mask,place,date", [*lines[:4], *(text.replace(DAYS[1], DAYS[0]) for text in lines[4:])])


def test_a_line_without_a_date_is_named(scenes):
    lines = rows("numbers", "{file},{mask},{place},{day}")
    lines[4] = lines[4].replace(DAYS[0], "spring")
    with pytest.raises(DataError, match="line 6: nothing says when this scene of b was; add its date as 2024-01-31"):
        table(scenes, "image,mask,place,date", lines)


def test_files_that_hold_all_dates_stay_samples(scenes):
    lines = rows("numbers", "{file},{mask}")[::3]
    listing = table(scenes, "image,mask", lines)
    assert len(listing.names["all"]) == 2
    assert listing.frame_files == {}
    dated = [f"{text},{';'.join(DAYS)}" for text in lines]
    listing = table(scenes, "image,mask,date", dated)
    assert [frames[0][0] for frames in listing.frame_files[IMAGE]["all"].values()] == [",".join(DAYS)] * 2
    with pytest.raises(DataError, match="2 of 2 samples have files of another number of dates"):
        table(scenes, "image,mask", lines, "data.frame_order=files")


def test_dates_of_places_that_nothing_tells_are_no_stacks(scenes):
    lines = rows("numbers", "{file},{file},{day}")
    told = r"data\.frames=3 .*: column date has one date in each line, and nothing tells .*; add a column place, or set"
    with pytest.raises(DataError, match=told):
        table(scenes, "image,mask,date", lines)
    assert len(table(scenes, "image,mask,date", lines, "data.frame_order=band_major").names["all"]) == 6


def test_regions_of_many_stacked_scenes_are_no_places(scenes):
    lines = [f"{text},north" for text in rows("numbers")]
    listing = table(scenes, "image,mask,place", [text.replace("masks/b", "masks/a") for text in lines])
    assert len(listing.names["all"]) == 6
    listing = table(scenes, "image,mask,place", lines, frames=1)
    assert len(listing.names["all"]) == 6


def test_of_one_date_the_list_tells_it(scenes):
    listing = table(scenes, "image,mask,date", rows("numbers", "{file},{mask},{day}"), frames=1)
    days = sorted(frames[0][0] for frames in listing.frame_files[IMAGE]["all"].values())
    assert days == sorted(DAYS * 2)
    listing = table(scenes, "image,mask,date", rows("numbers", "{file},{mask},{day}"), frames="null")
    assert listing.frame_files == {}


def geometry(place):
    west = 10.0 + "ab".index(place)
    return {"type": "Polygon", "coordinates": [[[west, 50], [west + 1, 50], [west + 1, 51], [west, 51], [west, 50]]]}


def item(place, date, name, **more):
    assets = {
        "visual": {"href": paths("numbers", place, date), "roles": ["data"]},
        "labels": {"href": f"masks/{place}.png", "roles": ["labels"]},
    }
    own = {"type": "Feature", "stac_version": "1.0.0", "id": name, "assets": assets, "geometry": None}
    return own | {"properties": {"datetime": f"{DAYS[date]}T10:30:21Z"}} | more


def catalogue(scenes, items, *overrides, **settings):
    file = scenes / "items.json"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    return listed(file, *overrides, **settings)


def items(way):
    for place in "ab":
        for date in UNORDERED:
            name = f"{place}_{DAYS[date].replace('-', '')}"
            if way == "id":
                yield item(place, date, name)
            elif way == "geometry":
                yield item(place, date, f"S2{'AB'[date % 2]}_{name}_x", geometry=geometry(place))
            else:
                grid = {"proj:code": "EPSG:4326", "proj:transform": [1, 0, "ab".index(place), 0, -1, 0]}
                properties = {"datetime": f"{DAYS[date]}T10:30:21Z", **grid}
                yield item(place, date, f"{date}{place}", properties=properties)


@pytest.mark.parametrize("way", ["id", "geometry", "grid"])
def test_items_of_one_place_are_gathered(scenes, way):
    found = list(items(way))
    for one in found:  # A mask for one date, so that it can't tell the places.
        if not one["properties"]["datetime"].startswith(DAYS[1]):
            del one["assets"]["labels"]
    listing = catalogue(scenes, found)
    assert [len(frames) for frames in listing.frame_files[IMAGE]["all"].values()] == [3, 3]
    for frames in listing.frame_files[IMAGE]["all"].values():
        assert [day for day, _ in frames] == list(DAYS)
        assert [Path(file).name for _, file in frames] == ["0.tif", "1.tif", "2.tif"]
    assert [listing.file("all", name, MASK).name for name in listing.names["all"]] == ["a.png", "b.png"]
    told = {"id": "their names without the dates", "geometry": "their geometry", "grid": "their grid"}[way]
    assert f"2 places of 6 scenes, told apart by {told}" in listing.remarks[0]["line"]
    if way == "id":
        assert listing.names["all"] == ["a", "b"]


def test_the_item_whose_date_lacks_is_named(scenes):
    found = list(items("id"))
    with pytest.raises(DataError, match=r"\(a: 2024-01-10 2024-03-01 without 2024-12-31\)"):
        catalogue(scenes, found[1:])


def test_single_items_tell_when_and_where_they_are(scenes):
    found = [item(place, 0, place, geometry=geometry(place)) for place in "ab"]
    listing = catalogue(scenes, found, frames=1)
    assert [frames[0][0] for frames in listing.frame_files[IMAGE]["all"].values()] == [DAYS[0]] * 2
    assert listing.coordinates["all"] == {"a": {"location": [50.5, 10.5]}, "b": {"location": [50.5, 11.5]}}
    assert catalogue(scenes, found, frames="null").coordinates == {}
