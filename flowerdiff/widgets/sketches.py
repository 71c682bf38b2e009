"""Flowers that a few lines of code draw, to begin a doodle with."""

import math
from dataclasses import dataclass

import torch
from PIL import ImageColor
from torch import Tensor

PALETTE = {
    "yellow": "#f9d71c",
    "orange": "#f28c28",
    "red": "#d62828",
    "pink": "#e75480",
    "purple": "#7b4fa3",
    "blue": "#4f6af0",
    "sky": "#87ceeb",
    "white": "#ffffff",
    "light green": "#7fb04f",
    "green": "#2e7d32",
    "brown": "#6b3a10",
    "black": "#101010",
}


@dataclass(frozen=True)
class Doodle:
    """A flower that code draws: petals around a heart, on a plain ground, perhaps with a stem.
    Colours are names of `PALETTE`; lengths are shares of half the picture's width.
    """

    ground: str
    petal: str
    heart: str
    petals: int
    reach: float  # of the petals' middles from the heart's
    petal_radius: float
    heart_radius: float
    at: tuple[float, float] = (0.0, 0.0)  # of the heart; y upwards
    stem: bool = False

    def draw(self, size: int = 64) -> Tensor:
        """uint8 (3, size, size)."""
        line = (torch.arange(size) + 0.5) * 2 / size - 1
        x, y = line[None, :] - self.at[0], -line[:, None] - self.at[1]
        image = _colour(self.ground).expand(3, size, size)
        if self.stem:
            image = torch.where((x.abs() < 0.06) & (y < 0), _colour("green"), image)
        for k in range(self.petals):
            angle = math.pi / 2 + 2 * math.pi * k / self.petals
            dx, dy = self.reach * math.cos(angle), self.reach * math.sin(angle)
            inside = (x - dx) ** 2 + (y - dy) ** 2 < self.petal_radius**2
            image = torch.where(inside, _colour(self.petal), image)
        return torch.where(x**2 + y**2 < self.heart_radius**2, _colour(self.heart), image)


PRESETS = {
    "five petals": Doodle("green", "pink", "yellow", 5, 0.45, 0.28, 0.22, at=(0.3, 0.2)),
    "sun": Doodle("green", "yellow", "brown", 8, 0.5, 0.22, 0.35),
    "daisy on a stem": Doodle("sky", "white", "yellow", 7, 0.4, 0.2, 0.2, (-0.3, 0.3), stem=True),
    "ball": Doodle("black", "red", "orange", 1, 0.0, 0.6, 0.2),
}


def _colour(name: str) -> Tensor:
    rgb = ImageColor.getrgb(PALETTE[name])
    return torch.tensor(rgb, dtype=torch.uint8)[:, None, None]  # (3, 1, 1)
