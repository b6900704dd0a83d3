"""Scenes of a list have names of their own, and files that are there."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.data.find.scenes import Scene, SceneList, check_files, check_scenes, short_names
from terrasweep.results.errors import DataError

PARTS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(lambda parts: Path("/", *parts))


@given(st.sets(PARTS, min_size=1, max_size=8))
def test_names_tell_all_files_apart(files):
    ordered = [file.with_name(f"{file.name}.tif") for file in sorted(files)]
    names = short_names(ordered)
    assert len(set(names)) == len(names)
    for name, file in zip(names, ordered, strict=True):
        assert str(file.with_suffix("")).endswith(f"/{name}")


def test_names_are_as_short_as_may_be():
    files = [Path("/x/north/1.tif"), Path("/x/south/1.tif"), Path("/y/2.tif")]
    assert short_names(files) == ["north/1", "south/1", "2"]


def scene(tmp_path, name, kinds=("image", "mask"), split="train"):
    for kind in kinds:
        (tmp_path / f"{name}_{kind}.tif").touch()
    files = {kind: tmp_path / f"{name}_{kind}.tif" for kind in kinds}
    return Scene(place=f"line {name}", name=name, files=files, split=split)


def test_what_a_scene_lacks_is_named(tmp_path):
    kinds = ("image", "mask")
    good = scene(tmp_path, "2")
    check_scenes(SceneList(scenes=[good, scene(tmp_path, "3", ("image",), "test")]), tmp_path, kinds)
    with pytest.raises(DataError, match="line 3: there is no mask; add its file, or leave the scene out"):
        check_scenes(SceneList(scenes=[good, scene(tmp_path, "3", ("image",))]), tmp_path, kinds)
    with pytest.raises(DataError, match="line 2 and line 2: two scenes are called 2"):
        check_scenes(SceneList(scenes=[good, good]), tmp_path, kinds)


def test_files_that_are_not_there_are_named(tmp_path):
    good = scene(tmp_path, "2")
    check_files(SceneList(scenes=[good]), tmp_path)
    with pytest.raises(DataError, match="it names no scenes"):
        check_files(SceneList(scenes=[]), tmp_path)
    (tmp_path / "2_mask.tif").unlink()
    with pytest.raises(DataError, match=r"1 file not there \(first line 2: .*/2_mask\.tif\); correct the paths"):
        check_files(SceneList(scenes=[good]), tmp_path)
