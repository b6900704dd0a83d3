"""Trials as they run, in processes of their own: what they save is what they had evaluated."""

from types import SimpleNamespace

import pytest
import torch

from terrasweep import process
from terrasweep.models.trained_weights import restore
from terrasweep.process.parent import Limits
from terrasweep.trial import after_measuring
from tests.composing import compose_trial
from tests.trials import TWO_STEPS
from tests.unit.models.trained import CPU, outputs

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("products_in_32_bits")]

TINY = ("decoder=unet", *TWO_STEPS, "train.device=cpu", "train.lr=0.05")


@pytest.fixture
def measured(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))

    def run(*overrides, task="measure_and_look"):
        config = compose_trial(*TINY, *overrides)
        folder = tmp_path / "trial"
        folder.mkdir()
        arguments = {"home": str(tmp_path), "config": config, "folder": folder}
        outcome = process.run(f"tests.unit.models.trained:{task}", arguments, folder / "log.txt", Limits(timeout_s=300))
        assert outcome.error is None, (folder / "log.txt").read_text()
        assert outcome.reported["measured"]
        return config, folder, (folder / "log.txt").read_text()

    return run


@pytest.mark.parametrize(
    "knobs",
    [
        ("offload=parameters", "tuning.targets=qv", "quantization=nf4"),
        ("offload=parameters", "tuning=full"),
        ("offload=optimizer", "tuning.use_dora=true", "checkpointing=blocks"),
        ("quantization=nf4", "tuning.targets=mlp", "precision=bf16"),
        ("offload=parameters", "tuning.unfreeze_last=1", "tuning.frozen_dtype=bf16", "tuning.use_dora=true"),
        ("offload=optimizer", "tuning.targets=qv", "tuning.frozen_dtype=bf16", "precision=bf16"),
        ("quantization=int8", "tuning=frozen", "precision=bf16", "checkpointing=blocks"),
        ("tuning.initialisation=pissa", "offload=parameters"),
        ("tuning.initialisation=loftq", "quantization=nf4", "precision=bf16", "tuning.rank=2"),
        ("tuning.initialisation=eva", "quantization=nf4", "offload=optimizer"),
    ],
)
def test_a_trial_that_ran_predicts_the_same_again(measured, knobs):
    config, folder, log = measured(*knobs)
    assert "not saved" not in log
    if config.tuning.frozen_dtype == "bf16":
        assert "torch.bfloat16" in (folder / "types.txt").read_text().split(), "as stored, also after DeepSpeed"
    assert {path.name for path in folder.iterdir()} >= {"weights", "log.txt"}
    expected = torch.load(folder / "outputs.pt")
    found = outputs(restore(folder, config, CPU).module, config.precision.name)
    if config.offload.name == "parameters":
        # Where ZeRO-3 has laid the parameters in memory decides how 32-bit products are summed up.
        assert float((found - expected).norm() / expected.norm()) < 1e-5, expected.abs().max()
    else:
        assert torch.equal(found, expected)


def test_a_full_disk_costs_the_weights_alone(measured):
    _, folder, log = measured("tuning=frozen", task="measure_on_a_full_disk")
    assert "the weights are not saved: OSError: No space left on device" in log
    assert not any("weights" in path.name for path in folder.iterdir())


@pytest.mark.parametrize("knob", ["train.save_weights=false", "study.keep_weights=none"])
def test_weights_that_nobody_wants_are_not_written(measured, knob):
    _, folder, _ = measured("tuning=frozen", knob)
    assert not any("weights" in path.name for path in folder.iterdir())


def test_weights_that_could_not_be_written_are_told(monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    told = {}
    monkeypatch.setattr(after_measuring, "save_weights", full)
    after_measuring.save(
        lambda **content: told.update(content), tmp_path, SimpleNamespace(), SimpleNamespace(num_classes=2)
    )
    assert told == {"remarks": {"weights": "its weights are not saved: OSError: [Errno 28] No space left on device"}}


@pytest.mark.parametrize(
    ("part", "take", "told"),
    [
        (
            "plan_metrics",
            lambda report: after_measuring.report_plan(report, SimpleNamespace(), CPU),  # type: ignore[arg-type]
            "the ZeRO estimates are absent",
        ),
        (
            "_flops",
            lambda report: after_measuring.report_flops(report, None, SimpleNamespace(), CPU),  # type: ignore[arg-type]
            "flops_per_step is absent",
        ),
    ],
)
def test_an_extra_that_fails_costs_itself_and_is_told_in_the_log(monkeypatch, capsys, part, take, told):
    reported = []

    def fail(*_):
        raise ImportError("no such symbol")

    monkeypatch.setattr(after_measuring, part, fail)
    take(lambda **content: reported.append(content))
    assert reported == []
    assert capsys.readouterr().out == f"{told}: ImportError: no such symbol\n"
    monkeypatch.setattr(after_measuring, part, lambda *_: {"x": 1})
    take(lambda **content: reported.append(content))
    assert reported in ([{"plan": {"x": 1}}], [{"measurements": {"x": 1}}])
