"""Which trial is exported, what becomes of an older export, and how lost weights come back. No model is built here."""

import shlex
from dataclasses import replace
from types import SimpleNamespace

import pytest

from terrasweep.config.compose import public_dict
from terrasweep.data.stored import located
from terrasweep.export import parent
from terrasweep.export.parent import Exported, describe, export, find_trial
from terrasweep.machine.files import write_atomically
from terrasweep.process.parent import Outcome
from terrasweep.results.errors import Crashed, DataError, InvalidConfig
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.trial import trained_again
from tests.composing import compose_trial
from tests.studies import study_record

STUDY = "mine"
STEPS = ("train.untimed_steps=3", "train.max_steps=60")


def result(number, **changes):
    measured = Measurements(accuracy=0.5 + (number or 0) / 100, accuracy_name="mIoU")
    fields = {"state": State.COMPLETE, "measurements": measured, "config": public_dict(compose_trial(*STEPS))}
    return TrialResult(number=number, **fields | changes)


def write(folder, trial):
    write_atomically(folder / "result.json", trial.to_json())


@pytest.fixture
def study(home):
    """Three trials: a worse one, a better one, and one that crashed."""
    record = study_record(name=STUDY)
    folder = home / "results" / STUDY
    write_atomically(folder / "study.json", record.to_json())
    for trial in (result(0), result(1), result(2, state=State.FAILED, reason=Reason.CRASHED)):
        write(folder / "trials" / str(trial.number), trial)
    return folder


def test_a_trial_of_a_study_is_found_with_its_configuration_and_its_place(study):
    trial = find_trial(STUDY, 1)
    assert trial.config == compose_trial(*STEPS)
    assert (trial.folder, trial.default_output) == (study / "trials" / "1", study / "exported" / "1")
    assert trial.result.number == 1


def test_a_single_trial_is_found_by_its_folder_or_by_its_name_below_results(home):
    folder = home / "results" / "single" / "today"
    write(folder, result(None))
    for name in (str(folder), "single/today"):
        trial = find_trial(name, None)
        assert (trial.folder, trial.default_output) == (folder, folder / "exported")


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (7, "number=7: study mine has no such trial; on the front: 1"),
        (2, "trial 2 of mine: it is failed (crashed) and has no trained model; on the front: 1"),
        (None, "study mine: give the number of a trial, too; on the front: 1"),
    ],
)
def test_what_has_no_model_is_refused_with_those_that_have_one(study, number, told):
    with pytest.raises(InvalidConfig) as refused:
        find_trial(STUDY, number)
    assert str(refused.value) == told


def test_a_folder_without_a_trial_is_refused(study, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidConfig, match="holds no trial that came to an end"):
        find_trial(str(tmp_path / "empty"), None)


@pytest.fixture
def exporting(study, monkeypatch):
    """Exports whose child writes two files and reports, or ends with an error."""
    calls = SimpleNamespace(error=None, drafts=[], prepared=[])

    def child(task, arguments, log, limits):
        calls.drafts.append(arguments["draft"])
        assert (arguments["trial"] / "weights").is_dir()
        for name in (parent.CONFIG, parent.CHECKPOINT):
            (arguments["draft"] / name).write_text(str(len(calls.drafts)))
        return Outcome({"difference": 1e-6, "accuracy": 0.5, "precision": "fp32", "done": True}, error=calls.error)

    monkeypatch.setattr(parent.process, "run", child)
    monkeypatch.setattr(parent.prepare, "prepare", calls.prepared.append)
    (study / "trials" / "1" / "weights").mkdir()
    return calls


def files(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_an_export_is_there_as_a_whole_and_a_second_one_takes_its_place(study, exporting):
    trial = find_trial(STUDY, 1)
    for number in ("1", "2"):
        exported = export(trial, None)
        assert files(exported.folder) == {parent.CONFIG: number, parent.CHECKPOINT: number}
    assert exported.folder == trial.default_output
    assert not any(draft.exists() for draft in exporting.drafts)
    assert [path.name for path in exported.folder.parent.iterdir()] == ["1"]


@pytest.mark.parametrize("error", [InvalidConfig("a=1: wrong; use 2"), DataError("gone"), Crashed("signal 11")])
def test_an_export_that_fails_leaves_the_older_one_and_no_draft(study, exporting, error):
    trial = find_trial(STUDY, 1)
    export(trial, None)
    exporting.error = error
    with pytest.raises(type(error), match=str(error)):
        export(trial, None)
    assert files(trial.default_output) == {parent.CONFIG: "1", parent.CHECKPOINT: "1"}
    assert [path.name for path in trial.default_output.parent.iterdir()] == ["1"]


@pytest.mark.parametrize("content", [{"notes.txt": "mine"}, {parent.CONFIG: "mine"}])
def test_a_folder_with_something_else_is_not_touched(study, exporting, tmp_path, content):
    (tmp_path / "taken").mkdir()
    for name, text in content.items():
        (tmp_path / "taken" / name).write_text(text)
    with pytest.raises(InvalidConfig, match="it holds something else than an export"):
        export(find_trial(STUDY, 1), tmp_path / "taken")
    assert files(tmp_path / "taken") == content
    assert exporting.drafts == []


def test_a_file_where_the_folder_should_be_is_refused(study, exporting, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidConfig, match="something else"):
        export(find_trial(STUDY, 1), tmp_path / "file")


def test_weights_that_are_gone_are_trained_again(study, exporting, monkeypatch):
    def train(config, again):
        (again / "weights").mkdir()
        return result(0)

    monkeypatch.setattr(trained_again, "run_trial", train)
    export(find_trial(STUDY, 0), None)
    assert sorted(path.name for path in (study / "trials" / "0").iterdir()) == ["result.json"]


def test_data_that_changed_since_the_trial_are_told(study, exporting, home, capsys):
    (home / "tiles").mkdir()
    own = compose_trial("data=segmentation_folder", "data.root=tiles")
    state = located(own).data.state
    for stored, warned in ((state, False), (None, False), ("segmentation_folder-0123", True)):
        config = replace(own, data=replace(own.data, state=stored))
        export(replace(find_trial(STUDY, 1), config=config), None)
        assert ("warning: the files below data.root=tiles have changed" in capsys.readouterr().err) is warned
        assert exporting.prepared[-1].data.state == state


def test_the_commands_can_be_copied_from_where_they_are_printed(study, monkeypatch):
    folder = study / "ex ported"
    exported = Exported(folder, difference=1.5e-6, accuracy=0.51, precision="fp32")
    trial = find_trial(STUDY, 1)
    for here, shown in ((study, "ex ported"), (study.parent, f"{STUDY}/ex ported"), (study / "trials", str(folder))):
        monkeypatch.chdir(here)
        *_, test, predict = describe(trial, exported).splitlines()
        given = ["--config", f"{shown}/config.yaml", "--ckpt_path", f"{shown}/weights.ckpt"]
        predicted = ["--predict_output_dir", f"{shown}/predictions"]
        typed = [[word for word in shlex.split(line) if "FLOAT_32" not in word] for line in (test, predict)]
        assert typed == [["terratorch", "test", *given], ["terratorch", "predict", *given, *predicted]]


def test_int8_is_told_as_the_reason_of_a_difference(study):
    exported = Exported(study, difference=0.01, accuracy=0.51, precision="fp32")
    trial = find_trial(STUDY, 1)
    assert "int8 layers round" not in describe(trial, exported)
    assert "int8 layers round" in describe(replace(trial, config=compose_trial("quantization=int8")), exported)
    assert "mIoU on the validation split, in fp32: 0.51; the trial's: 0.51" in describe(trial, exported)


def test_symmetries_that_terratorch_would_train_without_are_told(study):
    exported = Exported(study, difference=0.0, accuracy=0.51, precision="fp32")
    trial = find_trial(STUDY, 1)
    assert "augment" not in describe(trial, exported)
    of_others = compose_trial("data=datamodule", "data.datamodule=mine.Fields", "data.bands=[RED]", "augment=d4")
    told = describe(replace(trial, config=of_others), exported)
    assert "augment=d4: mine.Fields has steps of its own, so that TerraTorch would train without it" in told


def test_a_loss_that_terratorch_can_t_be_told_is_said(study):
    exported = Exported(study, difference=1e-6, accuracy=0.51, precision="fp32")
    trial = find_trial(STUDY, 1)
    assert "TerraTorch can't be told" not in describe(trial, exported)
    told = describe(replace(trial, config=compose_trial("task.loss=tversky")), exported)
    assert "It was trained with task.loss=tversky (alpha=0.3, beta=0.7), which TerraTorch can't be told: dice" in told
