"""A number, and what one must know to believe it."""

from __future__ import annotations

from dataclasses import dataclass


class NoScore(ValueError):
    """None of the images has a score: NIQE and BRISQUE have none for a single colour."""


def t95(df: int) -> float:
    """Student's t: the mean of df + 1 normal values lies within so many of its standard errors, as
    these values estimate them, 95 % of the time. 1.96 for many, 3.2 for four, 12.7 for two.
    """
    from scipy.stats import t  # slow to import

    return float(t.ppf(0.975, df))


@dataclass(frozen=True, repr=False)
class Score:
    """One measured number. `a < b` and `a - b` raise TypeError unless both measure the same thing.

    A biased score is, on average, not what it would be with endless images: FID is too high, IS
    too low, and the fewer images the more so. Such scores compare at equal n only. The others
    compare at any n.
    """

    name: str
    value: float
    interval: tuple[float, float] | None  # 95 %; None where no honest one is known
    n: int  # images measured ...
    n_real: int | None  # ... against so many real ones; None if against none
    features: str  # the name of the extractor, or of what else looked at the images
    biased: bool = False
    note: str = ""  # for who reads it: what else happened

    def __repr__(self) -> str:
        low_high = "[{:.4g}, {:.4g}]".format(*self.interval) if self.interval else "(no interval)"
        note = f"; {self.note}" if self.note else ""
        return f"{self.name} {self.value:.4g} {low_high} ({self._counts()}, {self.features}{note})"

    def _counts(self) -> str:
        against = "" if self.n_real is None else f" against {self.n_real:,}"
        return f"n = {self.n:,}{against}"

    def _value_beside(self, other: Score) -> float:
        if (self.name, self.features) != (other.name, other.features):
            raise TypeError(
                f"{self.name} over {self.features} and {other.name} over {other.features} "
                "are on different scales: measure both in the same way"
            )
        if (self.biased or other.biased) and (self.n, self.n_real) != (other.n, other.n_real):
            raise TypeError(
                f"{self.name} depends on the number of images, so {self._counts()} does not "
                f"compare with {other._counts()}: measure both with as many"
            )
        return other.value

    def __lt__(self, other: Score) -> bool:
        if not isinstance(other, Score):
            return NotImplemented
        return self.value < self._value_beside(other)

    def __sub__(self, other: Score) -> float:
        if not isinstance(other, Score):
            return NotImplemented
        return self.value - self._value_beside(other)
