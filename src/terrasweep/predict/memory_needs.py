"""What a configuration needs, as plain numbers that go from the child to whoever shows them. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from terrasweep.config.knobs.optimizer import EIGHT_BIT_OPTIMIZERS, OptimizerConfig
from terrasweep.predict.prediction import Prediction

_BLOCK_4BIT = 64
"""Weights that share one scale (bitsandbytes' choice on CPUs and NVIDIA GPUs)."""
_BLOCK_8BIT = 256
"""Elements that share one scale: of an 8-bit optimizer's state, and of nf4_double's quantized scales."""
_FLOAT = 4
"""Bytes of a float32."""


@dataclass(frozen=True, kw_only=True)
class ModelCounts:
    """Parameters and bytes of a model as terrasweep stores it; each parameter is in one of the three kinds."""

    trainable_sizes: tuple[int, ...]
    """Elements of each parameter that learns."""
    trainable_bytes: int
    frozen_parameters: int
    """Parameters that neither learn nor are quantized."""
    frozen_bytes: int
    quantized_parameters: int
    """Quantized weights; a packed one counts as the elements it stands for."""
    quantized_bytes: int
    """Quantized weights as they are packed, without their constants."""
    constant_bytes: int
    """Of quantized weights: scales and code tables. They are no parameters, and ZeRO does not partition them."""
    buffer_bytes: int
    """The model's buffers, like running means or position encodings."""
    largest_trainable_layer: int
    """The most trainable parameters that one module holds itself, as DeepSpeed counts a layer."""
    largest_frozen_layer_bytes: int
    """The most bytes of frozen parameters, quantized ones included, that one module holds itself."""

    @property
    def trainable_parameters(self) -> int:
        """Number of parameters that learn."""
        return sum(self.trainable_sizes)

    @property
    def total_parameters(self) -> int:
        """All parameters, as the unquantized model has them."""
        return self.trainable_parameters + self.frozen_parameters + self.quantized_parameters

    @property
    def weight_bytes(self) -> int:
        """Everything the model stores; equals ``terrasweep.models.transforms.quantize.stored_bytes``."""
        parts = (self.trainable_bytes, self.frozen_bytes, self.quantized_bytes, self.constant_bytes, self.buffer_bytes)
        return sum(parts)

    @property
    def gradient_bytes(self) -> int:
        """One gradient per trainable parameter, of its own type."""
        return self.trainable_bytes


@dataclass(frozen=True, kw_only=True)
class ZeroNeed:
    """What the model states need under one stage of ZeRO, with one choice of offload, on one node."""

    stage: int
    """2: optimizer state and gradients are divided over the GPUs; 3: parameters too."""
    offload: str
    """``none``, ``optimizer``, ``parameters`` or ``nvme``."""
    gpus: int
    gpu_bytes: int
    """On each GPU."""
    host_bytes: int
    """On the host, all processes together."""
    disk_bytes: int = 0
    full_precision_bytes: int
    """On each GPU in addition: the estimators take 16 bits for parameters and gradients, terrasweep keeps 32."""
    bucket_bytes: int = 0
    """On each GPU in addition: the buffer that DeepSpeed gathers gradients in."""

    @property
    def device_bytes(self) -> int:
        """All of it on each GPU, in 32 bits."""
        return self.gpu_bytes + self.full_precision_bytes + self.bucket_bytes


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The answer of ``terrasweep plan``."""

    counts: ModelCounts
    optimizer_bytes: int
    zero: list[ZeroNeed]
    notes: list[str]
    """What had to be assumed, a sentence each."""
    prediction: Prediction | None = None
    """The peak on a GPU, activations included; None under ZeRO, which can't be traced."""

    @property
    def state_bytes(self) -> int:
        """Weights, gradients and optimizer state on one device, without ZeRO."""
        return self.counts.weight_bytes + self.counts.gradient_bytes + self.optimizer_bytes

    @property
    def built_bytes(self) -> int:
        """Parameters on the host while one model is built, in 32 bits."""
        return _FLOAT * self.counts.total_parameters


def packed_bytes(rows: int, elements: int, quantization: str) -> tuple[int, int]:
    """Bytes of one linear layer's weight in low bits, and of its constants.

    Args:
        rows: The layer's outputs.
        elements: Of its weight.
        quantization: ``int8`` (one scale per row), ``fp4``, ``nf4`` (one float32 scale per 64 weights), or
            ``nf4_double``, whose scales take 8 bits, with an offset and one float32 scale per 256 of them
            (Dettmers et al. 2023).
    """
    if quantization == "int8":
        return elements, rows * _FLOAT
    blocks = _divide(elements, _BLOCK_4BIT)
    code = 2**4 * _FLOAT
    if quantization == "nf4_double":
        scales = blocks + _FLOAT * (_divide(blocks, _BLOCK_8BIT) + 1) + 2**8 * _FLOAT
    else:
        scales = blocks * _FLOAT
    return _divide(elements, 2), scales + code


def optimizer_bytes(sizes: tuple[int, ...], optimizer: OptimizerConfig) -> int:
    """Bytes of an optimizer's state after its first step.

    AdamW keeps two float32 moments per parameter, and one float32 step per tensor. The 8-bit ones keep two bytes per
    parameter, two float32 scales per 256 of them and two shared code tables, and 32 bits for tensors below
    ``optimizer.min_8bit_size`` (Dettmers et al. 2022).

    Args:
        sizes: Elements of each parameter that learns. All are taken to get a gradient.
        optimizer: Which one.
    """
    if optimizer.name not in EIGHT_BIT_OPTIMIZERS:
        return sum(2 * _FLOAT * size + _FLOAT for size in sizes)
    threshold = optimizer.min_8bit_size or 0
    packed = [size for size in sizes if size >= threshold]
    tables = 2 * 2**8 * _FLOAT if packed else 0
    scales = sum(2 * _FLOAT * _divide(size, _BLOCK_8BIT) for size in packed)
    return tables + 2 * sum(packed) + scales + sum(2 * _FLOAT * size for size in sizes if size < threshold)


def _divide(number: int, by: int) -> int:
    """Rounded up."""
    return -(-number // by)
