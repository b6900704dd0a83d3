"""Every sampler that hydra-optuna-sweeper ships: how it is built, and from which trials it learns."""

import copy
import functools

import optuna
import pytest
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

import hydra_plugins.terrasweep_sweeper.config  # noqa: F401 - it fills the store
from terrasweep.config.schema import ObjectiveConfig, StudyConfig
from terrasweep.results.errors import InvalidConfig
from terrasweep.study.conditional_keys import WithEveryKey
from terrasweep.study.samplers import build_grid, build_sampler, check_sampler, ignores_pruned
from terrasweep.study.search_space import parse_space

SHIPPED = sorted(
    name.removesuffix(".yaml")
    for name in ConfigStore.instance().repo["hydra"]["sweeper"]["sampler"]
    if name != "motpe.yaml"  # It is gone from Optuna, and says so.
)
BASE = OmegaConf.create({"hydra": {"runtime": {"choices": {}}}})
STUDY = StudyConfig(name="s", n_trials=8, seed=3)
SPACE = parse_space({"x": "choice(1,2,3)", "y": "range(0,0.5,0.1)"}, [])
CONDITIONAL = parse_space({"x": "choice(1,2)", "y": "choice(1,2) if x=1"}, [])
UNIT = {"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1)}


def settings(name, **changed):
    node = ConfigStore.instance().repo["hydra"]["sweeper"]["sampler"][f"{name}.yaml"].node
    return OmegaConf.merge(node, changed)


def build(name, trials_before=0, study=STUDY, space=SPACE, **changed):
    return build_sampler(settings(name, **changed), study, space, BASE, trials_before)


def next_point(sampler, infeasible):
    """The point that a seeded sampler gives after 13 trials of the left half and 11 infeasible ones of the right.

    Args:
        sampler: A copy of it is asked.
        infeasible: State that those of the right are told with.
    """
    study = optuna.create_study(sampler=copy.deepcopy(sampler))
    for number in range(24):
        x, y = number * 11 % 24 / 24, number * 7 % 24 / 24
        study.enqueue_trial({"x": x, "y": y})
        trial = study.ask(UNIT)
        assert trial.relative_params is not None  # Asked for, so that a sampler may note what it would have given.
        trial.set_constraint("miss", x - 0.5)
        state = TrialState.COMPLETE if x <= 0.5 else infeasible
        study.tell(trial, values=1 - min(x, 0.5) if state is TrialState.COMPLETE else None, state=state)
    return study.ask(UNIT).params


@pytest.mark.parametrize("name", [name for name in SHIPPED if name not in ("grid", "factored")])
def test_a_sampler_is_told_what_it_learns_from(name):
    """It ignores PRUNED trials exactly when they change nothing, and as COMPLETE ones they would.

    The factored one searches its own space alone: factored/test_sampler.py.
    """
    # So few that most of the trials count.
    changed = {"nsgaii": {"population_size": 6}, "nsgaiii": {"population_size": 6}, "gp": {"n_startup_trials": 12}}
    sampler, _ = build(name, **changed.get(name, {}))
    failed, pruned, complete = (
        next_point(sampler, state) for state in (TrialState.FAIL, TrialState.PRUNED, TrialState.COMPLETE)
    )
    assert ignores_pruned(sampler) == (pruned == failed and complete != failed)


def test_a_restart_draws_anew_and_a_given_seed_wins():
    def drawn(sampler):
        return [optuna.create_study(sampler=sampler).ask(UNIT).params]

    assert drawn(build("random")[0]) == drawn(build("random")[0])
    assert drawn(build("random")[0]) != drawn(build("random", trials_before=2)[0])
    assert drawn(build("random", seed=5)[0]) == drawn(build("random", trials_before=2, seed=5)[0])


def test_the_grouped_one_draws_a_quarter_at_random_and_at_least_four():
    assert settings("grouped_tpe").n_startup_trials is None
    sampler, size = build("grouped_tpe")
    assert sampler._n_startup_trials == 4
    assert size.at_most(10**6) == 10**6
    long, _ = build_sampler(settings("grouped_tpe"), StudyConfig(name="s", n_trials=80), SPACE, BASE, 0)
    assert long._n_startup_trials == 20


@pytest.mark.parametrize("restarts", [(), (6,), (1, 6, 14)])
def test_a_grid_has_as_many_trials_as_combinations_and_each_once(restarts):
    """Whenever its process is killed and another goes on."""
    sampler, size = build("grid")
    assert (size.at_most(100), size.at_most(3)) == (15, 3)
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, sampler=sampler)
    study_id = storage.get_study_id_from_name(study.study_name)
    drawn = []
    for number in range(15):
        if number in restarts:
            sampler, _ = build("grid", trials_before=number)
            study.sampler = sampler
        trial = study.ask()
        drawn.append(tuple(SPACE.suggest(trial, BASE).values()))
        trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, number)
        storage.set_trial_state_values(trial_id, TrialState.COMPLETE, [0.0])
    assert sorted(drawn) == [(x, y) for x in (1, 2, 3) for y in (0.0, 0.1, 0.2, 0.3, 0.4)]
    assert isinstance(sampler, optuna.samplers.GridSampler)
    assert not isinstance(sampler, functools.partial)


@pytest.mark.parametrize(
    ("space", "told"),
    [
        ({"x": "choice(1,2)", "y": "choice(1,2) if x=1"}, "y depends on x, which is searched too"),
        ({"x": "interval(0,1)"}, "a grid takes discrete values alone; use choice"),
        ({"x": "range(0,1,1e-9)"}, r"x: range\(0,1,1e-9\): it holds 1,000,000,000 values"),
        (dict.fromkeys("xyz", "range(1000)"), "the grid has 1,000,000,000 combinations, more than 1,000,000"),
    ],
)
def test_a_space_without_a_grid_is_refused_in_one_line(space, told):
    with pytest.raises(InvalidConfig, match=told) as refused:
        build_grid(parse_space(space, []), BASE)
    assert "\n" not in str(refused.value)


def with_objectives(count):
    objectives = [ObjectiveConfig(name=f"o{number}", direction="maximize") for number in range(count)]
    return StudyConfig(name="s", objectives=objectives)


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("count", [1, 3])
def test_a_sampler_is_refused_before_the_first_trial_exactly_when_it_can_t_search(name, count):
    sampler, _ = build(name, study=with_objectives(count))
    if name == "cmaes" and count == 3:
        with pytest.raises(InvalidConfig, match="CmaEsSampler can't search this space with 3 objectives") as told:
            check_sampler(sampler, with_objectives(count), SPACE, BASE)
        assert "\n" not in str(told.value)
    else:
        check_sampler(sampler, with_objectives(count), SPACE, BASE)


def test_a_grid_of_one_combination_and_conditional_keys_are_searched():
    one, _ = build_sampler(settings("grid"), STUDY, parse_space({"x": "choice(1)"}, []), BASE, 0)
    check_sampler(one, with_objectives(2), parse_space({"x": "choice(1)"}, []), BASE)
    for name in (name for name in SHIPPED if name not in ("grid", "cmaes")):
        sampler, _ = build(name, study=with_objectives(2), space=CONDITIONAL)
        check_sampler(sampler, with_objectives(2), CONDITIONAL, BASE)


def test_what_learns_from_whole_trials_is_shown_whole_ones_where_keys_are_conditional():
    whole = {name for name in SHIPPED if name != "grid" and isinstance(build(name, space=CONDITIONAL)[0], WithEveryKey)}
    assert whole == {"gp", "nsgaii", "nsgaiii"}
    assert all(ignores_pruned(build(name, space=CONDITIONAL)[0]) for name in whole)
    assert not isinstance(build("gp")[0], WithEveryKey)
    on_what_is_fixed = parse_space({"x": "choice(1,2)", "y": "choice(1,2) if task.loss=ce"}, [])
    assert not isinstance(build("gp", space=on_what_is_fixed)[0], WithEveryKey)


def test_a_sampler_without_its_package_names_it(monkeypatch):
    class Lacking(optuna.samplers.RandomSampler):
        def sample_relative(self, *_):
            raise ImportError("Tried to import 'cmaes' but failed.\nInstall it.")

    with pytest.raises(InvalidConfig, match="Lacking lacks a package: Tried to import 'cmaes' but failed") as told:
        check_sampler(Lacking(), with_objectives(1), SPACE, BASE)
    assert "\n" not in str(told.value)
