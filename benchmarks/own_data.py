"""What the shipped own_data study reaches in a folder per class, beside a logistic regression on frozen features.

    python benchmarks/own_data.py
    python benchmarks/own_data.py --trials 20 data.root=photos backbone.pretrained=true

Both start from the same pretrained backbone and see the same training images. The study chooses one of its trials by
the validation split, the regression its strength of regularization by cross-validation within the training split, and
each is asked about the test split once. Without data.root the images are the quickstart's tiles of the target domain,
by the crop of the largest area; the more of them are for the test (--test), the surer both accuracies are. Without a
checkpoint or backbone.pretrained=true the backbone is trained beforehand to map the crops of other tiles: of the same
domain (--pretrained-on target), so that its frozen features carry the classes, or of the other one, to whose spectra
they don't quite fit. --seeds runs as many studies, each by a seed of its own for its trainings and its search. --home
keeps tiles, weights and studies in a folder, and takes from it what is there.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "2")

from terrasweep.config.compose import compose
from terrasweep.data import stored
from terrasweep.data.synthetic import SyntheticScenes, write_synthetic
from terrasweep.results.states import State
from terrasweep.trial.prepare import complete_from_data
from terrasweep.trial.run import run_trial

ROOT = Path(__file__).resolve().parents[1]
CLASS_FOLDERS = ("data=classification_folder", "task=classification", "decoder=identity")
SPLITS = {"train": 600, "val": 150, "test": 300}
"""Tiles of each split."""
PRETRAINING = (
    *("data=synthetic", "task=segmentation", "decoder=linear", "backbone.checkpoint=null", "tuning=full"),
    *("backbone=timm_vit_small_patch16_224", "data.synthetic.seed=1", "data.synthetic.train=1200"),
    *("data.synthetic.test=0", "augment=d4", "train.batch_size=32", "train.max_steps=600", "train.lr=1e-3"),
    *("train.clip_norm=1", "train.count_flops=false", "budget.timeout_s=null"),
)
Split = tuple[list[list[float]], list[int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=8, help="trials of the study")
    parser.add_argument("--pretrained-on", choices=sorted(SyntheticScenes.MEANS), default="target", help="which tiles")
    parser.add_argument("--tile-px", type=int, default=64, help="side of a tile")
    parser.add_argument("--test", type=int, default=SPLITS["test"], help="tiles for the test")
    parser.add_argument("--seeds", type=int, default=1, help="studies, each by a seed of its own")
    parser.add_argument("--home", type=Path, help="folder that is kept")
    parser.add_argument("overrides", nargs="*", help="key=value for both")
    arguments = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory() as passing:
        home = (arguments.home or Path(passing)).resolve()
        os.environ["TERRASWEEP_HOME"] = str(home)
        scenes = SyntheticScenes(domain="target", tile_px=arguments.tile_px, **SPLITS | {"test": arguments.test})
        own = completed(arguments.overrides, home, scenes, arguments.pretrained_on)
        common = ["sweeps=own_data", *CLASS_FOLDERS, *own]
        regressed, images = regression(common)
        studied = [study(common, arguments.trials, home, seed) for seed in range(arguments.seeds)]
    print(table(regressed, images, studied, arguments.trials))


def completed(overrides: list[str], home: Path, scenes: SyntheticScenes, domain: str) -> list[str]:
    """With a folder of images and a pretrained backbone, where none is given."""
    given = dict(override.split("=", 1) for override in overrides if "=" in override)
    backbone = [override for override in overrides if override.lstrip("+").startswith("backbone")]
    if (root := given.get("data.root")) is not None:
        overrides = [*overrides, f"data.root={Path(root).resolve()}"]
    else:
        tiles = write_synthetic(home / "tiles", scenes)
        overrides = [*overrides, f"data.root={tiles / 'scenes'}", "data.split.by=folders", "augment=d4"]
    if given.get("backbone.pretrained") == "true" or "backbone.checkpoint" in given:
        return overrides
    chosen = [f"data.tile_px={scenes.tile_px}", f"data.synthetic.domain={domain}", *backbone]
    return [*overrides, "backbone.pretrained=false", f"backbone.checkpoint={pretrained(chosen, home / domain)}"]


def pretrained(chosen: list[str], folder: Path) -> Path:
    """The weights of a backbone that was trained to map crops."""
    weights = folder / "weights" / "trained.safetensors"
    if not weights.exists():
        result = run_trial(compose([*PRETRAINING, *chosen]), folder)
        check(result.state, result.message)
        print(f"pretrained to a mIoU of {result.value('accuracy'):.3f}", file=sys.stderr)
    return weights


def study(common: list[str], trials: int, home: Path, seed: int) -> dict[str, str]:
    """Run the study by a seed; the row of its most accurate trial."""
    name = f"own_data_{seed}"
    settings = [f"study.name={name}", f"study.n_trials={trials}", f"study.seed={seed}", f"train.seed={seed}"]
    subprocess.run([sys.executable, str(ROOT / "sweep.py"), "-m", *common, *settings], check=True, stdout=sys.stderr)
    return most_accurate(home / "results" / name)


def most_accurate(study: Path) -> dict[str, str]:
    """The row of a study's most accurate trial, of equals the one that was tested."""
    with (study / "trials.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["state"] == State.COMPLETE]
    return max(rows, key=lambda row: (float(row["accuracy"]), row["test_accuracy"] != ""))


def regression(common: list[str]) -> tuple[float, int]:
    """Test accuracy of a logistic regression on the frozen backbone's features, averaged over patches; test images."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    one_by_one = ["tuning=frozen", "quantization=none", "checkpointing=none", "train.batch_size=1", "augment=none"]
    config = complete_from_data(stored.located(compose([*common, *one_by_one])))
    train, test = features(config)
    model = make_pipeline(StandardScaler(), LogisticRegressionCV(Cs=8, cv=5, max_iter=2000))
    model.fit(*train)
    return float(model.score(*test)), len(test[1])


def features(config: Any) -> tuple[Split, Split]:
    """Features and classes of the training and of the test images, as the trials see them."""
    import torch

    from terrasweep.data.open.folders import open_data, open_test
    from terrasweep.machine.arithmetic import set_arithmetic
    from terrasweep.models.assemble import build_untransformed

    set_arithmetic("highest")
    data = open_data(config)
    model = build_untransformed(config, data.num_classes).eval()
    seen: list[torch.Tensor] = []
    model.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))

    def read(module: Any, batches: Any) -> Split:
        vectors, classes = [], []
        for batch in batches:
            sample = module.normalized(batch, torch.device("cpu"), training=False)
            model(sample["image"])
            vectors.append(seen.pop()[0].flatten(1).mean(dim=1).tolist())  # Over the patches, as TerraTorch's head.
            classes.append(int(sample["label"]))
        return vectors, classes

    with torch.inference_mode():
        return read(data.module, data.module.train_dataloader()), read(*_evaluated(open_test(config).module))


def _evaluated(module: Any) -> tuple[Any, Iterator[Any]]:
    return module, module.val_dataloader()


def check(state: State, message: str) -> None:
    """End here where a training did."""
    if state is not State.COMPLETE:
        raise SystemExit(f"{state}: {message}")


def table(regressed: float, images: int, studied: list[dict[str, str]], trials: int) -> str:
    """As Markdown, with the standard error of a share of so many test images."""
    error = (regressed * (1 - regressed) / images) ** 0.5
    rows = (
        f"| `sweeps=own_data`, seed {seed}, the most accurate of {trials} trials ({best['tuning']}, "
        f"{float(best['train.lr']):.2g}) | {float(best['accuracy']):.3f} | {float(best['test_accuracy']):.3f} |"
        for seed, best in enumerate(studied)
    )
    return "\n".join(
        [
            f"| | validation | test, of {images} images, error {error:.3f} |",
            "| --- | ---: | ---: |",
            f"| logistic regression on frozen features | | {regressed:.3f} |",
            *rows,
        ]
    )


if __name__ == "__main__":
    main()
