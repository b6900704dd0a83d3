"""The seam between build and train: a TerraTorch model with every requested transformation, verified."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from terratorch.models import EncoderDecoderFactory
from terratorch.registry import BACKBONE_REGISTRY
from torch import nn

from terrasweep.build.adapters import apply_tuning, split_fused
from terrasweep.build.calibrate import rank_layers
from terrasweep.build.checkpointing import apply_checkpointing
from terrasweep.build.offload import apply_offload
from terrasweep.build.quantize import logical_parameters, quantizable, quantize_linears, stored_bytes
from terrasweep.config import TrialConfig
from terrasweep.data.cache import pretrained_file
from terrasweep.errors import InvalidConfig
from terrasweep.project import absolute

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class BuiltModel:
    """A model that is ready to train, and what was done to it."""

    module: nn.Module
    """Takes float32 (B, C, H, W) and returns TerraTorch's ModelOutput."""
    trainable_parameters: int
    total_parameters: int
    weight_bytes: int
    touched: dict[str, list[str]] = field(default_factory=dict)
    """Module names per transformation: ``split``, ``quantized``, ``adapted``, ``checkpointed``, ``offloaded``."""
    sensitivity: dict[str, float] = field(default_factory=dict)
    """For ``quantization.skip=auto``: per linear layer how much its quantization changes the output, falling."""


def build_model(
    config: TrialConfig,
    num_classes: int,
    device: torch.device,
    images: torch.Tensor | None = None,
    quantized: list[str] | None = None,
) -> BuiltModel:
    """Build, split, quantize, adapt, checkpoint-wrap and offload.

    Decoder and head stay trainable and in full precision.

    Args:
        config: What to build.
        num_classes: Of the task.
        device: Where it will train. What ZeRO offloads stays on the host until then.
        images: Normalized float32 (B, C, H, W), which ``quantization.skip=auto`` measures with.
        quantized: Names of the layers to quantize where they are known, as for a trial that is built again.

    Raises:
        InvalidConfig: A name is not in TerraTorch's registry, or a transformation touched nothing.
    """
    model = build_plain(config, num_classes)
    encoder: nn.Module = model.encoder
    touched = {}
    if split := split_fused(encoder, config.tuning.targets):
        touched["split"] = split
    sensitivity: dict[str, float] = {}
    if config.quantization.name != "none":
        touched["quantized"], sensitivity = _quantize(model, config, device, images, quantized)
    touched.update(apply_tuning(encoder, config.tuning))
    if config.checkpointing.name != "none":
        touched["checkpointed"] = apply_checkpointing(encoder, config.checkpointing.every or 1)
    if config.offload.name != "none":
        touched["offloaded"] = apply_offload(model, config.offload)
    if config.offload.name not in ("parameters", "nvme"):
        model.to(device)
    return BuiltModel(
        module=model,
        trainable_parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        total_parameters=logical_parameters(model),
        weight_bytes=stored_bytes(model),
        touched=touched,
        sensitivity=sensitivity,
    )


def _quantize(
    model: Any, config: TrialConfig, device: torch.device, images: torch.Tensor | None, known: list[str] | None
) -> tuple[list[str], dict[str, float]]:
    """Names of the layers that were quantized, and their ranking where it decided."""
    quantization = config.quantization
    chosen = quantization.compute_dtype
    dtype = DTYPES[config.precision.name if chosen == "auto" else chosen]
    names = quantizable(model.encoder, quantization) if known is None else known
    sensitivity: dict[str, float] = {}
    if quantization.skip == "auto" and known is None:
        assert images is not None and quantization.skip_count is not None
        if quantization.skip_count >= len(names):
            raise InvalidConfig(
                f"quantization.skip_count={quantization.skip_count}: the backbone has {len(names)} linear layers, "
                "and none would be quantized; use fewer"
            )
        sensitivity = rank_layers(model, names, quantization.name, dtype, device, images)
        kept = list(sensitivity)[: quantization.skip_count]
        names = [name for name in names if name not in kept]
    quantize_linears(model.encoder, names, quantization, dtype, device)
    return names, sensitivity


def build_plain(config: TrialConfig, num_classes: int) -> Any:
    """The TerraTorch model in full precision, with its weights loaded, on the CPU.

    Raises:
        InvalidConfig: TerraTorch knows no such backbone or decoder, or refuses its arguments.
    """
    backbone, decoder = config.backbone, config.decoder
    if backbone.name not in BACKBONE_REGISTRY:
        raise InvalidConfig(f"backbone.name={backbone.name}: it is not in TerraTorch's registry")
    try:
        model = EncoderDecoderFactory().build_model(task=config.task.name, **model_arguments(config, num_classes))
    except (TypeError, ValueError, KeyError, NotImplementedError) as error:
        raise InvalidConfig(
            f"backbone={backbone.name} with decoder={decoder.name}: TerraTorch refuses it: {error}"
        ) from error
    if backbone.checkpoint is not None:
        synthetic = backbone.checkpoint == "synthetic"
        load_weights(model.encoder, pretrained_file(config) if synthetic else absolute(backbone.checkpoint))
    return model


def model_arguments(config: TrialConfig, num_classes: int) -> dict[str, Any]:
    """The keyword arguments of TerraTorch's EncoderDecoderFactory: a task's ``model_args``."""
    backbone, decoder = config.backbone, config.decoder
    arguments = {f"backbone_{key}": value for key, value in backbone.arguments.items()}
    arguments |= {f"decoder_{key}": value for key, value in decoder.arguments.items()}
    if decoder.includes_head:
        arguments["decoder_num_classes"] = num_classes
    return {
        "backbone": backbone.name,
        "backbone_pretrained": backbone.pretrained,
        "decoder": decoder.name,
        "necks": necks(config),
        "num_classes": num_classes,
        **arguments,
    }


def necks(config: TrialConfig) -> list[dict[str, Any]]:
    """TerraTorch's necks: the given ones, or those that bring the backbone's tokens to what the decoder takes."""
    if config.neck.modules is not None:
        return [dict(neck) for neck in config.neck.modules]
    backbone = config.backbone
    chain: list[dict[str, Any]] = []
    if backbone.out_indices is not None:
        chain.append({"name": "SelectIndices", "indices": list(backbone.out_indices)})
    if backbone.cls_token is not None:
        chain.append({"name": "ReshapeTokensToImage", "remove_cls_token": backbone.cls_token})
    if config.decoder.pyramid:
        chain.append({"name": "LearnedInterpolateToPyramidal"})
    return chain


def load_weights(encoder: nn.Module, file: Path) -> None:
    """Load a backbone's weights from safetensors, or from a pickle that may hold tensors alone.

    Raises:
        InvalidConfig: Keys are missing, unexpected or of another shape.
    """
    state = load_file(file) if file.suffix == ".safetensors" else torch.load(file, weights_only=True)
    own = encoder.state_dict()
    problems = {
        "missing": sorted(own.keys() - state.keys()),
        "unexpected": sorted(state.keys() - own.keys()),
        "misshapen": sorted(k for k in own.keys() & state.keys() if own[k].shape != state[k].shape),
    }
    if any(problems.values()):
        told = "; ".join(f"{len(names)} {kind} (first {names[0]})" for kind, names in problems.items() if names)
        raise InvalidConfig(f"backbone.checkpoint={file}: it does not fit the backbone: {told}")
    encoder.load_state_dict(state)
