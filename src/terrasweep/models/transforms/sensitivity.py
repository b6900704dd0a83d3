"""Which layers suffer most from quantization: measured on a batch of the user's data."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from terrasweep.models.transforms.quantize import quantized

Images = torch.Tensor | dict[str, torch.Tensor]
"""A batch (B, C, H, W), or one per modality."""


@torch.no_grad()
def rank_layers(
    model: Any,
    names: list[str],
    quantization: str,
    compute_dtype: torch.dtype,
    device: torch.device,
    images: Images,
) -> dict[str, float]:
    """Quantize one linear layer of the backbone at a time, and see how much the model's output changes.

    The measure is the relative L2 error of the output over the batch. Errors of layers are nearly independent, so that
    their squares add up, and keeping the layers of the largest ones leaves the least.

    Args:
        model: A TerraTorch model in full precision; it is on the device afterwards, and otherwise as it was.
        names: Dotted names of the linear layers below ``model.encoder``.
        quantization: ``int8``, ``fp4``, ``nf4`` or ``nf4_double``.
        compute_dtype: What a 4-bit weight is unpacked to.
        device: Where to run.
        images: Normalized float32 (B, C, H, W), or a dict of them by modality.

    Returns:
        Name to relative error, the largest first.
    """
    training = model.training
    model.to(device).eval()
    batch = moved(images, device)
    reference = model(batch).output.float()
    errors = {}
    for name in names:
        original = model.encoder.get_submodule(name)
        assert isinstance(original, nn.Linear)
        model.encoder.set_submodule(name, quantized(original, quantization, compute_dtype, device))
        errors[name] = float((model(batch).output.float() - reference).norm() / reference.norm())
        model.encoder.set_submodule(name, original)
    model.train(training)
    return dict(sorted(errors.items(), key=lambda item: -item[1]))


def moved(images: Images, device: torch.device) -> Images:
    """A batch on the device."""
    if isinstance(images, dict):
        return {name: image.to(device) for name, image in images.items()}
    return images.to(device)
