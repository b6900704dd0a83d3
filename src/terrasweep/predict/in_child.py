"""What runs in a child: the plan of ``terrasweep plan``, and predictions."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from terrasweep.config.knobs.offload import ZERO
from terrasweep.config.schema import TrialConfig
from terrasweep.machine import startup
from terrasweep.predict.prediction import Prediction
from terrasweep.process.child import Report
from terrasweep.results.errors import InvalidConfig, first_line


def plan(report: Report, config: TrialConfig) -> None:
    """Count what a configuration needs, predict its peak on a GPU, and report both as ``plan``.

    Raises:
        InvalidConfig: The model can't be built.
    """
    # No GPU is needed, so that none is touched: libraries ask for its properties when they are imported.
    startup.hide_gpus()

    from terrasweep.predict.count_states import count_planned
    from terrasweep.predict.memory_needs import Plan, optimizer_bytes
    from terrasweep.predict.zero_estimates import load_estimators, predict_zero

    counts, notes = count_planned(config)
    prediction, told = _peak_on_gpu(config)
    report(
        plan=Plan(
            counts=counts,
            optimizer_bytes=optimizer_bytes(counts.trainable_sizes, config.optimizer),
            zero=predict_zero(counts, load_estimators()),
            notes=[*notes, *told],
            prediction=prediction,
        )
    )


def _peak_on_gpu(config: TrialConfig) -> tuple[Prediction | None, list[str]]:
    """The prediction, or why there is none."""
    from terrasweep.predict.peak_memory import predict_peak_memory

    if config.offload.name in ZERO:
        return None, []
    try:
        return predict_peak_memory(config, "cuda", keep=False), []  # A plan leaves nothing behind.
    except InvalidConfig:
        raise
    except Exception as error:  # noqa: BLE001 - a backbone's own code may want values; what is counted stands
        traceback.print_exc()
        return None, [f"The peak can't be predicted: {type(error).__name__}: {first_line(error)}."]


def predict(report: Report, configs: list[TrialConfig], device: str) -> None:
    """Predict the memory of trials, and report each as soon as it is there: ``predictions`` by place in the list.

    A configuration whose model can't be built, or not be traced, has the reason instead, among ``refused``.

    Args:
        report: Takes what is known.
        configs: With bands, tile and classes.
        device: ``cpu`` or ``cuda``; none is needed.
    """
    startup.hide_gpus()

    from terrasweep.predict.peak_memory import predict_peak_memory

    for place in sorted(range(len(configs)), key=outermost_first(configs)):
        config = configs[place]
        try:
            report(predictions={place: predict_peak_memory(config, device)})
        except InvalidConfig as error:
            report(refused={place: str(error)})
        except Exception as error:  # noqa: BLE001 - what can't be traced costs no other prediction
            traceback.print_exc()
            report(refused={place: f"{type(error).__name__}: {first_line(error)}"})


def outermost_first(configs: list[TrialConfig]) -> Callable[[int], int]:
    """A key to sort places by: what has the extreme batches and tiles is traced before what follows from it."""
    batches = [config.train.batch_size for config in configs]
    tiles = [config.data.tile_px or 0 for config in configs]

    def depth(place: int) -> int:
        inner_batch = batches[place] not in (min(batches), max(batches))
        return 2 * inner_batch + (tiles[place] not in (min(tiles), max(tiles)))

    return depth
