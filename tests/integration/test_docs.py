"""Every command, configuration and program that the documentation shows is one that works today."""

import ast
import importlib.util
from dataclasses import fields, replace
from pathlib import Path

import click
import pytest
import typer
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from terrasweep.cli import plan as planning
from terrasweep.cli.app import app
from terrasweep.cli.check import without_weights
from terrasweep.config.compose import _schema, composed_trial
from terrasweep.config.data import DataConfig
from terrasweep.config.knobs.augment import AugmentConfig
from terrasweep.config.knobs.optimizer import OptimizerConfig
from terrasweep.config.knobs.tuning import TuningConfig
from terrasweep.config.schedule import ScheduleConfig
from terrasweep.config.schema import TrialConfig
from terrasweep.config.train import TrainConfig
from terrasweep.report.recommendations import ROLES
from terrasweep.study.preflight import check_space
from terrasweep.study.search_space import parse_space
from terrasweep.trial import rules
from tests.composing import ROOT, compose_all
from tests.documented import blocks, commands

SWEEP = commands("python sweep.py")
TERRASWEEP = commands("terrasweep")
OWN = {
    "sweeps/mine.yaml": ("README.md", "# @package _global_"),
    "sweeps/fields.yaml": ("docs/studies.md", "# @package _global_"),
    "search_spaces/mine.yaml": ("docs/search-spaces.md", "# @package hydra.sweeper.params"),
}
"""Files that the documentation lets the reader write, and the page that shows their content."""
FLAGS = {"-m": 0, "--multirun": 0, "--help": 0, "--cfg": 1, "--config-dir": 1, "--config-name": 1}
"""Hydra's own options, and how many words follow."""
LAUNCHERS = {"slurm": "hydra_submitit_launcher", "ray": "hydra_ray_launcher", "joblib": "hydra_joblib_launcher"}
"""The beginnings of our recipes' names, and the plugins that they need."""


def shown(page, first):
    """The only block of a page that begins so."""
    (block,) = [b for b in blocks("yaml") if b.page == page and b.text.startswith(first)]
    return block.text


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A project with the files that a reader of the documentation has written."""
    home = tmp_path_factory.mktemp("reader")
    for name, place in OWN.items():
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(shown(*place))
    return home


@pytest.fixture
def compose(written, monkeypatch):
    """Composes in that project; data, weights and disks are the reader's, and there."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(written))
    monkeypatch.setenv("TERRASWEEP_SHIPPED", str(ROOT))
    monkeypatch.setenv("DB_PASSWORD", "of-the-reader")
    for place in ("config.allowed_values.is_file", "data.rules.is_folder"):
        monkeypatch.setattr(f"terrasweep.{place}", lambda path: True)
    for place in ("exists", "is_folder"):
        monkeypatch.setattr(f"terrasweep.data.open.public_sources.{place}", lambda path: True)
    return lambda overrides: compose_all(overrides, searched=[written, ROOT])


def options(words):
    """Hydra's options with what follows them, and the overrides, less those of what is not installed here."""
    found, rest = {}, list(words)
    overrides = []
    while rest:
        word = rest.pop(0)
        assert word in FLAGS or not word.startswith("-"), f"Hydra has no option {word}"
        if word in FLAGS:
            found[word] = [rest.pop(0) for _ in range(FLAGS[word])]
        elif not is_another_package_s(word, words):
            overrides.append(word)
    return found, overrides


def is_another_package_s(word, words):
    """Whether an override is of a launcher that is not installed, or of the knob that docs/outside-knobs.md makes."""
    key = word.partition("=")[0]
    launcher = next((w.partition("=")[2] for w in words if w.startswith("hydra/launcher=")), "")
    plugin = LAUNCHERS.get(launcher.partition("_")[0])
    lacking = plugin is not None and importlib.util.find_spec(f"hydra_plugins.{plugin}") is None
    assert not launcher or (ROOT / f"src/terrasweep/conf/hydra/launcher/{launcher}.yaml").is_file() or not lacking
    # Its commands are run by test_outside_knobs.py.
    return key.startswith("freeze_norms") or (lacking and key.startswith(("hydra/launcher", "hydra.launcher")))


def violations(config):
    """Of the rules; what is written in a file of the reader's is not known."""
    here = [line for line in rules.find_bad_values(config) if not line.startswith("offload.nvme_path=")]
    return [*here, *rules.find_violations(config, files=False)]


def check_multirun(overrides, compose):
    whole = compose([text for text in overrides if not is_searched(text)])
    parse_space(whole.hydra.sweeper.params, overrides)
    # The choices of a shipped space are composed by test_configs.py, those of the reader's own one below.
    own = parse_space({}, overrides)
    check_space(own, lambda searched: compose([*own.fixed, *searched]))


def is_searched(override):
    return OverridesParser.create().parse_override(override).is_sweep_override()


def check_sweep(words, compose):
    flags, overrides = options(words)
    if name := flags.get("--config-name"):
        assert name[0] in {"best", *(role.name for role in ROLES)}
        compose(overrides)
    elif "-m" in flags or "--multirun" in flags:
        check_multirun(overrides, compose)
    elif "--help" not in flags:
        assert violations(composed_trial(compose(overrides))) == []


@pytest.mark.slow
@pytest.mark.parametrize("command", SWEEP, ids=str)
def test_every_sweep_and_trial_that_is_shown_is_accepted(command, compose):
    check_sweep(command.words, compose)


@pytest.mark.parametrize("command", TERRASWEEP, ids=str)
def test_every_terrasweep_command_that_is_shown_is_accepted(command, compose):
    group = typer.main.get_command(app)
    with click.Context(group) as context:
        name, subcommand, rest = group.resolve_command(context, list(command.words))
        if not rest:
            return  # It is named in a sentence.
        called = subcommand.make_context(name, rest, parent=context)
    if name == "check":
        assert violations(without_weights(composed_trial(compose(called.params["overrides"] or [])))) == []
    elif name == "plan":
        fixed = [text for text in called.params["overrides"] if "=" in text and not is_searched(text)]
        composed = compose(["data.root=reader", *fixed])
        assert planning.find_violations(composed_trial(composed)) == []


@pytest.mark.parametrize(
    "words",
    [
        ["python sweep.py", "train.learning_rate=1"],
        ["python sweep.py", "quantisation=nf4"],
        ["python sweep.py", "-m", "tuning.rank=choice(4,0)"],
        ["python sweep.py", "-m", "sweeps=nobody_s"],
        ["python sweep.py", "--multi"],
        ["python sweep.py", "backbone.pretrained=true"],
        ["terrasweep", "plans"],
        ["terrasweep", "recommend", "mine", "--memory", "3"],
        ["terrasweep", "check", "data.rooot=x"],
    ],
    ids=" ".join,
)
def test_a_command_that_does_not_work_would_be_found(words, compose):
    check = test_every_terrasweep_command_that_is_shown_is_accepted
    with pytest.raises(Exception, match=r"."):
        if words[0] == "terrasweep":
            check(type(SWEEP[0])("here", words[1:]), compose)
        else:
            check_sweep(words[1:], compose)


def test_the_pages_show_commands_of_every_kind():
    assert len(SWEEP) > 40
    assert {command.words[0] for command in TERRASWEEP} >= {"plan", "check", "models", "recommend", "export", "ui"}


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: f"{block.page}: {block.text.splitlines()[0]}")
def test_every_configuration_that_is_shown_fits_the_schema(block, compose):
    content = yaml.safe_load(block.text)
    if all(isinstance(value, str) and "(" in value for value in content.values()):
        space = parse_space(content, [])
        check_space(space, compose)
    elif set(content) - {"defaults"} <= {section.name for section in fields(TrialConfig)}:
        OmegaConf.merge(_schema(), {key: value for key, value in content.items() if key != "defaults"})
    else:  # The content of a file in a group, of which the documentation shows data alone.
        OmegaConf.merge(_schema(), {"data": content})


def test_every_study_that_is_shown_is_one_that_a_command_names():
    whole = {b.text for b in blocks("yaml") if b.text.startswith("# @package _global_")}
    assert whole == {shown(*place) for name, place in OWN.items() if name.startswith("sweeps/")}


@pytest.mark.parametrize("name", sorted(name for name in OWN if name.startswith("sweeps/")))
def test_a_study_of_one_s_own_reads_the_layout_that_own_data_reads(name, compose):
    """A reader who has tried the one goes on with the other, on the same folder."""
    own = composed_trial(compose([f"sweeps={Path(name).stem}"]))
    first = composed_trial(compose(["sweeps=own_data", f"data.root={own.data.root}"]))
    assert violations(own) == []
    assert own.data.split == first.data.split
    assert (own.data.image_folder, own.data.label_folder) == (first.data.image_folder, first.data.label_folder)


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.page)
def test_every_program_that_is_shown_compiles_and_imports_what_is_there(block):
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "terrasweep":
            spec = importlib.util.find_spec(node.module)
            assert spec is not None, node.module
            assert spec.origin is not None, node.module
            defined = ast.walk(ast.parse(Path(spec.origin).read_text()))
            names = {getattr(inner, "asname", None) or getattr(inner, "name", None) for inner in defined}
            assert {alias.name for alias in node.names} <= names


def leaves(content, above=""):
    """The dotted keys of a configuration, or of what is left out of one."""
    for key, value in content.items():
        path = f"{above}{key}"
        yield path
        if isinstance(value, dict):
            yield from leaves(value, f"{path}.")


def test_each_key_of_a_training_is_shown_with_a_value():
    """In a command or in a file that a page shows: of the recipe, of what learns, of several dates, and some others."""
    words = [word for command in (*SWEEP, *TERRASWEEP) for word in command.words]
    shown_keys = {word.partition("=")[0] for word in words if "=" in word}
    shown_keys |= {key for block in blocks("yaml") for key in leaves(yaml.safe_load(block.text))}
    recipe = {"train": TrainConfig, "schedule": ScheduleConfig, "optimizer": OptimizerConfig, "augment": AugmentConfig}
    recipe |= {"tuning": TuningConfig}
    keys = {f"{section}.{field.name}" for section, settings in recipe.items() for field in fields(settings)}
    keys |= {f"data.{field.name}" for field in fields(DataConfig) if "frame" in field.name or "date" in field.name}
    keys |= {"data.modalities.S1GRD.frames", "study.test", "precision.matmul", "task.class_weights", "task.loss"}
    assert {key.removesuffix(".name") for key in keys} - shown_keys == set()


def distinct_models():
    """One command for each model that a single trial of the documentation builds from what is in the libraries."""
    return [command for command in SWEEP if not {"-m", "--help", "--config-name"} & set(command.words)]


@pytest.mark.slow
def test_every_model_that_is_shown_can_be_built(compose):
    from terrasweep.predict.count_states import count_planned

    seen, refused = [], {}
    for command in distinct_models():
        config = composed_trial(compose(options(command.words)[1]))
        if config.backbone.source is not None or config.backbone.name == "earthmind_v1":
            continue  # Its configuration is on the Hub.
        if not config.data.bands and not config.data.modalities:
            config = replace(config, data=replace(config.data, bands=["RED", "GREEN", "BLUE"]))
        model = [config.backbone, config.neck, config.decoder, config.task.name, config.tuning, config.quantization]
        if model in seen:
            continue
        seen.append(model)
        try:
            count_planned(config)
        except Exception as error:
            refused[str(command)] = str(error)
    assert len(seen) > 10
    assert refused == {}
