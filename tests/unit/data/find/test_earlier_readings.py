"""What earlier versions listed otherwise is known, and nothing else is marked."""

import pytest

from terrasweep.data.find.earlier_readings import Otherwise, read_otherwise
from tests.composing import compose_trial

COUNTED = Otherwise(mark="as they count", may_stay=True)


def otherwise(root, *overrides, task="classification"):
    fixed = ("data=classification_folder", f"task={task}", "decoder=identity", f"data.root={root}")
    return read_otherwise(compose_trial(*fixed, "data.split.by=fraction", *overrides))


def photos(root, *classes):
    for name in classes:
        (root / name).mkdir(parents=True)
        (root / name / "a.jpg").touch()
    return root


@pytest.mark.parametrize(
    ("classes", "found"),
    [
        (("1", "2", "10"), COUNTED),
        (("1", "2", "3"), None),
        (("01", "02", "10"), None),
        (("2", "10", "forest"), None),
        (("forest", "river"), None),
    ],
)
def test_folders_that_count_otherwise_than_they_sort(tmp_path, classes, found):
    assert otherwise(photos(tmp_path, *classes)) == found


def test_folders_without_images_are_no_classes(tmp_path):
    photos(tmp_path, "2", "10")
    (tmp_path / "notes").mkdir()
    assert otherwise(tmp_path) == COUNTED


def test_classes_below_splits(tmp_path):
    photos(tmp_path, "train/1", "train/2", "valid/10")
    assert otherwise(tmp_path, "data.split.by=folders") == COUNTED


def test_an_order_that_is_asked_for_is_had(tmp_path):
    photos(tmp_path, "1", "2", "10")
    assert otherwise(tmp_path, "data.class_names=['1','10','2']") == Otherwise(mark="as text", may_stay=True)
    assert otherwise(tmp_path, "data.class_names=['1','2','10']") == Otherwise(mark="as they count", may_stay=False)
    assert otherwise(tmp_path, "data.class_names=[forest,river,town]") == COUNTED


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("name,class\na,2\nb,10\n", COUNTED),
        ("name,class\na,river\nb,town\n", None),
        ("name;class\na;2\nb;10\n", None),
        ("name,class\na,river\nb,town\n,\n", Otherwise(mark="table", may_stay=False)),
        ("name,class\na,river\nb,\n", Otherwise(mark="table", may_stay=False)),
        ("name,area,class\na,1,river\nb,2,town\n", Otherwise(mark="table", may_stay=False)),
        ("", None),
    ],
)
def test_tables_that_earlier_versions_read_otherwise(tmp_path, text, found):
    (tmp_path / "t.csv").write_text(text)
    assert otherwise(tmp_path, "data.labels=t.csv") == found


def test_masks_are_read_as_ever(tmp_path):
    photos(tmp_path, "2", "10")
    assert read_otherwise(compose_trial("data=segmentation_folder", f"data.root={tmp_path}")) is None
    assert otherwise(tmp_path / "nowhere") is None
    (tmp_path / "t.csv").write_text("name,2,10\na,1,0\n")
    assert otherwise(tmp_path, "data.labels=t.csv", task="multilabel") is None


def test_splits_that_nobody_could_tell_apart_were_not_read_otherwise(tmp_path):
    photos(tmp_path, "train/2", "train/10", "valid/2")
    assert otherwise(tmp_path, "data.split.by=folders") == COUNTED
    photos(tmp_path, "validation/2")
    assert otherwise(tmp_path, "data.split.by=folders") is None
