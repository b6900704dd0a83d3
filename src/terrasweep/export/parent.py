"""A trained trial as plain TerraTorch: which one, its weights (trained again where they are gone), and the commands."""

from __future__ import annotations

import contextlib
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from terrasweep import process
from terrasweep.config.compose import stored_trial_config
from terrasweep.config.losses import in_terratorch
from terrasweep.config.schema import TrialConfig
from terrasweep.data.open.exported_datamodule import augmentation_left_out, check_exportable_data
from terrasweep.data.stored import located
from terrasweep.machine.files import put_in_place
from terrasweep.machine.paths import expanded, results_folder
from terrasweep.results.errors import Crashed, InvalidConfig
from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.folder import open_existing
from terrasweep.trial import prepare
from terrasweep.trial.trained_again import folder_with_weights

CONFIG, CHECKPOINT = "config.yaml", "weights.ckpt"
LOG = "export.log"
"""What a child printed, kept where it failed."""


@dataclass(frozen=True)
class Trained:
    """A complete trial."""

    title: str
    folder: Path
    result: TrialResult
    config: TrialConfig
    default_output: Path


@dataclass(frozen=True)
class Exported:
    """What came out."""

    folder: Path
    difference: float
    """Relative L2 difference of the outputs on a validation batch from those of the trial's model."""
    accuracy: float
    """Of the exported model on the validation split."""
    precision: str
    """Of that evaluation."""


def find_trial(study: str, number: int | None) -> Trained:
    """The trial of a study, or a single one by its folder.

    Args:
        study: Name of the study; for a single trial its folder, as ``sweep.py`` prints it.
        number: The trial's number; None for a single trial.

    Raises:
        InvalidConfig: There is none, or it did not complete.
    """
    if number is None:
        return _single(study)
    folder = open_existing(study)
    result = folder.trials.result(number)
    front = ", ".join(str(r.number) for r in folder.front()) or "empty"
    if result is None:
        raise InvalidConfig(f"number={number}: study {study} has no such trial; on the front: {front}")
    trial = folder.path / "trials" / str(number)
    return _complete(f"trial {number} of {study}", trial, result, folder.path / "exported" / str(number), front)


def export(trial: Trained, output: Path | None) -> Exported:
    """Write a trial's model as plain TerraTorch, in a process of its own.

    Args:
        trial: From :func:`find_trial`.
        output: Folder for the files; None for the default below the study's.

    Raises:
        TerrasweepError: The folder holds something else, or the trial can't be built or trained again.
    """
    final = (output or trial.default_output).resolve()
    if final.exists() and not _is_free(final):
        raise InvalidConfig(f"output={final}: it holds something else than an export; name a new folder")
    log = trial.folder / LOG
    log.unlink(missing_ok=True)
    trial = replace(trial, config=_on_present_data(trial))
    prepare.prepare(trial.config)
    check_exportable_data(trial.config)
    kept = folder_with_weights(trial.title, trial.folder, trial.result, trial.config, LOG)
    with kept as weights, _draft(final) as draft:
        arguments = {"config": trial.config, "trial": weights, "draft": draft, "final": final, "title": trial.title}
        outcome = process.run("terrasweep.export.in_child:write_exported", arguments, log, process.Limits())
        if isinstance(outcome.error, Crashed):
            raise Crashed(f"{trial.title}: {outcome.error}; see {log}") from outcome.error
        if outcome.error is not None:
            raise outcome.error
        final.mkdir(parents=True, exist_ok=True)
        for name in (CHECKPOINT, CONFIG):
            put_in_place(draft / name, final / name)
    found = outcome.reported
    return Exported(final, found["difference"], found["accuracy"], found["precision"])


def _on_present_data(trial: Trained) -> TrialConfig:
    """The trial's configuration, for the data's files as they are now; says so where they have changed."""
    config = located(trial.config)
    if trial.config.data.state not in (None, config.data.state):
        print(
            f"warning: the files below data.root={config.data.root} have changed since {trial.title}: what is measured "
            "on them is not comparable",
            file=sys.stderr,
        )
    return config


def describe(trial: Trained, exported: Exported) -> str:
    """What was written, how near it is to the trial, and the commands that use it, ready to copy."""
    name, recorded = trial.result.accuracy_name, trial.result.value("accuracy")
    is_int8 = trial.config.quantization.name == "int8"
    reason = ": int8 layers round their inputs too, the exported ones don't" if is_int8 else ""
    # Else TerraTorch would multiply less exactly, on GPUs and on CPUs with AMX.
    as_trained = f"terratorch_FLOAT_32_PRECISION={trial.config.precision.matmul}"
    untold = augmentation_left_out(trial.config)
    given = f"--config {_shown(exported.folder / CONFIG)} --ckpt_path {_shown(exported.folder / CHECKPOINT)}"
    return "\n".join(
        [
            f"{_shown(exported.folder)}: {CONFIG}, {CHECKPOINT}",
            f"outputs differ from the trial's by {exported.difference:.1e} (relative, one validation batch){reason}",
            f"{name} on the validation split, in {exported.precision}: {exported.accuracy:.6g}; "
            f"the trial's: {recorded:.6g}",
            *filter(None, (in_terratorch(trial.config.task).left_out, untold)),
            "",
            f"{as_trained} terratorch test {given}",
            f"{as_trained} terratorch predict {given} --predict_output_dir {_shown(exported.folder / 'predictions')}",
        ]
    )


def _shown(path: Path) -> str:
    """A path as one types it in the current folder."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def _single(name: str) -> Trained:
    """A trial that was run without a sampler."""
    for folder in (expanded(name).resolve(), results_folder(name)):
        file = folder / "result.json"
        if file.is_file():
            result = TrialResult.from_json(file.read_text())
            return _complete(f"trial {folder.name}", folder, result, folder / "exported", "")
    if Path(name).is_dir() and not (results_folder(name) / "study.json").is_file():
        raise InvalidConfig(f"study={name}: the folder holds no trial that came to an end (no result.json)")
    study = open_existing(name)
    front = ", ".join(str(result.number) for result in study.front()) or "empty"
    raise InvalidConfig(f"study {name}: give the number of a trial, too; on the front: {front}")


def _complete(title: str, folder: Path, result: TrialResult, output: Path, front: str) -> Trained:
    if result.state is not State.COMPLETE:
        others = f"; on the front: {front}" if front else ""
        raise InvalidConfig(f"{title}: it is {result.state} ({result.reason}) and has no trained model{others}")
    return Trained(title, folder, result, stored_trial_config(result.config), output)


def _is_free(folder: Path) -> bool:
    """Whether an export may go there: nothing is in it, or an earlier export."""
    if not folder.is_dir():
        return False
    return not any(folder.iterdir()) or all((folder / name).is_file() for name in (CONFIG, CHECKPOINT))


@contextlib.contextmanager
def _draft(final: Path) -> Iterator[Path]:
    """A folder on the same file system, gone afterwards."""
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{final.name}-", dir=final.parent) as folder:
        yield Path(folder)
