"""Files of one sample find each other by their names, and nothing is paired by its place in a list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.data.find.file_names import check_unique, find_suffixes, images_in, matched
from terrasweep.results.errors import DataError

WORDS = st.text("abcXYZ019", min_size=1, max_size=6)
ENDINGS = st.sampled_from([".tif", ".png", "_S2.tif", "_S2Hand.tif", "-mask.png", "_label_v2.tif"])


@given(st.sets(WORDS, min_size=1, max_size=8), ENDINGS, ENDINGS)
def test_names_with_any_endings_are_matched_completely(keys, image, mask):
    files = {"image": sorted(key + image for key in keys), "mask": sorted(key + mask for key in keys)}
    suffixes = find_suffixes(files)
    names = matched(files, suffixes, "here")
    assert {name + suffixes["image"] for name in names} == set(files["image"])
    assert {name + suffixes["mask"] for name in names} == set(files["mask"])
    for name in names:
        key = (name + suffixes["image"]).removesuffix(image)
        assert name + suffixes["mask"] == key + mask


def test_the_order_of_a_listing_pairs_nothing():
    # Sorted, a_1_mask.tif comes before a_mask.tif, but a.tif before a_1.tif.
    files = {"image": ["a.tif", "a_1.tif"], "mask": ["a_1_mask.tif", "a_mask.tif"]}
    assert find_suffixes(files) == {"image": ".tif", "mask": "_mask.tif"}


def test_one_file_of_each_kind_is_enough():
    files = {kind: [f"Spain_7370579_{kind}Hand.tif"] for kind in ("S2", "S1")} | {"mask": ["Spain_7370579_Label.tif"]}
    suffixes = find_suffixes(files)
    assert suffixes == {"S2": "_S2Hand.tif", "S1": "_S1Hand.tif", "mask": "_Label.tif"}
    assert matched(files, suffixes, "here") == ["Spain_7370579"]


def test_a_file_without_its_counterpart_is_named():
    files = {"image": ["a.tif", "b.tif"], "mask": ["a.png"]}
    with pytest.raises(DataError, match=r"here: 1 of 2 files of image have no file of mask .*first b\.tif"):
        matched(files, find_suffixes(files), "here")
    files = {"image": ["a.tif"], "mask": ["a.png", "b.png"]}
    with pytest.raises(DataError, match=r"1 of 2 files of mask have no file of image .*first b\.png"):
        matched(files, find_suffixes(files), "here")


def test_names_without_a_common_beginning_are_refused():
    with pytest.raises(DataError, match="no beginning in common"):
        find_suffixes({"image": ["image_1.tif"], "mask": ["mask_1.tif"]})


def test_two_files_of_one_name_are_refused():
    with pytest.raises(DataError, match=r"a\.png and a\.tif have the same name"):
        check_unique(["a.png", "a.tif", "b.tif"], "here")


def test_only_images_are_listed(tmp_path):
    for name in ("b.TIF", "a.jpg", "notes.txt", ".hidden.tif", "c/d.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert images_in(tmp_path, None) == ["a.jpg", "b.TIF"]
    assert images_in(tmp_path, None, below="*/") == ["c/d.tif"]
    assert images_in(tmp_path, "*.txt") == ["notes.txt"]
    with pytest.raises(DataError, match="there is no folder"):
        images_in(tmp_path / "nowhere", None)
