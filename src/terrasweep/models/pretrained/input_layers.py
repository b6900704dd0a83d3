"""Fitting a pretrained vision encoder's first layers to other bands and other image sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from terratorch.models.backbones.terramind.model.terramind_register import PRETRAINED_BANDS
from timm.layers.pos_embed import resample_abs_pos_embed
from timm.models import adapt_input_conv
from torch import Tensor, nn

from terrasweep.results.errors import InvalidConfig

InputLayers = dict[str, int]
"""Names of input layers' weights, with the pixels of a patch for linear ones (TerraMind) and 0 for convolutions."""

Bands = list[str] | None
"""Names of bands in order; None where they are not known."""

RGB = ["RED", "GREEN", "BLUE"]
"""What the channels of a model of photographs are, in order."""


def adapt_input(weight: Tensor, bands: Bands, known: Bands, count: int, dates: int = 1) -> Tensor:
    """The weights of an input layer for other bands than it was pretrained on.

    By name where both lists are known and have a band in common: a band of both keeps its weights; any other one gets
    the mean over the pretrained bands (the initialization of Wang et al. 2016, "Temporal Segment Networks", for input
    that is no RGB; TerraTorch's ``select_patch_embed_weights`` leaves such bands random). So the new layer sees an
    image as the pretrained one sees the same bands, with each of the n pretrained bands raised by the sum of the
    others divided by n. Bands that are left out count as zero, the mean of a normalized image.

    Else by timm's ``adapt_input_conv``: channels are repeated in turn and scaled by the ratio of the counts, so that
    an image that repeats its bands gives what it gave; for a single band they are summed.

    Weights for the bands of one date are repeated for several, and divided by their number, so that equal dates give
    what one of them gave. Weights for as many bands as are wanted, that have no names or the wanted ones, are those of
    a stack already, and stay.

    Args:
        weight: (D, C, ...): outputs, pretrained channels, and any kernel.
        bands: Names of the wanted bands in order, those of the first date first; None where they are not known.
        known: Names of the C pretrained channels; None where they are not known.
        count: Number of wanted bands, of all dates.
        dates: How many dates are stacked.

    Returns:
        (D, count, ...), of the same type.
    """
    if bands is not None and bands == known:
        return weight
    if dates > 1 and (known is not None or weight.shape[1] != count):
        each = count // dates
        return repeated(adapt_input(weight, bands and bands[:each], known, each), dates)
    if bands is not None and known is not None and set(bands) & set(known):
        mean = weight.float().mean(dim=1).to(weight.dtype)
        return torch.stack([weight[:, known.index(band)] if band in known else mean for band in bands], dim=1)
    channels = weight.shape[1]
    flat = weight.reshape(weight.shape[0], channels, -1, 1)
    adapted: Tensor = adapt_input_conv(count, flat, base_chans=channels)
    return adapted.reshape(weight.shape[0], count, *weight.shape[2:])


def repeated(weight: Tensor, dates: int) -> Tensor:
    """The weights (D, C, ...) of an input layer of one date for a stack of dates, (D, dates x C, ...).

    Each date is seen as by the one date's layer, and the dates are averaged.
    """
    return torch.cat([weight] * dates, dim=1) / dates


def copy_per_date(one: nn.Module, stacked: nn.Module) -> None:
    """Give an encoder of stacked dates the weights of the same encoder of one date, its input layers per date.

    Args:
        one: The encoder for the bands of one date.
        stacked: The same for those of all dates; its weights are replaced.

    Raises:
        ValueError: They differ in more than the channels of input layers, or do not differ there.
    """
    source, own, inputs = one.state_dict(), stacked.state_dict(), input_layers(stacked)
    for name, pixels in inputs.items():
        channels, wanted = by_channel(source[name], pixels), by_channel(own[name], pixels).shape[1]
        adapted = repeated(channels, wanted // channels.shape[1])
        source[name] = (adapted.transpose(1, 2) if pixels else adapted).reshape(own[name].shape)
    unlike = [name for name in own.keys() | source.keys() if _shape(own, name) != _shape(source, name)]
    if unlike or all(_shape(own, name) == _shape(one.state_dict(), name) for name in inputs):
        raise ValueError(f"no input layer with a weight per band of each date ({', '.join(sorted(unlike)[:3])})")
    stacked.load_state_dict(source)


def _shape(state: Mapping[str, Tensor], name: str) -> object:
    return state[name].shape if name in state else None


def resize_positions(table: Tensor, length: int) -> Tensor | None:
    """A learnt position embedding for another grid, bicubically by timm; a class token's position is kept.

    Args:
        table: (1, L, D), for a square grid after no or one class token.
        length: The wanted number of positions.

    Returns:
        (1, length, D), or None where the two lengths are not both squares after the same number of class tokens.
    """
    if table.shape[1] == length:
        return table
    for prefix in (0, 1):
        side, new = _root(table.shape[1] - prefix), _root(length - prefix)
        if side and new:
            resized: Tensor = resample_abs_pos_embed(table, [new, new], [side, side], num_prefix_tokens=prefix)
            return resized
    return None


def _root(number: int) -> int:
    """The whole square root, or 0 where there is none."""
    root = math.isqrt(max(number, 0))
    return root if root * root == number else 0


def input_layers(encoder: nn.Module) -> InputLayers:
    """The first convolution, or TerraMind's linear patch embeddings, one per modality, in order."""
    modules = dict(encoder.named_modules())
    linear = {}
    for name, module in modules.items():
        parent = modules[name.rpartition(".")[0]]
        patch = getattr(parent, "patch_size", None)
        if isinstance(module, nn.Linear) and name.endswith(".proj") and hasattr(parent, "dim_tokens") and patch:
            linear[f"{name}.weight"] = patch[0] * patch[1]
    if linear:
        return linear
    convolutions = [name for name, module in modules.items() if isinstance(module, nn.Conv2d | nn.Conv3d)]
    return {f"{name}.weight": 0 for name in convolutions[:1]}


def by_channel(weight: Tensor, pixels: int) -> Tensor:
    """An input layer's weights as (D, C, ...); TerraMind's linear layer has a pixel's channels side by side."""
    if not pixels or weight.ndim != 2 or weight.shape[1] % pixels:
        return weight
    return weight.reshape(weight.shape[0], pixels, -1).transpose(1, 2)


def name_bands(
    encoder: nn.Module, inputs: InputLayers, tensors: dict[str, Tensor], bands: list[str], pretrained: Bands
) -> dict[str, tuple[Bands, Bands]]:
    """The bands of each input layer that is among the tensors: the encoder's, and those of the tensor.

    Args:
        encoder: The backbone.
        inputs: Its input layers.
        tensors: Pretrained weights by the encoder's names.
        bands: What the encoder sees; of several modalities one after the other.
        pretrained: The same of the tensors; None for what TerraTorch's tables say.

    Raises:
        InvalidConfig: ``pretrained`` names more or fewer bands than the tensors have.
    """
    state = encoder.state_dict()
    layers = [name for name in inputs if name in tensors and tensors[name].ndim == state[name].ndim]
    own = [by_channel(state[name], pixels).shape[1] for name, pixels in inputs.items()]
    theirs = [by_channel(tensors[name], inputs[name]).shape[1] for name in layers]
    wanted = dict(zip(inputs, _divided(bands, own), strict=True))
    if pretrained and layers and len(pretrained) != sum(theirs):
        raise InvalidConfig(
            f"backbone.checkpoint_bands={','.join(pretrained)}: these are {len(pretrained)} bands, and the "
            f"checkpoint's input layer has {sum(theirs)}; name as many, in its order"
        )
    given = _divided(pretrained, theirs) if pretrained else [_family_bands(encoder, name) for name in layers]
    sizes = zip(layers, given, theirs, strict=True)
    return {name: (wanted[name], names if names and len(names) == size else None) for name, names, size in sizes}


def _divided(names: list[str], sizes: list[int]) -> list[Bands]:
    """The names in consecutive parts; unknown where they are not as many."""
    if len(names) != sum(sizes):
        return [None for _ in sizes]
    return [names[sum(sizes[:index]) : sum(sizes[: index + 1])] for index in range(len(sizes))]


def _family_bands(encoder: nn.Module, layer: str) -> Bands:
    """The bands that the released weights of an input layer are for, by TerraTorch's tables."""
    modality = layer.removesuffix(".proj.weight").rpartition(".")[2]
    family = getattr(encoder, "pretrained_bands", None) or PRETRAINED_BANDS.get(modality)
    return None if family is None else [str(getattr(band, "value", band)) for band in family]
