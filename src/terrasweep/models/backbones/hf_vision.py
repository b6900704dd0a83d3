"""Any vision transformer of Hugging Face's transformers as the TerraTorch backbone ``hf_vision``.

Its code is transformers' own, or the model is refused: nothing that comes with the weights runs.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from terratorch.registry import TERRATORCH_BACKBONE_REGISTRY
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel

from terrasweep.models.backbones.hub_files import unreachable
from terrasweep.models.backbones.internvit import patch_pixels
from terrasweep.models.pretrained.input_layers import RGB, adapt_input
from terrasweep.results.errors import InvalidConfig, raise_out_of_memory
from terrasweep.results.wording import one_line

TOWERS = r"^(model\.)?(vision_model|vision_tower)\."
"""What the names of a vision tower's tensors begin with in models of images and text."""

UNUSED = ("pooler.", "head.", "mask_token")
"""Parts of names that no feature depends on; a checkpoint may be without them."""


def hf_vision(
    source: str | None = None,
    pretrained: bool = False,
    bands: list[str] | None = None,
    img_size: int | None = None,
    out_indices: list[int] | None = None,
    **overrides: Any,
) -> FeatureMaps:
    """Build a vision transformer (ViT, DINOv2, DINOv3, SigLIP, CLIP, InternVL) with random weights or its own.

    Of a model of images and text it is the vision tower. The input layer of pretrained weights is adapted to the bands
    by :func:`terrasweep.models.pretrained.input_layers.adapt_input`, its channels being red, green and blue.

    Args:
        source: An id on the Hub, or a local folder with ``config.json``.
        pretrained: Load the weights, too.
        bands: Bands of the images, in order; None for red, green and blue.
        img_size: Height and width of the images in pixels. Positions are interpolated to whatever comes.
        out_indices: Layers whose hidden states are returned; None for all.
        overrides: Fields of the vision tower's configuration that replace the source's. Without ``pretrained``, mostly.

    Raises:
        InvalidConfig: The source can't be read or is no vision transformer, or an argument has no meaning.
    """
    if not source:
        raise InvalidConfig("backbone.source: hf_vision needs a model's id on the Hub, or a local folder")
    whole = _read_config(source)
    config = getattr(whole, "vision_config", whole)
    _check(source, config)
    _replace_fields(config, overrides)
    if img_size is not None and img_size < patch_pixels(config):
        raise InvalidConfig(f"img_size={img_size}: smaller than a patch of {patch_pixels(config)} pixels")
    names = bands or RGB
    if pretrained:
        model = _load(source, config, is_tower=config is not whole)
        _adapt(model, names)
    else:
        config.num_channels = len(names)
        model = _from_config(config)
    _drop_unused(model)
    return FeatureMaps(model, out_indices)


TERRATORCH_BACKBONE_REGISTRY.register(hf_vision)


class FeatureMaps(nn.Module):
    """A vision transformer's hidden states as images.

    Attributes:
        out_channels: Channels of each returned feature.
        patch_size: Height and width of a patch in pixels.
    """

    def __init__(self, model: PreTrainedModel, out_indices: list[int] | None) -> None:
        super().__init__()
        depth = model.config.num_hidden_layers
        chosen = list(range(depth)) if out_indices is None else out_indices
        if not all(-depth <= index < depth for index in chosen):
            raise InvalidConfig(f"backbone.out_indices={chosen}: the model has the layers 0 to {depth - 1}")
        self.model = model
        self.out_indices = [index % depth for index in chosen]
        self.out_channels = [model.config.hidden_size] * len(chosen)
        self.patch_size = patch_pixels(model.config)
        interpolates = "interpolate_pos_encoding" in inspect.signature(model.forward).parameters
        self._flags = {"interpolate_pos_encoding": True} if interpolates else {}

    def forward(self, images: Tensor, **_: Any) -> list[Tensor]:
        """Features of the chosen layers, as they leave the blocks: before a final norm, without class and registers.

        Args:
            images: Normalized float32 (B, C, H, W).

        Returns:
            Per layer (B, D, H / patch, W / patch).
        """
        height, width = (side // self.patch_size for side in images.shape[-2:])
        states = self.model(pixel_values=images, output_hidden_states=True, **self._flags).hidden_states
        # The first one is the embedding. All tokens before the patches' are a class token or registers.
        chosen = [states[index + 1][:, -height * width :] for index in self.out_indices]
        return [tokens.transpose(1, 2).unflatten(2, (height, width)).contiguous() for tokens in chosen]


def _read_config(source: str) -> PreTrainedConfig:
    folder = Path(source)
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise InvalidConfig(f"backbone.source={source}: the folder has no config.json; give one from save_pretrained")
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(source, trust_remote_code=False)
        return config
    except OSError as error:
        raise unreachable(source, error) from error
    except (ValueError, KeyError, TypeError, StrictDataclassError) as error:
        raise InvalidConfig(
            f"backbone.source={source}: transformers itself has no such model, and code from outside is never run "
            f"({_one_line(error)}); for EarthMind use backbone=earthmind_v1"
        ) from error


def _one_line(error: Exception) -> str:
    return one_line(str(error)) or type(error).__name__


def _check(source: str, config: PreTrainedConfig) -> None:
    """Refuse what has no patches, or fewer of them from stage to stage."""
    needed = ("hidden_size", "num_hidden_layers", "patch_size", "num_channels", "image_size")
    lacking = [name for name in needed if not hasattr(config, name)]
    if lacking or hasattr(config, "depths"):
        reason = f"without {lacking[0]}" if lacking else "with stages of several resolutions"
        raise InvalidConfig(
            f"backbone.source={source}: {type(config).__name__} is no plain vision transformer (it is {reason}); use a "
            "ViT, DINOv2, DINOv3, SigLIP, CLIP or InternVL"
        )


def _replace_fields(config: PreTrainedConfig, overrides: dict[str, Any]) -> None:
    for name, value in overrides.items():
        if not hasattr(config, name):
            raise InvalidConfig(f"backbone.arguments.{name}: {type(config).__name__} has no such field")
        try:
            setattr(config, name, value)
        except (StrictDataclassError, TypeError, ValueError) as error:
            raise InvalidConfig(f"backbone.arguments.{name}={value}: {_one_line(error)}") from error


def _from_config(config: PreTrainedConfig) -> Any:
    """With random weights, in full precision: a configuration may ask for the half that it was saved in."""
    auto: Any = AutoModel
    return auto.from_config(config, trust_remote_code=False).float()


def _load(source: str, config: PreTrainedConfig, *, is_tower: bool) -> Any:
    """The model with its own weights; of a model of images and text the tower alone.

    Raises:
        InvalidConfig: There are no weights, or they are of another model.
    """
    mapping = {"key_mapping": {TOWERS: ""}} if is_tower else {}
    kind: Any = AutoModel
    if is_tower:
        with torch.device("meta"):
            kind = type(_from_config(config))
    try:
        model, found = kind.from_pretrained(
            source, config=config, output_loading_info=True, trust_remote_code=False, **mapping
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise_out_of_memory(error)
        raise InvalidConfig(f"backbone.source={source}: its weights can't be loaded: {_one_line(error)}") from error
    missing = sorted(name for name in found["missing_keys"] if not any(part in name for part in UNUSED))
    if missing:
        raise InvalidConfig(
            f"backbone.source={source}: {len(missing)} tensors of {type(model).__name__} are not in its weights (first "
            f"{', '.join(missing[:3])}); they are of another model"
        )
    return model.float()


def _adapt(model: Any, bands: list[str]) -> None:
    """Give the input layer as many channels as there are bands."""
    name, layer = next((name, part) for name, part in model.named_modules() if isinstance(part, nn.Conv2d))
    known = RGB if layer.in_channels == len(RGB) else None
    weight = adapt_input(layer.weight.data, bands, known, len(bands))
    layer.weight = nn.Parameter(weight)
    layer.in_channels = model.config.num_channels = len(bands)
    parent = model.get_submodule(name.rpartition(".")[0])
    if hasattr(parent, "num_channels"):
        parent.num_channels = len(bands)


def _drop_unused(model: Any) -> None:
    """Take away what no feature depends on: it would be counted, stored and updated for nothing."""
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    if getattr(model, "use_head", False):
        model.use_head = False
        del model.head
    for name in ("layernorm", "norm", "post_layernorm"):
        if isinstance(getattr(model, name, None), nn.Module):
            setattr(model, name, nn.Identity())
    for name, parameter in model.named_parameters():
        if name.endswith("mask_token"):
            parameter.requires_grad_(False)
