"""A trial whose operations are counted twice: in one of its steps, and in one more after everything was measured."""

import os


def count_twice(report, home, config, folder):
    """In a child: measure a trial, and report both counts apart."""
    os.environ["TERRASWEEP_HOME"] = home
    from terrasweep.data.stored import complete
    from terrasweep.measure.flops import FLOPS_PER_STEP
    from terrasweep.trial import measure_in_child

    train = measure_in_child._train

    def train_and_tell(*args, **kwargs):
        report(counted_in_step=train(*args, **kwargs))
        return False

    def report_apart(tell, *args):
        after_measuring(lambda measurements: report(counted_after=measurements[FLOPS_PER_STEP.name]), *args)

    after_measuring = measure_in_child.report_flops
    measure_in_child._train, measure_in_child.report_flops = train_and_tell, report_apart
    measure_in_child.prepare(lambda **_: None, config)
    measure_in_child.measure(report, complete(config), folder)
