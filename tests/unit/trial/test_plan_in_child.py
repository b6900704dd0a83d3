"""A plan looks at the checkpoint that lies here, and asks for none."""

from dataclasses import replace

import pytest
import torch
from terratorch.registry import BACKBONE_REGISTRY

from terrasweep.predict import in_child
from terrasweep.results.errors import InvalidConfig
from terrasweep.trial import plan_in_child
from tests.composing import compose_trial


@pytest.fixture
def planned(monkeypatch):
    configs = []
    monkeypatch.setattr(in_child, "plan", lambda report, config: configs.append(config))
    return configs


@pytest.fixture
def given(tmp_path):
    """Weights of the quickstart's backbone."""
    built = BACKBONE_REGISTRY.build("prithvi_eo_tiny", bands=["RED"], num_frames=1, img_size=32)
    torch.save(built.state_dict(), tmp_path / "tiny.pt")
    return f"backbone.checkpoint={tmp_path / 'tiny.pt'}"


def test_a_checkpoint_of_another_size_is_refused_and_one_that_fits_is_planned_with(planned, given):
    with pytest.raises(InvalidConfig, match=r"tiny\.pt: it does not fit the backbone") as refused:
        plan_in_child.plan(None, compose_trial("backbone=prithvi_eo_v2_tiny_tl", given))
    assert len(str(refused.value).splitlines()) == 1
    assert planned == []
    fitting = compose_trial(given)
    plan_in_child.plan(None, fitting)
    assert planned == [fitting]


def test_one_that_lies_elsewhere_is_not_asked_for(planned):
    config = compose_trial()
    elsewhere = replace(config, backbone=replace(config.backbone, checkpoint="/nowhere/weights.pt"))
    for any_config in (config, elsewhere):
        plan_in_child.plan(None, any_config)
    assert planned == [config, elsewhere]
