"""A trial is not started where even the lower bound of its predicted peak is above the budget, and in no other case."""

from dataclasses import replace

import pytest

from terrasweep import process
from terrasweep.config.schema import TrialConfig
from terrasweep.measure.predicted_memory import PREDICTED_BUILD, PREDICTED_PEAK
from terrasweep.predict import kept_predictions, measured_peaks
from terrasweep.predict.prediction import Prediction
from terrasweep.predict.trace import Kind, Phase
from terrasweep.results.errors import TimedOut
from terrasweep.results.gate import Gate
from terrasweep.results.peak_calibration import Pair, calibrate
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.trial import gate
from terrasweep.trial.keys import Keys
from tests.composing import compose_trial

KEYS = Keys(quality="q", quality_in_parts="q", cost="c")
BUILD, STEP = 300.0, 1000.0


def on_cpu(build=BUILD, step=STEP):
    memory = {Phase.BUILD: {Kind.WEIGHTS: build}, Phase.STEADY_STEP: {Kind.ACTIVATIONS: step}}
    return Prediction(device="cpu", on_host=memory)


@pytest.fixture
def traced(monkeypatch, tmp_path):
    """Predictions without a trace: the child's answer, and for which devices it was asked."""
    monkeypatch.setattr(kept_predictions, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(measured_peaks, "cache_folder", lambda: tmp_path / "cache")
    answer, asked = {"predictions": {0: on_cpu()}}, []

    def run(task, arguments, log, limits):
        assert task == "terrasweep.predict.in_child:predict"
        assert limits.timeout_s is not None, "a trace that never ends must not hold up a study"
        asked.append(arguments["device"])
        error = answer.pop("error", None)
        return process.Outcome(dict(answer), error)

    monkeypatch.setattr(process, "run", run)
    return answer, asked


@pytest.fixture
def judge(traced, tmp_path):
    """The verdict on a trial on a CPU, and its log."""

    def judged(*overrides, device="cpu", keys=KEYS):
        log = tmp_path / "log.txt"
        log.unlink(missing_ok=True)
        config = compose_trial(f"train.device={device}", "budget.gate_verify=0", *overrides)
        verdict = gate.judge(config, keys, log)
        return verdict, log.read_text() if log.is_file() else ""

    return judged


def learnt(count=30, above=70.0):
    """Trials that were measured so much above their prediction."""
    for size in range(count):
        pair = Pair(100.0 + 50 * size, 100.0 + 50 * size + above)
        measured_peaks.remember("cpu", str(size), {"peak_memory_mib": pair, "peak_build_mib": pair})


def in_gib(mib):
    return mib / 1024


@pytest.mark.parametrize("overrides", [(), ("budget.memory_gib=0.01", "budget.gate=off"), ("budget.timeout_s=60",)])
def test_without_a_memory_budget_or_with_the_gate_off_nothing_is_predicted(judge, traced, overrides):
    assert judge(*overrides) == (gate.Verdict(), "")
    assert traced[1] == []


def test_a_probe_of_a_trial_that_ran_is_not_judged(judge, traced):
    assert judge("budget.memory_gib=0.01", "probe.alone=true")[0] == gate.Verdict()
    assert traced[1] == []


def test_a_trial_is_skipped_where_the_lower_bound_is_above_the_budget_and_started_where_it_is_not(judge):
    learnt()
    low, high = measured_peaks.calibrations("cpu", ("peak_memory_mib",))["peak_memory_mib"].interval(STEP)
    assert 1000 < low < 1070 < high
    below, _ = judge(f"budget.memory_gib={in_gib(low + 1)}")
    assert (below.gate, below.error) == (Gate.STARTED, None)
    above, log = judge(f"budget.memory_gib={in_gib(low - 1)}")
    assert above.gate is Gate.SKIPPED
    assert above.error is not None
    assert above.error.reason is Reason.PREDICTED_OOM
    assert above.error.violation == pytest.approx(1070 / (low - 1) - 1, rel=0.02)
    assert str(above.error).startswith("budget.memory_gib=")
    assert "use a smaller batch or checkpointing=blocks, or budget.gate=off to try it" in str(above.error)
    assert above.predicted == {PREDICTED_PEAK.name: STEP, PREDICTED_BUILD.name: BUILD}
    assert "peak_memory_mib: predicted 1,000 MiB" in log
    assert "not started" in log


def test_before_anything_is_measured_the_interval_is_wide(judge):
    straddled = f"budget.memory_gib={in_gib(0.8 * STEP)}"
    assert judge(straddled)[0].gate is Gate.STARTED
    assert judge(f"budget.memory_gib={in_gib(0.2 * STEP)}")[0].gate is Gate.SKIPPED
    learnt()
    assert judge(straddled)[0].gate is Gate.SKIPPED


def test_a_trial_that_fitted_before_is_started_wherever_the_line_has_moved(judge):
    """It is trained again with another seed, say, and its own peak is far below the others' line."""
    learnt(above=400.0)
    tight = f"budget.memory_gib={in_gib(1200)}"
    assert judge(tight)[0].gate is Gate.SKIPPED
    own = {"peak_memory_mib": Pair(STEP, 1190.0), "peak_build_mib": Pair(BUILD, 320.0)}
    measured_peaks.remember("cpu", KEYS.cost, own)
    assert judge(tight)[0].gate is Gate.STARTED
    assert judge(f"budget.memory_gib={in_gib(1180)}")[0].gate is Gate.SKIPPED, "it did not fit this one"


def test_the_build_has_to_fit_as_well(judge, traced):
    learnt()
    traced[0]["predictions"] = {0: on_cpu(build=3000.0, step=100.0)}
    verdict, _ = judge(f"budget.memory_gib={in_gib(1000)}")
    assert verdict.error is not None
    assert "peak_build_mib is predicted as 3 GiB" in str(verdict.error)


def test_the_host_s_limit_holds_on_a_cpu_and_for_what_a_gpu_s_trial_has_there(judge, traced):
    learnt()
    verdict, _ = judge(f"budget.host_memory_gib={in_gib(500)}")
    assert verdict.error is not None
    assert str(verdict.error).startswith("budget.host_memory_gib=")
    on_gpu = Prediction(
        device="cuda",
        on_host={Phase.BUILD: {Kind.WEIGHTS: 8000.0}},
        on_device={Phase.STEADY_STEP: {Kind.WEIGHTS: 100.0}},
        reserved={Phase.STEADY_STEP: 100.0},
    )
    traced[0]["predictions"] = {0: on_gpu}
    for limit, expected in ((1.0, Gate.SKIPPED), (8.0, Gate.STARTED)):
        found, _ = judge("budget.memory_gib=24", f"budget.host_memory_gib={limit}", device="cuda")
        assert found.gate is expected


def test_a_share_of_what_would_be_skipped_is_run_and_the_same_at_each_start(judge):
    tight = "budget.memory_gib=0.1"
    assert judge(tight, "budget.gate_verify=1")[0].gate is Gate.VERIFIED
    assert judge(tight, "budget.gate_verify=1")[0].error is None
    keys = [replace(KEYS, cost=str(number)) for number in range(400)]
    config = compose_trial("budget.gate_verify=0.1")
    drawn = [gate._is_drawn(config, own) for own in keys]
    assert 20 <= sum(drawn) <= 60
    assert drawn == [gate._is_drawn(config, own) for own in keys]
    other = replace(config, study=replace(config.study, seed=1))
    assert drawn != [gate._is_drawn(other, own) for own in keys]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"refused": {0: "RuntimeError: it wants values"}}, "RuntimeError: it wants values"),
        ({"error": TimedOut("it took too long")}, "it took too long"),
    ],
)
def test_a_prediction_that_cannot_be_made_stops_no_trial(judge, traced, answer, told):
    traced[0].clear()
    traced[0].update(answer)
    verdict, log = judge("budget.memory_gib=0.001")
    assert verdict == gate.Verdict()
    assert log == f"the peak memory can't be predicted, and the trial starts all the same: {told}\n"


def test_zero_s_offloads_are_not_predicted(judge, traced):
    verdict, log = judge("budget.memory_gib=0.001", "offload=optimizer")
    assert verdict == gate.Verdict()
    assert "offload=optimizer: what DeepSpeed holds was compared with too few peaks" in log
    assert traced[1] == []


def test_a_prediction_that_is_kept_takes_no_process(judge, traced):
    kept_predictions.keep(on_cpu(step=50.0), compose_trial("budget.gate_verify=0"))
    verdict, _ = judge("budget.memory_gib=24")
    assert verdict.predicted[PREDICTED_PEAK.name] == 50.0
    assert traced[1] == []


def test_what_was_in_the_log_stays(traced, tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("a traceback\n")
    gate.judge(compose_trial("train.device=cpu", "budget.memory_gib=24"), KEYS, log)
    assert log.read_text().startswith("a traceback\npeak_memory_mib: predicted 1,000 MiB")


def result(config: TrialConfig, **measured: float) -> TrialResult:
    own = TrialResult(number=0, state=State.COMPLETE, measurements=dict(measured), cost_key="c")
    predicted = {PREDICTED_PEAK.name: STEP, PREDICTED_BUILD.name: BUILD}
    return gate.with_verdict(own, gate.Verdict(gate=Gate.STARTED, predicted=predicted))


def test_what_a_trial_measures_moves_the_next_verdicts(traced):
    config = compose_trial("train.device=cpu")
    gate.learn(config, result(config, peak_memory_mib=1100.0, peak_build_mib=320.0))
    lines = measured_peaks.calibrations("cpu", ("peak_memory_mib", "peak_build_mib"))
    assert lines["peak_memory_mib"] == calibrate([Pair(STEP, 1100.0)], "cpu")
    assert lines["peak_build_mib"] == calibrate([Pair(BUILD, 320.0)], "cpu")


def test_a_trial_that_was_not_judged_stays_as_it_is_and_teaches_nothing(traced, tmp_path):
    plain = TrialResult(number=0, state=State.COMPLETE, measurements={"peak_memory_mib": 100.0})
    assert gate.with_verdict(plain, gate.Verdict()) is plain
    gate.learn(compose_trial("train.device=cpu"), plain)
    assert not (tmp_path / "cache").exists()
