"""Files are in another state exactly where something changed that a trial could see."""

import os
import sys

import pytest

from terrasweep.data import files_state
from tests.composing import compose_trial
from tests.unit.data.rasters import write_no_images


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    files_state.state_below.cache_clear()


@pytest.fixture
def tiles(tmp_path):
    """A folder whose files are no images: none is opened here."""
    return write_no_images(tmp_path)


def state(*overrides, root="tiles"):
    """As a process that has not looked at the files before sees it."""
    files_state.state_below.cache_clear()
    return files_state.state_of(compose_trial("data=segmentation_folder", f"data.root={root}", *overrides))


def write_elsewhere(folder, name="list.txt"):
    (folder.parent / name).write_text("0\n")
    return folder.parent / name


CHANGED = {
    "a file's content": lambda tiles: (tiles / "val/masks/1.tif").write_text("longer than before"),
    "a file's time": lambda tiles: os.utime(tiles / "val/masks/1.tif", ns=(0, 1)),
    "a file more": lambda tiles: (tiles / "val/masks/2.tif").touch(),
    "a file less": lambda tiles: (tiles / "val/masks/1.tif").unlink(),
    "a file's name": lambda tiles: (tiles / "val/masks/1.tif").rename(tiles / "val/masks/2.tif"),
}


UNCHANGED = {
    "a hidden file": lambda tiles: (tiles / ".DS_Store").touch(),
    "a hidden folder": lambda tiles: (tiles / ".git").mkdir(),
    "a link to nowhere": lambda tiles: (tiles / "gone").symlink_to(tiles / "nowhere"),
    "a file beside the folder": lambda tiles: (tiles.parent / "notes.txt").touch(),
}


@pytest.mark.parametrize("change", [*CHANGED, *UNCHANGED])
def test_another_state_of_the_files_has_a_folder_of_its_own(tiles, change):
    before = state()
    (CHANGED | UNCHANGED)[change](tiles)
    assert (state() != before) is (change in CHANGED)


@pytest.mark.parametrize(
    ("overrides", "another"),
    [
        (["data.split.seed=1"], True),
        (["data.image_folder=pictures"], True),
        (["task.ignore_index=255"], True),
        (["data.cut=true", "data.tile_px=32"], True),
        (["data.tile_px=32"], False),
        (["data.bands=[RED]", "data.num_classes=3", "data.class_names=[a,b,c]"], False),
        (["data.means=[1.0]", "data.stds=[1.0]", "data.no_data_replace=0", "data.resize_px=32"], False),
        (["data.workers=2", "data.in_memory=false", "data.check_tiles=5", "train.batch_size=3", "train.lr=1"], False),
    ],
)
def test_only_what_changes_the_listing_or_the_survey_makes_another_state(tiles, overrides, another):
    assert (state(*overrides) != state()) is another


SEGMENTATION = ["data=segmentation_folder", "data.root=tiles"]


PHOTOS = ["data=classification_folder", "task=classification", "decoder=identity", "data.root=tiles"]


MODALITIES = "data.modalities={S1GRD: {folder: S1, bands: [VV]}, S2L2A: {folder: S2}}"


FIRST_STATES = {
    "segmentation_folder-cdd75de49d64": SEGMENTATION,
    "segmentation_folder-9d4d6c6d119a": [
        *(*SEGMENTATION, "data.split.by=blocks", "data.cut=true", "data.tile_px=64", "task.ignore_index=255"),
    ],
    "regression_folder-b3dce58b249f": [
        *("data=regression_folder", "task=regression", "data.root=tiles", "data.image_glob=*_S2.tif"),
    ],
    "classification_folder-0db732061b54": [*PHOTOS, "data.labels=labels.csv"],
    "classification_folder-4b1da3d0e0ca": [*PHOTOS, "data.split.by=fraction"],
    "multimodal_folder-ad42c71ebf83": ["data=multimodal_folder", "data.root=tiles", MODALITIES],
}
"""As the version computed them that had no views, no labels by keys and no dates."""


@pytest.mark.parametrize("first", FIRST_STATES)
def test_studies_that_exist_find_their_data_where_they_lay(first, monkeypatch):
    monkeypatch.setattr(files_state, "_files", lambda config: ["files"])
    assert files_state.state_of(compose_trial(*FIRST_STATES[first])) == first


def test_a_size_of_tiles_that_are_cut_makes_another_state(tiles):
    assert state("data.cut=true", "data.tile_px=32") != state("data.cut=true", "data.tile_px=64")


def test_a_list_that_lies_elsewhere_is_part_of_the_state(tiles):
    file = write_elsewhere(tiles)
    lists = ("data.split.by=lists", "data.split.train=list.txt", "data.split.val=list.txt")
    before = state(*lists)
    file.write_text("0\n1\n")
    assert state(*lists) != before


@pytest.mark.parametrize("changed", ["fields.shp", "fields.dbf"])
def test_polygons_that_lie_elsewhere_are_part_of_the_state_with_the_files_that_belong_to_them(tiles, changed):
    for name in ("fields.shp", "fields.dbf"):
        write_elsewhere(tiles, name)
    vector = f"data.labels.vector={tiles.parent}/fields.shp"
    before = state(vector)
    (tiles.parent / changed).write_text("longer than before")
    assert state(vector) != before


def test_how_labels_are_read_is_part_of_the_state(tiles):
    keys = ["map={0: 0, 255: 1}", "map={0: 0, 255: 2}", "threshold=128", "merge={a: [0], b: [1]}", "keep_no_data=true"]
    assert len({state(), *(state(f"data.labels.{key}") for key in keys)}) == 1 + len(keys)


def test_what_terrasweep_writes_into_its_own_folder_is_no_change_of_the_data(tiles):
    """A project whose root is the folder of the data: each trial would see other data."""
    root = tiles.parent
    before = state(root=root)
    (root / "results").mkdir()
    (root / "results" / "trial.json").touch()
    assert state(root=root) == before
    (tiles / "train" / "results").mkdir()
    (tiles / "train" / "results" / "3.tif").touch()
    assert state(root=root) != before


def test_links_are_followed_and_circles_end(tiles, tmp_path_factory, monkeypatch):
    """Without an end, two links that lead back double the folders at every depth, forty deep."""
    walk = os.walk

    def few(*arguments, **options):
        for visited, step in enumerate(walk(*arguments, **options)):
            assert visited < 50
            yield step

    monkeypatch.setattr(files_state.os, "walk", few)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "again").symlink_to(elsewhere)
    (tiles / "more").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(tiles)
    before = state()
    (elsewhere / "2.tif").touch()
    assert state() != before


def test_scenes_that_lie_elsewhere_are_part_of_the_state(tiles, tmp_path_factory):
    """A table that names them stays as it is when one of them changes."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "a.tif").write_text("a")
    (tiles.parent / "scenes.csv").write_text(f"image,mask\n{elsewhere}/a.tif,tiles/train/masks/0.tif\n")

    def now():
        files_state._state_of_scenes.cache_clear()
        return state(root="scenes.csv")

    before = now()
    assert now() == before
    (elsewhere / "a.tif").write_text("longer")
    assert (changed := now()) != before
    (tiles / "train/masks/0.tif").unlink()
    assert now() != changed


@pytest.fixture
def photos(tiles):
    """Class folders whose numbers count otherwise than they sort."""
    for name in ("1", "2", "10"):
        (tiles.parent / "photos" / name).mkdir(parents=True)
        (tiles.parent / "photos" / name / "a.jpg").touch()
    return ("data=classification_folder", "task=classification", "decoder=identity", "data.split.by=fraction")


def test_classes_of_a_study_that_exists_keep_their_numbers(photos, monkeypatch):
    """Its listing lies there, by an earlier version; one that is made now counts."""
    with monkeypatch.context() as earlier:
        earlier.setattr(files_state, "read_otherwise", lambda config: None)
        as_text = state(*photos, root="photos")
    counted = state(*photos, root="photos")
    assert counted != as_text
    listing = files_state.cache_folder() / "data" / as_text / "listing.json"
    listing.parent.mkdir(parents=True)
    listing.touch()
    assert state(*photos, root="photos") == as_text
    assert state(*photos, "data.class_names=['1','10','2']", root="photos") == as_text
    assert state(*photos, "data.class_names=['1','2','10']", root="photos") == counted


def test_an_order_by_text_that_is_asked_for_is_no_listing_of_an_earlier_version(photos):
    """Else a study that counts would take it over when it goes on."""
    by_text = state(*photos, "data.class_names=['1','10','2']", root="photos")
    assert by_text != state(*photos, root="photos")
    listing = files_state.cache_folder() / "data" / by_text / "listing.json"
    listing.parent.mkdir(parents=True)
    listing.touch()
    assert state(*photos, root="photos") not in (by_text, "")
    assert state(*photos, root="photos") == state(*photos, "data.class_names=['1','2','10']", root="photos")


def test_classes_that_are_words_have_the_state_they_had(tiles, monkeypatch):
    for name in ("forest", "river"):
        (tiles.parent / "photos" / name).mkdir(parents=True)
        (tiles.parent / "photos" / name / "a.jpg").touch()
    words = ("data=classification_folder", "task=classification", "decoder=identity", "data.split.by=fraction")
    now = state(*words, root="photos")
    monkeypatch.setattr(files_state, "read_otherwise", lambda config: None)
    assert state(*words, root="photos") == now


def test_the_source_of_a_datamodule_is_part_of_the_state(tiles):
    own = ["data=datamodule", "data.datamodule=own.Data", "data.root=tiles"]

    def located():
        files_state.state_below.cache_clear()
        return files_state.state_of(compose_trial(*own))

    (tiles.parent / "own.py").write_text("Data = 1")
    before = located()
    (tiles.parent / "own.py").write_text("Data = 22")
    assert located() != before


STRANGE = {
    "a mapping longer than a file name": {"bands": {f"band_{i}": f"its_own_name_{i}" for i in range(60)}},
    "a text longer than a file name": {"query": "SELECT " + 500 * "x"},
    "a text longer than a path": {"query": 200 * "folder/" + 5000 * "x"},
    "a home that nobody has": {"root": "~nobody_of_this_name/tiles"},
    "a text with a NUL": {"separator": "a\0b"},
    "nothing": {"transform": None, "name": "", "sizes": [], "options": {}},
    "numbers": {"size": 64, "rate": 0.5, "shuffle": True, "sizes": [1, [2, 3]]},
}


def state_with(arguments, *overrides):
    files_state.state_below.cache_clear()
    base = compose_trial("data=datamodule", "data.datamodule=own.Data", "data.bands=[RED]", *overrides)
    base.data.arguments.update(arguments)
    return files_state.state_of(base)


@pytest.mark.parametrize("kind", STRANGE)
def test_an_argument_that_is_no_file_s_name_is_an_argument(kind):
    found = state_with(STRANGE[kind])
    assert found == state_with(STRANGE[kind])
    assert found != state_with({**STRANGE[kind], "another": 1})


def test_the_longest_shipped_arguments_have_a_state():
    config = compose_trial("data=geobench_m_eurosat", "data.root=nowhere", "task=classification", "decoder=identity")
    assert files_state.state_of(config).startswith("geobench_m_eurosat-")


@pytest.mark.parametrize("wrap", [lambda path: path, lambda path: {"S2": path}, lambda path: [{"S2": [path]}]])
def test_a_file_that_an_argument_names_counts_at_whatever_depth(wrap, tmp_path):
    (tmp_path / "tiles").mkdir()
    arguments = {"roots": wrap("tiles")}
    before = state_with(arguments)
    assert state_with(arguments) == before
    (tmp_path / "tiles" / "new.tif").write_text("more")
    assert state_with(arguments) != before


def test_the_file_of_a_datamodule_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = state_with({})
    (tmp_path / "own.py").write_text("class Data: ...")
    assert state_with({}) != before


def test_a_datamodule_without_a_module_has_no_file():
    assert files_state._sources("Foo") == []
