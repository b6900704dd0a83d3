"""What stands beside stored weights: how their model is built again, and whether its backbone is still the same."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from terrasweep.machine.paths import WEIGHTS
from terrasweep.models.assemble import BuiltModel
from terrasweep.models.offload.zero import whole
from terrasweep.models.torch_internals import plain_name
from terrasweep.models.transforms.starting_points import divided_layers
from terrasweep.results.errors import InvalidConfig

SCHEMA_VERSION = 1
RECORD = "weights.json"


@dataclass(frozen=True, kw_only=True)
class WeightsRecord:
    """What is needed beside the trial's configuration to build its model again."""

    num_classes: int
    split: list[str]
    """Fused projections of the backbone that were split into queries, keys and values."""
    quantized: list[str]
    """Layers of the backbone that were quantized; ``quantization.skip=auto`` is not measured again."""
    base_sha256: str
    """Of the backbone's frozen parameters, without those of layers that were quantized or gave a part to an adapter."""
    schema_version: int = SCHEMA_VERSION


def remade_layers(model: BuiltModel) -> list[str]:
    """Layers whose frozen parameters are not those that were loaded."""
    return [*model.touched.get("quantized", []), *divided_layers(model.taken_out or {})]


def frozen_checksum(encoder: nn.Module, remade: list[str]) -> str:
    """SHA-256 over the frozen parameters.

    Without those of quantized layers: how weights are packed depends on the kind of device, and bitsandbytes turns a
    bias into the type of what comes in. Without those that gave a part to an adapter: what is left is rounded.
    """
    digest = hashlib.sha256()
    named = {plain_name(name).replace(".base_layer.", "."): p for name, p in encoder.named_parameters()}
    for name, parameter in sorted(named.items()):
        if not parameter.requires_grad and name.rpartition(".")[0] not in remade:
            tensor = whole(parameter).detach().cpu().contiguous().flatten()  # A view where it can be one.
            digest.update(name.encode())
            digest.update(tensor.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def read_record(trial: Path) -> WeightsRecord:
    """The record of the weights in a trial's folder.

    Raises:
        InvalidConfig: There are none, or a later version wrote them.
    """
    file = trial / WEIGHTS / RECORD
    if not file.is_file():
        raise InvalidConfig(f"{trial}: it holds no weights; see study.keep_weights and train.save_weights")
    fields = json.loads(file.read_text())
    if fields["schema_version"] > SCHEMA_VERSION:
        raise InvalidConfig(f"{file}: it has schema version {fields['schema_version']}, newer than {SCHEMA_VERSION}")
    return WeightsRecord(**fields)
