"""What a trial will need in memory: traced once, and kept for whoever asks again. A child's module."""

from __future__ import annotations

from terrasweep.config.schema import TrialConfig
from terrasweep.predict import kept_predictions
from terrasweep.predict.kept_traces import KeptTraces
from terrasweep.predict.prediction import MIB, Memory, Prediction
from terrasweep.predict.reserved_memory import reserved_bytes
from terrasweep.predict.trace import Trace
from terrasweep.predict.trace_training import trace_training


def predict_peak_memory(config: TrialConfig, device: str, *, keep: bool = True) -> Prediction:
    """The memory that a trial will need, by phase and kind, and what a step computes; nothing is trained.

    The same question is answered from :func:`terrasweep.machine.paths.cache_folder` the next time, and so is one whose
    batch or tile lies between those of traces that were made.

    Args:
        config: With bands, tile and classes, as the data tell them.
        device: ``cpu`` or ``cuda``; no GPU is needed for either.
        keep: Whether the answer and the trace are written there.

    Raises:
        InvalidConfig: The model can't be built.
    """
    if (known := kept_predictions.kept_prediction(config, device)) is not None:
        return known
    traces = KeptTraces(kept_predictions.traces_folder(config, device), config)
    trace = traces.between()
    if trace is None:
        trace = trace_training(config, device)
        if keep:
            traces.keep(trace)
    found = predicted(trace, config, device)
    if keep:
        kept_predictions.keep(found, config)
    return found


def predicted(trace: Trace, config: TrialConfig, device: str) -> Prediction:
    """The prediction that follows from a trace."""
    on_gpu = device == "cuda"
    return Prediction(
        device=device,
        on_device=_in_mib(trace, on_host=False) if on_gpu else {},
        on_host=_in_mib(trace, on_host=True),
        reserved={phase: size / MIB for phase, size in reserved_bytes(trace).items()} if on_gpu else {},
        step=trace.step,
        notes=_notes(config),
    )


def _in_mib(trace: Trace, *, on_host: bool) -> Memory:
    peaks = trace.peaks(on_host=on_host)
    return {phase: {kind: size / MIB for kind, size in kinds.items()} for phase, kinds in peaks.items()}


def _notes(config: TrialConfig) -> list[str]:
    notes = []
    if config.offload.name == "nvme":
        notes.append("offload=nvme: what lies on the disk counts as if it were on the host.")
    if config.offload.deepspeed_config is not None:
        notes.append("offload.deepspeed_config: terrasweep's own settings are taken.")
    if config.quantization.skip == "auto":
        notes.append("quantization.skip=auto: the largest layers are taken to stay in full precision.")
    if config.tuning.initialisation != "default":
        notes.append(f"tuning.initialisation={config.tuning.initialisation}: the start's own need isn't counted.")
    return notes
