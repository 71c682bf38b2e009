"""What the options of the command line may be, for argparse: its own words for a mistake name the
function that met it.
"""

import argparse
import math
from contextlib import suppress
from functools import partial


def whole(least: int, text: str) -> int:
    """The number that the text says, if it is `least` or more."""
    if not text.removeprefix("-").isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"a whole number, at least {least}, not {text!r}")
    return int(text)


count, seed = partial(whole, 1), partial(whole, 0)


def steps(text: str) -> int | None:
    return None if text == "all" else count(text)


def weight(text: str) -> float:
    with suppress(ValueError):
        if math.isfinite(float(text)):
            return float(text)
    raise argparse.ArgumentTypeError(f"a number, not {text!r}")
