"""A step on samples of several dates: trained, evaluated and counted, and dependent on when the dates are."""

import pytest
import torch

from terrasweep.data import files_state, stored
from terrasweep.data.open.folders import open_data
from terrasweep.data.prepare import prepare_data
from terrasweep.measure.flops import FLOPS_PER_STEP
from terrasweep.models.assemble import build_model
from terrasweep.training.tasks import build_task
from terrasweep.trial.after_measuring import report_flops
from tests.composing import compose_trial
from tests.unit.data.series import write_places

CPU = torch.device("cpu")


@pytest.fixture
def trial(tmp_path, monkeypatch):
    """A function: the data, the model and the task of a folder with a file per date."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    write_places(tmp_path / "places", "files")

    def make(*overrides):
        files_state.state_below.cache_clear()
        config = stored.located(
            compose_trial(
                *("data=segmentation_folder", f"data.root={tmp_path / 'places'}", "data.split.by=fraction"),
                *("data.frames=3", "decoder=linear", "tuning=full", "train.batch_size=2", *overrides),
            )
        )
        prepare_data(config)
        config = stored.complete(config)
        data = open_data(config)
        torch.manual_seed(0)
        task = build_task(config, build_model(config, data.num_classes, CPU), data)
        task.log = lambda *_, **__: None
        return data, task

    return make


@pytest.mark.parametrize("backbone", ["prithvi_eo_tiny", "prithvi_eo_v2_tiny_tl"])
def test_a_step_learns_and_knows_the_order_of_the_dates(trial, backbone):
    data, task = trial(f"backbone={backbone}")
    batch = data.training_batch(CPU)
    optimizer = torch.optim.AdamW(task.parameters(), 1e-3)
    before = task.training_step(batch, 0)
    before.backward()
    assert all(p.grad is not None for name, p in task.named_parameters() if "blocks" in name)
    optimizer.step()
    task.eval()
    with torch.no_grad():
        forward = task.training_step(batch, 0)
        turned = task.training_step(batch | {"image": batch["image"].flip(2)}, 0)
    assert forward < before
    assert not torch.isclose(forward, turned, rtol=1e-4)


@pytest.mark.parametrize("key", ["temporal_coords", "location_coords"])
def test_what_prithvi_tl_is_told_bears_on_its_loss(trial, key):
    data, task = trial("backbone=prithvi_eo_v2_tiny_tl")
    batch = data.validation_batch(CPU)
    task.eval()
    with torch.no_grad():
        told = task.training_step(batch, 0)
        untold = task.training_step({name: value for name, value in batch.items() if name != key}, 0)
    assert not torch.isclose(told, untold, rtol=1e-6)


def test_flops_are_counted_with_all_dates(trial):
    counted = {}

    def report(*, measurements):
        counted[len(counted)] = measurements[FLOPS_PER_STEP.name]

    for overrides in (
        ["backbone=prithvi_eo_v2_tiny_tl"],
        ["backbone=timm_vit_tiny_patch16_224", "data.frames_for_one_date=mean"],
    ):
        data, task = trial(*overrides)
        report_flops(report, task, data, CPU)
    assert counted[0] > 2 * counted[1] > 0
