"""Model states under ZeRO, by DeepSpeed's own estimators, with frozen and packed weights counted as they are.

The estimators take every parameter to learn, in 16 bits, with Adam's 32-bit copies and moments beside it. Here they get
the parameters that learn; frozen weights are added at the bytes they are stored with (Rajbhandari et al. 2020, 2021;
https://deepspeed.readthedocs.io/en/latest/memory.html).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from terrasweep.models.offload.deepspeed_settings import LARGEST_BUCKET
from terrasweep.predict.memory_needs import ModelCounts, ZeroNeed

if TYPE_CHECKING:
    import torch

CHOICES = ((2, "none"), (3, "none"), (2, "optimizer"), (3, "parameters"), (3, "nvme"))
"""Stage and offload; ``offload=optimizer``, ``parameters`` and ``nvme`` are terrasweep's, in these stages."""

GPUS = range(1, 9)
"""On one node."""

_FULL_PRECISION = 4
"""Bytes of a parameter while the model is built."""


class Estimators(NamedTuple):
    """DeepSpeed's two functions; both return bytes on the host and on each GPU first."""

    zero2: Callable[..., tuple[int, int]]
    """``estimate_zero2_model_states_mem_needs(total_params, num_gpus_per_node, num_nodes, cpu_offload, ...)``."""
    zero3: Callable[..., tuple[int, int, int]]
    """``estimate_zero3_model_states_mem_needs(total_params, largest_layer_params, num_gpus_per_node, ...)``."""


def load_estimators(device: torch.device | None = None) -> Estimators:
    """Import DeepSpeed's estimators, which takes some seconds.

    Args:
        device: What this process uses DeepSpeed for; None for nothing else, which keeps it off a GPU.
    """
    import torch

    from terrasweep.models.offload.zero import import_deepspeed

    import_deepspeed(device or torch.device("cpu"))
    from deepspeed.runtime.zero.stage3 import estimate_zero3_model_states_mem_needs
    from deepspeed.runtime.zero.stage_1_and_2 import estimate_zero2_model_states_mem_needs

    return Estimators(estimate_zero2_model_states_mem_needs, estimate_zero3_model_states_mem_needs)


def plan_metrics(counts: ModelCounts, device: torch.device | None = None) -> dict[str, list[tuple[int, float]]]:
    """The needs of every choice as curves over the number of GPUs.

    Args:
        counts: Of a built model, or of a planned one.
        device: As of :func:`load_estimators`.

    Returns:
        ``zero2_offload_optimizer_gpu_mib`` and the like, with ``gpu``, ``host`` and for NVMe ``disk``, to pairs of GPUs
        and MiB.
    """
    curves: dict[str, list[tuple[int, float]]] = {}
    for need in predict_zero(counts, load_estimators(device)):
        sizes = {"gpu": need.gpu_bytes, "host": need.host_bytes}
        if need.offload == "nvme":
            sizes["disk"] = need.disk_bytes
        for place, size in sizes.items():
            name = f"zero{need.stage}_offload_{need.offload}_{place}_mib"
            curves.setdefault(name, []).append((need.gpus, size / 2**20))
    return curves


def predict_zero(counts: ModelCounts, estimators: Estimators, gpus: Iterable[int] = GPUS) -> list[ZeroNeed]:
    """The needs of every choice on one node, for each number of GPUs."""
    return [_need(counts, estimators, stage, offload, number) for stage, offload in CHOICES for number in gpus]


def _need(counts: ModelCounts, estimators: Estimators, stage: int, offload: str, gpus: int) -> ZeroNeed:
    need = (_stage_2 if stage == 2 else _stage_3)(counts, estimators, offload, gpus)
    # terrasweep partitions a model that is built (zero_init=False): each process holds one in 32 bits before, which is
    # more than what offloaded weights take on the host later.
    built = gpus * _FULL_PRECISION * (counts.frozen_parameters + counts.quantized_parameters)
    # Scales and code tables are no parameters: neither stage divides or offloads them.
    return replace(
        need,
        gpu_bytes=need.gpu_bytes + counts.constant_bytes,
        host_bytes=need.host_bytes + built,
        bucket_bytes=_FULL_PRECISION * min(counts.trainable_parameters, LARGEST_BUCKET),
    )


def _stage_2(counts: ModelCounts, estimators: Estimators, offload: str, gpus: int) -> ZeroNeed:
    total, offloaded = counts.trainable_parameters, offload == "optimizer"
    host, gpu = estimators.zero2(total, gpus, 1, cpu_offload=offloaded)
    return ZeroNeed(
        stage=2,
        offload=offload,
        gpus=gpus,
        gpu_bytes=gpu + counts.frozen_bytes + counts.quantized_bytes,
        host_bytes=host,
        # In 16 bits 2 + 18/n bytes per parameter, in 32 bits 4 + 16/n; with the optimizer on the host 2, and 4.
        full_precision_bytes=2 * total - (0 if offloaded else 2 * total // gpus),
    )


def _stage_3(counts: ModelCounts, estimators: Estimators, offload: str, gpus: int) -> ZeroNeed:
    total, layer = counts.trainable_parameters, counts.largest_trainable_layer
    stored = counts.frozen_bytes + counts.quantized_bytes

    def estimate(*, on_gpus: bool, zero_init: bool = False) -> tuple[int, int]:
        host, gpu, _ = estimators.zero3(total, layer, gpus, 1, not on_gpus, not on_gpus, zero_init)
        return host, gpu

    host, gpu = estimate(on_gpus=offload == "none")
    disk = 0
    if offload == "nvme":
        # The disk takes what lasts, and the host the models before they are partitioned, as without offload.
        disk = estimate(on_gpus=False, zero_init=True)[0] + stored
        host = estimate(on_gpus=True)[0]
    share = -(-stored // gpus) if offload == "none" else 0
    return ZeroNeed(
        stage=3,
        offload=offload,
        gpus=gpus,
        # Whatever is partitioned comes back one layer at a time.
        gpu_bytes=gpu + share + counts.largest_frozen_layer_bytes,
        host_bytes=host,
        disk_bytes=disk,
        # In 16 bits 18/n bytes per parameter, in 32 bits 20/n; a gathered layer and its gradients 4, and 8.
        full_precision_bytes=4 * layer + (-(-2 * total // gpus) if offload == "none" else 0),
    )
