"""Tasks for a child process that multiply where a trial, a pretraining or an export computes."""

import os
from dataclasses import replace


def error_of_a_product():
    """The relative error of a product of 32-bit numbers, against 64-bit ones."""
    import torch

    first, second = torch.randn(2, 512, 512, generator=torch.Generator().manual_seed(0)).unbind()
    exact = first.double() @ second.double()
    return float(((first @ second).double() - exact).norm() / exact.norm())


def look(report, where):
    from terrasweep.machine.arithmetic import float32_settings

    report(errors={where: error_of_a_product()}, settings={where: float32_settings()})


def looking(report, where, function):
    def look_and_do(*arguments, **options):
        look(report, where)
        return function(*arguments, **options)

    return look_and_do


def in_a_trial(report, home, config, folder):
    os.environ["TERRASWEEP_HOME"] = home
    from terrasweep.trial import measure_in_child

    look(report, "before")
    measure_in_child.build_model = looking(report, "build", measure_in_child.build_model)
    measure_in_child.fit = looking(report, "fit", measure_in_child.fit)
    measure_in_child.evaluate = looking(report, "evaluate", measure_in_child.evaluate)
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
