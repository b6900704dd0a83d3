"""What Hydra would act on is no argument of a model or of data."""

import dataclasses

import pytest

from terrasweep.config.allowed_values import HYDRA_KEYS, find_bad_values
from tests.composing import compose_trial

PLACES = ["backbone.arguments", "decoder.arguments", "data.arguments"]


def lines(*overrides):
    return list(find_bad_values(compose_trial(*overrides)))


@pytest.mark.parametrize("key", HYDRA_KEYS)
@pytest.mark.parametrize("place", PLACES)
def test_a_key_of_hydra_s_own_is_one_line_that_names_it(place, key):
    (line,) = lines(f"{place}={{{key}: os.getcwd}}")
    assert line.startswith(f"{place}.{key}: it is Hydra's own")


def test_it_is_found_at_whatever_depth():
    (inner,) = lines("backbone.arguments={options: [{of: {_target_: os.getcwd}}]}")
    assert inner.startswith("backbone.arguments.options[0].of._target_: ")
    (neck,) = lines("neck.modules=[{name: SelectIndices, indices: [1]}, {_target_: os.getcwd}]")
    assert neck.startswith("neck.modules[1]._target_: ")


def test_arguments_like_it_are_left_alone():
    assert lines("backbone.arguments={target: x, _mine_: 1}", "data.arguments={args: [1], partial: true}") == []


def test_a_weights_file_that_is_longer_than_a_name_may_be_is_not_there():
    config = compose_trial()
    backbone = dataclasses.replace(config.backbone, checkpoint=300 * "x")
    (line,) = find_bad_values(dataclasses.replace(config, backbone=backbone))
    assert "there is no such file" in line
