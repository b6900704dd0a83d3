"""A place has the files of its dates, by rising date; what lacks or is too many is named."""

from pathlib import Path

import pytest

from terrasweep.data.find.frame_files import gather_dates
from terrasweep.data.find.sample_list import MASK, find_samples
from terrasweep.data.find.splits import divide
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.results.errors import DataError
from tests.composing import compose_trial
from tests.unit.data.rasters import classes, write_raster
from tests.unit.data.series import DATES, write_places


def gathered(root, *overrides):
    config = compose_trial(
        "data=segmentation_folder", f"data.root={root}", "data.split.by=fraction", "data.frames=3", *overrides
    )
    return gather_dates(find_samples(config, root), config), config


def test_files_of_a_place_are_one_sample(tmp_path):
    write_places(tmp_path, "files")
    listing, config = gathered(tmp_path)
    assert listing.names == {"all": [f"p{seed}" for seed in range(6)]}
    found = listing.frame_files[IMAGE]["all"]["p4"]
    assert [Path(file).name for _, file in found] == [f"p4_{date}.tif" for date in DATES]
    assert [date for date, _ in found] == ["2024-01-10", "2024-03-01", "2024-12-31"]
    assert Path(listing.file("all", "p4", IMAGE)).name == "p4_20240110.tif"
    assert Path(listing.file("all", "p4", MASK)).name == "p4.tif"
    parts = divide(listing, config)
    assert parts.frame_files[IMAGE]["train"]["p4"] == found


def test_files_that_hold_all_dates_stay_as_they_are(tmp_path):
    write_places(tmp_path, "date_major")
    listing, _ = gathered(tmp_path)
    assert listing.scattered == {}
    assert {len(frames) for frames in listing.frame_files[IMAGE]["all"].values()} == {1}


def test_a_mask_may_bear_a_date_too(tmp_path):
    write_places(tmp_path, "files")
    (tmp_path / "masks" / "p1.tif").rename(tmp_path / "masks" / "p1_20241231.tif")
    listing, _ = gathered(tmp_path)
    assert Path(listing.file("all", "p1", MASK)).name == "p1_20241231.tif"
    write_raster(tmp_path / "masks" / "p1_20240110.tif", classes(1))
    with pytest.raises(DataError, match=r"several masks \(first p1: p1_20240110\.tif, p1_20241231\.tif\)"):
        gathered(tmp_path)


def test_a_date_that_lacks_is_named_with_its_place(tmp_path):
    write_places(tmp_path, "files")
    (tmp_path / "images" / "p2_20240301.tif").unlink()
    with pytest.raises(
        DataError, match=r"data\.frames=3: 1 of 6 samples .*\(p2: 2024-01-10 2024-12-31 without 2024-03-01\)"
    ):
        gathered(tmp_path)


def test_one_date_twice_is_refused(tmp_path):
    write_places(tmp_path, "files")
    (tmp_path / "images" / "p2_20240301.tif").rename(tmp_path / "images" / "p2_2024-01-10.tif")
    with pytest.raises(DataError, match=r"p2 has several files of one date"):
        gathered(tmp_path)


def test_stacks_whose_names_differ_by_a_date_are_told_apart_by_their_order(tmp_path):
    write_places(tmp_path, "date_major", places=2)
    for kind in ("images", "masks"):
        for name, new in (("p0", "p_20240101"), ("p1", "p_20250101")):
            (tmp_path / kind / f"{name}.tif").rename(tmp_path / kind / f"{new}.tif")
    with pytest.raises(DataError, match=r"data\.frame_order=date_major or band_major"):
        gathered(tmp_path, "data.mask_glob=p_20240101.tif")
    listing, _ = gathered(tmp_path, "data.frame_order=date_major")
    assert listing.names["all"] == ["p_20240101", "p_20250101"]


def test_class_folders_hold_places_with_several_dates(tmp_path):
    for place in ("forest/a", "forest/b", "river/a"):
        for date in DATES:
            write_raster(tmp_path / f"{place}_{date}.tif", classes(1))
    config = compose_trial(
        *("data=classification_folder", "task=classification", "decoder=identity", f"data.root={tmp_path}"),
        *("data.split.by=fraction", "data.frames=3"),
    )
    listing = gather_dates(find_samples(config, tmp_path), config)
    assert [name.removesuffix(".tif") for name in listing.names["all"]] == ["forest/a", "forest/b", "river/a"]
    assert {len(frames) for frames in listing.frame_files[IMAGE]["all"].values()} == {3}
    assert list(listing.labels["all"].values()) == [[0], [0], [1]]


def test_a_list_of_scenes_is_read_with_its_dates(tmp_path):
    write_places(tmp_path / "years", "files")
    rows = [f"years/images/p{seed}_{date}.tif,years/masks/p{seed}.tif" for seed in range(6) for date in DATES]
    (tmp_path / "scenes.csv").write_text("\n".join(["image,mask", *rows]))
    listing, config = gathered(tmp_path / "scenes.csv")
    folder, _ = gathered(tmp_path / "years")
    assert listing.names == folder.names
    assert listing.frame_files[IMAGE] == folder.frame_files[IMAGE]
    assert divide(listing, config).frame_files[IMAGE]["train"] == listing.frame_files[IMAGE]["all"]
    listing, _ = gathered(tmp_path / "scenes.csv", "data.frame_order=date_major")
    assert len(listing.names["all"]) == 18
    (tmp_path / "scenes.csv").write_text("\n".join(["image,mask", *rows[::3]]))
    assert gathered(tmp_path / "scenes.csv")[0].names == {"all": [f"p{seed}_20240110" for seed in range(6)]}
