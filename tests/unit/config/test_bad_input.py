"""Whatever refuses the command line, a person reads a line with the key, the reason and a way out."""

import pytest
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import OmegaConfBaseException

from terrasweep.config.bad_input import BAD_INPUT, describe_bad_input
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial


def refused(*overrides):
    """What Hydra or OmegaConf really raise, as lines."""
    with pytest.raises(BAD_INPUT) as error:
        compose_trial(*overrides)
    return describe_bad_input(error.value)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("backbone=prithvi_eo_tinny", "backbone=prithvi_eo_tinny: not found; did you mean prithvi_eo_tiny?"),
        ("decoder=zzz", "decoder=zzz: not found; there are: fcn, "),
        ("hydra/sweeper/sampler=gridd", "hydra/sweeper/sampler=gridd: not found; did you mean grid?"),
        ("train.lr=abc", "train.lr: Value 'abc' of type 'str' could not be converted to Float; give a number"),
        ("confirm.rounds=x", "confirm.rounds: Value 'x' of type 'str' could not be converted to Integer; give a whole"),
        ("study.stop_dominated=maybe", "study.stop_dominated: Value 'maybe' is not a valid bool (type str); give true"),
        (
            "reuse.studies=nosuch",
            "reuse.studies: Invalid value assigned: str is not a ListConfig, TupleConfig, list, or",
        ),
        ("study.pruner=median", "study.pruner: Key 'pruner' not in 'StudyConfig'; docs/studies.md and docs/knobs.md"),
        ("train.lrr=3", "train.lrr"),
        ("nonsense", "nonsense"),
    ],
)
def test_what_hydra_refuses_is_one_line_with_the_key(override, told):
    (line,) = refused(override)
    assert told in line
    assert "\n" not in line


def test_every_line_of_a_configuration_s_mistakes_is_kept():
    assert describe_bad_input(InvalidConfig("a=1: wrong; use 2\nb=3: wrong; use 4")) == [
        *("a=1: wrong; use 2", "b=3: wrong; use 4"),
    ]


@pytest.mark.parametrize("error", [HydraException(), HydraException("\n\n"), OmegaConfBaseException("\n")])
def test_an_error_that_says_nothing_is_told_by_its_name(error):
    (line,) = describe_bad_input(error)
    assert type(error).__name__ in line
    assert not line.startswith(":")


def test_a_missing_file_that_is_no_option_of_a_group_is_told_too():
    (line,) = describe_bad_input(MissingConfigException("Cannot find primary config 'x'.\n\nSearch path:", "x"))
    assert line == "Cannot find primary config 'x'. Search path:"
