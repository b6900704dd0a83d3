"""In which arithmetic torch computes; process-wide, set by each child.

Importing TerraTorch sets torch's precision to ``medium`` (its ``clay_v15`` backbone does). From there on products are
bfloat16's on CPUs with AMX, with a relative error of 2e-3 in place of 3e-7, and TF32's on GPUs; and convolutions on
GPUs are TF32's from the start. So it is set after the imports, for products and convolutions alike, and not inherited.
"""

from __future__ import annotations

import torch

from terrasweep.machine.hardware import compute_threads


def set_arithmetic(precision: str) -> dict[str, str]:
    """Set what bears on a trial's numbers from outside of it: in this process, from here on.

    Args:
        precision: As :func:`set_float32_precision` takes it.

    Returns:
        What torch then says of itself, by the names of its settings.
    """
    set_float32_precision(precision)
    torch.set_num_threads(compute_threads())
    torch.set_default_dtype(torch.float32)
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.enabled = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = False
    return arithmetic_settings()


def arithmetic_settings() -> dict[str, str]:
    """What is in force in this process, as torch itself says."""
    return {
        **float32_settings(),
        "default_dtype": str(torch.get_default_dtype()).removeprefix("torch."),
        "cudnn.benchmark": str(torch.backends.cudnn.benchmark),
        "cudnn.deterministic": str(torch.backends.cudnn.deterministic),
        "num_threads": str(torch.get_num_threads()),
    }


def set_float32_precision(precision: str) -> dict[str, str]:
    """Set how exact products and convolutions of 32-bit numbers are, from here on.

    Args:
        precision: ``highest``, ``high`` or ``medium``, as ``torch.set_float32_matmul_precision`` defines them.
            Convolutions on GPUs are in 32 bits with ``highest`` and in TF32 with the others; those on CPUs are in 32
            bits with each.

    Returns:
        What torch then says of itself, by the names of its settings.
    """
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32 = precision != "highest"
    return float32_settings()


def float32_settings() -> dict[str, str]:
    """The precision in force in this process, as torch itself says."""
    settings = {
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "cuda.matmul.allow_tf32": str(torch.backends.cuda.matmul.allow_tf32),
        "cudnn.allow_tf32": str(torch.backends.cudnn.allow_tf32),
    }
    # torch before 2.9 has no name for it.
    on_cpus = getattr(getattr(torch.backends.mkldnn, "matmul", None), "fp32_precision", None)
    return settings if on_cpus is None else {**settings, "mkldnn.matmul.fp32_precision": on_cpus}
