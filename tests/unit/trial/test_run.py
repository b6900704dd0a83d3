"""A trial's configuration is completed, checked and written once, and written whatever ends the trial."""

from dataclasses import replace

import pytest
import yaml

from terrasweep import process
from terrasweep.config.compose import public_dict
from terrasweep.results.errors import DataError, PredictedOutOfMemory
from terrasweep.results.gate import Gate
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.trial import gate, prepare, rules, run
from terrasweep.trial.known import Known, Source
from tests.composing import compose_trial


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """The story as it goes, without a child and without data."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    order = []

    def told(name, function):
        def tell(*arguments, **options):
            order.append(name)
            return function(*arguments, **options)

        return tell

    def complete(config):
        return replace(config, data=replace(config.data, num_classes=5))

    monkeypatch.setattr(prepare, "complete_from_data", told("complete", complete))
    monkeypatch.setattr(rules, "check", told("check", rules.check))
    monkeypatch.setattr(run, "_write_config", told("write", run._write_config))
    monkeypatch.setattr(prepare, "prepare", told("prepare", lambda _: None))
    monkeypatch.setattr(process, "run", told("measure", lambda *_: process.Outcome({"done": True})))
    return order


def stored(folder):
    return yaml.safe_load((folder / "config.yaml").read_text())


def test_it_is_completed_checked_and_written_once_and_then_measured(calls, tmp_path):
    result = run.run_trial(compose_trial(), tmp_path / "trial")
    assert calls == ["complete", "check", "write", "prepare", "measure"]
    assert result.state is State.COMPLETE
    assert stored(tmp_path / "trial") == result.config
    assert result.config["data"]["num_classes"] == 5
    assert TrialResult.from_json((tmp_path / "trial" / "result.json").read_text()) == result


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_prepared(calls, tmp_path, monkeypatch):
    monkeypatch.setattr(rules, "effective_device", lambda _: "cpu")
    result = run.run_trial(compose_trial("train.device=cuda"), tmp_path / "trial")
    assert calls == ["complete", "check", "write"]
    assert result.reason is Reason.INVALID_CONFIG
    assert result.message.startswith("train.device=cuda: ")


def test_a_contradiction_is_written_down_and_nothing_is_prepared_for_it(calls, tmp_path):
    result = run.run_trial(compose_trial("quantization=nf4", "tuning=full"), tmp_path / "trial")
    assert calls == ["complete", "check", "write"]
    assert result.reason is Reason.INVALID_CONFIG
    assert stored(tmp_path / "trial")["tuning"]["name"] == "full"


def test_a_trial_that_can_t_be_prepared_leaves_its_configuration(calls, monkeypatch, tmp_path):
    def fail(_):
        raise DataError("data.root=x: no image can be read")

    monkeypatch.setattr(prepare, "prepare", fail)
    assert run.run_trial(compose_trial(), tmp_path / "late").reason is Reason.DATA_ERROR
    assert stored(tmp_path / "late")["data"]["num_classes"] == 5
    monkeypatch.setattr(prepare, "complete_from_data", fail)
    config = compose_trial()
    result = run.run_trial(config, tmp_path / "early")
    assert stored(tmp_path / "early") == result.config == public_dict(config)


def test_ctrl_c_while_the_data_are_looked_at_leaves_the_configuration(calls, monkeypatch, tmp_path):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "complete_from_data", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run.run_trial(compose_trial(), tmp_path / "trial")
    assert stored(tmp_path / "trial")["data"]["name"] == "synthetic"


def test_data_that_nobody_has_looked_at_are_not_looked_at_for_a_contradiction(monkeypatch, tmp_path):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    monkeypatch.setattr(prepare, "prepare", lambda _: pytest.fail("it looked"))
    (tmp_path / "tiles").mkdir()
    config = compose_trial(
        "data=segmentation_folder", f"data.root={tmp_path / 'tiles'}", "quantization=nf4", "tuning=full"
    )
    result = run.run_trial(config, tmp_path / "trial")
    assert result.reason is Reason.INVALID_CONFIG
    assert "low-bit weights take no gradient" in result.message


def test_what_torch_said_of_its_arithmetic_stands_in_the_result(calls, monkeypatch, tmp_path):
    said = {"float32_matmul_precision": "highest"}
    monkeypatch.setattr(process, "run", lambda *_: process.Outcome({"done": True, "arithmetic": said}))
    assert run.run_trial(compose_trial(), tmp_path / "trial").arithmetic == said


def refused(*_):
    error = PredictedOutOfMemory("budget.memory_gib=1: too much", violation=0.25)
    return gate.Verdict(gate=Gate.SKIPPED, predicted={"predicted_peak_mib": 1280.0}, error=error)


def test_a_trial_that_cannot_fit_is_not_started_and_nothing_is_prepared_for_it(calls, monkeypatch, tmp_path):
    monkeypatch.setattr(gate, "judge", refused)
    result = run.run_trial(compose_trial(), tmp_path / "trial")
    assert calls == ["complete", "check", "write"]
    assert (result.state, result.reason) == (State.INFEASIBLE, Reason.PREDICTED_OOM)
    assert (result.violation, result.message) == (0.25, "budget.memory_gib=1: too much")
    assert (result.gate, result.value("predicted_peak_mib")) == ("skipped", 1280.0)
    assert TrialResult.from_json((tmp_path / "trial" / "result.json").read_text()) == result


def test_what_is_measured_beside_its_prediction_is_learnt(calls, monkeypatch, tmp_path):
    learnt = []
    verdict = gate.Verdict(gate=Gate.STARTED, predicted={"predicted_peak_mib": 100.0})
    monkeypatch.setattr(gate, "judge", lambda *_: verdict)
    monkeypatch.setattr(gate, "remember", lambda *told: learnt.append(told))
    measured = {"peak_memory_mib": 170.0}
    monkeypatch.setattr(process, "run", lambda *_: process.Outcome({"done": True, "measurements": measured}))
    result = run.run_trial(compose_trial("train.device=cpu"), tmp_path / "trial")
    assert (result.state, result.gate) == (State.COMPLETE, "started")
    assert learnt == [("cpu", result.cost_key, {"peak_memory_mib": (100.0, 170.0)})]


def test_what_was_measured_before_is_not_predicted_also_where_it_is_trained_to_be_compared(
    calls, monkeypatch, tmp_path
):
    monkeypatch.setattr(gate, "judge", refused)
    assert run.run_trial(compose_trial(), tmp_path / "before").reason is Reason.PREDICTED_OOM
    source = Source(name="0", folder=tmp_path, result=TrialResult(number=0, state=State.COMPLETE))
    monkeypatch.setattr(run, "find_known", lambda *_: Known(accuracy=source, cost=source))
    result = run.run_trial(compose_trial("reuse.verify=1"), tmp_path / "again")
    assert (result.state, result.verifies, result.gate) == (State.COMPLETE, "0", "")
