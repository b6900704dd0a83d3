"""What is known of a data set is kept by the state of its files, and fills in what a configuration leaves open."""

from dataclasses import replace

import numpy as np
import pytest

from terrasweep.config.compose import public_dict
from terrasweep.data import files_state, stored
from terrasweep.data.find.sample_list import Listing
from terrasweep.data.inspect.survey import IMAGE
from tests.composing import compose_trial
from tests.unit.data.rasters import write_no_images
from tests.unit.data.surveys import BANDS, CLASSES, labels, survey, two_modalities, with_image, with_labels


@pytest.fixture
def tiles(tmp_path):
    """A folder whose files are no images: none is opened here."""
    return write_no_images(tmp_path)


def test_a_trial_stays_with_the_state_it_began_with(tiles):
    config = stored.located(compose_trial("data=segmentation_folder", "data.root=tiles"))
    folder = stored.data_folder(config)
    (tiles / "train/images/2.tif").touch()
    files_state.state_below.cache_clear()
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
    image_roots={"train": {IMAGE: "/tiles"}, "val": {IMAGE: "/tiles"}},
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


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    files_state.state_below.cache_clear()
