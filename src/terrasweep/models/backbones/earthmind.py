"""EarthMind's vision encoder (Shu et al. 2025, arXiv 2506.01667) as the TerraTorch backbone ``earthmind_v1``.

The released checkpoint comes with code of its own (``trust_remote_code``). None of it runs here: the encoder's tensors
alone are read, and mapped into transformers' native InternVL encoder, which is the same network.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from terratorch.registry import TERRATORCH_BACKBONE_REGISTRY
from torch import Tensor, nn
from transformers import InternVLVisionConfig, InternVLVisionModel

from terrasweep.models.backbones.internvit import (
    INTERNVIT_300M,
    PUBLISHED_DEFAULTS,
    load_published,
    native_config,
    patch_pixels,
    published_config,
)
from terrasweep.results.errors import InvalidConfig

RELEASE = "sy1998/EarthMind-4B"
"""EarthMind's id on the Hub."""

MERGES: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda tokens: tokens.mean(dim=0),
    "max": lambda tokens: tokens.amax(dim=0),
    "concat": lambda tokens: torch.cat(tokens.unbind(0), dim=-1),
}
"""How the tokens of G groups, (G, B, L, D), become one sequence."""


def earthmind_v1(
    pretrained: bool = False,
    source: str | None = RELEASE,
    bands: list[str] | None = None,
    modalities: dict[str, list[str]] | None = None,
    img_size: int = 448,
    merge_method: str = "mean",
    out_indices: list[int] | None = None,
    frames: dict[str, int] | None = None,
    **overrides: Any,
) -> GroupedEncoder:
    """Build the encoder, with random weights or the released ones.

    Args:
        pretrained: Load the weights of ``source``.
        source: An id on the Hub, or a local folder in its layout, whose ``config.json`` then gives the architecture.
            An id is not asked for without ``pretrained``: then it is InternViT-300M, as EarthMind's is.
        bands: Bands of a single image, in order; None for three.
        modalities: Bands of each modality by its name, for samples that are dictionaries; None for single images.
        img_size: Height and width of the images in pixels. Positions are interpolated to whatever comes.
        merge_method: ``mean``, ``max`` or ``concat`` of the groups' tokens.
        out_indices: Layers whose hidden states are returned; None for all.
        frames: Dates whose bands an image of a modality holds one after the other, by its name (``image`` for single
            images); None for one each.
        overrides: Fields of ``vision_config`` that replace the source's, as for a smaller encoder.

    Raises:
        InvalidConfig: The source can't be read or is of another layout, or an argument has no meaning.
    """
    if merge_method not in MERGES:
        raise InvalidConfig(f"backbone.merge={merge_method}: earthmind_v1 knows {', '.join(MERGES)}")
    if unknown := sorted(overrides.keys() - PUBLISHED_DEFAULTS.keys()):
        raise InvalidConfig(f"backbone.arguments.{unknown[0]}: earthmind_v1 and its vision_config have no such field")
    source = source or RELEASE
    released = published_config(source) if pretrained or Path(source).is_dir() else INTERNVIT_300M
    config = native_config({**released, **overrides})
    if img_size < (patch := patch_pixels(config)):
        raise InvalidConfig(f"img_size={img_size}: smaller than a patch of {patch} pixels")
    vision = _as_published(config)
    if pretrained:
        load_published(vision, source)
    modalities = modalities or {"image": bands or ["RED", "GREEN", "BLUE"]}
    return GroupedEncoder(vision, modalities, merge_method, out_indices, frames)


TERRATORCH_BACKBONE_REGISTRY.register(earthmind_v1)


def _as_published(config: InternVLVisionConfig) -> InternVLVisionModel:
    """The network with random weights, in the arithmetic of InternVL's own code."""
    vision: Any = InternVLVisionModel(config)
    if config.use_qk_norm:
        for layer in vision.encoder.layer:
            # InternVL's own code gives these norms the epsilon of the others, transformers doesn't.
            layer.attention.q_norm.variance_epsilon = config.layer_norm_eps
            layer.attention.k_norm.variance_epsilon = config.layer_norm_eps
    made: InternVLVisionModel = vision
    return made


class GroupedEncoder(nn.Module):
    """One encoder of three channels for images of any number of bands and modalities.

    As EarthMind does it: consecutive bands in groups of three (its ``data_process/bigearthnet.py`` writes each group
    as an RGB image), each modality and each date by itself, a single SAR band as grey; one shared encoder; the groups
    meet behind it.
    Otherwise than there: a last group that is not full repeats its last band (EarthMind drops such a group), as many
    groups as there are (it takes five), and the tokens of one place are fused by mean, maximum or concatenation of the
    channels, since a decoder of pixels needs one token per place. EarthMind shuffles 2 x 2 tokens into one, projects
    them for its language model, and hands over all groups' tokens one after the other.

    Attributes:
        out_channels: Channels of each returned feature.
        patch_size: Height and width of a patch in pixels.
    """

    def __init__(
        self,
        vision: InternVLVisionModel,
        modalities: dict[str, list[str]],
        merge_method: str,
        out_indices: list[int] | None,
        frames: dict[str, int] | None = None,
    ) -> None:
        super().__init__()
        config: Any = vision.config
        depth = config.num_hidden_layers
        chosen = list(range(depth)) if out_indices is None else out_indices
        if not all(-depth <= index < depth for index in chosen):
            raise InvalidConfig(f"backbone.out_indices={chosen}: the encoder has the layers 0 to {depth - 1}")
        self.vision_model = vision
        self.modalities = {name: len(bands) for name, bands in modalities.items()}
        self.frames = {name: (frames or {}).get(name, 1) for name in modalities}
        self.merge_method = merge_method
        self.out_indices = chosen
        groups = sum(
            dates * -(-self.modalities[name] // (dates * config.num_channels)) for name, dates in self.frames.items()
        )
        width = config.hidden_size * (groups if merge_method == "concat" else 1)
        self.out_channels = [width] * len(chosen)
        self.patch_size = patch_pixels(config)

    def forward(self, images: Tensor | dict[str, Tensor], **_: Any) -> list[Tensor]:
        """Hidden states of the chosen layers.

        Args:
            images: Normalized float32 (B, C, H, W), or one per modality by its name.

        Returns:
            Per layer (B, 1 + N, D): a class token, and the tokens of the N patches in rows.

        Raises:
            ValueError: A modality is missing, or has another number of bands than it was built for.
        """
        groups = self._groups(images)
        hidden = self.vision_model.embeddings(torch.cat(groups))
        states: list[Tensor] = []
        for block in self.vision_model.encoder.layer:
            hidden = block(hidden)
            states.append(hidden)
        merge = MERGES[self.merge_method]
        return [merge(torch.stack(states[index].chunk(len(groups)))) for index in self.out_indices]

    def _groups(self, images: Tensor | dict[str, Tensor]) -> list[Tensor]:
        """Images of as many channels as the encoder takes, in the order of modalities and bands."""
        given = images if isinstance(images, dict) else {next(iter(self.modalities)): images}
        size = self.vision_model.config.num_channels
        groups = []
        for name, bands in self.modalities.items():
            if name not in given or given[name].shape[1] != bands:
                found = given[name].shape[1] if name in given else "no"
                raise ValueError(f"earthmind_v1: modality {name} has {bands} bands, and {found} came")
            for image in given[name].chunk(self.frames[name], dim=1):
                lacking = -image.shape[1] % size
                padded = torch.cat([image, *[image[:, -1:]] * lacking], dim=1) if lacking else image
                groups += padded.split(size, dim=1)
        return groups
