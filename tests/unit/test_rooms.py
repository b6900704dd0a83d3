"""Where libraries may be imported, and what the parent process must not import."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src"
ROOMS = {
    "bitsandbytes": ["build/quantize.py", "build/optimizers.py", "preload.py", "build/merge.py"],
    "deepspeed": ["build/zero.py", "predict/zero.py"],
    "hydra": ["composition.py", "entry.py", "preload.py", "hydra_plugins"],
    "huggingface_hub": ["build/release.py", "build/internvit.py", "build/hf_vision.py", "build/registry.py"],
    "jinja2": ["report"],
    "lightning": [
        "build/zero.py",
        "tasks.py",
        "train.py",
        "stages.py",
        "pretraining.py",
        "data/folders.py",
        "data/public.py",
        "preload.py",
        "plain.py",
    ],
    "matplotlib": ["report"],
    "mlflow": ["tracking.py"],
    "moocore": ["pareto.py"],
    "optuna": ["report/importances.py", "hydra_plugins"],
    "peft": ["build/adapters.py", "preload.py", "build/merge.py", "weights.py"],
    "plotly": ["report"],
    "pynvml": ["measure/board.py", "environment.py", "preload.py"],
    "rasterio": ["data", "preload.py"],
    "rich": ["check_tables.py", "plan_tables.py", "progress.py"],
    "terratorch": [
        "build/model.py",
        "build/layout.py",
        "build/registry.py",
        "build/adapters.py",
        "build/vision.py",
        "build/earthmind.py",
        "build/hf_vision.py",
        "data",
        "tasks.py",
        "preload.py",
    ],
    "timm": ["build/registry.py", "build/vision.py"],
    "torch": [
        "criteria.py",
        "extras.py",
        "plain.py",
        "weights.py",
        "build",
        "data/folders.py",
        "data/public.py",
        "measure",
        "predict",
        "tasks.py",
        "train.py",
        "stages.py",
        "pretraining.py",
        "preload.py",
    ],
    "transformers": ["build/internvit.py", "build/earthmind.py", "build/hf_vision.py"],
    "typer": ["cli.py"],
}


def imported(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").split(".")[0]


def room(file):
    parts = file.relative_to(SRC).parts
    return "/".join(parts[1:]) if parts[0] == "terrasweep" else parts[0]


@pytest.mark.parametrize("library", ROOMS)
def test_a_library_is_imported_in_its_rooms_alone(library):
    users = {room(file) for file in SRC.rglob("*.py") if library in set(imported(file))}
    strangers = {u for u in users if not any(u == r or u.startswith(f"{r}/") for r in ROOMS[library])}
    assert strangers == set()
    assert users, f"{library} is listed, but nobody imports it"


def test_the_parent_process_imports_no_torch():
    code = (
        "import sys; import hydra_plugins.terrasweep_sweeper._sweep, terrasweep.trial, terrasweep.tracking, "
        "terrasweep.cli, terrasweep.plan_tables, terrasweep.checking, terrasweep.check_tables, "
        "terrasweep.report; from mlflow import MlflowClient; "
        "print([m for m in ('torch', 'terratorch', 'lightning', 'peft') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_modules_and_functions_stay_small():
    long = []
    for file in SRC.rglob("*.py"):
        text = file.read_text()
        if text.count("\n") > 250:
            long.append(file.name)
        functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))
        long += [f"{file.name}:{f.name}" for f in functions if f.end_lineno - f.lineno > 50]
    assert long == []
