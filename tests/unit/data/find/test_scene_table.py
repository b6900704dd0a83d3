"""A table of paths is a data set."""

import pytest

from terrasweep.data.find.sample_list import MASK, find_samples
from terrasweep.data.find.scene_table import paths_in
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.results.errors import DataError
from tests.composing import compose_trial

MASKS = ("data=segmentation_folder",)
CLASSES = ("data=classification_folder", "task=classification", "decoder=identity")


@pytest.fixture
def scenes(tmp_path):
    """Files in two places, neither of which is that of the table."""
    for name in ("north/1.tif", "north/1_gt.png", "south/1.tif", "south/1_gt.png", "2.tif", "2_gt.png"):
        (tmp_path / "else" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "else" / name).touch()
    return tmp_path / "else"


def listed(scenes, text, *overrides, by="fraction"):
    file = scenes.parent / "lists" / "scenes.csv"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text.replace("{else}", str(scenes)))
    return find_samples(compose_trial(f"data.root={file}", f"data.split.by={by}", *overrides), file)


ROWS = (
    "../else/north/1.tif,../else/north/1_gt.png\n"
    "{else}/south/1.tif,{else}/south/1_gt.png\n"
    "../else/2.tif,../else/2_gt.png\n"
)


def test_paths_are_relative_to_the_table_or_absolute(scenes):
    listing = listed(scenes, "image,mask\n" + ROWS, *MASKS)
    assert listing.names == {"all": ["2", "north/1", "south/1"]}
    for name, image in {"2": "2.tif", "north/1": "north/1.tif", "south/1": "south/1.tif"}.items():
        assert listing.file("all", name, IMAGE).samefile(scenes / image)
        assert listing.file("all", name, MASK).samefile(scenes / image.replace(".tif", "_gt.png"))
    (note,) = listing.remarks
    assert "read with image in column image, mask in column mask" in note["line"]


@pytest.mark.parametrize("title", ["Image,Mask", "filename,label", "image_path,mask_path", "img,groundtruth"])
def test_columns_are_called_in_many_ways(scenes, title):
    assert listed(scenes, f"{title}\n{ROWS}", *MASKS).names["all"] == ["2", "north/1", "south/1"]


def test_columns_can_be_named(scenes):
    text = "S2,image,roads\n../else/2.tif,none.tif,../else/2_gt.png\n"
    listing = listed(scenes, text, *MASKS, "data.image_folder=S2", "data.label_folder=roads")
    assert listing.file("all", "2", IMAGE).samefile(scenes / "2.tif")


def test_a_column_of_splits_divides(scenes):
    rows = ROWS.splitlines()
    text = "image,mask,split\n" + "".join(
        f"{row},{split}\n" for row, split in zip(rows, ("Train", "dev", "test"), strict=True)
    )
    listing = listed(scenes, text, *MASKS, by="folders")
    assert listing.names == {"train": ["north/1"], "val": ["south/1"], "test": ["2"]}
    no_mask = text.replace(",../else/2_gt.png", ",")
    assert list(listed(scenes, no_mask, *MASKS, by="folders").names) == ["train", "val"]
    with pytest.raises(DataError, match="line 2: holdout is no split; write train, val or test"):
        listed(scenes, text.replace("Train", "holdout"), *MASKS, by="folders")
    with pytest.raises(DataError, match="column split has no scene in val"):
        listed(scenes, text.replace("dev", "train"), *MASKS, by="folders")


def test_labels_of_whole_images_are_a_column(scenes):
    text = "name,image,class\nx,../else/2.tif,10\ny,../else/north/1.tif,2\n"
    listing = listed(scenes, text, *CLASSES)
    assert listing.class_names == ["2", "10"]
    assert listing.labels == {"all": {"x": [1], "y": [0]}}
    text = "image,wet,dry\n../else/2.tif,1,0\n../else/north/1.tif,1,1\n"
    listing = listed(scenes, text, "data=classification_folder", "task=multilabel", "decoder=identity")
    assert listing.class_names == ["wet", "dry"]
    assert listing.labels == {"all": {"2": [1, 0], "1": [1, 1]}}


def test_labels_may_come_from_a_table_beside_it(scenes):
    (scenes.parent / "lists").mkdir()
    (scenes.parent / "lists" / "labels.csv").write_text("name,class\n1,river\n2.tif,town\n")
    text = "image\n../else/2.tif\n../else/north/1.tif\n".replace("image", "image,note").replace(".tif\n", ".tif,-\n")
    listing = listed(scenes, text, *CLASSES, "data.labels=labels.csv")
    assert listing.labels == {"all": {"1": [0], "2": [1]}}


def test_a_column_per_modality(scenes):
    text = "S1,S2,mask\n../else/north/1.tif,../else/south/1.tif,../else/2_gt.png\n"
    several = ("data=multimodal_folder", "+data.modalities={S1: {folder: S1Hand}, S2: {folder: S2Hand}}")
    for titles in ("S1,S2", "S1Hand,S2Hand"):
        listing = listed(scenes, text.replace("S1,S2", titles), *several)
        assert listing.modalities == ["S1", "S2"]
        (name,) = listing.names["all"]
        assert listing.file("all", name, "S2").samefile(scenes / "south/1.tif")


WRONG = {
    "no column of images": ("scene,mask\na,b\n", MASKS, "line 1: there is no column for image (it has scene, mask)"),
    "no column of masks": ("image,area\na,b\n", MASKS, "no column for mask (it has image, area); call it mask"),
    "an empty cell": ("image,mask\n../else/2.tif,\n", MASKS, "line 2: there is no mask; add its file"),
    "no image": ("image,mask\n,../else/2_gt.png\n", MASKS, "line 2: there is no image; add its path"),
    "a file that is not there": ("image,mask\nx.tif,../else/2_gt.png\n", MASKS, "1 file not there (first line 2: "),
    "no class": ("image,class\n../else/2.tif,\n", CLASSES, "line 2: there is no class; add it, or name a table"),
    "no column of classes": ("image,area\n../else/2.tif,7\n", CLASSES, "line 2: there is no class; add it"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_what_is_wrong_is_told_with_its_line(scenes, fault):
    text, overrides, told = WRONG[fault]
    with pytest.raises(DataError) as refused:
        listed(scenes, text, *overrides)
    assert told in str(refused.value)
    assert "; " in str(refused.value)


def test_a_table_without_splits_is_not_divided_by_folders(scenes):
    with pytest.raises(
        DataError, match=r"nothing in it says which scene is in which split; add split .*, or set data.split.by"
    ):
        listed(scenes, "image,mask\n" + ROWS, *MASKS, by="folders")


def test_files_that_a_table_names_are_known(scenes):
    file = scenes.parent / "s.csv"
    file.write_text("image,mask\nelse/2.tif,else/2_gt.png\ngone.tif,else/north/1.tif\n")
    assert paths_in(file) == [scenes / "2.tif", scenes / "2_gt.png", scenes / "north/1.tif"]
    assert paths_in(scenes / "2.tif") == []


def test_a_text_that_is_longer_than_a_path_may_be_is_no_file(scenes):
    file = scenes.parent / "s.csv"
    file.write_text(f"image,mask,remark\nelse/2.tif,else/2_gt.png,{'clouds ' * 1000}\n")
    assert paths_in(file) == [scenes / "2.tif", scenes / "2_gt.png"]
