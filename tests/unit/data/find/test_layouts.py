"""Folders as people have them are found where one reading fits, said in a line, and refused where two do."""

from pathlib import Path

import pytest

from terrasweep.data.find.frame_files import gather_dates
from terrasweep.data.find.sample_list import MASK, find_samples
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.results.errors import DataError
from tests.composing import compose_trial


def listed(root, files, *overrides):
    """The listing of files that are named alone: nothing is opened."""
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    by = "folders" if any("train" in name.lower() for name in files) else "fraction"
    given = ("data=segmentation_folder", f"data.root={root}", f"data.split.by={by}", *overrides)
    return find_samples(compose_trial(*given), root)


def pairs(listing, root):
    """By split and sample the image and the mask, relative to the root."""
    return {
        f"{split}/{name}": tuple(str(listing.file(split, name, kind).relative_to(root)) for kind in (IMAGE, MASK))
        for split, names in listing.names.items()
        for name in names
    }


def notes(listing):
    assert {remark["level"] for remark in listing.remarks} <= {"note"}
    return " | ".join(remark["line"] for remark in listing.remarks)


def split_folders(train, val, test, image="images", mask="masks"):
    return [
        f"{split}/{kind}/{name}.tif"
        for split, name in {train: "a", val: "b", test: "c"}.items()
        for kind in (image, mask)
        if split
    ]


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "valid", "test"),
        ("Train", "validation", "testing"),
        ("training", "dev", ""),
        ("TRAIN", "Val", "Test"),
        ("train", "validate", "testing"),
    ],
)
def test_splits_are_called_in_many_ways(tmp_path, train, val, test):
    listing = listed(tmp_path, split_folders(train, val, test))
    names = {"train": train, "val": val, "test": test}
    expected = {split: name for split, name in names.items() if name}
    letters = {"train": "a", "val": "b", "test": "c"}
    assert pairs(listing, tmp_path) == {
        f"{split}/{letters[split]}": (f"{name}/images/{letters[split]}.tif", f"{name}/masks/{letters[split]}.tif")
        for split, name in expected.items()
    }
    for split, name in expected.items():
        assert (f"{name}/ as {split}" in notes(listing)) is (name != split)
    assert listing.scattered == {}


def test_two_folders_that_may_be_one_split_are_named(tmp_path):
    files = [*split_folders("train", "valid", ""), *split_folders("", "dev", "")]
    with pytest.raises(DataError, match=r"dev/ and valid/ may each be the split val; rename one to val/"):
        listed(tmp_path, files)


def test_a_folder_of_the_split_s_own_name_comes_first(tmp_path):
    files = [*split_folders("train", "val", ""), *split_folders("", "dev", "")]
    listing = listed(tmp_path, files)
    assert listing.image_roots["val"][IMAGE] == str(tmp_path / "val" / "images")
    assert listing.remarks == []


LABELS = ["groundtruth", "labels", "annotations", "gt", "label", "mask", "targets", "GroundTruth"]


@pytest.mark.parametrize("folder", LABELS)
def test_folders_of_labels_are_called_in_many_ways(tmp_path, folder):
    listing = listed(tmp_path, ["images/a.tif", "images/b.tif", f"{folder}/a.png", f"{folder}/b.png"])
    assert pairs(listing, tmp_path) == {f"all/{n}": (f"images/{n}.tif", f"{folder}/{n}.png") for n in "ab"}
    assert f"there is no folder {tmp_path}/masks; read with image in images/, mask in {folder}/" in notes(listing)


@pytest.mark.parametrize("folder", ["image", "imgs", "img", "Images"])
def test_folders_of_images_are_called_in_many_ways(tmp_path, folder):
    listing = listed(tmp_path, [f"{folder}/a.tif", f"{folder}/b.tif", "masks/a.tif", "masks/b.tif"])
    assert pairs(listing, tmp_path) == {f"all/{n}": (f"{folder}/{n}.tif", f"masks/{n}.tif") for n in "ab"}


@pytest.mark.parametrize("base", ["", "train/"])
def test_images_may_lie_beside_the_folder_of_their_labels(tmp_path, base):
    files = [f"{base}a.tif", f"{base}b.tif", f"{base}gt/a.tif", f"{base}gt/b.tif"]
    listing = listed(tmp_path, [*files, *(["val/c.tif", "val/gt/c.tif"] if base else [])])
    split = "train" if base else "all"
    assert pairs(listing, tmp_path)[f"{split}/a"] == (f"{base}a.tif", f"{base}gt/a.tif")
    assert "image in the folder itself, mask in gt/" in notes(listing)


def test_two_folders_that_may_be_the_labels_are_named(tmp_path):
    files = [f"{kind}/{name}.tif" for kind in ("images", "labels", "gt") for name in "ab"]
    with pytest.raises(DataError) as refused:
        listed(tmp_path, files)
    assert str(refused.value) == (
        f"data.root={tmp_path}: there is no folder {tmp_path}/masks, and 2 ways to read what is there fit; set "
        "data.image_folder=images data.label_folder=gt, or data.image_folder=images data.label_folder=labels"
    )
    chosen = listed(tmp_path, files, "data.label_folder=gt")
    assert pairs(chosen, tmp_path)["all/a"] == ("images/a.tif", "gt/a.tif")
    assert chosen.remarks == []


def test_the_one_of_two_whose_names_match_is_taken(tmp_path):
    listing = listed(tmp_path, ["images/a.tif", "images/b.tif", "labels/a.tif", "labels/b.tif", "gt/legend.png"])
    assert pairs(listing, tmp_path)["all/b"] == ("images/b.tif", "labels/b.tif")


def test_a_folder_that_is_named_is_not_replaced_by_another(tmp_path):
    files = ["images/a.tif", "images/b.tif", "masks/a.tif", "masks/b.tif"]
    with pytest.raises(
        DataError, match=r"no folder .*/LabelHand; folders that match lie there: set .*label_folder=masks"
    ):
        listed(tmp_path, files, "data.label_folder=LabelHand")


def test_a_folder_of_any_name_is_proposed(tmp_path):
    files = ["images/a.tif", "images/b.tif", "roads/a.tif", "roads/b.tif", "other/x.tif"]
    with pytest.raises(
        DataError, match=r"that match lie there: set data\.image_folder=images data\.label_folder=roads$"
    ):
        listed(tmp_path, files)
    files = ["tiles/a.tif", "tiles/b.tif", "masks/a.tif", "masks/b.tif"]
    with pytest.raises(DataError, match=r"set data\.image_folder=tiles data\.label_folder=masks$"):
        listed(tmp_path / "more", files)


def test_what_lies_there_is_named_where_nothing_fits(tmp_path):
    with pytest.raises(
        DataError, match=r"no folder .*/images; x/, y/ lies there; name the folders with data.image_folder"
    ):
        listed(tmp_path, ["x/a.tif", "y/b.tif"])


def test_the_only_folder_that_can_be_meant_says_what_is_wrong_with_it(tmp_path):
    with pytest.raises(DataError, match=r"1 of 3 files of image have no file of mask with their name \(first c\.tif\)"):
        listed(tmp_path, ["images/a.tif", "images/b.tif", "images/c.tif", "labels/a.tif", "labels/b.tif"])


def test_names_may_differ_in_front_as_well_as_behind(tmp_path):
    files = [name for n in (1, 2, 10) for name in (f"images/image_{n:03d}.png", f"masks/mask_{n:03d}_v2.png")]
    listing = listed(tmp_path, files)
    assert pairs(listing, tmp_path) == {
        f"all/{n:03d}": (f"images/image_{n:03d}.png", f"masks/mask_{n:03d}_v2.png") for n in (1, 2, 10)
    }
    assert "image_001.png and mask_001_v2.png are of one sample, 001" in notes(listing)


@pytest.mark.parametrize("mask", ["mask", "gt", "Label"])
def test_images_and_masks_of_one_folder_are_told_apart_by_their_names(tmp_path, mask):
    listing = listed(tmp_path, [f"{kind}_{n:03d}.png" for n in (1, 2) for kind in ("image", mask)])
    assert pairs(listing, tmp_path) == {f"all/{n:03d}": (f"image_{n:03d}.png", f"{mask}_{n:03d}.png") for n in (1, 2)}
    assert f"an image and its mask, by their names: image_001.png and {mask}_001.png" in notes(listing)


def test_files_of_several_types_are_all_read(tmp_path):
    files = [f"images/{name}" for name in ("a.jpg", "b.JPG", "c.png", "d.jpeg")]
    listing = listed(tmp_path, [*files, *(f"masks/{name}.png" for name in "abcd")])
    assert pairs(listing, tmp_path) == {f"all/{Path(f).stem}": (f, f"masks/{Path(f).stem}.png") for f in files}
    assert "files of image are of several types, and all are read: 1 .JPG, 1 .jpeg, 1 .jpg, 1 .png" in notes(listing)
    with pytest.raises(DataError, match=r"a\.jpg and a\.png have the same name"):
        listed(tmp_path, ["images/a.png"])


DEEPER = {
    "a folder per region in each kind": ("images/{r}/{n}.tif", "masks/{r}/{n}.png", ""),
    "a folder per kind in each region": ("{r}/images/{n}.tif", "{r}/masks/{n}.png", ""),
    "with other names": ("{r}/img/{n}.tif", "{r}/gt/{n}_gt.png", ""),
    "in front": ("{r}/images/image_{n}.tif", "{r}/masks/mask_{n}.png", ""),
    "both in each region": ("{r}/{n}_image.tif", "{r}/{n}_mask.tif", ""),
}


@pytest.mark.parametrize("base", ["", "train/"])
@pytest.mark.parametrize("kind", DEEPER)
def test_images_may_lie_one_folder_deeper(tmp_path, kind, base):
    image, mask, _ = DEEPER[kind]
    samples = [(region, name) for region in ("north", "south") for name in ("1", "2")]
    files = [base + pattern.format(r=r, n=n) for r, n in samples for pattern in (image, mask)]
    more = ["val/" + pattern.format(r="east", n="1") for pattern in (image, mask)] if base else []
    listing = listed(tmp_path, [*files, *more])
    split = "train" if base else "all"
    found = {sample: own for sample, own in pairs(listing, tmp_path).items() if sample.startswith(split)}
    assert found == {
        f"{split}/{r}/{n}": (base + image.format(r=r, n=n), base + mask.format(r=r, n=n)) for r, n in samples
    }
    assert notes(listing)


def test_files_beside_which_others_lie_are_counted(tmp_path):
    files = ["images/a.tif", "images/b.tif", "images/old/c.tif", "masks/a.tif", "masks/b.tif", "masks/.cache/d.tif"]
    listing = listed(tmp_path, files)
    assert listing.names == {"all": ["a", "b"]}
    assert (
        notes(listing)
        == f"data.root={tmp_path}: {tmp_path}/images: 1 files in its folders are not read (first old/c.tif)"
    )


def test_a_folder_per_scene_is_a_sample(tmp_path):
    listing = listed(tmp_path, [f"scene{n}/{kind}.tif" for n in (1, 2) for kind in ("image", "mask")])
    assert pairs(listing, tmp_path) == {f"all/scene{n}": (f"scene{n}/image.tif", f"scene{n}/mask.tif") for n in (1, 2)}


def test_a_region_without_a_mask_is_named(tmp_path):
    files = ["north/images/1.tif", "north/masks/1.tif", "south/images/1.tif"]
    with pytest.raises(DataError, match=r"1 of 2 files of image have no file of mask .*first south/1\.tif"):
        listed(tmp_path, files)


def test_splits_may_lie_in_the_folders_of_images_and_masks(tmp_path):
    files = [f"{kind}/{split}/{n}.tif" for kind in ("images", "labels") for split, n in (("train", 1), ("valid", 2))]
    listing = listed(tmp_path, files)
    assert pairs(listing, tmp_path) == {
        "train/1": ("images/train/1.tif", "labels/train/1.tif"),
        "val/2": ("images/valid/2.tif", "labels/valid/2.tif"),
    }
    assert "its folders are divided into train, val, each by itself" in notes(listing)


@pytest.mark.parametrize(
    "pattern",
    ["{split}/{kind}/{n}.tif", "{kind}/{split}/{n}.tif", "{split}/{n}_{kind}.tif", "{split}/img/{n}_{kind}.tif"],
)
def test_a_division_that_lies_there_is_not_mixed(tmp_path, pattern):
    files = [
        pattern.format(split=split, kind=kind, n=n)
        for split, n in (("train", 1), ("train", 2), ("val", 3))
        for kind in ("images", "masks")
    ]
    with pytest.raises(DataError, match=r"data\.split\.by=folders"):
        listed(tmp_path, files, "data.split.by=fraction")


@pytest.mark.parametrize("kind", ["images", "beside"])
def test_images_with_a_table_are_found_too(tmp_path, kind):
    folder = "img/" if kind == "images" else ""
    (tmp_path / "t.csv").write_text("name,class\na,x\nb,y\n")
    table = ("data=classification_folder", "task=classification", "decoder=identity", "data.labels=t.csv")
    listing = listed(tmp_path, [f"{folder}a.png", f"{folder}b.jpg"], *table)
    assert listing.labels["all"] == {"a": [0], "b": [1]}
    assert [listing.file("all", n, IMAGE).name for n in "ab"] == ["a.png", "b.jpg"]


def test_a_table_may_name_images_in_folders(tmp_path):
    (tmp_path / "t.csv").write_text(",path,class\n0,forest/1.jpg,x\n1,river/1.jpg,y\n")
    table = ("data=classification_folder", "task=classification", "decoder=identity", "data.labels=t.csv")
    listing = listed(tmp_path, ["forest/1.jpg", "river/1.jpg"], *table)
    assert listing.labels["all"] == {"forest/1": [0], "river/1": [1]}


DATES = ("20240115", "20240615")


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("img/{n}_{d}.tif", "gt/{n}.png"),
        ("{r}/images/{n}_{d}.tif", "{r}/masks/{n}.png"),
        ("images/image_{n}_{d}.tif", "masks/mask_{n}.png"),
    ],
)
def test_dates_may_be_files_in_any_layout(tmp_path, image, mask):
    samples = [(region, name) for region in ("north", "south") for name in ("1" + region, "2" + region)]
    files = [pattern.format(r=r, n=n, d=d) for r, n in samples for d in DATES for pattern in (image, mask)]
    listing = listed(tmp_path, dict.fromkeys(files), "data.frames=2")
    config = compose_trial(
        "data=segmentation_folder", f"data.root={tmp_path}", "data.split.by=fraction", "data.frames=2"
    )
    gathered = gather_dates(listing, config)
    assert {name.rpartition("/")[2] for name in gathered.names["all"]} == {n for _, n in samples}
    for name in gathered.names["all"]:
        r, n = name.rpartition("/")[2][1:], name.rpartition("/")[2]
        found = gathered.frame_files[IMAGE]["all"][name]
        assert [file for _, file in found] == [str(tmp_path / image.format(r=r, n=n, d=d)) for d in DATES]
        assert [day for day, _ in found] == ["2024-01-15", "2024-06-15"]
        assert gathered.file("all", name, MASK) == tmp_path / mask.format(r=r, n=n)


def test_polygons_stand_for_masks(tmp_path):
    drawn = ("+data.labels.vector=fields.gpkg",)
    listing = listed(tmp_path, ["img/a.tif", "img/b.tif", "fields.gpkg"], *drawn)
    assert (listing.names, listing.modalities, listing.mask_roots) == ({"all": ["a", "b"]}, [IMAGE], {})


def test_modalities_may_have_masks_of_another_name(tmp_path):
    files = [f"{kind}/a_{kind}.tif" for kind in ("S1", "S2")] + ["labels/label_a.tif", "S1/b_S1.tif", "S2/b_S2.tif"]
    several = ("data=multimodal_folder", "+data.modalities={S1: {folder: S1}, S2: {folder: S2}}")
    listing = listed(tmp_path, [*files, "labels/label_b.tif"], *several)
    assert listing.modalities == ["S1", "S2"]
    assert [listing.file("all", "b", kind).name for kind in ("S1", "S2", MASK)] == [
        "b_S1.tif",
        "b_S2.tif",
        "label_b.tif",
    ]


@pytest.mark.parametrize(("others", "proposed"), [(7, True), (8, False)])
def test_a_folder_among_very_many_is_not_looked_for(tmp_path, others, proposed):
    """Each of the folders, and the one that they are in, may be the images' or the masks': 10 x 10 ways, or 11 x 11."""
    files = ["optical/a.tif", "truth/a.tif", *(f"notes{number}/x.txt" for number in range(others))]
    with pytest.raises(DataError) as refused:
        listed(tmp_path, files)
    assert ("set data.image_folder=optical data.label_folder=truth" in str(refused.value)) is proposed
    assert ("name the folders with data.image_folder and data.label_folder" in str(refused.value)) is not proposed
