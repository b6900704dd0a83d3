"""Every reason leads to the state of the contract."""

from terrasweep.results.states import Reason, State


def test_every_reason_has_the_state_of_the_contract():
    states = {state: {str(r) for r in Reason if r.state is state} for state in State}
    assert states == {
        State.COMPLETE: set(),
        State.INFEASIBLE: {"predicted_oom", "oom_device", "oom_host", "over_budget", "timeout", "diverged"},
        State.PRUNED: {"pruner"},
        State.FAILED: {"crashed", "data_error", "invalid_config", "interrupted"},
    }
