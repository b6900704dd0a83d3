"""The whole story of one trial, as the parent process sees it."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from terrasweep import process
from terrasweep.config.compose import public_dict
from terrasweep.config.schema import TrialConfig
from terrasweep.data.stored import located
from terrasweep.machine.files import write_atomically
from terrasweep.machine.versions import git_commit, versions
from terrasweep.measure.catalog import all_measurements
from terrasweep.measure.durations import WALL_SECONDS
from terrasweep.process.parent import Limits, Outcome
from terrasweep.results.errors import Interrupted, TerrasweepError
from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult
from terrasweep.trial import attempt, gate, prepare, reused, rules
from terrasweep.trial.expected_speed import ExpectedSpeed, expect_speed, learn_speed, with_expected_speed
from terrasweep.trial.keys import Keys, keys_of
from terrasweep.trial.known import Known, find_known
from terrasweep.trial.nvme_folder import own_nvme_folder
from terrasweep.trial.utilization import measured_utilization

_CHILD = "terrasweep.trial.measure_in_child:measure"
_LOG = "log.txt"


def run_trial(config: TrialConfig, folder: Path) -> TrialResult:
    """Measure one configuration in a process of its own; never raises for what a trial does.

    The data say what the configuration leaves open; then it is checked, written down, and nothing of it changes any
    more. No child is started where all is known or it can't fit by its predicted peak; one where its accuracy is known
    only probes.

    Args:
        config: What to run.
        folder: Where ``config.yaml``, ``log.txt`` and ``result.json`` go.

    Raises:
        Interrupted: The sweep has settled the trial before it came to run; nothing is touched.
    """
    given = _owned_attempt(config, folder)
    started, clock = datetime.now(UTC), time.perf_counter()
    outcome, known, verdict, speed, verifies = Outcome(), Known(), gate.Verdict(), ExpectedSpeed(), ""
    keys: Keys | None = None
    log = folder / _LOG
    log.unlink(missing_ok=True)
    config = located(config)
    try:
        try:
            config = prepare.complete_from_data(config)
            rules.check(config)
        finally:
            # Also for a trial that ends here: data that can't be read, a contradiction, Ctrl-C.
            _write_config(folder, config)
        keys = keys_of(config)
        known = find_known(config, keys)
        is_measured = known.cost is not None
        if config.probe.alone or (verifies := reused.verified(config, known)):
            known = Known()
        if reused.is_answered(known):
            write_atomically(log, reused.describe_answer(known))
        else:
            if not is_measured:
                verdict = gate.judge(config, keys, log)
                speed = expect_speed(config)
            verdict.enforce()
            prepare.prepare(config)
            clock = time.perf_counter()  # What trials share is made outside of their own time.
            outcome = _run_child(config, folder, keys, probe=config.probe.alone or known.accuracy is not None)
    except TerrasweepError as error:
        outcome.error = error
    result = _result(config, outcome, started.isoformat(timespec="seconds"), time.perf_counter() - clock)
    result = _with_foreseen(_with_keys(result, keys, outcome), verdict, speed, config)
    result = _with_known(result, known, verifies, config, folder)
    attempt.write_result(folder, result, given)
    return result


def _owned_attempt(config: TrialConfig, folder: Path) -> str | None:
    """The attempt that the trial was given to; None where it is run by itself."""
    given = config.trial.attempt
    if given is not None and not attempt.owns(folder, given):
        raise Interrupted("the trial was settled by another process before it could start")
    return given


def _run_child(config: TrialConfig, folder: Path, keys: Keys, *, probe: bool) -> Outcome:
    with own_nvme_folder(config) as here:
        arguments = {"config": here, "folder": folder, "probe": probe, "cost_key": keys.cost}
        return process.run(_CHILD, arguments, folder / _LOG, _limits(config))


def _with_keys(result: TrialResult, keys: Keys | None, outcome: Outcome) -> TrialResult:
    """The result with its keys, where its configuration came to be complete."""
    if keys is None:
        return result
    quality = keys.quality_of(batch_statistics=outcome.reported.get("batch_statistics", False))
    return replace(result, quality_key=quality, cost_key=keys.cost)


def _with_foreseen(
    result: TrialResult, verdict: gate.Verdict, speed: ExpectedSpeed, config: TrialConfig
) -> TrialResult:
    """The result with what was predicted of it, which the next trials' predictions are calibrated by."""
    result = with_expected_speed(gate.with_verdict(result, verdict), speed)
    gate.learn(config, result)
    learn_speed(config, result, speed)
    return result


def _with_known(result: TrialResult, known: Known, verifies: str, config: TrialConfig, folder: Path) -> TrialResult:
    """The result with what was known of it, and the weights that belong to it."""
    result = replace(reused.with_known(result, known), verifies=verifies)
    if result.accuracy_from and known.accuracy is not None and config.keeps_weights:
        reused.share_weights(known.accuracy.folder, folder)
    return result


def _write_config(folder: Path, config: TrialConfig) -> None:
    write_atomically(folder / "config.yaml", yaml.safe_dump(public_dict(config), sort_keys=False))


def unfinished(number: int | None, error: TerrasweepError, config: dict[str, Any] | None = None) -> TrialResult:
    """The result of a trial that never came to an answer of its own."""
    return TrialResult(
        number=number,
        state=error.reason.state,
        reason=error.reason,
        message=str(error),
        violation=error.violation,
        measurements=all_measurements({}),
        config=config or {},
        versions=versions(),
        commit=git_commit(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _limits(config: TrialConfig) -> Limits:
    host = config.budget.host_memory_gib
    return Limits(config.budget.timeout_s, None if host is None else int(host * 2**30))


def _result(config: TrialConfig, outcome: Outcome, started: str, wall_seconds: float) -> TrialResult:
    error, reported = outcome.error, outcome.reported
    measured, device = reported.get("measurements", {}), reported.get("device", "")
    utilization = measured_utilization(measured, device, config.precision)
    return TrialResult(
        number=config.trial.number,
        state=State.COMPLETE if error is None else error.reason.state,
        reason=None if error is None else error.reason,
        message="; ".join(reported.get("remarks", {}).values()) if error is None else str(error),
        violation=None if error is None else error.violation,
        measurements=all_measurements({**measured, **utilization, WALL_SECONDS.name: wall_seconds}),
        metrics=reported.get("metrics", {}),
        curves=reported.get("curves", {}),
        confusion=reported.get("confusion"),
        touched=reported.get("touched", {}),
        sensitivity=reported.get("sensitivity", {}),
        plan=reported.get("plan", {}),
        config=public_dict(config),
        device=device,
        arithmetic=reported.get("arithmetic", {}),
        versions=versions(),
        commit=git_commit(),
        started=started,
    )
