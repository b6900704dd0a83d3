"""The programs in ``benchmarks/`` as modules: they are no package."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from tests.composing import ROOT


def load_benchmark(name: str) -> ModuleType:
    """``benchmarks/NAME.py``."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
