"""What a trial needs and many trials share: made once, cached, and never under a trial's deadline."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from terrasweep import process
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.locks import locked
from terrasweep.machine.paths import cache_folder
from terrasweep.results.errors import DataError, InvalidConfig, reworded
from terrasweep.trial import rules
from terrasweep.trial.look_progress import LookProgress

if TYPE_CHECKING:
    from terrasweep.data.inspect.checks import Finding
    from terrasweep.data.inspect.survey import Survey


def complete_from_data(config: TrialConfig) -> TrialConfig:
    """The configuration with what only its data tell; they are looked at where nobody has yet.

    In a study that has happened before its first trial, unless it searches over settings of the data.

    Args:
        config: With ``data.state``, as :func:`terrasweep.data.stored.located` gives it.

    Raises:
        InvalidConfig: It can't be run whatever the data are; they are not looked at for it.
        TerrasweepError: Looking at them failed.
    """
    from terrasweep.data import stored

    if stored.needs_survey(config) and not stored.survey_file(config).is_file():
        rules.check(config)
        prepare(config)
    return stored.complete(config)


def prepare(config: TrialConfig) -> None:
    """Write synthetic tiles, pretrain the synthetic backbone, list and survey the data, where that is missing.

    Args:
        config: With ``data.state``, as :func:`terrasweep.data.stored.located` gives it.

    Raises:
        TerrasweepError: It failed.
    """
    from terrasweep.trial import made_once

    missing = made_once.missing(config)
    if missing:
        with locked(cache_folder() / ".lock"):  # One process makes it, the others wait.
            if made_once.missing(config):
                _make(config, "prepare", missing)


def survey(config: TrialConfig) -> Survey:
    """The survey of a configuration's data as they are now, made where there is none.

    Args:
        config: With ``data.state``, as :func:`terrasweep.data.stored.located` gives it.

    Raises:
        DataError: The files are not what the configuration says.
    """
    from terrasweep.data import stored

    prepare(config)
    if not stored.survey_file(config).is_file():  # Trials on synthetic data need none.
        with locked(cache_folder() / ".lock"):
            _make(config, "survey", ["a look at the data"])
    return stored.read_survey(config)


def judge(config: TrialConfig) -> tuple[Survey, list[Finding]]:
    """Look at the data, and see whether the configuration with what they tell breaks a rule.

    Returns:
        The survey, and the findings, errors first.

    Raises:
        DataError: The files are not what the configuration says.
    """
    from terrasweep.data import stored
    from terrasweep.data.inspect import checks
    from terrasweep.data.inspect.checks.case import ERROR

    located = stored.located(config)
    seen = survey(located)
    findings = checks.find_problems(seen, config)
    complete = stored.complete(located)
    if any(finding.rule == "band-count" for finding in findings):  # Nor do the statistics of the files' bands fit.
        complete = _without_statistics(complete)
    broken = rules.find_violations(complete, files=False)
    found = "\n".join(finding.line for finding in findings)
    more = [checks.Finding(rule="rules", level=ERROR, line=line) for line in broken if line not in found]
    return seen, [*more, *findings]


def _without_statistics(config: TrialConfig) -> TrialConfig:
    modalities = {name: replace(given, means=None, stds=None) for name, given in config.data.modalities.items()}
    return replace(config, data=replace(config.data, means=None, stds=None, modalities=modalities))


def check_backbone(config: TrialConfig) -> None:
    """See that the backbone is one that is registered; for a name of no group the registry is listed, once.

    Raises:
        InvalidConfig: With the names that are near.
    """
    from terrasweep.models.backbones import prepared

    name = config.backbone.name
    if name in {group.name for group in prepared.groups()}:
        return
    prepared.registry_names()
    if lines := list(prepared.find_unknown(name)):
        raise InvalidConfig("\n".join(lines))


def check_data(config: TrialConfig) -> dict[str, Any]:
    """Look at the data before anything is trained.

    Returns:
        What a study keeps and its report shows; nothing for synthetic data, which is right by construction.

    Raises:
        InvalidConfig: With one line per error.
    """
    from terrasweep.data import stored
    from terrasweep.data.inspect import checks

    if config.data.name == "synthetic":
        return {}
    try:
        seen, findings = judge(config)
    except DataError as error:
        raise InvalidConfig(str(error)) from error
    checks.refuse(findings)
    for finding in findings:
        print(f"{finding.level}: {finding.line}", file=sys.stderr)
    return checks.describe(seen, config, findings) | {"state": stored.located(config).data.state}


def _make(config: TrialConfig, task: str, missing: list[str]) -> None:
    print(f"Preparing once: {', '.join(missing)} ...", file=sys.stderr, flush=True)
    log = cache_folder() / f"prepare-{os.getpid()}.log"
    with LookProgress() as progress:
        child = f"terrasweep.trial.measure_in_child:{task}"
        outcome = process.run(child, {"config": config}, log, process.Limits(), hear=progress.hear)
    if isinstance(outcome.error, DataError | InvalidConfig):
        log.unlink(missing_ok=True)
        raise outcome.error
    if outcome.error is not None:
        text = f"{', '.join(missing)} can't be prepared: {outcome.error}; see {log}"
        raise reworded(outcome.error, text, DataError) from outcome.error
    log.unlink(missing_ok=True)
