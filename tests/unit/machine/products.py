"""Tasks for a child process that multiply where a trial, a pretraining or an export computes."""

import os
from dataclasses import replace


def error_of_a_product(device="cpu"):
    """The relative error of a product of 32-bit numbers on a device, against 64-bit ones."""
    import torch

    first, second = torch.randn(2, 512, 512, generator=torch.Generator().manual_seed(0)).to(device).unbind()
    exact = first.double() @ second.double()
    return float(((first @ second).double() - exact).norm() / exact.norm())


def look(report, where, device="cpu"):
    from terrasweep.machine.arithmetic import float32_settings

    report(errors={where: error_of_a_product(device)}, settings={where: float32_settings()})


def looking(report, where, function, device="cpu"):
    def look_and_do(*arguments, **options):
        look(report, where, device)
        return function(*arguments, **options)

    return look_and_do


def in_a_trial(report, home, config, folder):
    os.environ["TERRASWEEP_HOME"] = home
    from terrasweep.trial import measure_in_child

    device = config.train.device
    look(report, "before", device)
    measure_in_child.build_model = looking(report, "build", measure_in_child.build_model, device)
    measure_in_child.fit = looking(report, "fit", measure_in_child.fit, device)
    measure_in_child.evaluate = looking(report, "evaluate", measure_in_child.evaluate, device)
    measure_in_child.prepare(report, config)
    measure_in_child.measure(report, config, folder)


def in_an_export(report, home, config, folder):
    os.environ["TERRASWEEP_HOME"] = home
    from terrasweep.export import in_child
    from terrasweep.trial import evaluate_in_child

    in_child._outputs = looking(report, "compare", in_child._outputs)
    evaluate_in_child.evaluate = looking(report, "evaluate", evaluate_in_child.evaluate)
    draft = folder / "exported"
    draft.mkdir()
    in_child.write_exported(report, config, folder, draft, draft, "a trial")


def in_a_pretraining(report, home, config):
    os.environ["TERRASWEEP_HOME"] = home
    from terrasweep.models.pretrained import synthetic
    from terrasweep.trial import measure_in_child, pretrain_synthetic

    synthetic.PRETRAINING = replace(synthetic.PRETRAINING, tiles=12, steps=1)
    pretrain_synthetic.fit = looking(report, "fit", pretrain_synthetic.fit)
    measure_in_child.prepare(report, config)
