"""What trials of other studies teach, without being results."""

import json

import optuna

from terrasweep.study.factored.candidates import identity_of
from terrasweep.study.factored.history import read_history
from terrasweep.study.factored.prior import PriorTrial, add_prior, qualities_known
from terrasweep.study.factored.quantities import TRAINING_SECONDS
from tests.unit.study.factored.small_space import ACCURACY, KEYS, MEMORY, OBJECTIVES, candidates, numbers, trial
from tests.unit.study.factored.test_sampler import run, sampler, study_of

optuna.logging.set_verbosity(optuna.logging.ERROR)
FOUND = candidates()
ONE, OTHER = ({"bits": "few", "rank": 64, "rate": rate, "store": "keep"} for rate in (0.01, 0.001))


def prior(settings, told=None, trends=None, study="before"):
    return PriorTrial(study=study, settings=settings, numbers=told or {}, trends=trends or {})


def taught(*learnt, own=()):
    history = read_history([trial(settings, numbers(settings)) for settings in own], FOUND, OBJECTIVES, [])
    add_prior(history, learnt, FOUND, OBJECTIVES)
    return history


def test_it_goes_to_plain_values_and_back():
    learnt = prior(ONE, {"memory": 3.0}, {"accuracy": 0.5})
    assert PriorTrial.from_plain("before", json.loads(json.dumps(learnt.as_plain()))) == learnt


def test_numbers_come_before_one_s_own_and_nothing_counts_as_tried_or_trained():
    history = taught(prior(ONE, {"accuracy": 0.7, "memory": 9.0, TRAINING_SECONDS: 50.0}), own=[OTHER])
    assert [value for _, value in history.numbers["accuracy"]] == [0.7, numbers(OTHER)[0]]
    assert [seconds for _, seconds, _ in history.seconds] == [50.0]
    assert FOUND.of(ONE).identity not in history.tried
    assert FOUND.of(ONE).quality not in history.trained
    assert len(history.complete) == 1


def test_where_both_know_a_number_that_of_here_counts():
    """The two differ in what bears on accuracy alone: they have one memory."""
    history = taught(prior(ONE, {"accuracy": 0.7, "memory": 9.0}), own=[OTHER])
    assert [value for _, value in history.numbers["memory"]] == [numbers(OTHER)[2]]


def test_trends_are_kept_by_study_and_are_of_quality_alone():
    told = {"accuracy": 0.7, "memory": 9.0}
    history = taught(prior(ONE, trends=told), prior(OTHER, trends=told, study="long ago"))
    assert {study: len(seen) for study, seen in history.trends["accuracy"].items()} == {"before": 1, "long ago": 1}
    assert history.trends.keys() == {"accuracy"}
    assert history.numbers == {}


def test_only_qualities_that_were_measured_are_known():
    learnt = [prior(ONE, {"memory": 9.0}), prior(OTHER, {"accuracy": 0.7}), prior(OTHER, {"accuracy": 0.7})]
    assert qualities_known(learnt, FOUND, [ACCURACY.name]) == {FOUND.of(OTHER).quality}


def of_all_candidates(names, trends=()):
    """What a study that knew these numbers of many candidates would teach."""
    known = []
    for candidate in candidates(drawn=60).pool:
        told = dict(zip([o.name for o in OBJECTIVES], numbers(candidate.settings), strict=True))
        scaled = {name: 0.3 + 0.5 * told[name] for name in trends}
        known.append(prior(candidate.settings, {name: told[name] for name in names}, scaled))
    return known


def best_of_first(count, learnt):
    """The best accuracy among a study's first trials, by three seeds."""
    found = []
    for seed in range(3):
        study = study_of(sampler([ACCURACY], prior=learnt, seed=seed), [ACCURACY])
        run(study, count, lambda settings: numbers(settings)[0])
        found.append(study.best_value)
    return found


def test_what_was_learnt_is_used_from_the_first_trials_on():
    """Accuracies, and a trend of them on another scale, lead to good candidates before a study has found any itself."""
    assert min(best_of_first(4, of_all_candidates(["accuracy"]))) > 0.84
    assert min(best_of_first(5, of_all_candidates([], ["accuracy"]))) > 0.84
    assert min(best_of_first(5, [])) < 0.84


def test_a_restart_with_the_same_learnt_proposes_the_same():
    learnt = of_all_candidates(["memory"], ["accuracy"])
    expected = run(study_of(sampler(prior=learnt, seed=3)), 8)
    study = study_of(sampler(prior=learnt, seed=3))
    found = run(study, 5)
    study.sampler = sampler(prior=learnt, seed=3)
    trained = {identity_of(KEYS(settings)[0]) for settings in found}
    assert found + run(study, 3, trained=trained) == expected


def test_costs_that_were_learnt_are_known_at_once():
    study = study_of(sampler(prior=of_all_candidates(["memory", "speed"])))
    run(study, 7)
    value, low, high = study.sampler.propose(study.trials, 99).expected[MEMORY.name]
    assert high - low < 0.1 * value
