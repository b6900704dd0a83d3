"""Pretrains the quickstart's backbone on the second synthetic domain, so that there is something to adapt."""

from __future__ import annotations

import os

import lightning.pytorch as pl
import torch
from safetensors.torch import save_file

from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.root_folders import synthetic_root
from terrasweep.data.open.folders import open_data
from terrasweep.data.prepare import prepare_data
from terrasweep.models.assemble import build_model
from terrasweep.models.pretrained import synthetic
from terrasweep.training.tasks import build_task
from terrasweep.training.trainer import StepClock, build_trainer, fit


def pretrain(config: TrialConfig) -> None:
    """Train all parameters on the source domain and store the backbone's weights, all or nothing."""
    source = synthetic.source_config(config)
    prepare_data(source)
    pl.seed_everything(source.train.seed, workers=True, verbose=False)
    device = (
        torch.device("cuda", 0) if torch.cuda.is_available() and source.train.device != "cpu" else torch.device("cpu")
    )
    data = open_data(source)
    model = build_model(source, data.num_classes, device)
    clock = StepClock([], device)
    trainer = build_trainer(source, device, [clock], model, synthetic_root())
    fit(trainer, build_task(source, model, data), data, clock)
    state = model.module.get_submodule("encoder").state_dict()
    weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    target = synthetic.pretrained_file(config)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    save_file(weights, draft)
    os.replace(draft, target)
