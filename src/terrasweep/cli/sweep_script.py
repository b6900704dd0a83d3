"""What surrounds ``sweep.py``: one trial without a sampler, exit statuses, and errors as one line."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from terrasweep.config.bad_input import (
    EXIT_BAD_INPUT,
    EXIT_INTERRUPTED,
    EXIT_NOTHING_COMPLETED,
    EXIT_STOPPED,
    describe_bad_input,
    is_bad_input,
)
from terrasweep.config.compose import check_composition, register_schema, trial_config
from terrasweep.machine import startup
from terrasweep.machine.output import guard_output
from terrasweep.machine.tracebacks import unexpected_error
from terrasweep.measure.catalog import NUMERIC_MEASUREMENTS
from terrasweep.process import lifeline
from terrasweep.results.errors import SweepStopped, TerrasweepError
from terrasweep.results.secrets import masked
from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult
from terrasweep.trial import rules


def start(main: Callable[[], None], script: str) -> NoReturn:
    """Run a Hydra application as DESIGN's contract wants it; ends the process.

    Args:
        main: The function that ``@hydra.main`` decorated.
        script: The path of ``sweep.py``; its folder is the project's root unless ``TERRASWEEP_HOME`` says otherwise.
    """
    guard_output()
    shown = startup.start_sweep(Path(script))
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # As nohup sets it.
        signal.signal(signal.SIGHUP, _interrupt)

    def registered() -> None:
        register_schema()
        main()

    sys.exit(_status(registered, show_traceback=shown))


def run_job(config: DictConfig) -> TrialResult:
    """One trial: under the sweeper its result goes back to it, alone it is printed and decides the exit status."""
    from terrasweep.trial.run import run_trial

    guard_output()  # Under a launcher, this is a process of its own.
    folder = Path(HydraConfig.get().runtime.output_dir)
    if HydraConfig.get().mode is RunMode.MULTIRUN:
        if multiprocessing.parent_process() is not None:
            _be_a_worker()
        return run_trial(trial_config(config), folder)
    sys.exit(_single(config, folder))


@functools.cache
def _be_a_worker() -> None:
    """In a process of joblib's, which would outlive a sweep that is killed: end with it, and leave Ctrl-C to it."""
    lifeline.end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _single(config: DictConfig, folder: Path) -> int:
    from terrasweep.study import mlflow_runs, mlflow_store
    from terrasweep.trial import prepare
    from terrasweep.trial.check_models import KNOBS, check_models
    from terrasweep.trial.run import run_trial

    try:
        check_composition(HydraConfig.get())
        typed = trial_config(config)
        rules.check(typed)
        mlflow_store.check_reachable(typed.tracking.uri)
        prepare.check_backbone(typed)
        prepare.check_data(typed)
        check_models([(typed, KNOBS)])
        mlflow_store.prepare(typed.tracking.uri)
    except TerrasweepError as error:
        _remove_empty(folder)
        return _tell(error)
    try:
        result = run_trial(typed, folder)
    except OSError as error:
        raise SweepStopped(f"{folder}: {error.strerror or error}: the trial's result is lost; run it again") from error
    _print(result, folder)
    if untracked := mlflow_runs.log_single(result, typed.tracking.uri):
        print(f"{untracked}; what it measured is in {folder / 'result.json'}", file=sys.stderr)
    return 0 if result.state is State.COMPLETE else EXIT_NOTHING_COMPLETED


def _remove_empty(folder: Path) -> None:
    """Take back the folders that Hydra has made, as far up as they are empty."""
    with contextlib.suppress(OSError):
        for made in (folder, folder.parent, folder.parent.parent):
            made.rmdir()


def _print(result: TrialResult, folder: Path) -> None:
    print(f"state: {result.state}" + (f" ({result.reason}: {result.message})" if result.reason else ""))
    for name in NUMERIC_MEASUREMENTS:
        value = result.value(name)
        if value is not None:
            print(f"{name}: {value:.10g}")
    print(f"folder: {folder}")
    if result.state is State.COMPLETE and result.message:
        print(f"warning: {result.message}", file=sys.stderr)


def _status(main: Callable[[], None], *, show_traceback: bool) -> int:
    try:
        main()
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the outermost door: each ends in a line
        if show_traceback:
            traceback.print_exc()
        return _tell(error)
    return 0


def _tell(error: Exception) -> int:
    """Say what ended the process, and give its exit status."""
    if isinstance(error, TerrasweepError) and not is_bad_input(error):
        print(error, file=sys.stderr)
        return EXIT_NOTHING_COMPLETED
    if is_bad_input(error):
        print("\n".join(describe_bad_input(error)), file=sys.stderr)
        return EXIT_BAD_INPUT
    if isinstance(error, OSError):
        print(masked(f"{error.filename or 'file system'}: {error.strerror or error}"), file=sys.stderr)
        return EXIT_BAD_INPUT
    print(error if isinstance(error, SweepStopped) else unexpected_error(error), file=sys.stderr)
    return EXIT_STOPPED


def _interrupt(*_: object) -> None:
    """A request to end, of a cluster's scheduler or a closed terminal, is treated as Ctrl-C: what ran is recorded."""
    raise KeyboardInterrupt
