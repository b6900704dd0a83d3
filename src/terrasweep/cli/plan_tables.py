"""``terrasweep plan`` as a person reads it, on 80 columns."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from terrasweep.cli.plan import choices_for_one_gpu, chosen_need, fits, left_out, remarks
from terrasweep.config.schema import TrialConfig
from terrasweep.predict.memory_needs import Plan, ZeroNeed
from terrasweep.predict.prediction import MIB, Prediction
from terrasweep.predict.trace import Phase
from terrasweep.results.wording import narrow, narrow_bytes, paragraph
from terrasweep.study.terminal import plain_console

_WIDTH = 80
_BITS = {"fp32": 32, "bf16": 16}


def show(config: TrialConfig, found: Plan, console: Console | None = None) -> None:
    """Print exact bytes, ZeRO's rows, what fits, and what is left out."""
    console = console or plain_console()
    if not console.is_terminal:
        console.width = _WIDTH
    heading = f"{config.backbone.name}, tuning={config.tuning.name}: exact bytes on one device, without ZeRO"
    console.print(Text(heading), soft_wrap=True)
    console.print(_exact(config, found))
    if found.prediction is not None:
        peak = _peak(found.prediction, config.budget.memory_gib)
        console.print(paragraph(peak, min(console.width, 120)), soft_wrap=True, markup=False)
        console.print()
    console.print("Model states under DeepSpeed's ZeRO, by the number of GPUs in one machine")
    console.print(_zero(config, found.zero))
    for text in (_answers(config, found), _not_counted(config, found), " ".join(remarks(config, found))):
        console.print(paragraph(text, min(console.width, 120)), soft_wrap=True, markup=False)
        console.print()


def _exact(config: TrialConfig, found: Plan) -> Table:
    counts = found.counts
    rows: list[tuple[str, int | None, int]] = [
        ("weights that learn, in 32 bits", counts.trainable_parameters, counts.trainable_bytes),
        (f"frozen weights, in {_BITS[config.tuning.frozen_dtype]} bits", counts.frozen_parameters, counts.frozen_bytes),
        (f"quantized weights, {config.quantization.name}", counts.quantized_parameters, counts.quantized_bytes),
        ("their scales and code tables", None, counts.constant_bytes),
        ("buffers", None, counts.buffer_bytes),
        ("gradients", None, counts.gradient_bytes),
        (f"state of {config.optimizer.name}", None, found.optimizer_bytes),
    ]
    unit, scale = _unit(size for *_, size in rows)
    table = _table()
    table.add_column("")
    table.add_column("parameters", justify="right")
    table.add_column(unit, justify="right")
    for label, parameters, size in rows:
        if size:
            table.add_row(label, "" if parameters is None else f"{parameters:,}", narrow(size / scale))
    table.add_section()
    table.add_row("sum", f"{counts.total_parameters:,}", narrow(found.state_bytes / scale))
    return table


def _peak(prediction: Prediction, limit_gib: float | None) -> str:
    """The peak on one GPU, whether it is within the budget, and what it consists of."""
    memory = {phase: kinds for phase, kinds in prediction.on_device.items() if phase is not Phase.BUILD}
    worst = max(memory, key=lambda phase: sum(memory[phase].values()))
    parts = [f"{narrow_bytes(size * MIB)} of {kind}" for kind, size in memory[worst].items() if round(size)]
    reserved, judged = prediction.peak_memory_mib * MIB, ""
    if limit_gib is not None:
        left = limit_gib * 2**30 - reserved
        judged = ", within" if left >= 0 else f", {narrow_bytes(-left)} more than"
        judged += f" budget.memory_gib={limit_gib:g}"
    return (
        f"Predicted peak on one GPU without ZeRO: {narrow_bytes(reserved)} reserved by torch's allocator{judged}. "
        f"Tensors take the most in the {worst}: {', '.join(parts)}."
    )


def _not_counted(config: TrialConfig, found: Plan) -> str:
    lacking = ", ".join(left_out(config, found))
    if found.prediction is None:
        return f"Not counted: {lacking}."
    return (
        f"The tables do not count: {lacking}. The predicted peak has activations and fragmentation in it, and neither "
        "the context nor what kernels take for themselves."
    )


def _zero(config: TrialConfig, needs: list[ZeroNeed]) -> Table:
    unit, scale = _unit(size for need in needs for size in (need.gpu_bytes, need.host_bytes, need.disk_bytes))
    table = _table()
    for name in ("offload", "ZeRO", unit):
        table.add_column(name, no_wrap=True)
    for gpus in sorted({need.gpus for need in needs}):
        table.add_column(str(gpus), justify="right", no_wrap=True)
    for offload, stage in dict.fromkeys((need.offload, need.stage) for need in needs):
        row = [need for need in needs if (need.offload, need.stage) == (offload, stage)]
        lines = {
            "GPU": [narrow(need.gpu_bytes / scale) for need in row],
            "host": [narrow(need.host_bytes / scale) for need in row],
            "disk": [narrow(need.disk_bytes / scale) for need in row] if offload == "nvme" else [],
            "fits": ["yes" if fit else "no" for need in row if (fit := fits(need, config.budget)) is not None],
        }
        head = (offload, str(stage))
        for place, cells in lines.items():
            if cells:
                table.add_row(*head, place, *cells, style="bold" if offload == config.offload.name else None)
                head = ("", "")
        table.add_section()
    return table


def _answers(config: TrialConfig, found: Plan) -> str:
    """What this configuration needs on one GPU, and what else would fit there."""
    need, budget = chosen_need(config, found), config.budget
    size = found.state_bytes if need is None else need.device_bytes
    text = f"offload={config.offload.name} on one GPU: {narrow_bytes(size)} of model states"
    if need is not None:
        places = {"host": need.host_bytes, "disk": need.disk_bytes}
        text += " in 32 bits, " + " and ".join(f"{narrow_bytes(b)} on the {place}" for place, b in places.items() if b)
    if budget.memory_gib is not None:
        left = budget.memory_gib * 2**30 - size
        text += f"; {narrow_bytes(left)} of the GPU are left" if left > 0 else f"; {narrow_bytes(-left)} too much"
    choices = choices_for_one_gpu(config, found)
    if choices is None:
        return f"{text}."
    given = {"one GPU": budget.memory_gib, "its host": budget.host_memory_gib}
    limits = " and ".join(f"{limit:g} GiB of {place}" for place, limit in given.items() if limit is not None)
    named = ", ".join(f"offload={choice}" for choice in choices) or "no offload"
    return f"{text}. Within {limits}, the model states fit with {named}."


def _table() -> Table:
    return Table(pad_edge=False, padding=(0, 1, 0, 0), box=SIMPLE_HEAD)


def _unit(sizes: Iterable[int]) -> tuple[str, int]:
    return ("GiB", 2**30) if max(sizes) >= 2**30 else ("MiB", 2**20)
