"""Errors of Hydra, OmegaConf and terrasweep as lines for a person, and the exit statuses."""

from __future__ import annotations

from typing import Any

from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import OmegaConfBaseException

from terrasweep.results.errors import InvalidConfig
from terrasweep.results.wording import nearest

EXIT_NOTHING_COMPLETED = 1


EXIT_BAD_INPUT = 2


EXIT_INTERRUPTED = 130


BAD_INPUT = (InvalidConfig, HydraException, OmegaConfBaseException)


def describe_bad_input(error: BaseException) -> list[str]:
    """An error of Hydra, OmegaConf or terrasweep as lines of ``field, value, reason, way out``."""
    if isinstance(error, InvalidConfig):
        return str(error).splitlines()
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options is not None:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        return [f"{group}={option}: not found; {nearest(option, error.options)}"]
    cause: Any = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    text = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(cause, OmegaConfBaseException):
        key = cause.full_key or ""
        return [f"{key}: {(cause.msg or str(cause)).strip().splitlines()[0]}"]
    return [" ".join(text[:3]) or type(error).__name__]
