"""All of the project's tasks: `nox -s sweep`, `nox -s tests`, `nox -l` lists them.

nox makes one environment per session by itself. Ours is 7 GB, so the sessions share one, below `.nox/shared` or where
TERRASWEEP_ENV says; it is made anew when the Python version or a dependency file changes.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["tests"]

ROOT = Path(__file__).parent
ENVIRONMENT = Path(os.environ.get("TERRASWEEP_ENV", ROOT / ".nox" / "shared"))
DEPENDENCY_FILES = ("pyproject.toml", "constraints.txt")


def shared_environment(session: nox.Session) -> Path:
    """Make the shared environment, unless an up-to-date one is there; returns its folder of programs."""
    programs = ENVIRONMENT / "bin"
    key = hashlib.sha256(sys.version.encode() + b"".join((ROOT / f).read_bytes() for f in DEPENDENCY_FILES)).hexdigest()
    stamp = ENVIRONMENT / ".terrasweep-dependencies"
    if not stamp.is_file() or stamp.read_text() != key:
        session.log("Installing terrasweep's environment: about 7 GB and some minutes, once.")
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        session.run_install(sys.executable, "-m", "venv", str(ENVIRONMENT), external=True)
        pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        extras = ".[dev,joblib,postgres]"
        session.run_install(*pip, "--constraint", "constraints.txt", "--editable", extras, external=True)
        stamp.write_text(key)
    elif not _installed_from_here(programs):
        pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--no-deps"]
        session.run_install(*pip, "--editable", ".", external=True)
    return programs


def _installed_from_here(programs: Path) -> bool:
    """Whether the environment's terrasweep is this checkout; an environment may serve several."""
    asked = "import terrasweep; print(terrasweep.__file__)"
    answer = subprocess.run([programs / "python", "-c", asked], cwd="/", capture_output=True, text=True, check=False)
    return answer.returncode == 0 and Path(answer.stdout.strip()).is_relative_to(ROOT)


def run(session: nox.Session, program: str, *arguments: str, **environment: str) -> None:
    """Run a program of the shared environment."""
    programs = shared_environment(session)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    session.run(str(programs / program), *arguments, external=True, env={"PATH": path, **environment})


@nox.session
def sweep(session: nox.Session) -> None:
    """Run the quickstart sweep, or any other: `nox -s sweep -- sweeps=NAME key=value`."""
    run(session, "python", "sweep.py", "-m", *session.posargs)


def run_tests(session: nox.Session, program: str, *arguments: str) -> None:
    """Run pytest, two files at a time."""
    # In the order of the folders: the long files come first, so that both processes end together.
    two = ["--numprocesses=2", "--dist=loadfile", "--no-loadscope-reorder"]
    # Two processes with more threads each than there are cores are several times slower than one.
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    run(session, program, *arguments, *two, *session.posargs, OMP_NUM_THREADS=threads)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests, two files at a time; `-- -m "not slow"` is the quick loop, `-- -n0` runs one by one."""
    if os.environ.get("TERRASWEEP_COVERAGE") == "1":
        coverage(session)
    else:
        run_tests(session, "pytest")


@nox.session
def coverage(session: nox.Session) -> None:
    """Run all tests as `tests` does, and list the lines of `src` that none of them ran, in any process.

    It fails where they ran less of them than `fail_under` in pyproject.toml says, unless a part was asked for.
    """
    run(session, "coverage", "erase")
    try:
        run_tests(session, "coverage", "run", "-m", "pytest")
    finally:
        run(session, "coverage", "combine", "--quiet")
        if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(summary).open("a", encoding="utf-8") as opened:
                table = [str(shared_environment(session) / "coverage"), "report", "--format=markdown", "--fail-under=0"]
                subprocess.run(table, stdout=opened, check=True)
        run(session, "coverage", "report", *(["--fail-under=0"] if session.posargs else []))


@nox.session
def lint(session: nox.Session) -> None:
    """Lint and check the format of Python and YAML."""
    run(session, "ruff", "check", ".")
    run(session, "ruff", "format", "--check", ".")
    run(session, "yamllint", "--strict", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly for `src`."""
    run(session, "mypy", *session.posargs)


@nox.session
def configs(session: nox.Session) -> None:
    """Compose every shipped sweep with every search space, and every option of every group."""
    run(session, "pytest", "tests/integration/test_configs.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Write the tables in the documentation that follow from the code."""
    run(session, "python", "docs/tables.py")


@nox.session
def smoke(session: nox.Session) -> None:
    """Train one step of one trial."""
    one_step = ["train.max_steps=1", "train.untimed_steps=0", "backbone.checkpoint=null", "data.synthetic.train=16"]
    run(session, "python", "sweep.py", *one_step, "data.synthetic.val=8", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure terrasweep's own overhead against its peers."""
    run(session, "python", "benchmarks/overhead.py", *session.posargs)


@nox.session
def gpu(session: nox.Session) -> None:
    """Run the tests that need a CUDA device."""
    run(session, "pytest", "tests/gpu", *session.posargs)


@nox.session
def matrix(session: nox.Session) -> None:
    """Train every allowed combination of all knobs for two steps each; takes hours."""
    session.env["TERRASWEEP_MATRIX"] = "all"
    run(session, "pytest", "tests/integration/test_matrix.py", "-s", *session.posargs)
