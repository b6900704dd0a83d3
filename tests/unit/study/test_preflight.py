"""What is checked before a study starts."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf.errors import OmegaConfBaseException

from terrasweep.results.errors import InvalidConfig
from terrasweep.study import preflight
from terrasweep.study.search_space import parse_space
from tests.composing import compose_all

MANY = 5000


class Composer:
    """Composes as a sweep does, and counts."""

    def __init__(self):
        self.composed = []

    def __call__(self, searched):
        self.composed.append(searched)
        return compose_all(["backbone.checkpoint=null", *searched])


@pytest.fixture
def composer():
    return Composer()


def test_thousands_of_choices_are_all_checked_and_few_composed(composer):
    good = ",".join(str(n) for n in range(1, MANY))
    space = parse_space({}, [f"tuning.rank=choice({good},-7)"])
    with pytest.raises(InvalidConfig, match=r"^tuning.rank=-7: .*at least 1") as refused:
        preflight.check_space(space, composer)
    assert len(str(refused.value).splitlines()) == 1
    assert len(composer.composed) <= 60


def test_a_last_choice_of_another_type_is_found(composer):
    numbers = ",".join(str(n) for n in range(1, 100))
    with pytest.raises(OmegaConfBaseException, match="could not be converted"):
        preflight.check_space(parse_space({}, [f"train.batch_size=choice({numbers},many)"]), composer)


def test_thousands_of_bad_choices_are_not_all_told(composer):
    space = parse_space({}, [f"tuning.rank=choice({','.join(str(-n) for n in range(1, MANY))})"])
    with pytest.raises(InvalidConfig) as refused:
        preflight.check_space(space, composer)
    assert 1 < len(str(refused.value).splitlines()) <= 30


def test_texts_and_lists_reach_the_configuration_as_they_are(composer):
    files = [f"/w/epoch={n}-step=10.ckpt" for n in range(40)]
    quoted = ",".join(f"'{file}'" for file in files)
    told = "backbone.checkpoint=/w/epoch={}-step=10.ckpt: "
    with pytest.raises(InvalidConfig) as refused:
        preflight.check_space(parse_space({}, [f"backbone.checkpoint=choice({quoted})"]), composer)
    lines = str(refused.value).splitlines()
    assert [line for line in lines if line.startswith(told.format(0))], lines
    assert OverridesParser.create().parse_override(composer.composed[1][0]).value() == files[0]
