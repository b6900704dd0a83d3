"""Pretrains the quickstart's backbone on the second synthetic domain, so that there is something to adapt."""

from __future__ import annotations

import lightning.pytorch as pl
from safetensors.torch import save_file

from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.root_folders import synthetic_root
from terrasweep.data.open.folders import open_data
from terrasweep.data.prepare import prepare_data
from terrasweep.machine.arithmetic import set_arithmetic
from terrasweep.machine.device import select_device
from terrasweep.machine.files import draft_file
from terrasweep.models.assemble import build_model
from terrasweep.models.pretrained import synthetic
from terrasweep.training.tasks import build_task
from terrasweep.training.trainer import StepClock, build_trainer, fit


def pretrain(config: TrialConfig) -> None:
    """Train all parameters on the source domain and store the backbone's weights, all or nothing."""
    source = synthetic.source_config(config)
    prepare_data(source)
    pl.seed_everything(source.train.seed, workers=True, verbose=False)
    device = select_device(source.train.device)
    data = open_data(source)
    set_arithmetic(source.precision.matmul)
    model = build_model(source, data.num_classes, device)
    clock = StepClock([], device)
    trainer = build_trainer(source, device, [clock], model, data, synthetic_root())
    fit(trainer, build_task(source, model, data), data, clock)
    state = model.module.get_submodule("encoder").state_dict()
    weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    with draft_file(synthetic.pretrained_file(config)) as draft:
        save_file(weights, draft)
