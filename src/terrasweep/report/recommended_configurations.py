"""``recommended/*.yaml``: complete configurations that ``sweep.py`` runs, headed by where they come from."""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from terrasweep.machine.files import write_atomically
from terrasweep.report.labels import label, trial_name
from terrasweep.report.recommendations import ROLES, choose, remarks_on, shown_measurements
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.report.tables import searched_text
from terrasweep.results.study_record import StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import rounded

NOT_RUN_AGAIN = ("trial", "hydra")
"""Sections of a stored configuration that belong to the trial that was, not to the one that is to come."""
_WRAP = textwrap.TextWrapper(width=118, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def write_recommendations(
    folder: Path, outcome: StudyOutcome, remarks: Callable[[TrialResult], Sequence[str]] = lambda _: ()
) -> None:
    """Write ``recommended/<role>.yaml`` for every role that a trial qualifies for, and remove any other's.

    Args:
        folder: The study's.
        outcome: The study.
        remarks: Lines on how a trial compares.
    """
    chosen = choose(outcome)
    for role in ROLES:
        file = folder / "recommended" / f"{role.name}.yaml"
        if role.name in chosen:
            command = command_for(outcome.record, role.name)
            lines = [*remarks_on(outcome, [role], chosen[role.name]), *remarks(chosen[role.name])]
            write_atomically(file, recommended_yaml(outcome.record, chosen[role.name], command, lines))
        else:
            file.unlink(missing_ok=True)


def command_for(record: StudyRecord, role: str) -> str:
    """The command that runs a recommended configuration, from the project's root."""
    folder = shlex.quote(f"results/{record.name}/recommended")
    return f"python sweep.py --config-dir {folder} --config-name {role}"


def recommended_yaml(record: StudyRecord, result: TrialResult, command: str, remarks: Sequence[str] = ()) -> str:
    """A complete configuration that ``sweep.py`` runs, headed by where it comes from.

    Args:
        record: The study.
        result: The trial whose configuration it is.
        command: The exact command that runs the file.
        remarks: Lines on how it compares.

    Returns:
        YAML text.
    """
    accuracy_name = result.accuracy_name
    names = shown_measurements(record.objectives)
    measured = [
        f"{label(name, accuracy_name)}: {rounded(value)}" for name in names if (value := result.value(name)) is not None
    ]
    searched = [f"{key}={searched_text(result, key)}" for key in result.searched]
    header = [
        f"{trial_name(result).capitalize()} of the study {record.name}{result.device and f', on {result.device}'}.",
        f"Measured: {'; '.join(measured) or 'nothing'}.",
        *([f"Searched: {' '.join(searched)}"] if searched else []),
        *remarks,
        "Run it again, from the project's root:",
        f"  {command}",
    ]
    # Through JSON, so that enumerations and tuples of a result still in memory become plain values.
    config = json.loads(json.dumps({k: v for k, v in result.config.items() if k not in NOT_RUN_AGAIN}))
    if "***" in config.get("tracking", {}).get("uri", ""):
        config["tracking"]["uri"] = "sqlite:///mlflow.db"  # A stored URL has no password; the local store needs none.
    body = yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=120) if config else ""
    comment = "\n".join(_comment(line) for line in header)
    return f"{comment}\ndefaults:\n  - base\n  - _self_\n\n{body}"


def _comment(text: str) -> str:
    """A text as a comment: sentences in lines of 120 characters, and a command, which is indented, in one piece."""
    line = " ".join(text.splitlines())
    lines = [line] if line.startswith(" ") else _WRAP.wrap(line)
    return "\n".join(f"# {part}".rstrip() for part in lines or [""])
