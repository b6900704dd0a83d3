"""InternViT as it is published, with code of its own, to InternViT as transformers has it: the same network."""

from __future__ import annotations

import json
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from torch import Tensor
from transformers import InternVLVisionConfig, InternVLVisionModel, PreTrainedConfig

from terrasweep.models.backbones.hub_files import open_release, read_tensors
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.wording import one_line

INTERNVIT_300M = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 448,
    "patch_size": 14,
    "norm_type": "layer_norm",
    "qk_normalization": False,
    "qkv_bias": True,
    "initializer_factor": 1.0,
}
"""The ``vision_config`` of EarthMind's release, where it isn't the default of InternVL's own configuration class."""

PUBLISHED_DEFAULTS = {
    "num_channels": 3,
    "hidden_size": 3200,
    "intermediate_size": 12800,
    "num_hidden_layers": 48,
    "num_attention_heads": 25,
    "image_size": 224,
    "patch_size": 14,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-6,
    "norm_type": "rms_norm",
    "qk_normalization": True,
    "qkv_bias": False,
    "attention_dropout": 0.0,
    "dropout": 0.0,
    "initializer_range": 0.02,
    "initializer_factor": 0.1,
}
"""What a key means that a ``vision_config`` leaves out: the defaults of InternVL's ``InternVisionConfig``."""

NATIVE_FIELDS = {
    "qk_normalization": "use_qk_norm",
    "qkv_bias": "attention_bias",
    "dropout": "projection_dropout",
    "initializer_factor": "layer_scale_init_value",
}
"""How transformers calls the fields that it calls otherwise. It has no stochastic depth (``drop_path_rate``)."""

NATIVE_PARTS = {
    "class_embedding": "cls_token",
    "patch_embedding": "patch_embeddings.projection",
    "position_embedding": "position_embeddings",
    "layers": "layer",
    "attn": "attention",
    "proj": "projection_layer",
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "ls1": "lambda_1",
    "ls2": "lambda_2",
}
"""How transformers calls the parts of a tensor's name that it calls otherwise."""


def native_config(published: dict[str, Any]) -> InternVLVisionConfig:
    """The configuration, for transformers, of a published ``vision_config``.

    Raises:
        InvalidConfig: It is no InternViT's.
    """
    fields = {key: published.get(key, default) for key, default in PUBLISHED_DEFAULTS.items()}
    try:
        return InternVLVisionConfig(**{NATIVE_FIELDS.get(key, key): value for key, value in fields.items()})
    except (TypeError, ValueError, StrictDataclassError) as error:
        raise InvalidConfig(
            f"backbone.source: its vision_config is not that of an InternViT: {one_line(str(error))}"
        ) from error


def patch_pixels(config: PreTrainedConfig) -> int:
    """Height and width of a patch."""
    size = config.patch_size
    return int(size if isinstance(size, int) else size[0])


def published_config(source: str) -> dict[str, Any]:
    """The ``vision_config`` of a release.

    Raises:
        InvalidConfig: It can't be read, or there is none.
    """
    try:
        config = json.loads(open_release(source, "config.json").read_text())
    except ValueError as error:
        raise InvalidConfig(f"backbone.source={source}: config.json is not JSON: {error}") from error
    vision = config.get("vision_config", config) if isinstance(config, dict) else {}
    if "hidden_size" not in vision or "patch_size" not in vision:
        raise InvalidConfig(f"backbone.source={source}: config.json describes no vision encoder; is it EarthMind's?")
    return dict(vision)


def load_published(vision: InternVLVisionModel, source: str) -> None:
    """Replace the encoder's weights by a release's.

    Raises:
        InvalidConfig: A tensor is missing, unknown, or of another shape.
    """
    released = read_tensors(source, "vision_model.")
    state = {new: part for name, tensor in released.items() for new, part in native_tensors(name, tensor).items()}
    own = vision.state_dict()
    wrong = {
        "missing": sorted(own.keys() - state.keys()),
        "unknown": sorted(state.keys() - own.keys()),
        "misshapen": sorted(name for name in own.keys() & state.keys() if own[name].shape != state[name].shape),
    }
    if any(wrong.values()):
        differences = "; ".join(
            f"{len(names)} {kind} (first {', '.join(names[:3])})" for kind, names in wrong.items() if names
        )
        raise InvalidConfig(f"backbone.source={source}: its encoder is not the one of its config.json: {differences}")
    vision.load_state_dict(state)


def native_tensors(name: str, tensor: Tensor) -> dict[str, Tensor]:
    """A published tensor, by transformers' name; the fused projection becomes those of queries, keys and values."""
    parts = [NATIVE_PARTS.get(part, part) for part in name.split(".")]
    if "qkv" not in parts:
        return {".".join(parts): tensor}
    at = parts.index("qkv")
    thirds = zip(("q_proj", "k_proj", "v_proj"), tensor.chunk(3), strict=False)
    return {".".join([*parts[:at], third, *parts[at + 1 :]]): part for third, part in thirds}
