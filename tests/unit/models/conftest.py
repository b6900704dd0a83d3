"""A trial's model, trained and saved without a trainer around it."""

import pytest
import torch
import yaml

from terrasweep.config.compose import public_dict
from terrasweep.models.assemble import build_model
from terrasweep.models.trained_weights import save_weights
from tests.composing import compose_trial
from tests.unit.models.trained import CLASSES, CPU, images, train


@pytest.fixture
def trained(tmp_path):
    """Build as a trial does, train until every part of the model has changed, and save."""

    def run(*overrides):
        config = compose_trial("decoder=unet", *overrides)
        torch.manual_seed(config.train.seed)
        model = build_model(config, CLASSES, CPU, images(seed=3))
        train(model)
        save_weights(tmp_path, model, CLASSES)
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(public_dict(config)))
        return config, model

    return run
