"""Which numbers a net is trained in: 16 bits where the machine computes in them, else 32."""

import warnings

import torch

# Capabilities of a processor that make bfloat16 fast; many new ones have them, most laptops none.
FAST_ON = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
PRECISIONS = ("no", "bf16", "fp16", "auto")


def bf16_is_fast(device: torch.device) -> bool:
    """Whether this GPU, or else the processor, computes in bfloat16 itself. A processor that does
    not imitates it, in ten times the time of float32.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Old releases of torch have no such functions; then float32 is what surely works.
    return any(getattr(torch.cpu, name, bool)() for name in FAST_ON)


def mixed_precision(asked: str, device: torch.device) -> str:
    """accelerate's `mixed_precision`: "no" (float32), "bf16" or "fp16". "auto" is bf16 if it is
    fast on `device`, else "no".

    Warns of bf16 where it is slow; ValueError for anything else, and for fp16 without a GPU.
    """
    if asked == "fp16" and device.type == "cpu":
        raise ValueError('fp16 is for GPUs: say "auto"')
    if asked not in PRECISIONS:
        raise ValueError(f"no precision {asked!r}: choose from {', '.join(PRECISIONS)}")
    if asked == "auto":
        return "bf16" if bf16_is_fast(device) else "no"
    if asked == "bf16" and not bf16_is_fast(device):
        warnings.warn(
            'this machine imitates bf16, which takes some ten times as long as float32: say "auto"',
            stacklevel=3,
        )
    return asked
