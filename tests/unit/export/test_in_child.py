"""When an export is refused, and what it says of the data; tests/integration runs what it writes."""

from dataclasses import replace

import pytest
import torch

from terrasweep.data.prepare import prepare_data
from terrasweep.data.stored import complete
from terrasweep.export import in_child
from terrasweep.models.assemble import build_model
from terrasweep.models.trained_weights import save_weights
from terrasweep.results.errors import Crashed
from tests.composing import compose_trial
from tests.trials import TINY
from tests.unit.models.trained import CPU, images, train


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


STARTS = (
    ("none", "tuning.initialisation=pissa", "tuning.targets=qv"),
    ("nf4", "tuning.initialisation=loftq"),
    ("nf4", "tuning.initialisation=loftq", "tuning.use_dora=true"),
    ("nf4", "tuning.initialisation=eva"),
)
CROPS = 6
"""Of the synthetic tiles."""


@pytest.mark.slow
@pytest.mark.usefixtures("products_in_32_bits")
@pytest.mark.parametrize(("quantization", "tuning"), [(first, rest) for first, *rest in STARTS])
def test_wherever_adapters_started_the_export_computes_what_the_trial_did(home, tmp_path, quantization, tuning):
    trial = compose_trial(*TINY, "tuning.rank=4", "train.device=cpu", f"quantization={quantization}", *tuning)
    prepare_data(trial)
    config = complete(trial)
    torch.manual_seed(config.train.seed)
    model = build_model(config, CROPS, CPU, images(seed=3))
    train(model)
    save_weights(tmp_path, model, CROPS)
    draft, reported = tmp_path / "draft", {}
    draft.mkdir()
    in_child.write_exported(lambda **found: reported.update(found), config, tmp_path, draft, draft, "a trial")
    assert reported["difference"] < 1e-5
    names = torch.load(draft / "weights.ckpt", weights_only=True)["state_dict"]
    assert not [name for name in names if "lora" in name or "absmax" in name or "q_linear" in name]
    assert (draft / "config.yaml").is_file()
