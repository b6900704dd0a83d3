"""A password in a URL stands in no file, no page, no field of MLflow and no line of the terminal."""

import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.conftest import ROOT, SMALL, run_sweep
from tests.integration.study import read_results

pytestmark = pytest.mark.slow

SECRETS = ("geheim7", "verborgen8")


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.fixture
def server(tmp_path):
    """An MLflow server with its own store; the folder that holds all of it, and its address."""
    folder, port = tmp_path / "server", free_port()
    folder.mkdir()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'store.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield folder, f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def telling(folder):
    """Files below a folder that hold a secret."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(secret.encode() in path.read_bytes() for secret in SECRETS)]


def told(finished):
    return [secret for secret in SECRETS if secret in finished.stdout + finished.stderr]


def test_a_study_and_its_failed_trial_tell_no_secret(home, server):
    folder, address = server
    storage = f"sqlite:///file:{home / 'trials.db'}?uri=true&password={SECRETS[1]}"
    finished = run_sweep(
        home,
        *("-m", "study.n_trials=2", "hydra/sweeper/sampler=grid", "quantization=none", "tuning.rank=2"),
        *("tuning.targets=mlp", "checkpointing=none"),
        "train.lr=choice(1e-4,1e30)",
        *(override for override in SMALL if not override.startswith("train.max_steps")),
        "train.max_steps=40",
        # One by the environment, as a user does whose neighbours can list processes.
        f"tracking.uri='http://me:${{oc.env:PASSWORD_OF_MLFLOW}}@{address}'",
        f"study.storage='{storage}'",
        PASSWORD_OF_MLFLOW=SECRETS[0],
    )
    assert finished.returncode == 0, finished.stderr
    (study,) = (path for path in (home / "results").iterdir() if (path / "study.json").is_file())
    assert {result.state for result in read_results(study).values()} == {"complete", "infeasible"}
    assert "me:***@" in (study / "study.json").read_text()
    assert list(folder.rglob("config.yaml")), "the server took the trials' files"
    assert (told(finished), telling(home), telling(folder)) == ([], [], [])


FAILING = """
from terrasweep.trial import prepare, run
def fail(config, *_):
    raise RuntimeError(f"no answer from {config.tracking.uri} and {config.study.storage}")
PLACE = fail
"""


@pytest.mark.parametrize(("place", "kept"), [("run.run_trial", "report.html"), ("prepare.check_backbone", "*.txt")])
def test_a_failed_study_tells_no_secret(home, tmp_path_factory, place, kept):
    """Every trial fails, and its result and report are kept; or the sweep itself does, and its traceback is."""
    script = tmp_path_factory.mktemp("failing") / "failing.py"
    script.write_text(FAILING.replace("PLACE", place) + (ROOT / "sweep.py").read_text())
    finished = run_sweep(
        home,
        *("-m", "study.n_trials=1", *SMALL),
        f"tracking.uri='sqlite:///{home / 'mlflow.db'}?password={SECRETS[0]}'",
        f"study.storage='sqlite:///file:{home / 'trials.db'}?uri=true&password={SECRETS[1]}'",
        script=script,
    )
    assert finished.returncode == 1, finished.stderr
    assert "no answer from sqlite:" in finished.stdout + finished.stderr
    assert (told(finished), telling(home)) == ([], [])
    assert list((home / "results").rglob(kept))


@pytest.mark.parametrize(
    "shown", [("--cfg", "job"), ("--cfg", "job", "--resolve"), ("--cfg", "all"), ("--info", "all")]
)
def test_what_hydra_shows_of_a_configuration_tells_no_secret(home, shown):
    finished = run_sweep(
        home,
        *shown,
        "tracking.uri='http://me:${oc.env:PASSWORD_OF_MLFLOW}@host?token=${oc.env:PASSWORD_OF_MLFLOW}'",
        f"study.storage='postgresql://me:{SECRETS[1]}@host/x?password={SECRETS[1]}'",
        PASSWORD_OF_MLFLOW=SECRETS[0],
    )
    assert (finished.returncode, told(finished), telling(home)) == (0, [], []), finished.stderr
    assert "postgresql://me:***@host/x?password=***" in finished.stdout + finished.stderr


@pytest.mark.parametrize(
    "refused",
    [
        f"tracking.uri='http://me:{SECRETS[0]}@127.0.0.1:9'",
        f"tracking.uri='carrier://pigeon?token={SECRETS[0]}'",
        f"tracking.uri='sqlite:////no/folder/x.db?password={SECRETS[0]}'",
        f"study.storage='postgresql+nodriver://me:{SECRETS[0]}@127.0.0.1:9/x'",
        f"study.storage='sqlite:////no/folder/x.db?password={SECRETS[0]}'",
        f"study.storage='http://me:{SECRETS[0]}@host?token={SECRETS[1]}",
    ],
)
def test_a_refused_study_tells_no_secret(home, refused):
    finished = run_sweep(home, "-m", "study.n_trials=1", *SMALL, refused)
    assert finished.returncode == 2
    assert "***" in finished.stderr
    assert (told(finished), telling(home)) == ([], [])
