"""What each state of a trial tells the search."""

import datetime as dt

from optuna.trial import TrialState

from terrasweep.study.factored.history import read_history
from terrasweep.study.factored.quantities import CHOSEN, MEASURED, TRAINING_SECONDS, BearsOn, Quantity
from tests.unit.study.factored.small_space import ACCURACY, OBJECTIVES, candidates, numbers, trial

FULL = {"bits": "full", "rate": 0.01, "store": "keep"}
HALF = {**FULL, "store": "half"}
FEW = {"bits": "few", "rank": 4, "rate": 0.01, "store": "none"}
LIMITED = [Quantity(name="memory", of=BearsOn.COST, maximize=False, most=2000.0)]


def read(*trials):
    found = candidates()
    return found, read_history(trials, found, OBJECTIVES, LIMITED)


def test_a_complete_trial_tells_its_numbers_and_that_its_quality_is_known():
    found, history = read(trial(FULL, numbers(FULL), miss=0.0, **{MEASURED: {TRAINING_SECONDS: 50.0}}))
    candidate = found.of(FULL)
    assert history.complete == [(candidate, numbers(FULL))]
    assert history.numbers == {o.name: [(candidate, v)] for o, v in zip(OBJECTIVES, numbers(FULL), strict=True)}
    assert history.seconds == [(candidate, 50.0, False)]
    assert found.of(HALF).quality in history.trained
    assert found.of(FEW).quality not in history.trained
    assert history.fits == [(candidate, True)]


def test_a_trial_that_says_nothing_of_its_seconds_took_its_time():
    ended = dt.datetime(2026, 1, 1, 12, 1, 30)
    one, other = trial(FULL, numbers(FULL)), trial(HALF, numbers(HALF))
    for each in (one, other):
        each.datetime_start, each.datetime_complete = ended - dt.timedelta(seconds=90), ended
    found, history = read(one, other)
    assert history.seconds == [(found.of(FULL), 90.0, False), (found.of(HALF), 90.0, True)]


def test_what_was_answered_without_running_says_nothing_of_seconds():
    _, history = read(trial(FULL, numbers(FULL), **{MEASURED: {"memory": 3.0}}))
    assert history.seconds == []


def test_a_miss_that_a_measurement_explains_teaches_that_measurement_alone():
    found, history = read(
        trial(FULL, state=TrialState.PRUNED, miss=0.1, **{MEASURED: {"memory": 2200.0}}),
        trial(FEW, state=TrialState.PRUNED, miss=1.0),
    )
    assert history.numbers == {"memory": [(found.of(FULL), 2200.0)]}
    assert history.fits == [(found.of(FEW), False)]
    assert history.trained == set()
    assert set(history.tried) == {found.of(FULL).identity, found.of(FEW).identity}


def test_a_miss_told_as_complete_is_no_answer():
    _, history = read(trial(FULL, (0.0, 0.0, 9e9), miss=0.5))
    assert (history.complete, history.trained) == ([], set())


def test_failures_count_against_a_candidate_and_interruptions_do_not():
    found, history = read(
        trial(FULL, state=TrialState.FAIL, reason="crashed"), trial(FEW, state=TrialState.FAIL, reason="interrupted")
    )
    assert history.fits == [(found.of(FULL), False)]
    assert set(history.tried) == {found.of(FULL).identity}


def test_a_quality_that_diverges_is_given_up():
    found, history = read(trial(FULL, state=TrialState.PRUNED, miss=1.0, reason="diverged"))
    assert history.hopeless == {found.of(HALF).quality}


def test_what_a_pruner_ended_tells_its_last_value_and_its_quality_is_given_up():
    pruned = trial(FULL, state=TrialState.PRUNED)
    pruned.intermediate_values = {0: 0.2, 1: 0.35}
    found = candidates()
    history = read_history([pruned], found, [ACCURACY], [])
    assert history.numbers == {"accuracy": [(found.of(FULL), 0.35)]}
    assert history.hopeless == {found.of(HALF).quality}
    among_others = read_history([pruned], found, OBJECTIVES, [])
    assert (among_others.numbers, among_others.hopeless) == ({}, set())


def test_what_is_at_work_is_pending_and_its_quality_busy_unless_it_is_known():
    running = trial(FULL, state=TrialState.RUNNING)
    found, history = read(running)
    assert history.pending == [found.of(FULL)]
    assert history.busy == {found.of(FULL).quality}
    assert found.of(FULL).identity in history.tried
    _, history = read(trial(HALF, numbers(HALF)), running)
    assert history.busy == set()
    assert read(trial({}, state=TrialState.RUNNING))[1].pending == []


def test_what_a_trial_was_given_counts_before_it_has_asked_for_it():
    asked_nothing, asked_one = (trial(s, state=TrialState.RUNNING, **{CHOSEN: FULL}) for s in ({}, {"bits": "full"}))
    for running in (asked_nothing, asked_one):
        found, history = read(running)
        assert history.pending == [found.of(FULL)]
    found = candidates()
    unknown = trial({}, state=TrialState.RUNNING)
    assert read_history([unknown], found, OBJECTIVES, [], {unknown.number: FEW}).pending == [found.of(FEW)]
