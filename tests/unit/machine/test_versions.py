"""A result says which code and which libraries it was measured with, and asks for no library to say so."""

import importlib.metadata
import re
import subprocess
import sys

import pytest

import terrasweep
from terrasweep.machine import versions


@pytest.fixture(autouse=True)
def _forgotten():
    """Both are looked up once in a process."""
    yield
    versions.git_commit.cache_clear()
    versions.versions.cache_clear()


@pytest.fixture
def home(tmp_path, monkeypatch):
    versions.git_commit.cache_clear()
    versions.versions.cache_clear()
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def git(home):
    """Git in a repository with one commit."""

    def run(*arguments):
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
        command = ["git", *identity, *arguments]
        done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    run("init", "-q")
    (home / "sweep.py").write_text("first\n")
    run("add", "sweep.py")
    run("commit", "-qm", "First")
    return run


def test_the_commit_is_told_in_full_whatever_it_is_tagged(git):
    git("tag", "-a", "v1", "-m", "v1")
    assert versions.git_commit() == git("rev-parse", "HEAD")
    assert re.fullmatch("[0-9a-f]{40}", versions.git_commit())


def test_changed_files_make_it_dirty_and_new_ones_do_not(git, home):
    (home / "notes.txt").write_text("new\n")
    assert versions.git_commit() == git("rev-parse", "HEAD")
    versions.git_commit.cache_clear()
    (home / "sweep.py").write_text("second\n")
    assert versions.git_commit() == git("rev-parse", "HEAD") + "-dirty"


@pytest.mark.parametrize("lacking", ["repository", "git"])
def test_without_a_repository_or_without_git_there_is_no_commit(request, home, monkeypatch, lacking):
    if lacking == "git":
        request.getfixturevalue("git")
        monkeypatch.setenv("PATH", "/nowhere")
    assert versions.git_commit() == ""


def test_a_library_that_is_absent_is_left_out_and_the_others_are_told(home, monkeypatch):
    def version(package):
        if package == "deepspeed":
            raise importlib.metadata.PackageNotFoundError(package)
        return f"of {package}"

    monkeypatch.setattr(versions, "version", version)
    found = versions.versions()
    assert found.pop("terrasweep") == terrasweep.__version__
    assert found.pop("python") == ".".join(map(str, sys.version_info[:3]))
    assert found == {package: f"of {package}" for package in versions.PACKAGES if package != "deepspeed"}


def test_no_library_is_imported_to_be_named():
    code = (
        "import sys; from terrasweep.machine.versions import versions; versions(); "
        "print([m for m in ('torch', 'terratorch', 'deepspeed', 'optuna', 'mlflow') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_a_report_s_environment_has_the_machine_the_commit_and_the_versions(git, monkeypatch):
    monkeypatch.setattr(versions, "host_memory_limit_bytes", lambda: 3 * 2**29)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    for gpus, told in (([], "none"), (["A", "B"], "A, B")):
        monkeypatch.setattr(versions, "gpu_names", lambda gpus=gpus: gpus)
        described = versions.describe()
        assert described["accelerators"] == told
        assert described["host memory"] == "1.5 GiB"
        assert described["OMP_NUM_THREADS"] == "7"
        assert described["commit"] == git("rev-parse", "HEAD")
        assert described.items() >= versions.versions().items()
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert versions.describe()["OMP_NUM_THREADS"] == "not set"
