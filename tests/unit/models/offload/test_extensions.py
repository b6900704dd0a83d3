"""What DeepSpeed compiles is compiled once and to its end, and a killed build blocks nobody."""

import fcntl
import importlib.util
import os
import time
from pathlib import Path

import pytest

from terrasweep.models.offload import extensions


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.setenv(extensions.EXTENSIONS, str(tmp_path))
    folder = tmp_path / "async_io"
    folder.mkdir()
    (folder / "lock").touch()

    def written(seconds_ago):
        then = time.time() - seconds_ago
        for file in folder.iterdir():
            os.utime(file, (then, then))
        return folder / "lock"

    return written


def test_the_lock_of_a_killed_build_is_removed(build):
    lock = build(seconds_ago=3600)
    assert extensions.remove_stale_locks("cpu") == [lock]
    assert not lock.exists()


def test_the_lock_of_a_build_that_runs_stays(build):
    lock = build(seconds_ago=3600)
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert extensions.remove_stale_locks("cpu") == []
    lock = build(seconds_ago=1)  # Another program writes into a folder that it shares with us.
    assert extensions.remove_stale_locks("cpu") == []
    assert lock.exists()


def test_a_folder_of_terrasweep_s_own_needs_no_waiting(tmp_path, monkeypatch):
    """Whoever holds terrasweep's lock is alone in it, so that a lock is stale however new it is."""
    monkeypatch.delenv(extensions.EXTENSIONS, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(extensions, "_COMPILER_S", 0.1)
    lock = extensions.extensions_folder("cpu") / "async_io" / "lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    # As DeepSpeed is given it.
    monkeypatch.setenv(extensions.EXTENSIONS, str(extensions.extensions_folder("cpu")))
    assert extensions.remove_stale_locks("cpu") == [lock]


def test_only_a_build_that_came_to_its_end_counts(build):
    build(seconds_ago=3600).with_name("async_io.so").touch()
    assert not extensions.are_compiled("cpu")
    extensions.mark_compiled("cpu")
    assert extensions.are_compiled("cpu")


@pytest.mark.parametrize("package", ["torch", "deepspeed"])
def test_what_was_compiled_for_an_environment_before_does_not_count(build, package):
    """Its headers are newer than what was made of them."""
    build(seconds_ago=3600)
    extensions.mark_compiled("cpu")
    installed = Path(importlib.util.find_spec(package).origin).stat().st_mtime
    os.utime(extensions.extensions_folder("cpu") / "terrasweep-complete-cpu", (installed - 1, installed - 1))
    assert not extensions.are_compiled("cpu")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with everything that asynchronous I/O needs, of which a test takes away a part."""
    programs = {"ninja", "c++", "nvcc"}
    monkeypatch.setenv(extensions.EXTENSIONS, str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.delenv("CUDA_HOME", raising=False)
    monkeypatch.setattr(extensions.shutil, "which", lambda name, path=None: name if name in programs else None)
    monkeypatch.setattr(extensions, "find_library", lambda name: "libaio.so.1")
    monkeypatch.setattr(extensions.Path, "is_file", lambda path: path.name == "libaio.h")
    monkeypatch.setattr(extensions.Path, "exists", lambda path: False)
    return programs


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_nothing_is_missing_on_a_complete_machine(machine, device):
    assert extensions.missing_for_nvme(device) == ""


def test_each_part_that_is_missing_is_told(machine, monkeypatch):
    machine.remove("nvcc")
    assert extensions.missing_for_nvme("cpu") == ""
    assert "CUDA toolkit" in extensions.missing_for_nvme("cuda")
    monkeypatch.setenv("CUDA_HOME", "/opt/cuda")
    assert extensions.missing_for_nvme("cuda") == ""
    machine.remove("c++")
    assert extensions.missing_for_nvme("cpu") == "a C++ compiler"
    monkeypatch.setenv("CXX", "clang++")
    assert extensions.missing_for_nvme("cpu") == "a C++ compiler"  # It names one that is not there.
    machine.add("clang++")
    assert extensions.missing_for_nvme("cpu") == ""
    monkeypatch.setattr(extensions.Path, "is_file", lambda path: False)
    assert "libaio-dev" in extensions.missing_for_nvme("cpu")
    machine.remove("ninja")
    assert extensions.missing_for_nvme("cpu") == "ninja"


def test_another_environment_and_another_device_compile_by_themselves(tmp_path, monkeypatch):
    monkeypatch.delenv(extensions.EXTENSIONS, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folders = {extensions.extensions_folder("cpu"), extensions.extensions_folder("cuda")}
    monkeypatch.setattr(extensions.sys, "prefix", "/another/environment")
    folders.add(extensions.extensions_folder("cpu"))
    assert len(folders) == 3
    assert all(folder.is_relative_to(tmp_path / "terrasweep") for folder in folders)
