"""Ranges become the distributions that hydra-optuna-sweeper would make of them: stored studies go on."""

import random
from importlib.metadata import version

import hydra_plugins.hydra_optuna_sweeper._impl as theirs
import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from terrasweep.study.ranges import grid_values, read_meanings, read_range, suggest

PARSER = OverridesParser.create()
RANGES = (
    *("choice(a,b)", "choice(true,2.5)", "choice([1,2],3)", "a,b", "float(choice(1,2))", "str(choice(1,2))"),
    *("range(5)", "range(1,5)", "range(5,1,-1)", "range(1,6,2)", "range(0,1,0.1)", "range(1,0,-0.25)"),
    *("range(0.0,1.0,0.3)", "range(1.0,2.0,0.3333333333333333333)", "range(1e-3,1e-2,1e-3)", "range(2.5,2.6,1)"),
    *("sort(3,1,2)", "sort(range(1,6,2),reverse=true)", "shuffle(range(1,5))", "float(range(1,4))"),
    *("interval(1,5)", "int(interval(1,5))", "interval(0.1,5)", "tag(log,interval(1e-5,1e-3))"),
    "tag(log,int(interval(1,64)))",
)
BAD = ("range(5,5)", "range(1,2,0)", "range(1.0,0.5,0.1)", "glob(*)", "interval(5,1)", "tag(log,interval(0,3))")


def parse(text):
    return PARSER.parse_override(f"key={text}")


def same_as_theirs(text):
    random.seed(0)
    expected = theirs.create_optuna_distribution_from_override(parse(text))
    random.seed(0)
    found = read_range(parse(text))
    assert found == expected, f"hydra-optuna-sweeper {version('hydra-optuna-sweeper')} reads {text} otherwise"
    return found


@pytest.mark.parametrize("text", RANGES)
def test_a_range_is_the_distribution_that_hydra_optuna_sweeper_makes_of_it(text):
    same_as_theirs(text)


@given(st.integers(-99, 99), st.integers(-99, 99), st.integers(1, 30), st.integers(0, 3), st.booleans())
def test_every_range_of_decimals_is_the_same_and_so_is_its_grid(start, length, step, digits, falls):
    step, length = (-step, -abs(length) - 1) if falls else (step, abs(length) + 1)
    written = (f"{number / 10**digits:.{digits}f}" for number in (start, start + length, step))
    text = f"range({','.join(written)})"
    found = same_as_theirs(text)
    assert grid_values(found) == list(theirs.OptunaSweeperImpl._to_grid_sampler_choices(found))
    assert len(grid_values(found)) == -(-abs(length) // abs(step))


@pytest.mark.parametrize("text", BAD)
def test_what_can_t_be_searched_is_refused(text):
    with pytest.raises(ValueError, match=r"searched|no value|zero|low"):
        read_range(parse(text))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("range(1,2,1e-20)", "it holds 100,000,000,000,000,000,000 values|it holds 1e\\+20 values"),
        ("range(1,2,1e-310)", "it holds 1e\\+310 values"),
        ("shuffle(range(1,1000000))", "it holds 999,999 values, of which 10,000"),
        ("shuffle(range(0,1,1e-12))", "it holds 1,000,000,000,000 values"),
        ("range(1,inf)", "finite"),
        ("range(1,10,nan)", "finite"),
        ("range(1,1e999)", "finite"),
    ],
)
def test_a_range_that_can_t_be_listed_is_refused_before_it_is(text, told):
    with pytest.raises(ValueError, match=told):
        read_range(parse(text))


def test_one_of_many_steps_that_floats_can_tell_apart_is_searched_but_has_no_grid():
    fine = same_as_theirs("range(0,1,1e-9)")
    with pytest.raises(ValueError, match="1,000,000,000 values"):
        grid_values(fine)
    with pytest.raises(ValueError, match="10,001 values"):
        grid_values(IntDistribution(0, 10_000))
    assert len(grid_values(IntDistribution(1, 10_000))) == 10_000


@pytest.mark.parametrize(
    "distribution",
    [
        CategoricalDistribution([None, True, 3, "x"]),
        IntDistribution(1, 64, log=True),
        IntDistribution(2, 12, step=5),
        FloatDistribution(1e-5, 1e-3, log=True),
        FloatDistribution(0.0, 1.0),
        FloatDistribution(0.1, 0.7, step=0.2),
    ],
)
def test_a_suggestion_stores_the_very_distribution(distribution):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    value = suggest(study.ask(), "key", distribution)
    (stored,) = study.trials
    assert (stored.distributions, stored.params) == ({"key": distribution}, {"key": value})


def test_a_continuous_range_has_no_grid():
    with pytest.raises(ValueError, match="discrete"):
        grid_values(FloatDistribution(0, 1))


def test_lists_and_maps_among_choices_are_stored_as_text_and_mean_plain_values():
    override = parse("choice({a: 'x y', b: [1, 'z']}, [1, 2], 3)")
    meanings = read_meanings(override)
    assert list(meanings.values()) == [{"a": "x y", "b": [1, "z"]}, [1, 2]]
    assert list(read_range(override).choices) == [*meanings, 3]


def test_a_list_and_the_text_that_it_is_stored_as_can_t_both_be_choices():
    with pytest.raises(ValueError, match="can't both be choices"):
        read_meanings(parse("choice([1,2], '[1,2]')"))
