"""What is known of a data set is kept by the state of its files, and fills in what a configuration leaves open."""

import os
import sys
from dataclasses import replace

import numpy as np
import pytest

from terrasweep.config.compose import public_dict
from terrasweep.data import stored
from terrasweep.data.find.sample_list import Listing
from terrasweep.data.inspect.survey import IMAGE
from tests.composing import compose_trial
from tests.unit.data.surveys import BANDS, CLASSES, labels, survey, two_modalities, with_image, with_labels


@pytest.fixture
def tiles(tmp_path, monkeypatch):
    """A folder whose files are no images: none is opened here."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    for name in ("train/images/0.tif", "train/masks/0.tif", "val/images/1.tif", "val/masks/1.tif"):
        file = tmp_path / "tiles" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path / "tiles"


def state(*overrides, root="tiles"):
    """As a process that has not looked at the files before sees it."""
    stored._state.cache_clear()
    return stored.located(compose_trial("data=segmentation_folder", f"data.root={root}", *overrides)).data.state


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
    monkeypatch.setattr(stored, "_files", lambda config: ["files"])
    assert stored.located(compose_trial(*FIRST_STATES[first])).data.state == first


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

    monkeypatch.setattr(stored.os, "walk", few)
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
        stored._state_of_scenes.cache_clear()
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
        earlier.setattr(stored, "read_otherwise", lambda config: None)
        as_text = state(*photos, root="photos")
    counted = state(*photos, root="photos")
    assert counted != as_text
    listing = stored.cache_folder() / "data" / as_text / "listing.json"
    listing.parent.mkdir(parents=True)
    listing.touch()
    assert state(*photos, root="photos") == as_text
    assert state(*photos, "data.class_names=['1','10','2']", root="photos") == as_text
    assert state(*photos, "data.class_names=['1','2','10']", root="photos") == counted


def test_an_order_by_text_that_is_asked_for_is_no_listing_of_an_earlier_version(photos):
    """Else a study that counts would take it over when it goes on."""
    by_text = state(*photos, "data.class_names=['1','10','2']", root="photos")
    assert by_text != state(*photos, root="photos")
    listing = stored.cache_folder() / "data" / by_text / "listing.json"
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
    monkeypatch.setattr(stored, "read_otherwise", lambda config: None)
    assert state(*words, root="photos") == now


def test_the_source_of_a_datamodule_is_part_of_the_state(tiles):
    own = ["data=datamodule", "data.datamodule=own.Data", "data.root=tiles"]

    def located():
        stored._state.cache_clear()
        return stored.located(compose_trial(*own)).data.state

    (tiles.parent / "own.py").write_text("Data = 1")
    before = located()
    (tiles.parent / "own.py").write_text("Data = 22")
    assert located() != before


def test_a_trial_stays_with_the_state_it_began_with(tiles):
    config = stored.located(compose_trial("data=segmentation_folder", "data.root=tiles"))
    folder = stored.data_folder(config)
    (tiles / "train/images/2.tif").touch()
    stored._state.cache_clear()
    assert stored.data_folder(config) == folder
    assert stored.data_folder(stored.located(config)) != folder


def test_synthetic_tiles_have_no_state_and_know_everything_already():
    config = compose_trial()
    assert stored.located(config) is config
    assert stored.complete(config) is config


@pytest.mark.parametrize("data", [("data=segmentation_folder", "data.root=tiles"), ("data=synthetic",)])
def test_weights_by_frequency_become_numbers_that_every_process_reads(tiles, data):
    config = stored.located(compose_trial(*data, "task.class_weights=auto", "train.max_steps=7"))
    assert stored.needs_survey(config)
    seen = with_labels("segmentation", "train", counts={0: 100, 1: 400, 2: 400})
    if data == ("data=synthetic",):
        assert stored.complete(config) == config, "nobody has looked at these tiles yet"
        seen = replace(seen, class_names=None, num_classes=3)
    completed(seen, config)
    complete = stored.complete(config)
    assert complete.task.class_weights == pytest.approx([1.5, 0.75, 0.75])
    assert stored.complete(complete).task == complete.task, "numbers stay, whatever is looked at later"
    assert public_dict(complete)["task"]["class_weights"] == complete.task.class_weights


def test_weights_that_are_given_need_no_look_at_synthetic_tiles(tiles):
    assert not stored.needs_survey(compose_trial("task.class_weights=[1,2,3,4,5,6]"))


@pytest.mark.parametrize(
    ("test", "told"),
    [
        ({"samples": 10, "read": 10}, ""),
        (None, "there is no test split with labels"),
        ({"samples": 10, "read": 10, "labels": labels("segmentation", 10, counts={-1: 9}, counted=0)}, "no label of"),
    ],
)
def test_a_test_split_without_labels_that_count_is_said_in_one_line(tiles, test, told):
    config = stored.located(compose_trial("data=segmentation_folder", "data.root=tiles"))
    completed(survey(test=test), config)
    assert stored.find_no_test(config).startswith("data.root=tiles: " if told else "")
    assert told in stored.find_no_test(config)
    assert bool(stored.find_no_test(config)) is bool(told)


def test_surveys_of_more_tiles_do_not_replace_one_another(tiles):
    files = {
        stored.survey_file(compose_trial("data=segmentation_folder", "data.root=tiles", f"data.check_tiles={tiles}"))
        for tiles in (5, 50, "null")
    }
    version = stored._SURVEY_VERSION
    assert {file.name for file in files} == {f"survey-{read}-v{version}.json" for read in ("5", "50", "all")}


LISTING = Listing(
    names={"train": ["town/a b", "é"], "val": ["c"]},
    roots={"train": {IMAGE: "/tiles"}, "val": {IMAGE: "/tiles"}},
    suffixes={IMAGE: ".tif"},
    mask_roots={},
    labels={"train": {"town/a b": [2], "é": [0]}, "val": {"c": [1]}},
    class_names=["x", "y", "z"],
)


def test_a_listing_is_stored_with_names_and_labels_as_terratorch_reads_them(tiles):
    config = stored.located(compose_trial("data=segmentation_folder", "data.root=tiles"))
    several = replace(LISTING, labels={split: {n: [0, 1] for n in names} for split, names in LISTING.names.items()})
    for listing, label in ((LISTING, 2), (several, [0, 1])):
        stored.write_listing(listing, config)
        found = stored.read_listing(config)
        assert replace(found, folder="") == listing
        assert found.split_file("train").read_text().splitlines() == ["town/a b", "é"]
        assert np.load(found.label_root("train") / "town" / "a b.npy").tolist() == label


def test_a_listing_that_was_not_written_to_its_end_does_not_count(tiles, monkeypatch):
    config = stored.located(compose_trial("data=segmentation_folder", "data.root=tiles"))

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(stored.np, "save", die)
    with pytest.raises(KeyboardInterrupt):
        stored.write_listing(LISTING, config)
    assert not stored.listing_file(config).exists()


def completed(seen, config):
    file = stored.survey_file(config)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(seen.to_json())
    return stored.complete(config).data


def test_what_the_data_tell_is_filled_in_and_what_is_given_stays(tiles):
    seen = with_image("train", stds=[300.0, 0.0])
    given = stored.located(compose_trial("data=segmentation_folder", "data.root=tiles"))
    filled = completed(seen, given)
    assert (filled.bands, filled.tile_px, filled.num_classes, filled.class_names) == (BANDS, 64, 3, CLASSES)
    assert filled.means == [900.0, 2500.0]
    assert filled.stds == [300.0, 1.0]  # A constant band is not divided by 0.
    own = {"bands": ["A", "B"], "tile_px": 32, "class_names": ["p", "q"], "means": [0.0] * 2, "stds": [1.0] * 2}
    kept = completed(seen, replace(given, data=replace(given.data, **own)))
    assert {name: getattr(kept, name) for name in own} == own
    assert kept.num_classes == 2


def test_each_modality_is_filled_in_by_itself(tiles):
    seen, fitting = two_modalities(means=[-11.0, -17.0], stds=[2.0, 3.0])
    modalities = fitting.data.modalities
    modalities["S2"].bands = []
    given = compose_trial("data=segmentation_folder", "data.root=tiles")
    filled = completed(seen, stored.located(replace(given, data=replace(given.data, modalities=modalities))))
    assert (filled.bands, filled.means, filled.stds) == ([], None, None)
    assert filled.modalities["S1"].means == [-11.0, -17.0]
    assert filled.modalities["S2"].means == [900.0, 2500.0]
    assert filled.modalities["S2"].bands == BANDS


def test_statistics_of_a_datamodule_of_others_are_its_own(tiles):
    filled = completed(survey(), stored.located(compose_trial("data=datamodule", "data.datamodule=own.Data")))
    assert (filled.means, filled.stds) == (None, None)
    assert filled.tile_px == 64


STRANGE = {
    "a mapping longer than a file name": {"bands": {f"band_{i}": f"its_own_name_{i}" for i in range(60)}},
    "a text longer than a file name": {"query": "SELECT " + 500 * "x"},
    "a text longer than a path": {"query": 200 * "folder/" + 5000 * "x"},
    "a home that nobody has": {"root": "~nobody_of_this_name/tiles"},
    "a text with a NUL": {"separator": "a\0b"},
    "nothing": {"transform": None, "name": "", "sizes": [], "options": {}},
    "numbers": {"size": 64, "rate": 0.5, "shuffle": True, "sizes": [1, [2, 3]]},
}


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    stored._state.cache_clear()


def state_with(arguments, *overrides):
    stored._state.cache_clear()
    base = compose_trial("data=datamodule", "data.datamodule=own.Data", "data.bands=[RED]", *overrides)
    base.data.arguments.update(arguments)
    return stored.located(base).data.state


@pytest.mark.parametrize("kind", STRANGE)
def test_an_argument_that_is_no_file_s_name_is_an_argument(kind):
    found = state_with(STRANGE[kind])
    assert found == state_with(STRANGE[kind])
    assert found != state_with({**STRANGE[kind], "another": 1})


def test_the_longest_shipped_arguments_have_a_state():
    config = compose_trial("data=geobench_m_eurosat", "data.root=nowhere", "task=classification", "decoder=identity")
    assert stored.located(config).data.state.startswith("geobench_m_eurosat-")


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
    assert stored._sources("Foo") == []
