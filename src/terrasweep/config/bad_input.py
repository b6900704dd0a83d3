"""Errors of Hydra, OmegaConf and terrasweep as lines for a person, and the exit statuses."""

from __future__ import annotations

import re
import traceback
from typing import Any

from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import OmegaConfBaseException

from terrasweep.config.renamed_keys import describe_renamed
from terrasweep.config.yaml_files import describe_unreadable
from terrasweep.results.errors import InvalidConfig, TerrasweepError
from terrasweep.results.secrets import masked
from terrasweep.results.wording import nearest

EXIT_NOTHING_COMPLETED = 1

EXIT_STOPPED = 1
"""Something failed that is no mistake in the input: a full disk, a defect of terrasweep."""

EXIT_BAD_INPUT = 2

EXIT_INTERRUPTED = 130

BAD_INPUT = (InvalidConfig, HydraException, OmegaConfBaseException)

_LAUNCHER = "hydra/launcher"
_EXTRAS = {
    "joblib": "joblib",
    "ray": "ray",
    "ray_aws": "ray",
    "submitit_local": "slurm",
    "submitit_slurm": "slurm",
}
"""Launchers to the extra of pyproject.toml that brings them; recipes in conf/hydra/launcher/ stand on these."""

_IN_A_FILE = re.compile(r"In '(?P<file>[^']+)': \w+ raised while composing config:\s*(?P<said>[^\n]+)")
"""What Hydra says of a file whose content doesn't go with what is composed already."""


_WAYS_OUT = {
    "converted to Integer": "give a whole number",
    "converted to Float": "give a number",
    "not a valid bool": "give true or false",
    "is not a ListConfig": "give a list, like [a,b]",
    "Key '": "docs/studies.md and docs/knobs.md have the keys",
}
"""What OmegaConf says to what a person can do."""


def describe_bad_input(error: BaseException) -> list[str]:
    """An error of Hydra, OmegaConf or terrasweep as lines of ``field, value, reason, way out``, passwords masked."""
    return [masked(line) for line in _describe(error)]


def is_bad_input(error: BaseException) -> bool:
    """Whether the user can mend it by another command line or another file."""
    return isinstance(error, BAD_INPUT) or describe_unreadable(error) is not None or _raised_by_hydra(error)


def _raised_by_hydra(error: BaseException) -> bool:
    """Whether Hydra itself refused the command line; it has no exception of its own for some mistakes."""
    frames = list(traceback.walk_tb(error.__traceback__))
    own = bool(frames) and str(frames[-1][0].f_globals.get("__name__", "")).startswith("hydra.")
    return own and isinstance(error, ValueError)


def _describe(error: BaseException) -> list[str]:
    if isinstance(error, TerrasweepError):
        return str(error).splitlines()
    if unreadable := describe_unreadable(error):
        return [unreadable]
    group, option = _missing(error)
    if group == _LAUNCHER and option in _EXTRAS:
        return [f"{group}={option}: this launcher is not installed; pip install -e '.[{_EXTRAS[option]}]'"]
    if isinstance(error, MissingConfigException) and group and error.options is not None:
        return [f"{group}={option}: not found; {nearest(option, error.options)}"]
    if renamed := describe_renamed(str(error)):
        return [renamed]
    if found := _IN_A_FILE.match(str(error)):
        mixed = "incompatible container" in found["said"]
        said = "a list stands where keys are expected, or the other way round" if mixed else found["said"]
        return [f"{found['file']}.yaml: {said}; correct it"]
    cause: Any = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    text = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(cause, OmegaConfBaseException):
        said = (cause.msg or str(cause)).strip() or type(cause).__name__
        return [f"{cause.full_key or 'configuration'}: {_with_way_out(said.splitlines()[0])}"]
    return [" ".join(text[:3]) or type(error).__name__]


def _with_way_out(said: str) -> str:
    """What OmegaConf says of a value or a key, with what to give instead."""
    if "Did you mean" in said:
        return said
    way_out = next((way for sign, way in _WAYS_OUT.items() if sign in said), "")
    return f"{said.rstrip('.')}; {way_out}" if way_out else said


def _missing(error: BaseException) -> tuple[str, str]:
    """Group and name of a configuration that Hydra looked for in vain; empty for other errors."""
    file = str(getattr(error, "missing_cfg_file", None) or "") if isinstance(error, MissingConfigException) else ""
    group, _, option = file.rpartition("/")
    return group, option
