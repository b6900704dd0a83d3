"""Weights of a backbone from a file: found by name, fitted to other bands and image sizes, and accounted for."""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from terrasweep.models.pretrained.input_layers import (
    Bands,
    InputLayers,
    adapt_input,
    by_channel,
    input_layers,
    name_bands,
    resize_positions,
)
from terrasweep.models.pretrained.tensor_names import best_fit
from terrasweep.results.errors import InvalidConfig, first_line, raise_out_of_memory
from terrasweep.results.wording import percent

MAX_LOST = 0.02
"""Share of the backbone's parameters that may stay as they were initialized: a new token, a scale, a small head."""

POSITIONS = r"pos(ition)?_?emb"
"""In the names of position embeddings."""

KINDS = ("loaded", "missing", "unexpected", "misshapen", "resized", "adapted_input", "kept")


def load_checkpoint(
    encoder: nn.Module,
    file: Path,
    *,
    bands: list[str],
    checkpoint_bands: list[str] | None,
    dates: Sequence[int] = (),
) -> dict[str, list[str]]:
    """Load a backbone's weights from safetensors, or from a pickle that may hold tensors alone.

    The tensors may lie in nested dictionaries, and their names may begin otherwise than the encoder's (``encoder.``,
    ``module.``, ``model.backbone.``): the dictionary and the beginning that fit best are taken, and what is left over,
    like a decoder, is ignored. Learnt position embeddings are resized to the encoder's grid, fixed ones stay the
    encoder's own. Input layers are adapted to the bands; see
    :func:`terrasweep.models.pretrained.input_layers.adapt_input`.

    Args:
        encoder: The backbone; its weights are replaced.
        file: The checkpoint.
        bands: What the encoder sees, in order; of several modalities one after the other.
        checkpoint_bands: The same of the checkpoint; None for what the family was pretrained on, where TerraTorch
            knows it (Prithvi, TerraMind) and the channels are as many.
        dates: How many dates are stacked in each input layer, in order; empty where they see one.

    Returns:
        Names of the encoder's parameters and buffers by what became of them: ``loaded`` (all that have the file's
        weights), of these ``resized`` and ``adapted_input``; ``missing`` in the file, ``misshapen`` there, and ``kept``
        (fixed position embeddings). ``unexpected``: what the file has besides, by its own names.

    Raises:
        InvalidConfig: The file can't be read, no input layer fits, ``checkpoint_bands`` doesn't fit, or what is missing
            and misshapen holds more than ``MAX_LOST`` of the encoder's parameters.
    """
    state, found = fit_checkpoint(encoder, file, bands=bands, checkpoint_bands=checkpoint_bands, dates=dates)
    encoder.load_state_dict(state, strict=False)
    return found


def fit_checkpoint(
    encoder: nn.Module,
    file: Path,
    *,
    bands: list[str],
    checkpoint_bands: list[str] | None,
    dates: Sequence[int] = (),
    shapes_alone: bool = False,
) -> tuple[dict[str, Tensor], dict[str, list[str]]]:
    """What :func:`load_checkpoint` would load, and what it would report; the encoder stays as it is.

    Args:
        encoder: The backbone, which may have no values of its own.
        file: The checkpoint.
        bands: As there.
        checkpoint_bands: As there.
        dates: As there.
        shapes_alone: Whether the file's names and shapes are read, and no values.

    Raises:
        InvalidConfig: As there.
    """
    tensors, unexpected = best_fit(_read(file, shapes_alone=shapes_alone), encoder)
    inputs = input_layers(encoder)
    named = name_bands(encoder, inputs, tensors, bands, checkpoint_bands)
    stacked = dict(zip(inputs, dates, strict=False))
    learnt = {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    found: dict[str, list[str]] = {kind: [] for kind in KINDS} | {"unexpected": unexpected}
    state: dict[str, Tensor] = {}
    for name, own in encoder.state_dict().items():
        if re.search(POSITIONS, name) and own.ndim == 3 and name not in learnt:
            found["kept"].append(name)
        elif name not in tensors:
            found["missing"].append(name)
        else:
            layer = (*named[name], stacked.get(name, 1)) if name in named else None
            kind, fitted = _fitted(name, tensors[name], own, inputs.get(name, 0), layer)
            found[kind].append(name)
            if fitted is not None:
                state[name] = fitted
    found["loaded"] = list(state)
    _check(encoder, file, inputs, found)
    return state, found


def _read(file: Path, *, shapes_alone: bool) -> Any:
    """What the file holds, without running any code that is in it."""
    if not file.is_file():
        raise InvalidConfig(f"backbone.checkpoint={file}: there is no such file")
    with file.open("rb") as stream:
        head = stream.read(9)
    try:
        if file.suffix == ".safetensors" or head[8:] == b"{":
            return _shapes(file) if shapes_alone else load_file(file)
        return torch.load(file, map_location="meta" if shapes_alone else "cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        strange = re.search(r"GLOBAL (\S+)|function (\S+)", str(error))
        if strange is None:
            raise _unreadable(file, error) from error
        raise InvalidConfig(
            f"backbone.checkpoint={file}: it holds more than tensors ({strange[1] or strange[2]}), which would be code "
            "to run; save the model's state_dict alone, or as safetensors, and use that"
        ) from error
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        raise_out_of_memory(error)
        raise _unreadable(file, error) from error


def _shapes(file: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file without their values; its header says all."""
    with safe_open(file, framework="pt") as tensors:
        shapes = {name: tensors.get_slice(name).get_shape() for name in list(tensors.keys())}
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def _unreadable(file: Path, error: Exception) -> InvalidConfig:
    return InvalidConfig(
        f"backbone.checkpoint={file}: it is truncated, or neither safetensors nor a PyTorch pickle "
        f"({first_line(error)}); "
        "download or save it again"
    )


def _fitted(
    name: str, tensor: Tensor, own: Tensor, pixels: int, layer: tuple[Bands, Bands, int] | None
) -> tuple[str, Tensor | None]:
    """What becomes of a tensor, and the tensor as the encoder takes it; None where it can't.

    Of an input layer ``layer`` holds the bands that are wanted, those of the tensor, and the number of dates.
    """
    if layer is not None:
        source, target = by_channel(tensor, pixels), by_channel(own, pixels)
        if source.shape[0] == target.shape[0] and source.shape[2:] == target.shape[2:]:
            wanted, known, dates = layer
            adapted = adapt_input(source, wanted, known, target.shape[1], dates)
            result = adapted if not pixels else adapted.transpose(1, 2).reshape(own.shape)
            same = tensor.shape == own.shape and (tensor.is_meta or torch.equal(result, tensor))
            return "loaded" if same else "adapted_input", result
    if tensor.shape == own.shape:
        return "loaded", tensor
    if re.search(POSITIONS, name) and tensor.ndim == own.ndim and tensor.shape[-1] == own.shape[-1]:
        # An nn.Embedding of positions, as SigLIP's, has no axis for the batch.
        table = tensor if tensor.ndim == 3 else tensor.unsqueeze(0)
        resized = resize_positions(table, own.shape[-2])
        if resized is not None and table.ndim == 3 and table.shape[0] == 1:
            return "resized", resized.reshape(own.shape)
    return "misshapen", None


def _check(encoder: nn.Module, file: Path, inputs: InputLayers, found: dict[str, list[str]]) -> None:
    """Refuse what would train another model than the one that was asked for."""
    sizes = {name: parameter.numel() for name, parameter in encoder.named_parameters()}
    lost = sum(sizes.get(name, 0) for kind in ("missing", "misshapen") for name in found[kind])
    share = lost / max(1, sum(sizes.values()))
    blind = bool(inputs) and not set(inputs) & set(found["loaded"])
    if share <= MAX_LOST and not blind:
        return
    parts = "; ".join(
        f"{len(found[kind])} {kind} (first {', '.join(found[kind][:3])})"
        for kind in ("missing", "misshapen", "unexpected")
        if found[kind]
    )
    reason = f"{percent(share)} of its parameters would stay random" if share > MAX_LOST else "no input layer fits"
    raise InvalidConfig(
        f"backbone.checkpoint={file}: it does not fit the backbone, {reason} (at most {percent(MAX_LOST)} may): "
        f"{parts}; name the backbone that it was saved from, or set backbone.arguments as there"
    )
