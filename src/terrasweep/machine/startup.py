"""What terrasweep sets for a process as a whole: environment variables, warning filters, how much libraries say.

Nothing else in terrasweep changes such state for good, so that this page tells all of it, by kind of process:

- The sweep's own (``sweep.py``): :func:`start_sweep`.
- That of the ``terrasweep`` command: :func:`name_root`.
- Both, and a program of the user's, where they compose, search or track: :func:`name_shipped_studies`,
  :func:`quiet_optuna`, :func:`quiet_mlflow`, :func:`ask_mlflow_once`, :func:`use_fresh_interpreters`.
- The forkserver: :func:`start_forkserver`.
- A trial's child, and any other child: :func:`start_child`, and where it applies :func:`hide_gpus` and
  :func:`set_up_deepspeed`. The precision of products is set by :mod:`terrasweep.machine.arithmetic`.
- Both of these: :func:`agree_on_cpu`.

Variables of the user's environment that terrasweep reads:

- ``TERRASWEEP_HOME``: the project's root. ``TERRASWEEP_SHIPPED``: the folder with the sweeps and search spaces that
  come with terrasweep. Where they are not set, they are set here, for Hydra and for children.
- ``TERRASWEEP_START_METHOD``: how children start, see :func:`start_method`.
- ``HYDRA_FULL_ERROR``: ``1`` shows the traceback of bad input.
- ``OMP_NUM_THREADS``: threads of a trial, where it is set; told in reports.
- ``CUDA_VISIBLE_DEVICES``: which GPU is the first.
- ``TORCH_EXTENSIONS_DIR``, ``XDG_CACHE_HOME``: where DeepSpeed's compiled parts are kept.
- ``MLFLOW_TRACKING_URI``: the default of ``tracking.uri``.
- ``MLFLOW_HTTP_REQUEST_TIMEOUT``, ``MLFLOW_HTTP_REQUEST_MAX_RETRIES``, ``MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR``: how long
  an MLflow server is waited for; where they are not set, 10 s, once again, after a second.
- ``CXX``, ``CUDA_HOME``, ``PATH``: whether they can be compiled.
- ``ONEDNN_MAX_CPU_ISA``: what oneDNN leaves aside of a CPU, torch leaves aside as well (``ATEN_CPU_CAPABILITY``).

A trial is one process, whatever started the sweep: what tells a process that it is one of several, of a batch job of
Slurm, LSF or MPI or of ``torchrun``, and what changes Lightning's or torch's defaults is dropped in the forkserver and
in children (:data:`PLACES`); so are the user's filters of warnings (``PYTHONWARNINGS``), which could end a trial.

What a user has set is never overwritten, but for ``HYDRA_FULL_ERROR``, ``TERRASWEEP_SHIPPED`` under ``sweep.py`` (each
has its own), and ``PATH``, which is extended.
"""

from __future__ import annotations

import contextlib
import fnmatch
import logging
import multiprocessing
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from terrasweep.machine import paths

HOME, SHIPPED = "TERRASWEEP_HOME", "TERRASWEEP_SHIPPED"
START_METHOD = "TERRASWEEP_START_METHOD"
EXTENSIONS = "TORCH_EXTENSIONS_DIR"
PLACES = (
    # torchrun, and what most others set as well.
    *("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK", "GROUP_RANK", "GROUP_WORLD_SIZE"),
    *("ROLE_RANK", "ROLE_WORLD_SIZE", "ROLE_NAME", "MASTER_ADDR", "MASTER_PORT", "STANDALONE_PORT", "TORCHELASTIC_*"),
    *("SLURM_NTASKS*", "SLURM_NPROCS", "SLURM_TASKS_PER_NODE", "SLURM_STEP_*", "SLURM_PROCID", "SLURM_LOCALID"),
    *("SLURM_NODEID", "OMPI_*", "PMI_*", "PMIX_*", "MV2_*", "JSM_NAMESPACE_*", "LSB_JOBID", "LSB_DJOB_RANKFILE"),
    *("PL_*", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "NVIDIA_TF32_OVERRIDE"),
)
"""Variables, with ``*`` for any ending, that neither a trial nor what is prepared for it may see."""
WITHOUT_VNNI = ("SSE41", "AVX", "AVX2", "AVX512_CORE")
"""Values of ``ONEDNN_MAX_CPU_ISA`` under which oneDNN's 8-bit products can overflow."""


def start_sweep(script: Path) -> bool:
    """Set up the process of ``sweep.py``.

    Args:
        script: Its path; its folder is the project's root unless ``TERRASWEEP_HOME`` says otherwise.

    Returns:
        Whether the user wants to see the traceback of bad input.
    """
    _forget_empty_uri()
    os.environ[SHIPPED] = str(script.resolve().parent)
    os.environ.setdefault(HOME, os.environ[SHIPPED])
    _quiet_missing_studies()
    wanted = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra would print the error itself and exit with 1.
    return wanted


def name_root() -> None:
    """Give children and Hydra the project's root, wherever they look from."""
    _forget_empty_uri()
    os.environ.setdefault(HOME, str(paths.home()))


def name_shipped_studies() -> None:
    """What composing a configuration outside of ``sweep.py`` needs: the root, and where the shipped studies are."""
    name_root()
    os.environ.setdefault(SHIPPED, str(paths.checkout()))
    _quiet_missing_studies()


def _forget_empty_uri() -> None:
    # To MLflow an empty variable is none; to OmegaConf it is a value.
    if os.environ.get("MLFLOW_TRACKING_URI") == "":
        del os.environ["MLFLOW_TRACKING_URI"]


def _quiet_missing_studies() -> None:
    # A root that is made by the first study has no sweeps of its own yet.
    warnings.filterwarnings("ignore", message="provider=hydra.searchpath")


def quiet_rasterio() -> None:
    """Rasterio would say of each photo that it has no place on the ground."""
    warnings.filterwarnings("ignore", message="Dataset has no geotransform")


def quiet_optuna() -> None:
    """Optuna would announce every study and trial, and warn of what it calls experimental; it is imported here."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def quiet_mlflow() -> None:
    """MLflow would report every migration and each lost connection at length, and wait for a server for minutes.

    It would print each run's address, too, with the password that is in its URL.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    import mlflow  # noqa: F401 - importing it sets the levels

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


@contextlib.contextmanager
def ask_mlflow_once() -> Iterator[None]:
    """Within it MLflow asks a server once, for five seconds."""
    impatient = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
    usual = {name: os.environ.get(name) for name in impatient}
    os.environ.update(impatient)
    try:
        yield
    finally:
        for name, value in usual.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def start_method() -> str:
    """``TERRASWEEP_START_METHOD``: ``forkserver`` (default) or ``spawn``, a fresh interpreter per child."""
    return os.environ.get(START_METHOD, "forkserver")


def use_fresh_interpreters() -> None:
    """From here on a child starts in an interpreter of its own."""
    os.environ[START_METHOD] = "spawn"


def start_forkserver() -> None:
    """Set up the process that imports the libraries once, before it imports torch: CUDA has to stay untouched."""
    _stand_alone()
    agree_on_cpu()
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # It misses an optional package on every import.


def agree_on_cpu() -> None:
    """Where oneDNN is told to leave a CPU's newer instructions aside, have torch leave them aside as well.

    Torch would go on to hand it 8-bit products, whose sums overflow without VNNI: a relative error of 0.19 in a product
    of 64 x 256 by 256 x 64 numbers, measured, where it is 0 with VNNI and on CPUs that never had it.
    """
    if os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in WITHOUT_VNNI:
        os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")


def start_child() -> None:
    """Set up a child, whatever it does."""
    _stand_alone()
    agree_on_cpu()
    _usual_warnings()
    # For data loaders' workers, as is torch's own default on Linux: they have what this process has imported, and touch
    # no GPU. Those of a forkserver import all of it again.
    multiprocessing.set_start_method("fork", force=True)
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*")  # Lightning's; there is one process.


def _stand_alone() -> None:
    """Forget the place in a batch job; see :data:`PLACES`."""
    for name in list(os.environ):
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in PLACES):
            os.environ.pop(name)


def _usual_warnings() -> None:
    """The interpreter's own filters, whatever the user's say: an error would end the trial."""
    warnings.resetwarnings()
    for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", category)


def hide_gpus() -> None:
    """For a child that needs none: libraries ask for a GPU's properties when they are imported."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


def set_up_deepspeed(device: str, extensions: Path) -> None:
    """What DeepSpeed reads when it is imported: for what it runs, and where its compiled parts are.

    Args:
        device: ``cpu`` or ``cuda``.
        extensions: Folder for what it compiles, unless the user has set one.
    """
    os.environ.setdefault(EXTENSIONS, str(extensions))
    os.environ["PATH"] = path_with_own_programs()
    if device == "cpu":
        os.environ["DS_ACCELERATOR"] = "cpu"


def path_with_own_programs() -> str:
    """``PATH`` with this Python's own programs first: ninja is among them, also where nothing is activated."""
    own, path = str(Path(sys.executable).parent), os.environ.get("PATH", "")
    return path if path.split(os.pathsep)[0] == own else f"{own}{os.pathsep}{path}"
