"""What a decoder needs to know about an encoder's features, found by looking at those of one image."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from terratorch.models.utils import pad_images
from torch import Tensor, nn

from terrasweep.config.input_bands import input_modalities
from terrasweep.config.input_frames import input_frames, sees_each_date
from terrasweep.config.schema import TrialConfig
from terrasweep.models.backbones.conflicts import find_small_tile
from terrasweep.models.backbones.families import known_bands, spread, tile_px
from terrasweep.results.errors import InvalidConfig, first_line, raise_out_of_memory

_WAY_OUT = (
    "say which features the decoder shall see and what they are with backbone.out_indices and backbone.cls_token, "
    "or bring them into form with neck.modules"
)


@dataclass(frozen=True)
class Layout:
    """The features of an encoder, in its own order."""

    channels: tuple[int, ...]
    """Per feature."""
    strides: tuple[int, ...]
    """Pixels per cell or token along a side, per feature; empty where unknown."""
    tokens: bool
    """Whether a feature is a sequence (B, L, C), and no image."""
    cls_token: bool = False
    """Whether the first token is none of a patch."""
    channels_last: bool = False
    """Whether an image is (B, H, W, C)."""
    indices: tuple[int, ...] | None = None
    """Which features the decoder sees; None: all."""
    steps: int = 1
    """Steps in time that a sequence of tokens has, one behind the other; an image has their channels side by side."""

    @property
    def seen(self) -> tuple[int, ...]:
        """Indices of the features that the decoder sees."""
        return tuple(range(len(self.channels))) if self.indices is None else self.indices

    @property
    def pyramidal(self) -> bool:
        """Whether the resolution falls from each feature that the decoder sees to the next."""
        strides = [self.strides[index] for index in self.seen] if self.strides else []
        return len(strides) > 1 and all(first < second for first, second in itertools.pairwise(strides))

    @property
    def stride(self) -> int | None:
        """Pixels per cell of the last feature that the decoder sees; None where unknown."""
        return self.strides[self.seen[-1]] if self.strides else None


def find_layout(config: TrialConfig, encoder: Any, arguments: dict[str, Any]) -> Layout:
    """The layout of an encoder's features.

    Nothing is run where ``backbone.out_indices`` and ``backbone.cls_token`` say it all, or ``neck.modules`` are given.
    Otherwise the encoder sees one image of zeros, in evaluation mode and on its own device.

    Args:
        config: What it was built for.
        encoder: TerraTorch's backbone.
        arguments: What its builder was called with.

    Raises:
        InvalidConfig: The encoder can't take such images, or they are too small to be padded, or its features are
            neither images nor square grids of tokens, with or without one class token.
    """
    backbone, patch = config.backbone, patch_px(encoder)
    if small := list(find_small_tile(config, patch)):
        raise InvalidConfig(small[0])
    channels = _channels(config, encoder)
    if config.neck.modules is not None:
        return Layout(channels, (patch,) * len(channels) if patch else (), tokens=True)
    stated = backbone.out_indices is not None and backbone.cls_token is not None
    if stated and patch is not None:
        layout = Layout(
            channels,
            (patch,) * len(channels),
            tokens=True,
            cls_token=bool(backbone.cls_token),
            steps=time_steps(config, encoder),
        )
    else:
        layout = _read(config, look(config, encoder), channels, patch, time_steps(config, encoder))
    return _select(config, layout, given="out_indices" in arguments)


def patch_px(encoder: nn.Module) -> int | None:
    """Side of a patch in pixels, by TerraTorch's rule: what the first module with a ``patch_size`` says."""
    patch = next((module.patch_size for module in encoder.modules() if hasattr(module, "patch_size")), None)
    if isinstance(patch, Sequence):
        patch = patch[-1]
    return patch if isinstance(patch, int) else None


def time_steps(config: TrialConfig, encoder: nn.Module) -> int:
    """Steps in time of an encoder's tokens: its frames, by the depth of a patch where that is several."""
    if sees_each_date(config):
        return 1
    patch = next((module.patch_size for module in encoder.modules() if hasattr(module, "patch_size")), None)
    depth = patch[0] if isinstance(patch, Sequence) and len(patch) == 3 else 1
    return -(-input_frames(config) // depth)


@torch.no_grad()
def look(config: TrialConfig, encoder: Any) -> list[Tensor]:
    """The features of one image of zeros, padded as TerraTorch pads it.

    Raises:
        InvalidConfig: The encoder can't take such an image.
    """
    devices = {parameter.device for parameter in encoder.parameters()}
    # TerraMind's token for a missing modality is on the CPU whatever the others are.
    meta = torch.device("meta")
    images = zero_images(config, meta if meta in devices else next(iter(devices)))
    if patch := config.backbone.arguments.get("patch_size") or patch_px(encoder):
        images = pad_images(images, patch, config.backbone.arguments.get("padding", "reflect"))
    try:
        with _evaluating(encoder):
            features = encoder(images)
    except Exception as error:  # Whatever a backbone's own code raises.
        raise_out_of_memory(error)
        what = "modalities" if isinstance(images, dict) else "bands"
        raise InvalidConfig(
            f"backbone={config.backbone.name}: it can't take images of data.tile_px={tile_px(config)} with these "
            f"{what}: {first_line(error)}; use another tile, or correct backbone.arguments"
        ) from error
    return list(features.values() if isinstance(features, dict) else features)


def _channels(config: TrialConfig, encoder: Any) -> tuple[int, ...]:
    channels = getattr(encoder, "out_channels", None)
    if not isinstance(channels, Sequence):
        raise InvalidConfig(
            f"backbone.name={config.backbone.name}: it does not say how wide its features are (out_channels), "
            "so that no decoder fits; use another one"
        )
    return tuple(channels)


def zero_images(config: TrialConfig, device: torch.device) -> Tensor | dict[str, Tensor]:
    """One image of zeros as the data have them, float32 (1, C, H, W), or one for each modality."""
    side = tile_px(config)

    frames = [input_frames(config)] if input_frames(config) > 1 else []

    def zeros(bands: list[str]) -> Tensor:
        return torch.zeros(1, len(bands), *frames, side, side, device=device)

    modalities = {name: zeros(bands) for name, bands in input_modalities(config).items()}
    return modalities or zeros(known_bands(config))


@contextmanager
def _evaluating(encoder: nn.Module) -> Iterator[None]:
    """In evaluation mode; afterwards every module is as it was."""
    modes = {module: module.training for module in encoder.modules()}
    encoder.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def _read(
    config: TrialConfig, features: list[Tensor], channels: tuple[int, ...], patch: int | None, steps: int
) -> Layout:
    side = tile_px(config)
    if patch is not None:
        side = -(-side // (2 * patch)) * 2 * patch
    shapes = [tuple(feature.shape) for feature in features]
    if len(shapes) == len(channels):
        if all(len(shape) == 4 and shape[1] == width for shape, width in zip(shapes, channels, strict=True)):
            return Layout(channels, tuple(math.ceil(side / shape[2]) for shape in shapes), tokens=False)
        if all(len(shape) == 4 and shape[3] == width for shape, width in zip(shapes, channels, strict=True)):
            strides = tuple(math.ceil(side / shape[1]) for shape in shapes)
            return Layout(channels, strides, tokens=False, channels_last=True)
        if all(len(shape) == 3 and shape[2] * steps == width for shape, width in zip(shapes, channels, strict=True)):
            return _read_tokens(config, shapes, channels, (side, patch, steps))
    raise InvalidConfig(
        f"backbone.name={config.backbone.name}: {len(shapes)} features of shapes {shapes[:4]} for the channels "
        f"{list(channels[:4])} are neither images nor tokens; {_WAY_OUT}"
    )


def _read_tokens(
    config: TrialConfig, shapes: list[tuple[int, ...]], channels: tuple[int, ...], sizes: tuple[int, int | None, int]
) -> Layout:
    """Where the patch is known, so is the number of tokens; else a square number of them has no class token."""
    length, (side, patch, steps) = shapes[-1][1], sizes
    cells = side // patch if patch else math.isqrt(length // steps)
    extra = length - steps * cells * cells
    if extra not in (0, 1) or any(shape[1] != length for shape in shapes):
        raise InvalidConfig(
            f"backbone.name={config.backbone.name}: a feature has {length} tokens, and a tile {cells} x {cells} "
            f"patches{f' on {steps} dates' if steps > 1 else ''}; TerraTorch can drop one class token, no registers; "
            f"{_WAY_OUT}"
        )
    stated = config.backbone.cls_token
    strides = (side // cells,) * len(channels)
    cls_token = bool(extra) if stated is None else stated
    return Layout(channels, strides, tokens=True, cls_token=cls_token, steps=steps)


def _select(config: TrialConfig, layout: Layout, *, given: bool) -> Layout:
    """Which features the decoder sees: the given ones, four evenly spread, or the last four of a pyramid.

    Args:
        config: What the encoder was built for.
        layout: Of all features that it gives.
        given: Whether the encoder has selected them itself.
    """
    count, indices = len(layout.channels), config.backbone.out_indices
    if given:
        return layout
    if indices is None:
        if count <= 4:
            return layout
        indices = list(range(count))[-4:] if layout.pyramidal else spread(count)
    if strangers := [index for index in indices if not -count <= index < count]:
        raise InvalidConfig(
            f"backbone.out_indices={list(indices)} with backbone={config.backbone.name}: it has no feature "
            f"{strangers[0]}; use 0 to {count - 1}, or null for four evenly spread"
        )
    chosen = tuple(index % count for index in indices)
    return replace(layout, indices=chosen)
