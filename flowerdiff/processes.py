"""The processes that share the work, begun by `torchrun` or, on GPUs, `accelerate launch`."""

import time

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import parse_flag_from_env


def processes(**options) -> PartialState:
    """accelerate's state of this process: how many there are, which of them this is, its device.

    options: as PartialState's, for the first call in a process; later ones get the same state.
    """
    # On a machine without an accelerator, only `cpu` makes accelerate look for other processes.
    cpu = parse_flag_from_env("ACCELERATE_USE_CPU", default=not torch.accelerator.is_available())
    return PartialState(cpu=cpu, **options)


def cpu_seconds() -> float:
    """Of all threads, and of all processes, which do the same work: what something costs, whatever
    else the machine has to do. Only differences of it mean anything.
    """
    return time.process_time() * processes().num_processes


def new_accelerator(device: torch.device, precision: str, accumulate: int) -> Accelerator:
    """accelerate's part in one training: it wraps the net and the optimizer, and moves neither.

    device: where the net lies. precision: "no", "bf16" or "fp16". accumulate: forward passes per
    optimizer step.
    """
    AcceleratorState._reset_state()  # or a notebook could not train twice, with another precision
    state = processes()  # of which the Accelerator takes over a copy
    best, state.device = state.device, device
    try:
        return Accelerator(
            device_placement=False,
            mixed_precision=precision,
            gradient_accumulation_steps=accumulate,
        )
    finally:
        state.device = best
