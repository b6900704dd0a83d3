"""Values that are wrong on their own: of the study, training, budget, task and backbone. Imports no torch.

Those of a knob stand with it in :mod:`terrasweep.config.knobs`, those of data in :mod:`terrasweep.data.rules`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from terrasweep.config import reuse, schedule, train
from terrasweep.config.baselines import find_bad_baselines
from terrasweep.config.given_paths import is_file
from terrasweep.config.losses import AUTO, LOSSES, find_bad_arguments
from terrasweep.config.schema import StudyConfig, TrialConfig
from terrasweep.machine.paths import SINGLE_TRIALS, absolute
from terrasweep.results.wording import nearest

STOPS = ("converged",)
KEPT_WEIGHTS = ("front", "all", "none")
HYDRA_KEYS = ("_target_", "_args_", "_partial_", "_recursive_", "_convert_")
"""What Hydra acts on in whatever it instantiates."""


def find_bad_values(config: TrialConfig, *, files: bool = True) -> Iterator[str]:
    """One line per value that is wrong on its own; also what names a file that is not there, unless ``files=False``."""
    yield from _study(config)
    yield from _end_of_search(config.study)
    yield from find_bad_baselines(config.study.baselines)
    yield from _budget(config)
    yield from _repeats(config)
    yield from train.find_bad_values(config.train)
    yield from schedule.find_bad_values(config.schedule, config.train)
    yield from reuse.find_bad_values(config.reuse, config.probe, config.confirm)
    yield from _task(config)
    yield from _arguments(config)
    if files:
        yield from _files(config)


def _study(config: TrialConfig) -> Iterator[str]:
    study = config.study
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", study.name) or study.name == SINGLE_TRIALS:
        yield (
            f"study.name={study.name!r}: it names a folder below results/; use letters, digits, '.', '_' and '-', "
            f"starting with a letter or digit (and not {SINGLE_TRIALS!r})"
        )
    if study.n_trials < 1:
        yield f"study.n_trials={study.n_trials}: a study has at least one trial; use 1 or more"
    if not study.objectives:
        yield "study.objectives=[]: a study needs something to optimize; name at least one {name, direction}"
    names = [objective.name for objective in study.objectives]
    for objective in study.objectives:
        if objective.direction not in ("maximize", "minimize"):
            yield (f"study.objectives: direction {objective.direction!r} of {objective.name}; use maximize or minimize")
    if study.stop_after_same_failures is not None and study.stop_after_same_failures < 2:
        yield (
            f"study.stop_after_same_failures={study.stop_after_same_failures}: one failure is like no other; "
            "use 2 or more, or null to go on whatever fails"
        )
    if study.keep_weights not in KEPT_WEIGHTS:
        yield f"study.keep_weights={study.keep_weights}: unknown; {nearest(study.keep_weights, KEPT_WEIGHTS)}"
    if len(set(names)) < len(names):
        yield f"study.objectives={names}: an objective is named twice; name each once"


def _end_of_search(study: StudyConfig) -> Iterator[str]:
    if study.budget_hours is not None and not study.budget_hours > 0:
        yield f"study.budget_hours={study.budget_hours:g}: no trial could begin; use hours above 0, or null: no limit"
    if study.stop_when not in (None, *STOPS):
        yield f"study.stop_when={study.stop_when}: unknown; {nearest(study.stop_when, STOPS)}; null goes on to the end"
    if not 0 < study.stop_share < 1:
        yield f"study.stop_share={study.stop_share:g}: it is a share of the hypervolume; use one above 0 and below 1"
    if study.stop_proposals < 1:
        yield f"study.stop_proposals={study.stop_proposals}: it counts proposals in a row; use 1 or more"


def _budget(config: TrialConfig) -> Iterator[str]:
    for key in ("memory_gib", "timeout_s", "host_memory_gib"):
        limit = getattr(config.budget, key)
        if limit is not None and not limit > 0:
            yield f"budget.{key}={limit}: it must be above 0; null means no limit"
    if not 0 <= config.budget.gate_verify <= 1:
        yield f"budget.gate_verify={config.budget.gate_verify:g}: it is a share of the trials; use 0 to 1"


def _repeats(config: TrialConfig) -> Iterator[str]:
    seeds, most = config.repeats.seeds, config.repeats.n_trainings
    if seeds < 0 or seeds == 1:
        reason = "one other seed has no spread" if seeds == 1 else "it counts seeds"
        yield f"repeats.seeds={seeds}: {reason}; use 2 or more, or 0 for none"
    if most is not None and most < 1:
        yield f"repeats.n_trainings={most}: it counts trainings; use 1 or more, null for no limit, or repeats.seeds=0"


def _task(config: TrialConfig) -> Iterator[str]:
    task, data = config.task, config.data
    if task.name not in LOSSES:
        yield f"task.name={task.name}: unknown task; {nearest(task.name, LOSSES)}"
        return
    losses = LOSSES[task.name]
    if task.loss not in losses:
        yield f"task.loss={task.loss}: task={task.name} has no such loss; use {', '.join(losses)}"
        return
    loss = losses[task.loss]
    yield from find_bad_arguments(task)
    if task.ignore_index is not None and not loss.ignores:
        able = [name for name, other in losses.items() if other.ignores]
        yield (
            f"task.ignore_index={task.ignore_index} with task.loss={task.loss}: it counts every label; set "
            f"task.ignore_index=null, or use {', '.join(able)}"
        )
    if config.train.accumulate > 1 and not loss.means:
        able = [name for name, other in losses.items() if other.means]
        yield (
            f"train.accumulate={config.train.accumulate} with task.loss={task.loss}: it is no mean over labels, and a "
            f"batch in parts would have another one; use train.accumulate=1, or task.loss={', '.join(able)}"
        )
    classes = data.num_classes or len(data.class_names or ())
    if classes == 1 and task.name != "regression":
        yield f"data.num_classes=1 with task={task.name}: there is nothing to tell apart; count the background, too"
    yield from _class_weights(config, classes)


def _class_weights(config: TrialConfig, classes: int) -> Iterator[str]:
    task, weights = config.task, config.task.class_weights
    if weights is None:
        return
    losses = LOSSES[task.name]
    if not losses[task.loss].weighs:
        able = [name for name, other in losses.items() if other.weighs]
        way_out = f"task.loss={able[0]}, or " if able else ""
        yield f"task.class_weights with task={task.name} and task.loss={task.loss}: it takes none; use {way_out}null"
        return
    if weights == AUTO:
        return
    if not isinstance(weights, list) or not all(isinstance(w, int | float) and type(w) is not bool for w in weights):
        yield f"task.class_weights={weights}: use {AUTO}, a list of one number per class, or null"
        return
    if not all(0 < weight < math.inf for weight in weights):
        yield f"task.class_weights={weights}: a weight must be above 0 and finite"
    if classes and len(weights) != classes:
        yield f"task.class_weights has {len(weights)} values for {classes} classes; give one weight per class, or null"


def _arguments(config: TrialConfig) -> Iterator[str]:
    """What would make Hydra build an object of its own instead of handing an argument on."""
    given = {
        "backbone.arguments": config.backbone.arguments,
        "decoder.arguments": config.decoder.arguments,
        "data.arguments": config.data.arguments,
        "neck.modules": config.neck.modules,
    }
    for key in (path for name, value in given.items() for path in _keys(name, value)):
        if key.rpartition(".")[2] in HYDRA_KEYS:
            yield f"{key}: it is Hydra's own and builds nothing here; drop it, and give plain values"


def _keys(path: str, value: object) -> Iterator[str]:
    """The dotted path of every key in an argument, at whatever depth."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield f"{path}.{key}"
            yield from _keys(f"{path}.{key}", inner)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _keys(f"{path}[{place}]", inner)


def _files(config: TrialConfig) -> Iterator[str]:
    data, backbone = config.data, config.backbone
    if backbone.checkpoint is None:
        return
    if backbone.pretrained:
        whose = ", which the quickstart sets" if backbone.checkpoint == "synthetic" else ""
        yield (
            f"backbone.pretrained=true with backbone.checkpoint={backbone.checkpoint}{whose}: weights come from one "
            "place; set backbone.checkpoint=null for those of the Hub, or drop backbone.pretrained"
        )
    elif backbone.checkpoint == "synthetic":
        if data.name != "synthetic":
            yield (
                f"backbone.checkpoint=synthetic with data={data.name}: it is pretrained on synthetic tiles; "
                "give a file, or set backbone.checkpoint=null, for the Hub's weights with backbone.pretrained=true"
            )
    elif not is_file(absolute(backbone.checkpoint)):
        yield f"backbone.checkpoint={backbone.checkpoint}: there is no such file; give an existing one or null"
