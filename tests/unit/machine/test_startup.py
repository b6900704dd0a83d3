"""State of whole processes is changed in one module, which also names what it reads of the user's environment."""

import ast
import os
import re
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path

import optuna
import pytest

from terrasweep.machine import paths, startup
from tests.batch_jobs import BATCH_JOBS
from tests.composing import ROOT

SRC = ROOT / "src"
READS = ("environ.get", "environ.setdefault", "getenv")
CHANGES = (
    *("environ.setdefault", "environ.update", "environ.pop", "putenv", "unsetenv"),
    *("setLevel", "set_verbosity", "set_start_method"),
)
FILTERS = ("filterwarnings", "simplefilter", "resetwarnings")
THREADS = "set_num_threads"
SET_THREADS = {
    "data/open/reading_processes.py": "a forked reader has lost torch's threads",
    "machine/arithmetic.py": "a trial computes with as many as it may, whatever an import has set",
    "measure/host_memory.py": "some steps are measured with one, and it is put back",
    "trial/preload.py": "the child that is thrown away",
}
"""Modules that set how many threads torch computes with, and what for; only where torch is imported can it be done."""

KEPT = ("SLURM_JOB_ID", "SLURM_TMPDIR", "SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
"""What datamodules, libraries and users may need to know of a batch job."""


def called(node):
    """``environ.get`` of ``os.environ.get(...)``, the last two names."""
    return ".".join(ast.unparse(node.func).split(".")[-2:])


def changes(tree):
    """What a module changes for good; a filter within ``catch_warnings`` goes by itself."""
    passing = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.With) and any("catch_warnings" in ast.unparse(item) for item in node.items)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        targets = getattr(node, "targets", []) if isinstance(node, ast.Assign | ast.Delete) else []
        yield from (ast.unparse(t) for t in targets if ast.unparse(t).startswith("os.environ["))
        if isinstance(node, ast.AugAssign) and ast.unparse(node.target) == "os.environ":
            yield ast.unparse(node)
        if isinstance(node, ast.Call):
            lasting = CHANGES if node in passing else (*CHANGES, *FILTERS)
            if any(called(node).endswith(change) for change in lasting):
                yield ast.unparse(node)


@cache
def modules():
    """Each module of the source, by its name, read."""
    return {str(file.relative_to(SRC)): ast.parse(file.read_text()) for file in SRC.rglob("*.py")}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("os.environ['A'] = '1'\ndel os.environ['A']\nos.environ |= {'A': '1'}\nos.environ.update(A='1')", 4),
        ("warnings.simplefilter('ignore')\nwarnings.resetwarnings()\nfilterwarnings('ignore')", 3),
        ("with f(), warnings.catch_warnings():\n    warnings.simplefilter('ignore')\n    os.putenv('A', '1')", 1),
        ("multiprocessing.set_start_method('fork')\nmultiprocessing.get_start_method()", 1),
        ("os.environ.get('A')\nwarnings.warn('a')\nenvironment = dict(os.environ)", 0),
    ],
)
def test_what_changes_for_good_is_seen(source, found):
    assert len(list(changes(ast.parse(source)))) == found


def test_one_module_changes_the_state_of_processes():
    changing = {name: found for name, tree in modules().items() if (found := list(changes(tree)))}
    assert list(changing) == ["terrasweep/machine/startup.py"]
    assert len(changing["terrasweep/machine/startup.py"]) >= 10


def test_threads_are_set_where_it_is_said_what_for():
    setting = {
        name.removeprefix("terrasweep/")
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and called(node).endswith(THREADS)
    }
    assert setting == SET_THREADS.keys()


def test_each_variable_that_is_read_is_named_in_its_docstring():
    constants = {name: value for name, value in vars(startup).items() if isinstance(value, str)}
    read = set()
    for file in SRC.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and called(node) in READS and node.args:
                argument = ast.unparse(node.args[0]).strip("'\"")
                read.add(constants.get(argument, argument))
    set_for_libraries = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES", "PYTORCH_NVML_BASED_CUDA_CHECK", "name"}
    assert {name for name in read - set_for_libraries if f"``{name}``" not in startup.__doc__} == set()
    for yaml in (SRC / "terrasweep" / "conf").rglob("*.yaml"):
        for name in re.findall(r"oc\.env:(\w+)", yaml.read_text()):
            assert f"``{name}``" in startup.__doc__


@pytest.fixture
def bare(monkeypatch):
    for name in (startup.HOME, startup.SHIPPED, startup.START_METHOD, startup.EXTENSIONS, "HYDRA_FULL_ERROR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return monkeypatch


def test_a_sweep_s_root_is_the_folder_of_its_script_unless_the_user_says_otherwise(bare, tmp_path):
    with warnings.catch_warnings():
        assert not startup.start_sweep(tmp_path / "sweep.py")
        assert (os.environ[startup.HOME], os.environ[startup.SHIPPED]) == (str(tmp_path), str(tmp_path))
        assert os.environ["HYDRA_FULL_ERROR"] == "1"
        bare.setenv(startup.HOME, "/elsewhere")
        assert startup.start_sweep(tmp_path / "sweep.py"), "the traceback is wanted"
    assert (os.environ[startup.HOME], os.environ[startup.SHIPPED]) == ("/elsewhere", str(tmp_path))


def test_away_from_any_project_the_checkout_is_the_root(bare, tmp_path):
    bare.chdir(tmp_path)
    assert paths.home() == ROOT
    with warnings.catch_warnings():
        startup.name_shipped_studies()
    assert (os.environ[startup.HOME], os.environ[startup.SHIPPED]) == (str(ROOT), str(ROOT))


def test_a_server_is_asked_once_and_the_variables_are_as_before(monkeypatch):
    retries, timeout = "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"
    monkeypatch.setenv(retries, "7")
    monkeypatch.delenv(timeout, raising=False)
    with pytest.raises(KeyError), startup.ask_mlflow_once():
        assert os.environ[retries] == "0"
        raise KeyError
    assert os.environ[retries] == "7"
    assert timeout not in os.environ


def test_children_start_from_the_forkserver_until_that_can_t_be(bare):
    assert startup.start_method() == "forkserver"
    startup.use_fresh_interpreters()
    assert startup.start_method() == "spawn"


@pytest.mark.parametrize("start", [startup.start_forkserver, startup.start_child])
def test_a_child_is_no_part_of_a_batch_job(monkeypatch, start):
    of_the_job = {name: "4" for variables in BATCH_JOBS.values() for name in variables}
    for name in (*of_the_job, *KEPT):
        monkeypatch.setenv(name, "4")
    with warnings.catch_warnings():
        start()
    assert not of_the_job.keys() & os.environ.keys()
    assert set(KEPT) <= os.environ.keys()


def test_the_user_s_filters_of_warnings_end_no_trial():
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("error")
        startup.start_child()
        for category in (UserWarning, DeprecationWarning):
            warnings.warn("a library's", category, stacklevel=1)
    assert [warning.category for warning in said] == [UserWarning]


def test_deepspeed_finds_this_python_s_programs_once_and_the_user_s_folder(bare, tmp_path):
    bare.setenv("PATH", "/usr/bin")
    bare.setenv("DS_ACCELERATOR", "")
    for _ in range(2):
        startup.set_up_deepspeed("cpu", tmp_path)
    assert os.environ["PATH"].count(str(Path(sys.executable).parent)) == 1
    assert os.environ["DS_ACCELERATOR"] == "cpu"
    assert os.environ[startup.EXTENSIONS] == str(tmp_path)
    bare.setenv(startup.EXTENSIONS, "/mine")
    startup.set_up_deepspeed("cpu", tmp_path)
    assert os.environ[startup.EXTENSIONS] == "/mine"


def test_optuna_is_quiet_once_it_is_imported(capfd):
    startup.quiet_optuna()
    with warnings.catch_warnings(record=True) as said:
        optuna.create_study().enqueue_trial({"x": 1.0})
        warnings.warn("new", optuna.exceptions.ExperimentalWarning, stacklevel=1)
    assert said == []
    assert capfd.readouterr().err == ""


EIGHT_BIT_PRODUCTS = """
from terrasweep.machine import startup
startup.start_child()
import bitsandbytes, torch
a, b = torch.randint(-127, 128, (2, 64, 256), dtype=torch.int8)
assert torch.equal(torch.ops.bitsandbytes.int8_linear_matmul(a, b).long(), a.long() @ b.long().t())
"""


@pytest.mark.slow
@pytest.mark.parametrize("instructions", ["AVX2", "AVX512_CORE", "DEFAULT"])
def test_8_bit_products_are_exact_whatever_onednn_may_use_of_the_cpu(instructions, monkeypatch):
    monkeypatch.delenv("ATEN_CPU_CAPABILITY", raising=False)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", instructions)
    subprocess.run([sys.executable, "-c", EIGHT_BIT_PRODUCTS], check=True, timeout=300)
