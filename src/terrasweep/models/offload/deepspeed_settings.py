"""DeepSpeed's settings for an offload, with a user's own file on top of them. Imports no torch."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from terrasweep.config.knobs.offload import ZERO
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.hardware import effective_device
from terrasweep.machine.paths import absolute
from terrasweep.models.offload.extensions import missing_for_nvme

Settings = dict[str, Any]

_OURS = {
    "optimizer": "optimizer= sets it",
    "scheduler": "schedule= sets it",
    "fp16": "precision= sets it",
    "bf16": "precision= sets it",
    "amp": "precision= sets it",
    "torch_autocast": "precision= sets it",
    "activation_checkpointing": "checkpointing= sets it",
    "gradient_clipping": "train.clip_norm sets it",
    "train_batch_size": "train.batch_size sets it",
    "gradient_accumulation_steps": "train.accumulate sets it",
}
_FIXED = ("train_micro_batch_size_per_gpu", "zero_force_ds_cpu_optimizer")
LARGEST_BUCKET = 500_000_000
"""Elements; DeepSpeed's own default."""
_OFFLOADS = ("offload_optimizer", "offload_param")
_FIXED_ZERO = ("stage", *_OFFLOADS)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What DeepSpeed's buffers are cut to; its own defaults hold gigabytes, whatever the model."""

    trainable: int
    """Trainable elements."""
    largest: int
    """Elements of the largest parameter."""


def deepspeed_config(config: TrialConfig, sizes: Sizes, *, pin_memory: bool) -> Settings:
    """The settings that DeepSpeed runs with, complete (https://www.deepspeed.ai/docs/config-json/).

    Args:
        config: A configuration whose offload is one of ZeRO's.
        sizes: Of the model.
        pin_memory: Whether what is offloaded lies in page-locked memory, for faster copies to a GPU.
    """
    return _merged(_own(config, sizes, pin_memory), _given(config))


def find_conflicts(config: TrialConfig, *, files: bool = True) -> Iterator[str]:
    """One line per setting of the user's file that contradicts the knobs, and per thing that NVMe lacks here.

    With ``files=False``, neither the file nor NVMe's needs have to be there.
    """
    if config.offload.name not in ZERO:
        return
    if files and config.offload.name == "nvme" and (missing := missing_for_nvme(effective_device(config.train.device))):
        yield f"offload=nvme: DeepSpeed can't compile its asynchronous I/O without {missing}; use offload=parameters"
    field = f"offload.deepspeed_config={config.offload.deepspeed_config}"
    try:
        given = _given(config)
    except (OSError, ValueError) as error:
        if files:
            yield f"{field}: it can't be read as JSON ({error}); give a DeepSpeed configuration file"
        return
    yield from (f"{field}: {problem}" for problem in _problems(given, config))


def _problems(given: Settings, config: TrialConfig) -> Iterator[str]:
    """What is wrong with a user's settings, and the way out."""
    zero = given.get("zero_optimization", {})
    below = {key: zero[key] for key in _OFFLOADS if key in zero} if isinstance(zero, dict) else {}
    odd = {key: value for key, value in {"zero_optimization": zero, **below}.items() if not isinstance(value, dict)}
    yield from (f"its {key} is {value!r}; give its settings as an object, in braces" for key, value in odd.items())
    yield from (f"it sets {key!r}, but {reason}; remove it" for key, reason in _OURS.items() if key in given)
    if "auto" in _leaves(given):
        yield "it has the value 'auto', which DeepSpeed itself does not know; give a number, or remove it"
    if odd:
        return
    if any("nvme_path" in offload for offload in below.values()):
        yield "it sets 'nvme_path', but offload.nvme_path= sets it; remove it"
    own = _own(config, Sizes(trainable=1, largest=1), pin_memory=False)
    for key, ours, theirs in (
        *((key, own[key], given.get(key, own[key])) for key in _FIXED),
        *((key, own["zero_optimization"].get(key), zero[key]) for key in _FIXED_ZERO if key in zero),
    ):
        if _kind(ours) != _kind(theirs):
            yield f"its {key} is {_kind(theirs)}, but the configuration's is {_kind(ours)}; make them agree"


def _own(config: TrialConfig, sizes: Sizes, pin_memory: bool) -> Settings:
    bucket = min(sizes.trainable, LARGEST_BUCKET)
    host: Settings = {"device": "cpu", "pin_memory": pin_memory}
    zero: Settings = {
        "stage": 2,
        "offload_optimizer": host,
        "overlap_comm": False,
        "contiguous_gradients": True,
        "reduce_bucket_size": bucket,
        "allgather_bucket_size": bucket,
    }
    settings: Settings = {
        "train_micro_batch_size_per_gpu": math.ceil(config.train.batch_size / config.train.accumulate),
        # The trial's own optimizer on the host, the same one as without offload.
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "zero_optimization": zero,
    }
    if config.offload.name != "optimizer":
        zero |= {
            "stage": 3,
            "offload_param": dict(host),
            # Back to the host right after use, the next layer on its way. DeepSpeed's defaults keep a billion
            # parameters on the device, and so offload nothing of most geospatial models.
            "stage3_max_reuse_distance": 0,
            "stage3_max_live_parameters": 4 * sizes.largest,
            "stage3_prefetch_bucket_size": sizes.largest,
        }
    if config.offload.name == "nvme":
        disk = {"device": "nvme", "nvme_path": str(absolute(config.offload.nvme_path or "")), "pin_memory": pin_memory}
        zero["offload_optimizer"] = {**disk, "buffer_count": 4}
        zero["offload_param"] = {**disk, "buffer_count": 5, "buffer_size": sizes.largest, "max_in_cpu": 0}
        settings["aio"] = {"block_size": 2**20, "queue_depth": 8, "single_submit": False, "overlap_events": True}
    return settings


def _given(config: TrialConfig) -> Settings:
    """The user's own settings; empty where there is no file."""
    if config.offload.deepspeed_config is None:
        return {}
    given = json.loads(absolute(config.offload.deepspeed_config).read_text())
    if not isinstance(given, dict):
        raise ValueError("it holds no object")
    return given


def _merged(ours: Settings, theirs: Settings) -> Settings:
    merged = {**ours, **theirs}
    for key in ours.keys() & theirs.keys():
        if isinstance(ours[key], dict) and isinstance(theirs[key], dict):
            merged[key] = _merged(ours[key], theirs[key])
    return merged


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in _leaves(part)]
    return [value]


def _kind(value: Any) -> Any:
    """What has to agree: an offload's device, or the value itself."""
    return value.get("device") if isinstance(value, dict) else value
