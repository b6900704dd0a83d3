"""The TrialConfig tree: the only schema of the configuration, as frozen dataclasses.

Hydra composes ``conf/`` against these types, and :mod:`terrasweep.config.compose` turns the result into a
:class:`TrialConfig`. Past that door there is no DictConfig. The knobs of the search are in
:mod:`terrasweep.config.knobs`, what describes data in :mod:`terrasweep.config.data`; ranges and contradictions are
checked in :mod:`terrasweep.trial.rules`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from omegaconf import MISSING

from terrasweep.config.data import DataConfig
from terrasweep.config.knobs.augment import AugmentConfig
from terrasweep.config.knobs.checkpointing import CheckpointingConfig
from terrasweep.config.knobs.offload import OffloadConfig
from terrasweep.config.knobs.optimizer import OptimizerConfig
from terrasweep.config.knobs.precision import PrecisionConfig
from terrasweep.config.knobs.quantization import QuantizationConfig
from terrasweep.config.knobs.tuning import TuningConfig
from terrasweep.config.reuse import ConfirmConfig, ProbeConfig, ReuseConfig
from terrasweep.config.schedule import ScheduleConfig
from terrasweep.config.train import TrainConfig


@dataclass(frozen=True, kw_only=True)
class TrialIdentity:
    """Which trial of its study this is."""

    number: int | None = None
    """Optuna's trial number; set by the sweeper, null for a single trial."""
    attempt: str | None = None
    """Which start of the study measures it; set by the sweeper, not stored."""
    judged: bool = False
    """Whether the sweep hears of its validations and may end it; set by the sweeper, not stored."""


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """One objective: any measurement."""

    name: str = MISSING
    direction: str = MISSING
    """``maximize`` or ``minimize``."""


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """The study that a trial belongs to."""

    name: str = MISSING
    """Folder below ``results/`` and MLflow experiment; default: the sweep's file name."""
    n_trials: int = 20
    """Total number of trials, over all starts; at least 1."""
    budget_hours: float | None = None
    """Hours of searching, over all starts, after which no trial begins; above 0; null: as many as the trials take."""
    stop_when: str | None = None
    """``converged``: the search ends when no candidate promises more than ``stop_share``; null: it goes on."""
    stop_share: float = 0.01
    """Of the hypervolume, beyond the errors; above 0 and below 1."""
    stop_proposals: int = 5
    """How many proposals in a row have to promise no more, at least 1."""
    objectives: list[ObjectiveConfig] = field(default_factory=list)
    storage: str | None = None
    """Optuna storage URL; null: ``optuna.db`` in the study's folder."""
    seed: int = 0
    """Seed of the sampler."""
    takeover: bool = False
    """Whether what a process on another machine may still work on is taken from it."""
    stop_dominated: bool = False
    """Whether a training ends that a complete trial would beat even if it went on as well as any before it."""
    stop_after_same_failures: int | None = 3
    """How many trials in a row that fail alike stop the study, at least 2; null: none do. They run again."""
    keep_weights: str = "front"
    """Whose trained weights stay on disk: ``front`` (trials on it, or off it by no more than the errors), ``all`` or
    ``none``."""
    baselines: Any = "default"
    """What is measured before the search, to compare with: ``default`` (full tuning, and LoRA of rank 16), ``none``, or
    names with the keys that each sets."""
    learn_from: list[str] = field(default_factory=list)
    """Other studies whose trials teach the search's models; they are no results of this one."""
    test: bool = True
    """Whether the recommended trials are measured on the test split, once, when the study is complete."""


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """A geospatial backbone from TerraTorch's registry."""

    name: str = MISSING
    """Name in TerraTorch's backbone registry."""
    source: str | None = None
    """For ``earthmind_v1`` and ``hf_vision``: a model's id on the Hub, or a local folder in the same layout."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the registry's builder; they win over those that are derived."""
    bands: list[str] = field(default_factory=list)
    """What the backbone calls the input bands, in order; empty: by the data's names."""
    modality: str | None = None
    """What a single image is to a backbone of several modalities, like ``S2L2A``; null: its first one."""
    merge: str = "mean"
    """How the tokens of several modalities become one sequence: ``mean``, ``max`` or ``concat`` (of the channels)."""
    out_indices: list[int] | None = None
    """Blocks whose features the decoder sees; null: four, evenly spread."""
    cls_token: bool | None = None
    """Whether the first token is a class token to drop; null: found by looking at the features."""
    pretrained: bool = False
    """Weights from the Hub."""
    checkpoint: str | None = None
    """Weights from a file (safetensors, or a pickle of tensors), or ``synthetic``: see docs/quickstart.md."""
    checkpoint_bands: list[str] | None = None
    """Bands of the checkpoint's input layer, in order; null: those that its family was pretrained on, where known."""


@dataclass(frozen=True, kw_only=True)
class NeckConfig:
    """What stands between backbone and decoder."""

    modules: list[dict[str, Any]] | None = None
    """TerraTorch necks as ``{name: ..., **arguments}``; null: derived from backbone and decoder."""


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """A decoder from TerraTorch's registry."""

    name: str = MISSING
    arguments: dict[str, Any] = field(default_factory=dict)
    pyramid: bool = False
    """Whether the decoder wants four features of falling resolution (neck LearnedInterpolateToPyramidal)."""
    includes_head: bool = False
    """Whether the decoder itself ends in the classes."""
    tasks: list[str] = field(default_factory=list)
    """Tasks it can serve."""


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """What is learnt, and by which loss."""

    name: str = MISSING
    """``segmentation``, ``classification``, ``multilabel`` or ``regression`` (one value per pixel)."""
    loss: str = "ce"
    loss_arguments: dict[str, Any] = field(default_factory=dict)
    """What the loss takes beside its name, as ``{gamma: 2.0}``; what is left out has the loss's own default."""
    ignore_index: int | None = -1
    """Label that counts neither in the loss nor in a metric; null: every label counts."""
    class_weights: Any = None
    """One number per class; ``auto``: by their frequency in the training split; null: classes count alike."""
    accuracy: str = MISSING
    """The validation metric that becomes ``accuracy``, by TerraTorch's name."""
    accuracy_name: str = MISSING
    """How reports call it."""


@dataclass(frozen=True, kw_only=True)
class BudgetConfig:
    """Limits per trial; null: none."""

    memory_gib: float | None = None
    """Of the device's memory; of the resident set's growth on a CPU."""
    timeout_s: float | None = None
    """Seconds from the start of the trial's process."""
    host_memory_gib: float | None = None
    """Growth of the trial's processes on the host at which they are ended."""
    gate: bool = True
    """Whether a trial that can't fit by its predicted peak is not started (docs/memory.md)."""
    gate_verify: float = 0.05
    """Share of the trials that would not be started which are run all the same, to be counted; 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class RepeatsConfig:
    """Trainings of the front with other seeds, after the search."""

    seeds: int = 0
    """With how many other seeds each trial of the front is trained again, at least 2; 0: with none."""
    n_trainings: int | None = None
    """At most so many trainings, over all starts and beside ``study.n_trials``; null: as many as it takes."""


@dataclass(frozen=True, kw_only=True)
class TrackingConfig:
    """Where runs are tracked."""

    uri: str = MISSING
    """MLflow tracking URI; a relative SQLite path is relative to the project's root."""


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """Everything a trial needs to know."""

    trial: TrialIdentity = field(default_factory=TrialIdentity)
    study: StudyConfig = field(default_factory=StudyConfig)
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    neck: NeckConfig = field(default_factory=NeckConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    task: TaskConfig = field(default_factory=TaskConfig)
    data: DataConfig = field(default_factory=DataConfig)
    quantization: QuantizationConfig = field(default_factory=QuantizationConfig)
    tuning: TuningConfig = field(default_factory=TuningConfig)
    checkpointing: CheckpointingConfig = field(default_factory=CheckpointingConfig)
    offload: OffloadConfig = field(default_factory=OffloadConfig)
    precision: PrecisionConfig = field(default_factory=PrecisionConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    probe: ProbeConfig = field(default_factory=ProbeConfig)
    repeats: RepeatsConfig = field(default_factory=RepeatsConfig)
    reuse: ReuseConfig = field(default_factory=ReuseConfig)
    confirm: ConfirmConfig = field(default_factory=ConfirmConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    outside: dict[str, Any] = field(default_factory=dict)
    """Settings of the knobs that other packages declare, by group; stored, they stand beside the sections above."""

    @property
    def keeps_weights(self) -> bool:
        """Whether a trial leaves its weights: not where the study would remove them in any case."""
        return self.train.save_weights and self.study.keep_weights != "none"

    def settings(self, group: str) -> Any:
        """A section by its name: one of the above, or that of a knob from outside."""
        return self.outside[group] if group in self.outside else getattr(self, group)

    def with_settings(self, group: str, settings: Any) -> TrialConfig:
        """A copy with another section of that name."""
        if group in self.outside:
            return replace(self, outside=self.outside | {group: settings})
        return replace(self, **{group: settings})
