"""The sampler in Optuna: on all kinds of spaces, after restarts, and against chance."""

import zlib

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from terrasweep.study.factored.candidates import draw_value, identity_of, split_by
from terrasweep.study.factored.quantities import MEASURED, PROBE_SECONDS, TRAINING_SECONDS, BearsOn, Quantity
from terrasweep.study.factored.sampler import FactoredSampler
from terrasweep.study.ranges import suggest
from tests.unit.study.factored import small_space
from tests.unit.study.factored.small_space import ACCURACY, KEYS, MEMORY, OBJECTIVES, SPEED, numbers

optuna.logging.set_verbosity(optuna.logging.ERROR)


def sampler(objectives=OBJECTIVES, **options):
    return FactoredSampler(
        small_space.SPACE, objectives, keys=KEYS, draw=small_space.draw, **{"candidates": 150} | options
    )


def study_of(sampler, objectives=OBJECTIVES):
    return optuna.create_study(
        sampler=sampler, directions=["maximize" if o.maximize else "minimize" for o in objectives]
    )


def ask(study):
    trial = study.ask()
    found = {}
    for name, distribution in small_space.SPACE.items():
        if name != "rank" or found["bits"] == "few":
            found[name] = suggest(trial, name, distribution)
    return trial, found


def in_half_of_the_space(settings):
    """Numbers where bits are few."""
    return numbers(settings) if settings["bits"] == "few" else None


def run(study, count, values=numbers, trained=()):
    """Answer so many trials; returns their settings."""
    asked, trained = [], set(trained)
    for _ in range(count):
        trial, found = ask(study)
        asked.append(found)
        quality = identity_of(KEYS(found)[0])
        name = PROBE_SECONDS if quality in trained else TRAINING_SECONDS
        trial.set_user_attr(MEASURED, {name: (5 if name == PROBE_SECONDS else 100) / numbers(found)[1]})
        answer = values(found)
        if answer is not None:
            trained.add(quality)
        if answer is None:
            trial.set_constraint("miss", 0.5)
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, answer)
    return asked


def test_a_restart_proposes_what_would_have_been_proposed():
    straight = study_of(sampler(seed=3))
    expected = run(straight, 14)
    study = study_of(sampler(seed=3))
    found = run(study, 9)
    study.sampler = sampler(seed=3)
    assert found + run(study, 5) == expected
    assert run(study_of(sampler(seed=4)), 9) != found


def test_what_a_storage_keeps_is_all_that_a_restart_needs(tmp_path):
    """Numbers and choices come back from a file, where another study object reads them."""
    expected = run(study_of(sampler(seed=3)), 12, in_half_of_the_space)
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "journal"))
    study = optuna.create_study(
        study_name="s",
        storage=optuna.storages.JournalStorage(backend),
        sampler=sampler(seed=3),
        directions=["maximize", "maximize", "minimize"],
    )
    found = run(study, 8, in_half_of_the_space)
    again = optuna.load_study(study_name="s", storage=optuna.storages.JournalStorage(backend), sampler=sampler(seed=3))
    trained = {identity_of(KEYS(asked)[0]) for asked in found if in_half_of_the_space(asked)}
    assert found + run(again, 4, in_half_of_the_space, trained) == expected


def test_a_training_serves_all_that_share_its_quality():
    study = study_of(sampler())
    asked = run(study, 24)
    assert len({identity_of(found) for found in asked}) == 24
    assert len({identity_of(KEYS(found)[0]) for found in asked}) < 18


def test_with_one_objective_it_finds_the_best_and_never_probes():
    study = study_of(sampler([ACCURACY]), [ACCURACY])
    asked = run(study, 22, lambda found: numbers(found)[0])
    assert max(study.best_trial.values) > 0.85
    assert len({identity_of(KEYS(found)[0]) for found in asked}) == 22


def test_with_four_objectives_of_any_kind():
    whole = Quantity(name="wall", of=BearsOn.BOTH, maximize=False)
    objectives = [*OBJECTIVES, whole]
    study = study_of(sampler(objectives, reuse=False), objectives)
    asked = run(study, 12, lambda found: (*numbers(found), 3 / numbers(found)[1] - 1))
    assert len({identity_of(found) for found in asked}) == 12


def test_with_cost_alone():
    study = study_of(sampler([MEMORY, SPEED]), [MEMORY, SPEED])
    run(study, 12, lambda found: numbers(found)[:0:-1])
    smallest = {"bits": "few", "rank": 1, "store": "none"}
    assert any({n: t.params.get(n) for n in smallest} == smallest for t in study.best_trials)


def test_where_nothing_fits_it_goes_on_with_other_candidates():
    asked = run(study_of(sampler()), 14, lambda found: None)
    assert len({identity_of(found) for found in asked}) == 14


def test_what_does_not_fit_is_avoided():
    """Half of the space is refused, without a number that would say why."""
    study = study_of(sampler())
    run(study, 24, lambda found: None if found["bits"] == "full" else numbers(found))
    # By chance 12 would be.
    assert 0 < [trial.state for trial in study.trials].count(TrialState.PRUNED) < 6


def test_a_space_of_one_choice_goes_on_for_ever():
    space = {"x": CategoricalDistribution(["only"])}
    study = study_of(FactoredSampler(space, [ACCURACY], keys=split_by("x", "x")), [ACCURACY])
    for value in (0.1, 0.2, 0.3):
        trial = study.ask(space)
        assert trial.params == {"x": "only"}
        study.tell(trial, value)


def test_a_small_space_is_searched_whole_before_anything_comes_twice():
    space = {"x": CategoricalDistribution([1, 2, 3]), "y": CategoricalDistribution(["a", "b"])}
    study = study_of(FactoredSampler(space, [ACCURACY], keys=split_by("x", "xy")), [ACCURACY])
    for _ in range(6):
        trial = study.ask(space)
        study.tell(trial, trial.params["x"] / 10)
    assert len({identity_of(t.params) for t in study.trials}) == 6


def test_in_ten_thousand_configurations_it_beats_chance():
    space = {f"k{n}": CategoricalDistribution(list(range(10))) for n in range(4)}

    def accuracy(params):
        return 1 - sum((params[f"k{n}"] - 3 - n) ** 2 for n in range(3)) / 100

    study = study_of(FactoredSampler(space, [ACCURACY], keys=split_by(["k0", "k1", "k2"], ["k3"])), [ACCURACY])
    for _ in range(25):
        trial = study.ask(space)
        study.tell(trial, accuracy(trial.params))
    # By chance one of a thousand reaches 1, and one of a hundred or so 0.95.
    assert study.best_value > 0.97


def test_workers_beside_each_other_take_different_qualities():
    study = study_of(sampler())
    run(study, 8)
    beside = [ask(study)[1] for _ in range(4)]
    known = {identity_of(KEYS(trial.params)[0]) for trial in study.get_trials(states=[TrialState.COMPLETE])}
    trained = [quality for found in beside if (quality := identity_of(KEYS(found)[0])) not in known]
    assert len(set(trained)) == len(trained)
    assert len({identity_of(found) for found in beside}) == 4


def test_trials_that_are_asked_for_together_are_different():
    space = {"x": CategoricalDistribution([1, 2, 3]), "y": CategoricalDistribution(["a", "b"])}
    study = study_of(FactoredSampler(space, [ACCURACY], keys=split_by("x", "xy")), [ACCURACY])
    trials = [study.ask() for _ in range(6)]
    asked = [{name: suggest(trial, name, distribution) for name, distribution in space.items()} for trial in trials]
    assert len({identity_of(found) for found in asked}) == 6


def test_given_values_come_first_and_teach():
    study = study_of(sampler())
    given_first = {"bits": "few", "rank": 16, "rate": 0.01, "store": "half"}
    study.enqueue_trial(given_first)
    asked = run(study, 3)
    assert asked[0] == given_first
    assert given_first not in asked[1:]


def test_it_says_why():
    study = study_of(sampler())
    run(study, 10)
    trial, _ = ask(study)
    why = study.sampler.reason(trial.number)
    assert why.promise > 0
    assert set(why.expected) == {o.name for o in OBJECTIVES}
    study.tell(trial, numbers(trial.params))
    assert study.sampler.reason(trial.number) is None


def test_a_key_that_the_space_does_not_name_is_drawn_by_chance():
    trial = study_of(sampler()).ask()
    assert 0 <= trial.suggest_float("other", 0, 1) <= 1
    assert trial.suggest_categorical("bits", ["a", "b"]) in ("a", "b")  # Another range than the space's.


CHOICES = st.lists(
    st.one_of(st.integers(2, 99), st.sampled_from("abc"), st.booleans()), min_size=1, max_size=4, unique_by=repr
)
KINDS = st.one_of(
    CHOICES.map(CategoricalDistribution),
    st.tuples(st.integers(1, 5), st.integers(0, 60), st.booleans()).map(
        lambda given: IntDistribution(given[0], given[0] + given[1], log=given[2])
    ),
    st.tuples(st.floats(1e-3, 1), st.floats(1.5, 100), st.booleans()).map(
        lambda given: FloatDistribution(given[0], given[0] * given[1], log=given[2])
    ),
)


def is_active(name, settings):
    """Of a space with conditions: the last key is there with about half of the first one's values."""
    return name != "k3" or zlib.crc32(repr(settings["k0"]).encode()) % 2 == 0


def draw_by_conditions(space):
    def draw(count, rng, held, /):
        for _ in range(count):
            found = {}
            for name, distribution in space.items():
                if is_active(name, found):
                    found[name] = held[name] if name in held else draw_value(distribution, rng)
            yield found

    return draw


@settings(max_examples=12, deadline=None)
@given(st.lists(KINDS, min_size=1, max_size=4), st.sets(st.integers(0, 3)), st.integers(0, 1000))
def test_every_proposal_is_valid_allowed_and_new(kinds, of_quality, seed):
    """Optuna itself refuses a value that does not belong to its distribution."""
    space = {f"k{index}": kind for index, kind in enumerate(kinds)}
    rng = np.random.default_rng(seed)
    forbidden = repr(space["k0"].low if hasattr(space["k0"], "low") else space["k0"].choices[0])
    keys = split_by([f"k{index}" for index in of_quality], space)
    study = study_of(
        FactoredSampler(
            space,
            [ACCURACY, MEMORY],
            keys=keys,
            draw=draw_by_conditions(space),
            candidates=60,
            seed=seed,
            startup_trials=3,
            allowed=lambda found: repr(found["k0"]) != forbidden,
        ),
        [ACCURACY, MEMORY],
    )
    met = set()
    for _ in range(7):
        trial, ended = study.ask(), {}
        for name, distribution in space.items():
            if is_active(name, ended):
                ended[name] = suggest(trial, name, distribution)
        proposal = study.sampler.reason(trial.number)
        assert proposal.candidate.settings == ended
        if proposal.is_new:
            assert repr(ended["k0"]) != forbidden
            assert identity_of(ended) not in met
        met.add(identity_of(ended))
        if rng.random() < 0.3:
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, [float(rng.random()), float(1 + rng.random())])


@pytest.mark.parametrize("option", ["by_seconds", "sure"])
def test_what_is_switched_off_for_comparison_changes_what_is_proposed(option):
    usual, other = run(study_of(sampler()), 14), run(study_of(sampler(**{option: option == "sure"})), 14)
    assert usual != other


def test_where_it_is_asked_for_each_proposal_says_what_is_left_until_nothing_is():
    space = {"x": CategoricalDistribution([1, 2, 3, 4]), "y": CategoricalDistribution(["a", "b"])}
    objectives = [ACCURACY]
    asked = FactoredSampler(space, objectives, keys=split_by("xy", "x"), startup_trials=5, outlook=True)
    study = study_of(asked, objectives)
    told = []
    for _ in range(9):
        trial = study.ask(space)
        told.append(asked.reason(trial.number).as_plain())
        study.tell(trial, trial.params["x"] / 10)
    assert all("left" not in reason for reason in told[:5]), "no model has been asked"
    assert all(reason["left"] >= 0 and reason["hypervolume"] > 0 for reason in told[5:])
    assert (told[8]["left"], told[8]["next_hour"]) == (0.0, 0.0), "all eight were tried"
