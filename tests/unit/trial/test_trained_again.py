"""How lost weights come back: the same trial, trained once more."""

import pytest

from terrasweep.config.schema import BudgetConfig
from terrasweep.machine.files import write_atomically
from terrasweep.results.errors import Crashed
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.trial import trained_again
from terrasweep.trial.trained_again import folder_with_weights
from tests.composing import compose_trial

CONFIG = compose_trial("train.untimed_steps=3", "train.max_steps=60", "budget.timeout_s=9", "train.save_weights=false")
BEFORE = TrialResult(
    number=0, state=State.COMPLETE, measurements=Measurements(accuracy=0.5, accuracy_name="mIoU"), config={}
)


@pytest.fixture
def train(monkeypatch):
    """Trainings that come to what a test says, and are counted."""
    seen = []

    def prepare(accuracy, **changes):
        def run(config, folder):
            seen.append(config)
            write_atomically(folder / "log.txt", "what it said")
            if not changes:
                (folder / "weights").mkdir()
            fields = {"state": State.COMPLETE, "measurements": Measurements(accuracy=accuracy)}
            return TrialResult(number=None, config={}, **{**fields, **changes})

        monkeypatch.setattr(trained_again, "run_trial", run)
        return seen

    return prepare


def weights(folder):
    return folder_with_weights("trial 0", folder, BEFORE, CONFIG, "test.log")


def test_what_was_kept_is_not_trained_again(train, tmp_path):
    seen = train(0.5)
    (tmp_path / "weights").mkdir()
    with weights(tmp_path) as found:
        assert found == tmp_path
    assert seen == []


def test_what_is_gone_is_trained_without_limits_and_its_accuracy_compared(train, tmp_path, capsys):
    seen = train(0.4)
    with weights(tmp_path) as found:
        assert (found / "weights").is_dir()
    (config,) = seen
    assert config.budget == BudgetConfig()
    assert config.keeps_weights
    said = capsys.readouterr().err
    assert "trial 0: its weights were not kept; training it again, with seed 0 for 63 steps" in said
    assert "mIoU after training again: 0.4; it was 0.5" in said
    assert list(tmp_path.iterdir()) == []


def test_one_that_does_not_train_again_keeps_its_log(train, tmp_path):
    train(None, state=State.FAILED, reason=Reason.CRASHED, message="no memory")
    with pytest.raises(Crashed, match=r"it did not train again: no memory; see .*test\.log"), weights(tmp_path):
        pass
    assert (tmp_path / "test.log").read_text() == "what it said"
