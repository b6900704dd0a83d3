"""The tests mirror the modules: one test file for each module that has logic, where anyone looks for it."""

import ast

from tests.composing import ROOT

SRC = ROOT / "src"
PACKAGE = SRC / "terrasweep"
TESTS = ROOT / "tests" / "unit"

TESTED_ELSEWHERE = {
    "hydra_plugins/terrasweep_sweeper/terrasweep_sweeper.py": "a shell; each sweep of tests/integration starts in it",
    "terrasweep/models/misfits.py": "it runs in a child: tests/unit/trial/test_check_models.py has each misfit",
    "terrasweep/trial/pretrain_synthetic.py": "a training; the quickstart in tests/integration starts with it",
}
"""Modules without a test file of their own, and why."""


def module_of(file):
    """The module or package that a test file stands for, or one aspect of: ``test_loop_stops.py`` is of ``loop.py``."""
    folder, words = PACKAGE / file.parent.relative_to(TESTS), file.stem.removeprefix("test_").split("_")
    stems = [folder / "_".join(words[:count]) for count in range(len(words), 0, -1)]
    files = [stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py") for stem in stems]
    return next((found for found in files if found.is_file()), files[0])


def file_of(module):
    name = module.parent if module.name == "__init__.py" else module.with_suffix("")
    above = PACKAGE if name.is_relative_to(PACKAGE) else SRC
    return TESTS / name.relative_to(above).parent / f"test_{name.name}.py"


def has_logic(module):
    """Whether a module has a function or a method."""
    return any(isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) for n in ast.walk(ast.parse(module.read_text())))


def test_every_module_with_logic_has_its_test_file():
    lacking = []
    for module in filter(has_logic, SRC.rglob("*.py")):
        name, file = module.relative_to(SRC), file_of(module)
        if name.as_posix() in TESTED_ELSEWHERE:
            continue
        if not (file.is_file() and "def test_" in file.read_text()):
            lacking.append(f"{name}: make {file.relative_to(ROOT)}")
    assert lacking == []


def test_every_test_file_stands_for_a_module():
    files = [file.relative_to(TESTS) for file in TESTS.rglob("test_*.py") if file.parent != TESTS]
    strangers = [f for f in files if not module_of(TESTS / f).is_file()]
    assert strangers == []


def test_exceptions_are_modules_that_are_there_and_have_no_test_file():
    for name in TESTED_ELSEWHERE:
        assert (SRC / name).is_file()
        assert not file_of(SRC / name).exists(), f"{name} has its test file, and needs no exception"
