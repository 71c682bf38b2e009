"""The processes that share the work, begun by `torchrun` or, on GPUs, `accelerate launch`."""

import platform
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
    """CPU seconds of all threads, times the number of processes, which share the work evenly.
    Unlike the clock they do not grow when other programs run. Only differences mean anything.
    """
    return time.process_time() * processes().num_processes


def machine() -> str:
    """Processor, processes of how many threads, and GPUs, in words."""
    count = processes().num_processes
    threads = f"{torch.get_num_threads()} threads"
    words = [platform.machine(), f"{count} x {threads}" if count > 1 else threads]
    if processes().device.type == "cuda":
        words.append(f"{count} x {torch.cuda.get_device_name()}")
    return ", ".join(words)


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
