"""Plans of a model that a test makes up, and overrides that fit the data of a test."""

from dataclasses import replace

from terrasweep.predict.memory_needs import ModelCounts, Plan, ZeroNeed
from terrasweep.results.memory_plan import MemoryPlan, PlannedConfiguration, PlannedPeak

GIB = 2**30


COUNTS = ModelCounts(
    trainable_sizes=(GIB // 4,),
    trainable_bytes=GIB,
    frozen_parameters=0,
    frozen_bytes=0,
    quantized_parameters=2 * GIB,
    quantized_bytes=GIB,
    constant_bytes=GIB // 8,
    buffer_bytes=0,
    largest_trainable_layer=1000,
    largest_frozen_layer_bytes=1000,
)


def need(offload="optimizer", stage=2, gpus=1, gpu=4.0, host=10.0, disk=0.0, more=1.0):
    gpu, host, disk, more = (int(size * GIB) for size in (gpu, host, disk, more))
    return ZeroNeed(
        stage=stage,
        offload=offload,
        gpus=gpus,
        gpu_bytes=gpu,
        host_bytes=host,
        disk_bytes=disk,
        full_precision_bytes=more,
    )


def found(**changes):
    zero = [
        need(offload, stage, gpus)
        for offload, stage in (("none", 2), ("none", 3), ("optimizer", 2), ("parameters", 3), ("nvme", 3))
        for gpus in (1, 2)
    ]
    return replace(Plan(counts=COUNTS, optimizer_bytes=2 * GIB, zero=zero, notes=["A note."]), **changes)


def planned_row(batch, gib, note="", parts=1, **values):
    """A configuration that needs so much, give or take a tenth; None: that is not known."""
    mib = None if gib is None else 1024 * gib
    peak = None if mib is None else PlannedPeak(predicted=mib, expected=mib, low=0.9 * mib, high=1.1 * mib)
    values = {**values, "train.batch_size": batch}
    return PlannedConfiguration(searched=values, batch_size=batch, parts=parts, peak=peak, note=note)


def space_of(limits, rows=None):
    rows = rows or [planned_row(2, 0.5), planned_row(4, 1.5)]
    return MemoryPlan(name="mine", limits=dict(limits), rows=rows, notes=["A note on how."])


FITTING = ["data.num_classes=3", "data.tile_px=64", "train.batch_size=8"]
