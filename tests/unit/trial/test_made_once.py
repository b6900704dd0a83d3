"""What many trials share is missing until it lies where they look for it."""

import pytest

from terrasweep.data import stored
from terrasweep.data.find.root_folders import tiles_folder
from terrasweep.machine import startup
from terrasweep.models.offload.extensions import mark_compiled
from terrasweep.models.pretrained.synthetic import pretrained_file
from terrasweep.trial import made_once
from terrasweep.trial.made_once import missing
from tests.composing import compose_trial
from tests.unit.data.surveys import survey


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    monkeypatch.setenv(startup.EXTENSIONS, str(tmp_path / "extensions"))
    return tmp_path


def write(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def with_tiles(config):
    tiles_folder(config).mkdir(parents=True)
    write(stored.listing_file(config))
    return config


def test_synthetic_tiles_are_there_with_their_listing_which_is_written_last():
    config = compose_trial()
    assert missing(config) == ["synthetic tiles"]
    tiles_folder(config).mkdir(parents=True)
    assert missing(config) == ["synthetic tiles"]
    write(stored.listing_file(config))
    assert missing(config) == []
    assert missing(compose_trial("data.synthetic.train=7")) == ["synthetic tiles"], "other tiles lie elsewhere"


def test_own_data_are_looked_at_once(home):
    (home / "fields").mkdir()
    config = stored.located(compose_trial("data=segmentation_folder", "data.root=fields"))
    assert missing(config) == ["a look at the data"]
    write(stored.survey_file(config))
    assert missing(config) == []


def test_synthetic_tiles_are_looked_at_for_the_weights_of_their_classes_alone():
    config = with_tiles(compose_trial("task.class_weights=auto"))
    assert missing(config) == ["a look at the data"]
    file = stored.survey_file(config)
    file.write_text(survey().to_json())
    assert missing(config) == []


def test_pretrained_weights_are_those_of_the_backbone():
    config = with_tiles(compose_trial("backbone.checkpoint=synthetic"))
    assert missing(config) == [f"{config.backbone.name} pretrained on a second synthetic domain"]
    write(pretrained_file(config))
    assert missing(config) == []


@pytest.mark.parametrize(("asked", "effective"), [("cpu", "cpu"), ("auto", "cuda")])
def test_asynchronous_i_o_is_compiled_for_the_device_of_the_trial(home, monkeypatch, asked, effective):
    monkeypatch.setattr(made_once, "effective_device", {"cpu": "cpu", "auto": "cuda"}.get)
    config = with_tiles(compose_trial("offload=nvme", f"offload.nvme_path={home}", f"train.device={asked}"))
    (line,) = missing(config)
    assert line.startswith("DeepSpeed's asynchronous I/O")
    mark_compiled({"cpu": "cuda", "cuda": "cpu"}[effective])
    assert missing(config) == [line], "it was compiled for another device"
    mark_compiled(effective)
    assert missing(config) == []


def test_all_that_is_missing_is_named_at_once(home):
    overrides = ("backbone.checkpoint=synthetic", "offload=nvme", f"offload.nvme_path={home}", "train.device=cpu")
    assert len(missing(compose_trial(*overrides))) == 3
