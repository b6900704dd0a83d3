"""When an export is refused, and what it says of the data; tests/integration runs what it writes."""

from dataclasses import replace

import pytest
import torch

from terrasweep.export import in_child
from terrasweep.results.errors import Crashed
from tests.composing import compose_trial


def compared(difference, *overrides):
    """What is reported of outputs that differ by so much, relative to a norm of 5."""
    reported = {}
    expected = torch.tensor([3.0, 4.0])
    actual = expected + torch.tensor([5.0 * difference, 0.0])
    in_child._compare(reported.update, compose_trial(*overrides), expected, actual)
    return reported["difference"]


def test_an_export_whose_outputs_differ_by_more_than_rounding_is_refused():
    assert compared(0.0) == 0.0
    assert compared(in_child.TOLERANCE / 2) == pytest.approx(in_child.TOLERANCE / 2, rel=1e-3)
    for wrong in (2 * in_child.TOLERANCE, float("nan")):
        with pytest.raises(Crashed, match="outputs differ from the trial's by"):
            compared(wrong)


def test_layers_that_round_their_inputs_may_differ_and_that_is_reported():
    assert compared(0.25, "quantization=int8") == pytest.approx(0.25)


def test_a_datamodule_of_the_user_s_is_named_with_what_it_was_built_with(monkeypatch):
    monkeypatch.setattr(in_child.public, "built_with", lambda config: {"root": config.data.root})
    config = compose_trial()
    config = replace(config, data=replace(config.data, datamodule="fields.module.Fields", root="/fields"))
    assert in_child._datamodule(config, None) == {
        "class_path": "fields.module.Fields",
        "init_args": {"root": "/fields"},
    }
