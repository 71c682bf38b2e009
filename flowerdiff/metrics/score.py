"""A number, and what one must know to believe it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, repr=False)
class Score:
    """One measured number. `a < b` and `a - b` raise TypeError unless both measure the same thing.

    FID falls as n grows, all else equal, so compare FIDs of equal n. The others are unbiased.
    """

    name: str
    value: float
    interval: tuple[float, float] | None  # 95 %; None where no honest one is known
    n: int  # images measured ...
    n_real: int  # ... against so many real ones
    features: str  # the name of the extractor

    def __repr__(self) -> str:
        low_high = "[{:.4g}, {:.4g}]".format(*self.interval) if self.interval else "(no interval)"
        return (
            f"{self.name} {self.value:.4g} {low_high} "
            f"(n = {self.n:,} against {self.n_real:,}, {self.features})"
        )

    def _value_beside(self, other: Score) -> float:
        if (self.name, self.features) != (other.name, other.features):
            raise TypeError(
                f"{self.name} over {self.features} and {other.name} over {other.features} "
                "are on different scales: measure both in the same way"
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
