"""What a trial has learnt, on disk and back: the adapter in PEFT's format, and all else that changed beside it.

The frozen backbone is not stored. It is built again from where it came from, and quantized again: the state of a 4-bit
layer can't be loaded into another one. A checksum of its unquantized part tells whether it is still the same.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import nn

from terrasweep.config.compose import stored_trial_config
from terrasweep.config.knobs.tuning import CHANGE_WHAT_IS_FROZEN, TuningConfig
from terrasweep.config.outside_knobs import every_knob
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.files import draft_folder
from terrasweep.machine.paths import WEIGHTS
from terrasweep.models.assemble import BuiltModel, build_model, build_untransformed
from terrasweep.models.offload.zero import whole
from terrasweep.models.torch_internals import plain_name
from terrasweep.models.transforms.adapters import apply_tuning, split_fused
from terrasweep.models.transforms.frozen_storage import store_in_bf16, widen
from terrasweep.models.transforms.merge import unpack
from terrasweep.models.weights_record import RECORD, WeightsRecord, frozen_checksum, read_record, remade_layers
from terrasweep.results.errors import InvalidConfig

ADAPTER, TRAINED = "adapter", "trained.safetensors"
TAKEN_OUT = "taken_out.safetensors"
"""What the adapters' starts took out of the frozen backbone; without it that can't be made again."""
_PEFT_PREFIX = "base_model.model."
State = dict[str, torch.Tensor]


def save_weights(trial: Path, model: BuiltModel, num_classes: int) -> None:
    """Write what was trained to ``weights/`` below a trial's folder, which is there as a whole or not at all.

    Args:
        trial: The trial's folder.
        model: The model after its training; under ZeRO-3 its parameters may still be in parts.
        num_classes: That it was built for.
    """
    with draft_folder(trial / WEIGHTS) as draft:
        encoder: Any = model.module.encoder
        if "adapted" in model.touched:
            _save_adapter(draft / ADAPTER, encoder)
        save_file({n: _copy(t) for n, t in _own(model.module).items() if not _is_adapter(n)}, draft / TRAINED)
        record = WeightsRecord(
            num_classes=num_classes,
            split=model.touched.get("split", []),
            quantized=model.touched.get("quantized", []),
            base_sha256=frozen_checksum(encoder, remade_layers(model)),
        )
        if model.taken_out is not None:
            save_file({name: _copy(tensor) for name, tensor in model.taken_out.items()}, draft / TAKEN_OUT)
        (draft / RECORD).write_text(json.dumps(asdict(record), indent=2) + "\n")
        for file in draft.rglob("*.safetensors"):
            shutil.copymode(draft / RECORD, file)  # They were written for the owner alone.


def load_trial(trial: str | Path, device: str = "cpu") -> nn.Module:
    """A trial's model as it was evaluated.

    Args:
        trial: Its folder, ``results/<study>/trials/<number>``.
        device: Where to put it.

    Returns:
        A module in evaluation mode that takes normalized float32 (B, C, H, W) and returns TerraTorch's ModelOutput.

    Raises:
        InvalidConfig: The weights are not there, or no longer fit their backbone.
    """
    return restore(Path(trial), _stored_config(trial), torch.device(device)).module


def load_backbone(trial: str | Path) -> nn.Module:
    """The backbone that a trial's adapter stands on, in full precision: ``PeftModel.from_pretrained`` takes it.

    With ``tuning.initialisation=pissa`` or ``loftq`` an adapter holds a part of the weights, and stands on what is left
    of them: as the trial froze it, and unpacked where it is quantized.
    """
    record, config = read_record(Path(trial)), _stored_config(trial)
    if config.tuning.initialisation in CHANGE_WHAT_IS_FROZEN:
        left: Any = restore(Path(trial), config, torch.device("cpu")).module
        unpack(left.encoder)
        return left.encoder  # type: ignore[no-any-return]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.train.seed)
        encoder: nn.Module = build_untransformed(config, record.num_classes).encoder
    split_fused(encoder, config.tuning.targets)
    if config.tuning.frozen_dtype == "bf16" or config.tuning.unfreeze_last:
        _freeze_as_trained(encoder, config.tuning, record, load_file(Path(trial) / WEIGHTS / TRAINED))
    return encoder


def _freeze_as_trained(encoder: nn.Module, tuning: TuningConfig, record: WeightsRecord, trained: State) -> None:
    """Round what a trial had stored in 16 bits, and load the blocks that had learnt as a whole."""
    blocks = tuple(f"{name}." for name in apply_tuning(encoder, replace(tuning, name="frozen"))["unfrozen"])
    if tuning.frozen_dtype == "bf16":
        store_in_bf16(encoder, [encoder.get_submodule(name) for name in record.quantized])
        widen(encoder)
    learnt = {n: t for n, t in _below(trained, "encoder.").items() if blocks and n.startswith(blocks)}
    if encoder.load_state_dict(learnt, strict=False).unexpected_keys:
        raise InvalidConfig("tuning.unfreeze_last: the stored blocks are another backbone's; train again")


def restore(trial: Path, config: TrialConfig, device: torch.device) -> BuiltModel:
    """Build a trial's model again, and load what it had learnt.

    Knobs that change how a model trains and not what it computes, like checkpointing, are left out.

    Args:
        trial: The trial's folder.
        config: Its configuration.
        device: Where to put it; low-bit layers are the same on the kind of device that the trial ran on.

    Raises:
        InvalidConfig: The weights are not there, or no longer fit their backbone.
    """
    record = read_record(trial)
    config = _to_compute(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.train.seed)  # A backbone without weights of its own is drawn again.
        taken_out = _read_taken_out(trial) if config.tuning.initialisation in CHANGE_WHAT_IS_FROZEN else {}
        model = build_model(config, record.num_classes, device, quantized=record.quantized, taken_out=taken_out)
    encoder: Any = model.module.encoder
    _check_base(model, record, config)
    folder = trial / WEIGHTS
    if (folder / ADAPTER).is_dir():
        adapter = load_file(folder / ADAPTER / "adapter_model.safetensors")
        _load_adapter(encoder, _below(adapter, _PEFT_PREFIX))
    _load(model.module, load_file(folder / TRAINED), folder)
    model.module.eval()
    return model


def _to_compute(config: TrialConfig) -> TrialConfig:
    """The configuration without an offload, and without the knobs that bear on memory and speed alone."""
    for knob in every_knob():
        # An offload bears on the accuracy only by what a file of the user's says of training.
        if knob.off is not None and (knob.group == "offload" or not knob.bears_on_quality):
            config = config.with_settings(knob.group, knob.option(knob.off))
    return config


def _own(module: nn.Module) -> State:
    """All that can differ from a new build: parameters that learn, or lie outside the backbone, and stored buffers.

    Statistics of batches change in frozen layers too.
    """
    stored = module.state_dict().keys()
    parameters = ((plain_name(name), p) for name, p in module.named_parameters())
    own: State = {name: p for name, p in parameters if p.requires_grad or not name.startswith("encoder.")}
    return own | {plain_name(name): b for name, b in module.named_buffers() if plain_name(name) in stored}


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    return whole(tensor).detach().cpu().contiguous().clone()


def _below(state: State, prefix: str) -> State:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def _is_adapter(name: str) -> bool:
    return name.startswith("encoder.") and ".lora_" in name


def _save_adapter(folder: Path, encoder: Any) -> None:
    """As ``PeftModel.save_pretrained`` does.

    Raises:
        RuntimeError: PEFT would leave something out, which it does without a word.
    """
    own = {name: _copy(p) for name, p in encoder.named_parameters() if ".lora_" in name}
    adapter = get_peft_model_state_dict(encoder, own, save_embedding_layers=False)
    if len(adapter) != len(own):
        raise RuntimeError(f"PEFT gives {len(adapter)} of the adapter's {len(own)} tensors")
    folder.mkdir()
    file = folder / "adapter_model.safetensors"
    save_file({_PEFT_PREFIX + plain_name(name): tensor for name, tensor in adapter.items()}, file)
    encoder.peft_config["default"].save_pretrained(folder)


def _load_adapter(encoder: nn.Module, adapter: State) -> None:
    loaded: Any = set_peft_model_state_dict(encoder, dict(adapter))
    missing = [name for name in loaded.missing_keys if ".lora_" in name]
    if missing or loaded.unexpected_keys:
        raise InvalidConfig(
            f"tuning.targets: the stored adapter is for other layers (first {[*missing, *loaded.unexpected_keys][0]}); "
            "use the version of terrasweep that trained it"
        )


def _load(module: nn.Module, state: State, folder: Path) -> None:
    """Load what changed, each tensor by its name; nothing may be left out on either side."""
    own = {name: tensor for name, tensor in _own(module).items() if not _is_adapter(name)}
    if own.keys() != state.keys():
        names = sorted(own.keys() ^ state.keys())
        raise InvalidConfig(f"{folder}: it is for another model: {len(names)} names differ, the first is {names[0]}")
    with torch.no_grad():
        for name, tensor in state.items():
            own[name].copy_(tensor)


def _check_base(model: BuiltModel, record: WeightsRecord, config: TrialConfig) -> None:
    encoder: Any = model.module.encoder
    if frozen_checksum(encoder, remade_layers(model)) == record.base_sha256:
        return
    origin = config.backbone.checkpoint or ("the Hub" if config.backbone.pretrained else f"seed {config.train.seed}")
    raise InvalidConfig(
        f"backbone={config.backbone.name}: its weights from {origin} are not those that the trial was trained on; "
        "bring them back, or train again"
    )


def _read_taken_out(trial: Path) -> State:
    file = trial / WEIGHTS / TAKEN_OUT
    if not file.is_file():
        raise InvalidConfig(f"{file}: without it the weights that adapters stand on can't be made; bring it back")
    return load_file(file)


def _stored_config(trial: str | Path) -> TrialConfig:
    return stored_trial_config(yaml.safe_load((Path(trial) / "config.yaml").read_text()))
