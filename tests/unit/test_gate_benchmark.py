"""``benchmarks/gate.py``: what the gate refused is held against what the same configurations measured without it."""

import pytest
from benchmarks.gate import compare, table

from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult


def trial(number, mib, accuracy=0.5, flops=10.0, **more):
    measured = {"peak_memory_mib": mib, "peak_build_mib": 30.0, "wall_seconds": 2.0}
    told = {"state": State.COMPLETE, "reason": None, "gate": "started"} | more
    values = {"accuracy": accuracy, "flops_per_step": flops} if told["state"] is State.COMPLETE else {}
    return TrialResult(number=number, measurements=measured | values, **told)


EVERY = {
    "small": trial(0, 40.0, accuracy=0.4),
    "middle": trial(1, 60.0, accuracy=0.6, flops=20.0),
    "beaten": trial(2, 70.0, accuracy=0.55, flops=25.0),
    "large": trial(3, 110.0, accuracy=0.9, flops=5.0),
    "huge": trial(4, 200.0, accuracy=0.9, flops=5.0),
    "built": TrialResult(
        number=5,
        state=State.COMPLETE,
        reason=None,
        measurements={"peak_memory_mib": 50.0, "peak_build_mib": 150.0, "accuracy": 0.99, "flops_per_step": 1.0},
    ),
}
NOT_STARTED = {"state": State.INFEASIBLE, "reason": Reason.PREDICTED_OOM, "gate": "skipped"}
OVER = {"state": State.INFEASIBLE, "reason": Reason.OVER_BUDGET}


def gated(**changed):
    """With a budget of 100 MiB: one is started and over it, one is verified and one is not started."""
    usual = {
        "large": trial(3, 110.0, **OVER),
        "huge": trial(4, 200.0, **OVER, gate="verified"),
        "built": trial(5, None, **NOT_STARTED),
    }
    return EVERY | usual | changed


def test_a_gate_that_refuses_what_does_not_fit_leaves_the_front():
    found = compare(EVERY, gated(), 100.0)
    assert (found.configurations, found.fitting, found.complete) == (6, 3, 3)
    assert (found.skipped, found.verified, found.over_budget, found.out_of_memory) == (1, 1, 1, 0)
    assert (found.false_skips, found.lost, found.first_skip) == ((), (), 5)
    assert found.front == found.front_with_gate == ("middle", "small")
    assert "| false skips | 0 of 2 (0.0 %) |" in table(found)
    assert "| not started | 1 of 3 that don't fit |" in table(found)


@pytest.mark.parametrize("gate", ["skipped", "verified"])
def test_what_was_refused_and_fits_is_a_false_skip(gate):
    ended = NOT_STARTED if gate == "skipped" else {}
    found = compare(EVERY, gated(middle=trial(1, 60.0, 0.6, 20.0, **ended | {"gate": gate})), 100.0)
    assert found.false_skips == ("middle",)
    is_run = gate == "verified"
    assert (found.front_with_gate == found.front) == is_run
    assert ("NOT equal" in table(found)) != is_run
    assert "false skip: middle" in table(found)


def test_what_fits_without_a_budget_and_ends_above_it_is_lost_and_no_false_skip():
    found = compare(EVERY, gated(small=trial(0, 101.0, **OVER)), 100.0)
    assert (found.lost, found.false_skips, found.over_budget) == (("small",), (), 2)
    ended = gated(large=trial(3, None, state=State.INFEASIBLE, reason=Reason.OOM_HOST))
    assert compare(EVERY, ended, 100.0).out_of_memory == 1
