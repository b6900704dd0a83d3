"""A preparation that fails says why, and one that is too large is as infeasible as a trial that is."""

import dataclasses

import pytest

from terrasweep.data import stored
from terrasweep.machine.files import write_atomically
from terrasweep.process.parent import Outcome
from terrasweep.results.errors import Crashed, DataError, DeviceOutOfMemory, HostOutOfMemory, InvalidConfig
from terrasweep.results.states import Reason, State
from terrasweep.trial import prepare
from terrasweep.trial.run import run_trial
from tests.composing import compose_trial
from tests.unit.data.surveys import image, survey


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """Lets every child of the preparation end with an error."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))

    def fail(error):
        monkeypatch.setattr("terrasweep.process.run", lambda *_, **__: Outcome(error=error))
        return compose_trial("train.device=cpu")

    return fail


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (HostOutOfMemory("it grew", violation=0.25), State.INFEASIBLE, Reason.OOM_HOST),
        (DeviceOutOfMemory("20 MiB"), State.INFEASIBLE, Reason.OOM_DEVICE),
        (InvalidConfig("data.bands=[]: none"), State.FAILED, Reason.INVALID_CONFIG),
        (DataError("a.tif: it can't be read"), State.FAILED, Reason.DATA_ERROR),
        (Crashed("KeyError: 'x'"), State.FAILED, Reason.DATA_ERROR),
    ],
    ids=lambda value: str(value),
)
def test_a_trial_ends_for_the_reason_of_its_preparation(failing, tmp_path, error, state, reason):
    result = run_trial(failing(error), tmp_path / "trial")
    assert (result.state, result.reason, result.violation) == (state, reason, error.violation)
    assert str(error) in result.message
    assert "\n" not in result.message


@pytest.mark.parametrize("kind", [HostOutOfMemory, DeviceOutOfMemory])
def test_a_look_at_the_data_that_does_not_fit_is_no_bad_input(failing, tmp_path, kind):
    failing(kind("it grew"))
    (tmp_path / "fields").mkdir()
    config = compose_trial("data=segmentation_folder", "data.root=fields")
    with pytest.raises(kind, match=r"a look at the data can't be prepared: it grew; see .*prepare-\d+\.log"):
        prepare.check_data(config)


def test_bands_that_are_too_few_are_told_without_statistics_that_nobody_gave(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    (tmp_path / "fields").mkdir()
    config = stored.located(compose_trial("data=segmentation_folder", "data.root=fields", "data.bands=[SWIR]"))
    write_atomically(stored.survey_file(config), survey().to_json())
    _, findings = prepare.judge(config)
    assert [finding.rule for finding in findings if finding.level == "error"] == ["band-count"]


def test_tiles_that_no_patch_fits_are_told_by_a_check_with_the_size_that_goes(tmp_path, monkeypatch):
    """Nobody gave their size: the files tell it."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    (tmp_path / "fields").mkdir()
    seen = {split: {"images": {"image": image(20, shapes={"2x8x8": 20})}} for split in ("train", "val")}
    small = dataclasses.replace(survey(**seen), tile_px=8)

    def judged(*overrides):
        given = ("data=segmentation_folder", "data.root=fields", "backbone=timm_vit_tiny_patch16_224", *overrides)
        config = stored.located(compose_trial(*given))
        write_atomically(stored.survey_file(config), small.to_json())
        return [finding.line for finding in prepare.judge(config)[1] if finding.rule == "rules"]

    (line,) = judged()
    assert line.startswith("data.tile_px=8 with backbone=timm_vit_tiny_patch16_224: ")
    assert "set data.resize_px=32" in line
    assert judged("data.resize_px=32") == []


@pytest.fixture
def fields(tmp_path, monkeypatch):
    """A folder of data that nobody has looked at; what is looked at is kept, and gives the survey."""
    looked = []
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    (tmp_path / "fields").mkdir()

    def look(config):
        looked.append(config)
        write_atomically(stored.survey_file(config), survey().to_json())

    monkeypatch.setattr(prepare, "prepare", look)
    return looked


def test_data_that_nobody_has_looked_at_are_looked_at_once_and_tell_what_is_lacking(fields):
    config = stored.located(compose_trial("data=segmentation_folder", "data.root=fields", "data.bands=[RED,NIR]"))
    complete = prepare.complete_from_data(config)
    assert (complete.data.tile_px, complete.data.num_classes) == (64, 3)
    assert prepare.complete_from_data(config) == complete
    assert fields == [config]


def test_data_are_not_looked_at_for_a_configuration_that_no_data_could_mend(fields):
    wrong = compose_trial("data=segmentation_folder", "data.root=fields", "quantization=nf4", "tuning=full")
    with pytest.raises(InvalidConfig, match="quantization=nf4 with tuning=full"):
        prepare.complete_from_data(stored.located(wrong))
    assert fields == []


def test_a_survey_of_data_that_trials_need_none_of_is_made_when_it_is_asked_for(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    monkeypatch.setattr(prepare, "prepare", lambda config: None)

    def run(task, arguments, *_, **__):
        asked.append(task)
        write_atomically(stored.survey_file(arguments["config"]), survey().to_json())
        return Outcome({"done": True})

    monkeypatch.setattr("terrasweep.process.run", run)
    config = stored.located(compose_trial())
    assert [prepare.survey(config) for _ in range(2)] == [survey()] * 2
    assert asked == ["terrasweep.trial.measure_in_child:survey"]


def test_files_that_are_not_as_said_are_bad_input_before_anything_is_trained(failing, tmp_path):
    failing(DataError("fields: it has no train/"))
    (tmp_path / "fields").mkdir()
    with pytest.raises(InvalidConfig, match=r"^fields: it has no train/$"):
        prepare.check_data(compose_trial("data=segmentation_folder", "data.root=fields"))
