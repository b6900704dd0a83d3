"""The project's root is where a user would say it is, and everything lies below it."""

from pathlib import Path

import pytest

from terrasweep.machine import paths
from tests.composing import ROOT


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a folder in it, without TERRASWEEP_HOME."""
    monkeypatch.delenv("TERRASWEEP_HOME", raising=False)
    (tmp_path / "sweep.py").touch()
    below = tmp_path / "notes" / "deep"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    return tmp_path


def test_the_nearest_folder_upwards_with_a_sweep_script_is_the_root(project):
    assert paths.home() == project.resolve()
    (project / "notes" / "sweep.py").touch()
    assert paths.home() == project.resolve() / "notes"


def test_a_folder_of_that_name_is_no_sweep_script(project):
    (project / "notes" / "sweep.py").mkdir()
    assert paths.home() == project.resolve()


def test_the_environment_s_root_goes_first(project, tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path / "notes" / ".." / "elsewhere"))
    assert paths.home() == tmp_path.resolve() / "elsewhere"


def test_outside_of_a_project_the_checkout_is_the_root_and_without_one_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("TERRASWEEP_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert paths.checkout() == ROOT
    assert paths.home() == ROOT
    monkeypatch.setattr(paths, "checkout", lambda: tmp_path / "site-packages")
    assert paths.home() == tmp_path.resolve()


def test_results_and_cache_lie_below_the_root(project):
    root = project.resolve()
    assert paths.results_folder("floods") == root / "results" / "floods"
    assert paths.cache_folder() == root / "results" / ".cache"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("data/tiles", "ROOT/data/tiles"),
        ("/data/tiles", "/data/tiles"),
        ("~/tiles", "HOME/tiles"),
        ("~no_such_user/x", "ROOT/~no_such_user/x"),
    ],
)
def test_a_relative_path_is_relative_to_the_root_not_to_the_working_folder(project, monkeypatch, given, expected):
    monkeypatch.setenv("HOME", "/home/ada")
    expected = expected.replace("ROOT", str(project.resolve())).replace("HOME", "/home/ada")
    assert paths.absolute(given) == Path(expected)
