"""Where libraries may be imported, which package may use which, and what the parent process must not import."""

import ast
import functools
import re
import subprocess
import sys
from graphlib import TopologicalSorter

import pytest

from tests.composing import ROOT

SRC = ROOT / "src"
PACKAGE = SRC / "terrasweep"

ROOMS = {
    "PIL": ["data/inspect/pictures"],
    "albumentations": ["data/open"],
    "alembic": ["study/mlflow_tables.py"],
    "bitsandbytes": [
        *("models/transforms", "predict/fake_model.py", "predict/gpu_rules.py", "predict/storage_watch.py"),
        *("training/optimizers.py", "trial/preload.py"),
    ],
    "deepspeed": ["models/offload/zero.py", "predict/zero_estimates.py"],
    "geopandas": ["data/views/polygons.py"],
    "huggingface_hub": ["models/backbones"],
    "hydra": ["cli/sweep_script.py", "config", "study", "trial/preload.py", "hydra_plugins"],
    "hydra_plugins": ["hydra_plugins"],
    "jinja2": ["report"],
    "kornia": ["training/augmentation.py"],
    "lightning": ["data/open", "export/in_child.py", "models/offload/zero.py", "predict", "training", "trial"],
    "markupsafe": ["report"],
    "matplotlib": ["report"],
    "mlflow": [
        "machine/startup.py",
        "study/mlflow_parent.py",
        "study/mlflow_runs.py",
        "study/mlflow_store.py",
        "study/mlflow_tables.py",
    ],
    "moocore": ["results/pareto.py"],
    "numpy": [
        *("data", "measure/rate_error.py"),
        *("results/comparison.py", "results/front_within_errors.py", "results/pareto.py"),
        *("results/speed_calibration.py", "study/conditional_keys.py", "study/factored", "study/factored_search.py"),
        "study/predicted_costs.py",
    ],
    "omegaconf": ["cli/sweep_script.py", "config", "study", "hydra_plugins"],
    "optuna": ["machine/startup.py", "report/importances.py", "study"],
    "peft": ["models", "trial/preload.py"],
    "plotly": ["report"],
    "psutil": ["machine", "process"],
    "pycocotools": ["data/views/coco.py"],
    "pynvml": ["machine/hardware.py", "measure/board.py", "measure/device_contention.py"],
    "rasterio": ["data", "trial/preload.py"],
    "rich": ["cli", "study/terminal.py", "trial/look_progress.py"],
    "rioxarray": ["trial/preload.py"],
    "safetensors": ["models", "trial/pretrain_synthetic.py"],
    "scipy": [
        *("results/estimates.py", "results/peak_calibration.py", "results/seed_statistics.py"),
        *("results/speed_calibration.py", "study/factored"),
    ],
    "segmentation_models_pytorch": ["training"],
    "shapely": ["data/views/polygons.py"],
    "sklearn": ["study/factored/gaussian_process.py"],
    "sqlalchemy": ["study"],
    "terratorch": ["data/open", "models", "training", "trial/preload.py"],
    "timm": ["models/backbones", "models/pretrained"],
    "torch": [
        *("data/open", "export/in_child.py", "machine/arithmetic.py", "machine/device.py", "measure", "models"),
        *(
            "predict",
            "training",
            "trial/after_measuring.py",
            "trial/budget.py",
            "trial/evaluate_in_child.py",
            "trial/measure_in_child.py",
            "trial/preload.py",
            "trial/probe.py",
        ),
    ],
    "torchgeo": ["data/open"],
    "torchmetrics": ["models/offload/zero.py", "training"],
    "transformers": ["models/backbones"],
    "typer": ["cli"],
    "yaml": ["config", "export/in_child.py", "models/trained_weights.py", "report", "study", "trial/run.py"],
}
"""Every third-party library, and the folders and files that may import it."""

PRIVATE = {
    "bitsandbytes.autograd": "predict/gpu_rules.py",
    "torch._subclasses": "models/torch_internals.py",
    "torch.distributed.algorithms._checkpoint": "models/torch_internals.py",
    "torch.utils._python_dispatch": "models/torch_internals.py",
}
"""Others' modules with a private path that terrasweep uses, and the only file of each library that does.

Its test names the version.
"""

ARROWS: dict[str, set[str]] = {
    "results": set(),
    "machine": {"results"},
    "measure": {"machine", "results"},
    "process": {"machine", "results"},
    "config": {"conf", "machine", "measure", "results"},
    "data": {"config", "machine", "results"},
    "models": {"config", "data", "machine", "process", "results"},
    "training": {"config", "data", "measure", "models", "results"},
    "predict": {"config", "data", "machine", "measure", "models", "process", "results", "training"},
    "trial": {
        *("config", "data", "machine", "measure", "models", "predict", "process", "results", "training"),
    },
    "report": {"data", "machine", "measure", "results"},
    "study": {"config", "data", "machine", "measure", "process", "report", "results", "trial"},
    "export": {
        *("config", "data", "machine", "measure", "models", "process", "results", "study", "terratorch_backbones"),
        *("training", "trial"),
    },
    "cli": {
        "config",
        "data",
        "export",
        "machine",
        "measure",
        "models",
        "predict",
        "process",
        "report",
        "results",
        "study",
        "trial",
    },
    "terratorch_backbones": {"models"},
    "weights": {"models"},
    "conf": set(),
}
"""Each package, and those that it may import."""


@functools.cache
def imported(file):
    """Dotted names of what a file imports; ``from a import b`` gives ``a.b``, since b may be a module."""
    names = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(names)


def room(file):
    parts = file.relative_to(SRC).parts
    return "/".join(parts[1:]) if parts[0] == "terrasweep" else parts[0]


def libraries(file):
    tops = {name.split(".")[0] for name in imported(file)}
    return tops - set(sys.stdlib_module_names) - {"terrasweep"}


def arrows():
    """Each package of terrasweep, and those that its modules import."""
    names = {re.sub(r"\.py$", "", path.name) for path in PACKAGE.iterdir() if path.name[0] != "_"}
    found = {name: set() for name in names}
    for file in PACKAGE.rglob("*.py"):
        own = re.sub(r"\.py$", "", file.relative_to(PACKAGE).parts[0])
        for name in imported(file):
            parts = name.split(".")
            if parts[0] == "terrasweep" and len(parts) > 1 and parts[1] in names - {own}:
                found.setdefault(own, set()).add(parts[1])
    return found


def test_every_library_has_its_rooms():
    assert {library for file in SRC.rglob("*.py") for library in libraries(file)} == set(ROOMS)


@pytest.mark.parametrize("library", ROOMS)
def test_a_library_is_imported_in_its_rooms_alone(library):
    users = {room(file) for file in SRC.rglob("*.py") if library in libraries(file)}
    strangers = {u for u in users if not any(u == r or u.startswith(f"{r}/") for r in ROOMS[library])}
    assert strangers == set()
    empty = [r for r in ROOMS[library] if not any(u == r or u.startswith(f"{r}/") for u in users)]
    assert empty == [], f"{library} is not imported there"


def test_others_private_modules_are_used_in_their_own_file_alone():
    """What ruff's SLF does not see: imports. A name with two underscores is public (``__version__``)."""
    used = {
        (name, room(file))
        for file in SRC.rglob("*.py")
        for name in imported(file)
        if re.search(r"(^|\.)_[a-z]", name) and name.split(".")[0] not in sys.stdlib_module_names
    }
    assert {(name, file) for name, file in used if (name.rpartition(".")[0], file) not in PRIVATE.items()} == set()
    assert {file for _, file in used} == set(PRIVATE.values())
    assert len(set(PRIVATE.values())) == len({name.split(".")[0] for name in PRIVATE}), "one file per library"


def test_others_private_names_are_used_there_too():
    """What ruff's SLF sees, which an exception lets pass."""
    exempt = {room(file) for file in SRC.rglob("*.py") if re.search(r"# noqa:.*\bSLF001\b", file.read_text())}
    assert exempt <= set(PRIVATE.values())


def test_packages_use_what_is_below_them_alone():
    assert {
        name: used - ARROWS.get(name, set()) for name, used in arrows().items() if used - ARROWS.get(name, set())
    } == {}
    assert {
        name: allowed - arrows().get(name, set()) for name, allowed in ARROWS.items() if allowed - arrows()[name]
    } == {}


def test_the_allowed_arrows_make_no_circle():
    order = list(TopologicalSorter(ARROWS).static_order())
    assert order.index("results") < order.index("config") < order.index("trial") < order.index("cli")


def test_what_is_named_by_text_is_there_and_below():
    """Tasks of children and transformations of knobs; a knob names what it does to models, and imports none of it."""
    by_text = ARROWS | {"config": ARROWS["config"] | {"models"}}
    named = [
        (room(file).split("/")[0], module, function)
        for file in PACKAGE.rglob("*.py")
        for module, function in re.findall(r'"terrasweep\.([\w.]+):(\w+)"', file.read_text())
    ]
    assert len(named) >= 12
    for own, module, function in named:
        file = PACKAGE / f"{module.replace('.', '/')}.py"
        assert f"def {function}(" in file.read_text(), f"{own} names terrasweep.{module}:{function}"
        assert module.split(".")[0] in by_text[own] | {own}


def test_names_say_what_they_are_of():
    """These could be of anything: neither a module nor what it offers is called so."""
    vague = {"criteria", "extras", "inputs", "kept", "needs", "plain", "roots", "scratch", "settle", "stages", "told"}
    found = []
    for file in PACKAGE.rglob("*.py"):
        tree = ast.parse(file.read_text())
        functions = (n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef))
        classes = (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef))
        fields = (n.target.id for kind in classes for n in kind.body if isinstance(n, ast.AnnAssign))
        found += [f"{room(file)}: {name}" for name in (file.stem, *functions, *fields) if name.lower() in vague]
    assert found == []


def test_the_parent_process_imports_no_torch():
    code = (
        "import sys; import terrasweep.study.sweep, terrasweep.trial.run, terrasweep.cli.app, "
        "terrasweep.cli.plan_tables, terrasweep.cli.plan_space, terrasweep.cli.plan_space_tables, "
        "terrasweep.cli.check, terrasweep.cli.check_tables, "
        "terrasweep.report, terrasweep.measure.catalog, terrasweep.report.data_page; from mlflow import MlflowClient; "
        "print([m for m in ('torch', 'terratorch', 'lightning', 'peft', 'sklearn') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_each_exception_from_a_lint_rule_says_why():
    silent = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for folder in ("src", "tests", "benchmarks", "docs")
        for file in (ROOT / folder).rglob("*.py")
        for line in file.read_text().splitlines()
        if re.search(r"# noqa(?!: [A-Z]+\d+(, [A-Z]+\d+)* - \S)", line) and "re.search" not in line
    ]
    assert silent == []


def test_functions_stay_small():
    long = []
    for file in SRC.rglob("*.py"):
        functions = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef))
        long += [f"{file.name}:{f.name}" for f in functions if f.end_lineno - f.lineno > 50]
    assert long == []


@pytest.mark.slow
def test_every_test_file_is_collected():
    """A folder that pytest passes over by its name, like ``build``, hides its tests without a word."""
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-p", "no:cacheprovider", "-n0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    collected = {line.partition(":")[0] for line in listed.splitlines() if ".py:" in line}
    there = {str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py")}
    assert there - collected == set()
