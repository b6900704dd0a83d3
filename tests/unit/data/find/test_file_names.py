"""Files of one sample find each other by their names, and nothing is paired by its place in a list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.data.find.file_names import check_unique, find_affixes, images_in, matched
from terrasweep.results.errors import DataError

WORDS = st.text("abcXYZ019", min_size=1, max_size=6)
ENDINGS = st.sampled_from([".tif", ".png", "_S2.tif", "_S2Hand.tif", "-mask.png", "_label_v2.tif"])


def pairs(files):
    """By sample its file of each kind."""
    affixes = find_affixes(files)
    names = {kind: {affixes[kind].sample(name): name for name in found} for kind, found in files.items()}
    return {sample: tuple(names[kind][sample] for kind in files) for sample in matched(files, affixes, "here")}


@given(st.sets(WORDS, min_size=1, max_size=8), ENDINGS, ENDINGS)
def test_names_with_any_endings_are_matched_completely(keys, image, mask):
    files = {"image": sorted(key + image for key in keys), "mask": sorted(key + mask for key in keys)}
    assert sorted(pairs(files).values()) == sorted((key + image, key + mask) for key in keys)
    for sample, (own, _) in pairs(files).items():
        assert own.startswith(sample)
        assert find_affixes(files)["image"].is_plain


FRONTS = st.sampled_from(["image_", "mask-", "gt ", "S2_L2A_", "影像_", "img"])


@given(st.sets(st.integers(0, 999).map("{:03d}".format), min_size=2, max_size=8), FRONTS, FRONTS, ENDINGS, ENDINGS)
def test_names_that_differ_in_front_as_well_are_matched_completely(keys, front, other, image, mask):
    files = {
        "image": sorted(front + key + image for key in keys),
        "mask": sorted(other + key + mask for key in keys),
    }
    assert sorted(pairs(files).values()) == sorted((front + key + image, other + key + mask) for key in keys)


def test_the_order_of_a_listing_pairs_nothing():
    # Sorted, a_1_mask.tif comes before a_mask.tif, but a.tif before a_1.tif.
    files = {"image": ["a.tif", "a_1.tif"], "mask": ["a_1_mask.tif", "a_mask.tif"]}
    assert pairs(files) == {"a": ("a.tif", "a_mask.tif"), "a_1": ("a_1.tif", "a_1_mask.tif")}


def test_one_file_of_each_kind_is_enough():
    files = {kind: [f"Spain_7370579_{kind}Hand.tif"] for kind in ("S2", "S1")} | {"mask": ["Spain_7370579_Label.tif"]}
    assert {kind: own.suffix for kind, own in find_affixes(files).items()} == {
        "S2": "_S2Hand",
        "S1": "_S1Hand",
        "mask": "_Label",
    }
    assert list(pairs(files)) == ["Spain_7370579"]


@pytest.mark.parametrize(
    ("image", "mask", "samples"),
    [
        (["image_001.png", "image_002.png"], ["mask_001.png", "mask_002.png"], ["001", "002"]),
        (["image_1.png"], ["mask_1.png"], ["1"]),
        (["img1.jpg", "img12.jpg"], ["gt1.png", "gt12.png"], ["1", "12"]),
        (["a_1_sat.tif", "a_2_sat.tif"], ["b_1_map.tif", "b_2_map.tif"], ["1", "2"]),
        (["x/image_1.png", "x/image_2.png"], ["x/mask_1.png", "x/mask_2.png"], ["x/1", "x/2"]),
        (["x/image.png", "y/image.png"], ["x/mask.png", "y/mask.png"], ["x", "y"]),
        (["a.jpg", "b.JPG", "c.png"], ["a.png", "b.png", "c.png"], ["a", "b", "c"]),
        (["image_a.jpg", "image_b.JPG"], ["mask_a.tif", "mask_b.tiff"], ["a", "b"]),
    ],
)
def test_samples_are_called_by_what_the_names_have_in_common(image, mask, samples):
    assert pairs({"image": image, "mask": mask}) == dict(zip(samples, zip(image, mask, strict=True), strict=True))


def test_a_kind_that_differs_in_front_does_not_hide_behind_one_that_does_not():
    files = {"S2": ["a_S2.tif", "b_S2.tif"], "S1": ["a_S1.tif", "b_S1.tif"], "mask": ["label_a.tif", "label_b.tif"]}
    assert pairs(files) == {n: (f"{n}_S2.tif", f"{n}_S1.tif", f"label_{n}.tif") for n in "ab"}


def test_a_file_without_its_counterpart_is_named():
    files = {"image": ["a.tif", "b.tif"], "mask": ["a.png"]}
    with pytest.raises(DataError, match=r"here: 1 of 2 files of image have no file of mask .*first b\.tif"):
        matched(files, find_affixes(files), "here")
    files = {"image": ["a.tif"], "mask": ["a.png", "b.png"]}
    with pytest.raises(DataError, match=r"1 of 2 files of mask have no file of image .*first b\.png"):
        matched(files, find_affixes(files), "here")
    files = {"image": ["image_1.tif", "image_2.tif", "image_3.tif"], "mask": ["mask_1.png", "mask_3.png"]}
    with pytest.raises(DataError, match=r"here: 1 of 3 files of image have no file of mask .*first image_2\.tif"):
        matched(files, find_affixes(files), "here")


def test_names_without_anything_in_common_are_refused():
    with pytest.raises(DataError, match="nothing in common"):
        find_affixes({"image": ["b.tif"], "mask": ["a.tif"]})
    with pytest.raises(DataError, match=r"nothing in common: image_1\.tif \(image\), mask_7\.tif \(mask\)"):
        find_affixes({"image": ["image_1.tif", "image_2.tif"], "mask": ["mask_7.tif", "mask_8.tif"]})


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
