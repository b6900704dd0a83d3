"""A reading process has one thread of torch."""

import multiprocessing

import torch

from terrasweep.data.open.reading_processes import start_reading


def _threads(sender):
    start_reading()
    sender.send(torch.get_num_threads())


def test_a_forked_process_has_one_thread():
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_threads, args=(sender,))
    process.start()
    assert receiver.recv() == 1
    process.join()
