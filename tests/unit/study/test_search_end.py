"""When a search is over before it has its trials, and that a restart says the same."""

import optuna
import pytest

from terrasweep.results.states import State
from terrasweep.study import search_end
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.samplers import GridSize
from terrasweep.study.search_time import STARTS
from tests.unit.study.instant_trials import Sweep, complete, start

HOUR = "study.budget_hours=1"


@pytest.fixture
def hours(monkeypatch):
    """What the study has searched, in place of what its files say."""
    used = {"hours": 0.0}
    monkeypatch.setattr(search_end, "searched_seconds", lambda study, results: 3600 * used["hours"])
    return used


def taking(hours, each):
    """Trials that take so many hours."""

    def run(values):
        hours["hours"] += each
        return complete(values)

    return Sweep(run)


def test_no_trial_begins_once_the_hours_are_used_up_and_the_last_one_ends(tmp_path, untracked, hours, capsys):
    sweep = taking(hours, 0.4)
    status, stored, folder = start(tmp_path, sweep, 6, limit=(HOUR,))
    assert (status, len(sweep.ran)) == (0, 3), "of 1.2 hours"
    assert [r.state for r in folder.results()] == [State.COMPLETE] * 3
    assert not any(t.state.name == "RUNNING" for t in stored.trials())
    out = capsys.readouterr().out
    assert folder.known.ended_early in out, "its report says so, too"
    assert folder.record() == folder.known
    assert folder.known.ended_early.startswith("study.budget_hours=1 is used up")
    assert "[3/6, 1.20 of 1 h] trial 2  complete" in out
    assert "study.budget_hours=1 is used up after 01:12:00: the search ends with 3 trials of study.n_trials=6" in out


def test_a_restart_goes_on_with_what_is_left_and_with_more_hours(tmp_path, untracked, hours):
    start(tmp_path, taking(hours, 0.4), 6, limit=(HOUR,))
    again = taking(hours, 0.4)
    assert start(tmp_path, again, 6, limit=(HOUR,))[0] == 0
    assert again.ran == []
    more = taking(hours, 0.4)
    start(tmp_path, more, 6, limit=("study.budget_hours=1.5",))
    assert len(more.ran) == 1
    _, _, folder = start(tmp_path, last := taking(hours, 0.4), 6, limit=("study.budget_hours=null",))
    assert len(last.ran) == 2
    assert folder.record().ended_early == ""


def test_the_total_ends_a_search_that_has_hours_left(tmp_path, untracked, hours, capsys):
    sweep = taking(hours, 0.1)
    start(tmp_path, sweep, 3, limit=(HOUR,))
    assert len(sweep.ran) == 3
    assert "is used up" not in capsys.readouterr().out


def test_what_comes_after_the_search_comes_after_the_hours_too(tmp_path, untracked, hours, monkeypatch):
    """The front is confirmed, and what is recommended is tested: no trial is missing any more."""
    over = []
    monkeypatch.setattr("terrasweep.study.loop.StudyRun._confirm_front", lambda run, _: over.append(run._end.is_over()))
    start(tmp_path, taking(hours, 2.0), 6, limit=(HOUR,))
    assert over == [True]


def test_a_start_is_counted_where_it_runs_something(tmp_path, untracked):
    _, _, folder = start(tmp_path, Sweep(complete), 2)
    assert len(list((folder.path / STARTS).iterdir())) == 1
    start(tmp_path, Sweep(complete), 2)
    assert len(list((folder.path / STARTS).iterdir())) == 1


def promising(shares):
    """Trials whose proposals leave these shares of the hypervolume."""
    left = iter(shares)

    class Promising(Sweep):
        def launch(self, trials, values, attempt):
            for trial in trials:
                trial.study.sampler.left[trial.number] = {"left": next(left), "hypervolume": 1.0}
            return super().launch(trials, values, attempt)

    return Promising(complete)


def test_a_search_that_has_converged_ends_and_a_smaller_share_goes_on(tmp_path, untracked, monkeypatch, capsys):
    sampler = optuna.samplers.RandomSampler(seed=0)
    sampler.left = {}
    monkeypatch.setattr(StoredStudy, "why", lambda stored, trial: sampler.left.get(trial.number, {}))
    stop = ("study.stop_when=converged", "study.stop_share=0.02", "study.stop_proposals=2")

    def run(shares, *limit):
        sweep = promising(shares)
        start(tmp_path, sweep, 9, (sampler, GridSize()), limit)
        return len(sweep.ran)

    assert run([0.5, 0.01, 0.3, 0.02, 0.01, 0.9], *stop) == 5
    said = "in 2 proposals no candidate promised more than 2.0 % of the hypervolume beyond the errors"
    assert f"study.stop_when=converged: {said}: the search ends with 4 trials of study.n_trials=9 missing" in (
        capsys.readouterr().out
    )
    assert run([], *stop) == 0
    assert run([0.01, 0.001, 0.9], *stop[:1], "study.stop_share=0.01", stop[2]) == 1
    assert run([0.9, 0.9, 0.9, 0.9]) == 3
