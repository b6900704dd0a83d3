"""What is seen from above is shown in eight symmetries, photos in four, and what earlier versions stored in none."""

import pytest

from terrasweep.config.compose import as_dict, trial_config
from terrasweep.config.knobs.augment import KNOB, MOVES, AugmentConfig, moves_of
from tests.composing import ROOT, compose_all, compose_trial

PUBLIC = sorted(
    file.stem
    for file in (ROOT / "src" / "terrasweep" / "conf" / "data").glob("*.yaml")
    if file.stem not in ("synthetic", "datamodule") and not file.stem.endswith("_folder")
)


def chosen(*overrides):
    """The option of a data set, composed without what else a trial of it needs."""
    return compose_all([*overrides]).augment.name


@pytest.mark.parametrize(
    "data", ["synthetic", "segmentation_folder", "regression_folder", "multimodal_folder", *PUBLIC]
)
def test_what_is_seen_from_above_is_shown_in_eight_symmetries(data):
    assert chosen(f"data={data}") == "d4"


def test_class_folders_may_hold_photos_and_a_datamodule_augments_itself():
    assert chosen("data=classification_folder") == "flips"
    assert chosen("sweeps=own_data", "data=classification_folder") == "flips"
    assert chosen("data=datamodule") == "none"


@pytest.mark.parametrize("option", MOVES)
def test_the_user_s_choice_wins(option, tmp_path):
    for data in ("synthetic", "classification_folder", "datamodule"):
        assert chosen(f"augment={option}", f"data={data}") == option
    sweep = (
        f"# @package _global_\ndefaults:\n  - override /data: classification_folder\n  - override /augment: {option}\n"
    )
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "mine.yaml").write_text(sweep)
    assert compose_all(["sweeps=mine"], [tmp_path, ROOT]).augment.name == option


def test_each_option_has_its_file():
    folder = ROOT / "src" / "terrasweep" / "conf" / "augment"
    assert {file.stem for file in folder.glob("*.yaml")} == set(MOVES)


def test_a_stored_configuration_without_the_key_is_one_of_samples_as_they_are():
    stored = as_dict(compose_trial("augment=d4"))
    assert trial_config(stored).augment.name == "d4"
    del stored["augment"]
    assert trial_config(stored).augment == AugmentConfig(name="none")


def test_an_unknown_name_is_refused_in_a_line():
    (line,) = KNOB.find_bad_values(AugmentConfig(name="flip"))
    assert line.startswith("augment.name=flip: unknown; did you mean flips?")
    assert not list(KNOB.find_bad_values(AugmentConfig(name="flips")))


def test_images_that_are_not_square_keep_their_height_and_width():
    assert moves_of("d4", square=False) == moves_of("flips", square=True) == moves_of("flips", square=False)
    assert len(moves_of("d4", square=True)) == 3
