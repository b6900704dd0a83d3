"""Where samples lie, for synthetic tiles and for a folder of the user's."""

from pathlib import Path

import pytest

from terrasweep.data.find.root_folders import samples_root, scenes, synthetic_root, tiles_folder
from terrasweep.data.synthetic import SyntheticScenes, write_synthetic
from tests.composing import compose_trial


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))


def test_tiles_are_where_the_writer_puts_them():
    """The folder is named before anything is written, and the writer has to agree."""
    config = compose_trial("data.synthetic.train=6", "data.synthetic.val=0", "data.synthetic.test=0", "data.tile_px=32")
    assert not tiles_folder(config).exists()
    assert write_synthetic(synthetic_root(), scenes(config)) == tiles_folder(config)


def test_what_a_configuration_asks_for_is_what_is_drawn():
    sizes = ("domain=source", "train=7", "val=8", "test=9", "seed=3")
    config = compose_trial(*(f"data.synthetic.{size}" for size in sizes), "data.tile_px=48")
    drawn = SyntheticScenes(domain="source", seed=3, tile_px=48, train=7, val=8, test=9)
    assert scenes(config) == drawn
    assert tiles_folder(config) != tiles_folder(compose_trial(*(f"data.synthetic.{size}" for size in sizes)))


def test_a_folder_of_the_user_s_is_relative_to_the_project(tmp_path):
    for root in ("tiles", str(tmp_path / "tiles")):
        config = compose_trial("data=segmentation_folder", f"data.root={root}")
        assert tiles_folder(config) == samples_root(config) == tmp_path / "tiles"


def test_synthetic_tiles_are_sorted_by_class_for_a_classification_alone():
    task = ("task=classification", "decoder=identity")
    config = compose_trial(*task)
    assert samples_root(config) == tiles_folder(config) / "scenes"
    assert samples_root(compose_trial()) == tiles_folder(compose_trial())
    own = compose_trial(*task, "data=classification_folder", "data.root=/tiles")
    assert samples_root(own) == Path("/tiles")
