"""What a trial has learnt is saved, loaded and merged without a change in what it predicts."""

import json
import os
from dataclasses import replace

import pytest
import torch
import yaml
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import nn

from terrasweep.machine.paths import WEIGHTS
from terrasweep.models import trained_weights
from terrasweep.models.trained_weights import load_backbone, load_trial, restore, save_weights
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial
from tests.unit.models.trained import CLASSES, CPU, images, outputs

pytestmark = pytest.mark.usefixtures("products_in_32_bits")
LORA = ("tuning.rank=4", "tuning.targets=attention_mlp")


@pytest.mark.parametrize("quantization", ["none", "int8", "nf4"])
@pytest.mark.parametrize(
    "tuning",
    [
        ("tuning.targets=qv",),
        LORA,
        (*LORA, "tuning.use_dora=true"),
        (*LORA, "tuning.use_rslora=true", "tuning.dropout=0.1", "checkpointing=blocks", "offload=activations"),
        ("tuning=frozen",),
        ("tuning=frozen", "tuning.frozen_dtype=bf16", "tuning.unfreeze_last=1"),
        ("tuning.targets=qv", "tuning.frozen_dtype=bf16", "tuning.unfreeze_last=2", "checkpointing=blocks"),
    ],
)
def test_a_trial_that_was_saved_predicts_the_same(trained, tmp_path, quantization, tuning):
    _, model = trained(f"quantization={quantization}", *tuning)
    assert torch.equal(outputs(load_trial(tmp_path)), outputs(model.module))


PISSA, LOFTQ, EVA = (f"tuning.initialisation={start}" for start in ("pissa", "loftq", "eva"))


@pytest.mark.parametrize(
    ("quantization", "tuning"),
    [
        ("none", ("tuning.targets=qv", PISSA)),
        ("int8", (*LORA, PISSA)),
        ("nf4", (*LORA, PISSA, "tuning.use_dora=true")),
        ("int8", (*LORA, LOFTQ)),
        ("nf4", ("tuning.targets=qv", LOFTQ, "checkpointing=blocks")),
        ("fp4", (*LORA, LOFTQ, "tuning.use_rslora=true")),
        ("none", (*LORA, EVA)),
        ("nf4", ("tuning.targets=qv", EVA)),
        ("none", (*LORA, PISSA, "tuning.frozen_dtype=bf16", "tuning.unfreeze_last=1")),
        ("nf4", (*LORA, LOFTQ, "tuning.frozen_dtype=bf16", "tuning.unfreeze_last=1")),
    ],
)
def test_wherever_adapters_started_a_trial_that_was_saved_predicts_the_same(trained, tmp_path, quantization, tuning):
    _, model = trained(f"quantization={quantization}", *tuning)
    assert torch.equal(outputs(load_trial(tmp_path)), outputs(model.module))


@pytest.mark.parametrize(
    "tuning", [("quantization=none", PISSA), ("quantization=nf4", LOFTQ), ("quantization=nf4", PISSA)]
)
def test_peft_loads_an_adapter_that_holds_a_part_of_the_weights_onto_what_is_left_of_them(trained, tmp_path, tuning):
    _, model = trained(*LORA, *tuning)
    adapted = PeftModel.from_pretrained(load_backbone(tmp_path), str(tmp_path / "weights" / "adapter")).eval()
    with torch.no_grad():
        expected, loaded = model.module.encoder.eval()(images())[-1], adapted(images())[-1]
    assert float((loaded - expected).norm() / expected.norm()) < 1e-5


def test_layers_that_nothing_was_taken_out_of_come_back_as_they_were(trained, tmp_path):
    """LoftQ starts beside quantized layers alone; the one that is skipped starts as by default."""
    _, model = trained("quantization=nf4", "quantization.skip=[blocks.0.attn.proj]", *LORA, LOFTQ)
    taken_out = load_file(tmp_path / "weights" / "taken_out.safetensors")
    assert taken_out
    assert not any("blocks.0.attn.proj" in name for name in taken_out)
    assert torch.equal(outputs(load_trial(tmp_path)), outputs(model.module))


def test_what_adapters_took_out_of_the_weights_has_to_be_there(trained, tmp_path):
    trained("quantization=nf4", PISSA)
    (tmp_path / "weights" / "taken_out.safetensors").unlink()
    with pytest.raises(InvalidConfig, match=r"taken_out\.safetensors: without it the weights that adapters stand on"):
        load_trial(tmp_path)


def test_another_backbone_below_adapters_that_hold_a_part_of_it_is_noticed(trained, tmp_path):
    config, _ = trained("quantization=none", PISSA)
    other = replace(config, train=replace(config.train, seed=config.train.seed + 1))
    with pytest.raises(InvalidConfig, match=r"backbone=prithvi_eo_tiny: its weights from seed 1 are not those"):
        restore(tmp_path, other, CPU)


def test_trials_of_before_there_was_a_choice_of_starts_are_read(trained, tmp_path):
    _, model = trained("quantization=nf4", *LORA)
    stored = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert stored["tuning"].pop("initialisation") == "default"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(stored))
    assert not (tmp_path / "weights" / "taken_out.safetensors").exists()
    assert torch.equal(outputs(load_trial(tmp_path)), outputs(model.module))


@pytest.mark.parametrize("backbone", ["prithvi_eo_v2_tiny_tl", "terramind_v1_tiny", "timm_vit_tiny_patch16_224"])
def test_every_backbone_comes_back(trained, tmp_path, backbone):
    _, model = trained(f"backbone={backbone}", "quantization=nf4", "tuning.targets=qv")
    assert torch.equal(outputs(load_trial(tmp_path)), outputs(model.module))


def test_full_tuning_stores_the_backbone(trained, tmp_path):
    _, model = trained("tuning=full", "checkpointing=blocks")
    assert torch.equal(outputs(load_trial(tmp_path)), outputs(model.module))
    assert not (tmp_path / "weights" / "adapter").exists()


def test_layers_that_a_calibration_chose_are_not_chosen_again(trained, tmp_path):
    _, model = trained("quantization=nf4", "quantization.skip=auto", "quantization.skip_count=3")
    record = json.loads((tmp_path / "weights" / "weights.json").read_text())
    assert record["quantized"] == model.touched["quantized"]
    assert len(record["quantized"]) == 16 - 3
    assert torch.equal(outputs(load_trial(tmp_path)), outputs(model.module))


def test_statistics_of_batches_are_stored(trained, tmp_path):
    trained("tuning=frozen")
    stored = load_file(tmp_path / "weights" / "trained.safetensors")
    counts = [tensor for name, tensor in stored.items() if name.endswith("num_batches_tracked")]
    assert counts
    assert all(int(count) > 0 for count in counts)


def test_a_low_bit_backbone_is_not_stored(trained, tmp_path):
    _, model = trained("quantization=nf4", *LORA)
    size = sum(file.stat().st_size for file in (tmp_path / "weights").rglob("*.safetensors"))
    learnt = 4 * sum(p.numel() for p in model.module.parameters() if p.requires_grad)
    assert size < 1.2 * learnt


@pytest.mark.parametrize("tuning", [("tuning.targets=qv",), LORA, (*LORA, "tuning.use_dora=true")])
def test_peft_itself_loads_the_adapter(trained, tmp_path, tuning):
    _, model = trained("checkpointing=blocks", *tuning)
    adapted = PeftModel.from_pretrained(load_backbone(tmp_path), str(tmp_path / "weights" / "adapter")).eval()
    with torch.no_grad():
        expected, loaded = model.module.encoder.eval()(images()), adapted(images())
    assert all(torch.equal(a, b) for a, b in zip(expected, loaded, strict=True))


@pytest.mark.parametrize("more", [("tuning.frozen_dtype=bf16",), ("tuning.unfreeze_last=1",)])
def test_peft_loads_it_on_rounded_weights_and_learnt_blocks(trained, tmp_path, more):
    _, model = trained("tuning.targets=qv", *more)
    adapted = PeftModel.from_pretrained(load_backbone(tmp_path), str(tmp_path / "weights" / "adapter")).eval()
    assert {p.dtype for p in adapted.parameters()} == {torch.float32}
    with torch.no_grad():
        expected, loaded = model.module.encoder.eval()(images()), adapted(images())
    assert all(torch.equal(a, b) for a, b in zip(expected, loaded, strict=True))


def test_blocks_that_learn_are_stored_and_the_rest_is_not(trained, tmp_path):
    _, model = trained("tuning=frozen", "tuning.unfreeze_last=1", "tuning.frozen_dtype=bf16")
    stored = load_file(tmp_path / "weights" / "trained.safetensors")
    learnt = {name for name, p in model.module.encoder.named_parameters() if p.requires_grad}
    assert learnt
    assert {name for name, _ in model.module.encoder.named_parameters() if f"encoder.{name}" in stored} == learnt
    assert all(tensor.dtype is not torch.bfloat16 for tensor in stored.values())


def test_another_backbone_is_noticed(trained, tmp_path):
    config, _ = trained("quantization=int8")
    other = replace(config, train=replace(config.train, seed=config.train.seed + 1))
    with pytest.raises(InvalidConfig, match=r"backbone=prithvi_eo_tiny: its weights from seed 1 are not those"):
        restore(tmp_path, other, CPU)


def test_learnt_blocks_of_another_backbone_are_noticed(trained, tmp_path):
    trained("tuning.targets=qv", "tuning.unfreeze_last=1")
    file = tmp_path / "weights" / "trained.safetensors"
    stored = load_file(file)
    name = next(name for name in stored if name.startswith("encoder.blocks."))
    save_file({**stored, f"{name}_of_another": torch.zeros(1)}, file)
    with pytest.raises(InvalidConfig, match=r"tuning\.unfreeze_last: the stored blocks are another backbone's"):
        load_backbone(tmp_path)


def test_another_decoder_is_noticed(trained, tmp_path):
    trained("tuning=frozen")
    with pytest.raises(InvalidConfig, match="it is for another model"):
        restore(tmp_path, compose_trial("tuning=frozen", "decoder=linear"), CPU)


def test_other_targets_are_noticed(trained, tmp_path):
    trained("tuning.targets=attention")
    with pytest.raises(InvalidConfig, match=r"tuning\.targets: the stored adapter is for other layers"):
        restore(tmp_path, compose_trial("decoder=unet", "tuning.targets=mlp"), CPU)


def test_weights_that_can_not_be_written_leave_the_older_ones(trained, tmp_path, monkeypatch):
    _, model = trained("tuning=frozen")
    before = {path: path.read_bytes() for path in (tmp_path / "weights").rglob("*") if path.is_file()}

    def fail(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(trained_weights, "frozen_checksum", fail)
    with pytest.raises(OSError, match="no space"):
        save_weights(tmp_path, model, CLASSES)
    assert {path: path.read_bytes() for path in (tmp_path / "weights").rglob("*") if path.is_file()} == before
    assert {path.name for path in tmp_path.iterdir()} == {"config.yaml", "weights"}


def test_whoever_may_read_the_results_may_read_the_weights(trained, tmp_path):
    before = os.umask(0o022)
    try:
        trained(*LORA)
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / WEIGHTS).rglob("*") if path.is_file()}
    assert modes == {0o644}


def test_an_adapter_of_which_peft_leaves_something_out_is_not_saved(tmp_path, monkeypatch):
    adapter = nn.ModuleDict({name: nn.Linear(2, 2, bias=False) for name in ("lora_A", "lora_B")})
    monkeypatch.setattr(trained_weights, "get_peft_model_state_dict", lambda *_, **__: {"lora_A.weight": torch.ones(2)})
    with pytest.raises(RuntimeError, match="PEFT gives 1 of the adapter's 2 tensors"):
        trained_weights._save_adapter(tmp_path / "adapter", nn.ModuleDict({"q": adapter}))
    assert not (tmp_path / "adapter").exists()
