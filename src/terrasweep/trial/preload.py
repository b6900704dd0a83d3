"""What the forkserver imports once, so that a trial's process starts in a tenth of a second. Imported there alone.

Importing TerraTorch imports diffusers and with it bitsandbytes, which asks torch for the GPU's compute capability.
That would initialise CUDA here, and no forked process could use the GPU. So the question is answered from NVML while
the imports run. ``CUDA_UNTOUCHED`` says whether that sufficed; if not, trials get a fresh interpreter each.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from terrasweep.machine import startup
from terrasweep.machine.hardware import compute_capability, gpu_names
from terrasweep.process import lifeline

startup.start_forkserver()

import torch  # noqa: E402 - the environment is set first


@contextmanager
def _capability_from_nvml() -> Iterator[None]:
    asked = torch.cuda.get_device_capability
    torch.cuda.get_device_capability = compute_capability
    try:
        yield
    finally:
        torch.cuda.get_device_capability = asked


@contextmanager
def _no_collections() -> Iterator[None]:
    """Nearly all that imports make stays; looking through it for garbage takes a third of their time, measured."""
    gc.disable()
    try:
        yield
    finally:
        # Else every child's garbage collection would look through all the libraries' objects, and copy their pages.
        gc.freeze()
        gc.enable()


_TOUCH_S = 30
"""Seconds after which a throw-away child is given up; it takes one, and three where the disk is slow."""


def throw_away_a_child() -> None:
    """Train a layer of each kind in a forked process whose end is waited for.

    What a trial executes of torch counts as its memory, in the blocks that the kernel holds of torch's files. It holds
    fewer where nothing has used them yet, so that the first trial after a start of the machine would read lower.
    """
    child = os.fork()
    if child == 0:
        signal.alarm(_TOUCH_S)
        try:
            _train_once()
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def _train_once() -> None:
    torch.set_num_threads(1)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(6, 32, 16, 16),
        torch.nn.Flatten(2),
        torch.nn.TransformerEncoderLayer(16, 2, 32, activation="gelu", batch_first=True),
        torch.nn.Unflatten(2, (4, 4)),
        torch.nn.ConvTranspose2d(32, 2, 16, 16),
    )
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(2):
        outputs = model(torch.randn(4, 6, 64, 64))
        loss = torch.nn.functional.cross_entropy(outputs, torch.zeros(4, 64, 64, dtype=torch.long))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


# The imports take long; afterwards the forkserver sees by itself when nobody needs it any more.
with lifeline.ending_with_parent(), _capability_from_nvml(), _no_collections(), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import bitsandbytes
    import hydra
    import lightning.pytorch
    import peft
    import rasterio
    import rioxarray
    import terratorch.datamodules
    import terratorch.tasks

    import terrasweep.measure.host_memory
    import terrasweep.trial.measure_in_child
    from terrasweep.models.offload.zero import import_deepspeed

    # With a GPU, DeepSpeed asks it what it can do while it is imported; there, each trial that wants it imports it.
    if not gpu_names():
        import_deepspeed(torch.device("cpu"))

# Memory that was freed but kept would hide the growth of a child.
terrasweep.measure.host_memory.trimmed_resident_mib()
gc.freeze()
throw_away_a_child()

# Bindings that count their objects would print dozens of lines when the forkserver ends, after the shell's prompt.
atexit.register(lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), 2))

CUDA_UNTOUCHED = not torch.cuda.is_initialized()
"""Whether a forked child can use CUDA."""

PRELOADED = (
    bitsandbytes,
    hydra,
    lightning.pytorch,
    peft,
    rasterio,
    rioxarray,
    terratorch,
    terrasweep.trial.measure_in_child,
)
