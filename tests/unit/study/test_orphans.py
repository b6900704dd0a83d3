"""A trial belongs to a process for as long as that lives."""

import pytest

from terrasweep.machine import process_identity
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.orphans import holds_nothing, take_orphans

OBJECTIVES = [Objective(name="accuracy", direction="maximize")]


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'optuna.db'}"


@pytest.fixture
def stored(tmp_path, url):
    return StoredStudy("s", url, OBJECTIVES, tmp_path)


def test_a_running_trial_is_an_orphan_exactly_when_its_process_is_gone(stored, tmp_path, url, monkeypatch):
    stored.ask(1, 10)
    assert take_orphans(stored) == []
    place, boot, pid, ticks = process_identity.short_name().split("-")
    for owner, gone in {
        f"{place}-{boot}-{pid}-{int(ticks) - 5}@here": True,  # The same pid, but another process.
        f"{place}-{boot}-4194000-1@here": True,
        f"{'0' * 8}-{boot}-{pid}-{ticks}@elsewhere": False,
        "elsewhere:1:1.00": False,  # As a version before named it.
        "": True,
    }.items():
        (trial,) = stored.ask(1, 100)
        trial.set_user_attr("owner", owner)
        other = StoredStudy("s", url, OBJECTIVES, tmp_path)
        assert [t.number for t in take_orphans(other)] == [trial.number] * gone, owner


FAILED, FINE = (State.FAILED, Reason.CRASHED), (State.COMPLETE, None)


@pytest.mark.parametrize(
    ("state", "owner", "nothing"),
    [
        (FAILED, "", True),
        (FAILED, "me", False),  # It may be about to take another trial.
        (FAILED, f"{'0' * 8}-{'1' * 8}-7-7@node7", False),
        (FINE, "", False),
        (None, "", False),  # It may have written a result.
    ],
)
def test_a_study_holds_nothing_where_all_failed_and_nobody_works_on_it(stored, state, owner, nothing):
    (trial,) = stored.ask(1, 100)
    trial.set_user_attr("owner", owner if owner != "me" else process_identity.this_process())
    if state is not None:
        measured = {"accuracy": 0.5} if state == FINE else {}
        result = TrialResult(number=trial.number, state=state[0], reason=state[1], measurements=measured)
        stored.tell(trial, result)
    assert holds_nothing(stored) == nothing
    if "node7" in owner:
        assert holds_nothing(stored, takeover=True)
