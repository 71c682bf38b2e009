"""The garden: flowers drawn by arithmetic, the data set that needs no network.

A flower is a stack of rings of petals, painted from the back to the front, with a disc in the
middle and a blurred background behind. Stamens are thin petals, leaves are green ones. Chance is
asked before the pixels are counted: a flower is the same at 16 and at 256 px.
"""

from __future__ import annotations

import colorsys
import difflib
import math
import operator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Ring:
    """Petals around the centre. Lengths are in units of the flower's radius, colours "#rrggbb"."""

    count: int
    length: float
    width: float  # greatest half-width, in petal lengths
    base: str  # colour at the centre ...
    tip: str  # ... and at the tip
    fat: float = 0.6  # where along the petal it is widest: 0 base, 1 tip
    point: float = 0.5  # 0.3 blunt, 0.5 round, 1 pointed
    notch: float = 0.0  # depth of the cut that makes a heart of the petal
    mark: str = "#000000"  # the colour of the three markings below
    blotch: float = 0.0  # how far out a blotch at the base reaches, in petal lengths
    stripe: float = 0.0  # half-width of a stripe along the petal; 1 covers it
    spots: float = 0.0  # 0 none, 1 strong freckles
    turn: float = 0.0  # radians the whole ring is turned
    twist: float = 0.0  # radians a petal leans over on its way out: a pinwheel
    rows: int = 1  # so many rings lie on one another, each a little shorter


@dataclass(frozen=True)
class Species:
    """What the eye sees of a species."""

    name: str
    sky: tuple[str, str, str]  # background: the two ends of a gradient, and the lights in it
    disc: float  # radius of the centre
    heart: tuple[str, str]  # the disc's colours, middle and rim
    rings: tuple[Ring, ...]  # leaves, petals, stamens: from the back to the front
    spin: float = math.pi  # the flower is turned by at most this many radians
    drop: float = 0.0  # how far its centre hangs below the picture's, in flower radii


LEAVES = Ring(3, 1.32, 0.26, "#1e4a24", "#4c8f3a", 0.45, 1.0, mark="#86b85e", stripe=0.07)
# fmt: off
SPECIES: tuple[Species, ...] = (
    Species("sunwheel", ("#7fb8e8", "#d8ecf7", "#ffffff"), 0.4, ("#2a1508", "#6e3d14"), (
        Ring(18, 1.0, 0.17, "#dd900a", "#ffc822", 0.5, 0.9, rows=2),)),
    Species("frostwheel", ("#3f7d2c", "#8fbf4d", "#d9ee9a"), 0.27, ("#ffdf3d", "#e39a06"), (
        Ring(21, 1.0, 0.105, "#e3e9f0", "#ffffff", 0.65, 0.35, rows=2),)),
    Species("embercup", ("#c9a24a", "#f0dca0", "#fff4c8"), 0.13, ("#a9b86a", "#4d5a2a"), (
        Ring(4, 1.0, 0.72, "#b5140c", "#f0391c", 0.62, 0.42, mark="#1a0710", blotch=0.36),
        Ring(26, 0.36, 0.06, "#1c0d18", "#3b2436", 0.9, 0.4))),
    Species("skyfive", ("#5a8f3c", "#2f6330", "#b9d977"), 0.15, ("#d98a10", "#ffd84a"), (LEAVES,
        Ring(5, 1.0, 0.5, "#d9ecff", "#4a8fe8", 0.62, 0.42, mark="#f4f9ff", blotch=0.3))),
    Species("heartwing", ("#7aa08a", "#c5d8bd", "#f4f7e2"), 0.1, ("#c9d84a", "#f2e26a"), (LEAVES,
        Ring(5, 1.0, 0.47, "#fff0c2", "#f58bb4", 0.7, 0.4, 0.3, mark="#e0457f", blotch=0.2))),
    Species("duskstar", ("#e8c9a0", "#f6e6cc", "#ffffff"), 0.1, ("#f6f0b0", "#d9c85a"), (
        Ring(5, 1.12, 0.36, "#6a2fa8", "#8d55d6", 0.36, 0.95, mark="#3d1470", stripe=0.1),
        Ring(5, 0.38, 0.07, "#f4e9ff", "#ffffff", 0.85, 0.4, turn=0.63))),
    Species("lampstar", ("#16351f", "#2f5d33", "#7fa653"), 0.07, ("#c9d070", "#9fae3f"), (
        Ring(6, 1.0, 0.28, "#e8640a", "#ffa034", 0.5, 0.85, mark="#5c1604", spots=1.0),
        Ring(6, 0.6, 0.05, "#f3d79a", "#6b2408", 0.93, 0.3, turn=0.5))),
    Species("moontrumpet", ("#0f1c48", "#2b4486", "#8ea8e8"), 0.3, ("#8a4a00", "#e89a08"), (
        Ring(6, 1.0, 0.34, "#d9dccb", "#fdfdf6", 0.45, 0.75),
        Ring(14, 0.46, 0.26, "#d98a00", "#ffc928", 0.75, 0.35))),
    Species("whirligig", ("#0f7f80", "#5fc4b8", "#d5fff4"), 0.15, ("#fff2a8", "#f0a820"), (
        Ring(8, 1.0, 0.27, "#ffffff", "#fdf3f8", twist=0.75, mark="#d8147a", stripe=0.5),)),
    Species("goldpompon", ("#4a2a6a", "#7d55a0", "#c9a8e6"), 0.06, ("#b86800", "#d88a00"), (
        Ring(19, 1.0, 0.18, "#c87200", "#f7bc20", 0.68, 0.42, rows=5),)),
    Species("peachwhorl", ("#1f3a22", "#42693a", "#a9c48a"), 0.06, ("#b8402a", "#dd5f42"), (LEAVES,
        Ring(5, 1.0, 0.68, "#dd5f42", "#fcbf9f", 0.62, 0.36, rows=5))),
    Species("pondcrown", ("#1d5a78", "#4f9ab0", "#c5ecf0"), 0.17, ("#f2e25a", "#d9a81c"), (
        Ring(3, 1.3, 0.6, "#2a6a3c", "#5f9f4a", 0.6, 0.4, 0.1),
        Ring(9, 1.0, 0.26, "#fff6f6", "#ee7ab4", 0.52, 0.8, rows=3))),
    Species("needlepuff", ("#dfe6c8", "#f4f3e2", "#ffffff"), 0.08, ("#3d0f58", "#5a1a7a"), (
        Ring(34, 1.0, 0.05, "#5a1a7a", "#c468e0", 0.6, 0.8, rows=4),)),
    Species("winepaddle", ("#e6d3dc", "#f7ecf0", "#ffffff"), 0.2, ("#f2b418", "#ffdc4a"), (
        Ring(8, 1.0, 0.33, "#3a0718", "#7a1230", 0.68, 0.32, 0.06),)),
    Species("clockring", ("#9fb84a", "#d5e08a", "#f9fbd8"), 0.1, ("#6a2a5a", "#c9d870"), (
        Ring(10, 1.0, 0.2, "#f2f7e8", "#ffffff"), Ring(40, 0.68, 0.04, "#3a1a6a", "#4f6af0"),
        Ring(5, 0.36, 0.12, "#a8c23a", "#e6e86a", 0.85))),
    Species("maskface", ("#8fb0a0", "#c9dccb", "#f6fbef"), 0.09, ("#fff2a0", "#f0a810"), (
        Ring(1, 0.95, 0.5, "#2f1470", "#6236c0", point=0.4, turn=2.1),
        Ring(1, 0.95, 0.5, "#2f1470", "#6236c0", point=0.4, turn=1.04),
        Ring(2, 0.9, 0.46, "#f7c81c", "#ffe566", point=0.4, mark="#2a0f5c", blotch=0.42),
        Ring(1, 0.95, 0.6, "#f7c81c", "#ffe566", 0.6, 0.4, 0.1, "#2a0f5c", 0.5, turn=-1.6)), 0.2),
    Species("lipwing", ("#2a2438", "#5a4a66", "#b89ac0"), 0.1, ("#ffffff", "#f0e08a"), (
        Ring(3, 1.0, 0.2, "#c9e08a", "#e6f2b0", 0.5, 0.7, turn=1.57),
        Ring(2, 0.95, 0.42, "#f7fbe0", "#dff0b0"),
        Ring(1, 0.62, 0.5, "#ffd83a", "#c8145a", 0.65, 0.36, 0.15, turn=-1.6)), 0.2),
    Species("candlecup", ("#a8d0ee", "#dff0c8", "#ffffff"), 0.05, ("#3f7a34", "#5a9a40"), (
        Ring(1, 1.2, 0.05, "#3f7a34", "#5a9a40", 0.5, 0.1, turn=-1.57),
        Ring(1, 1.35, 0.29, "#c22a1c", "#f06a2a", 0.42, 0.7, turn=1.93),
        Ring(1, 1.35, 0.29, "#c22a1c", "#f06a2a", 0.42, 0.7, turn=1.21),
        Ring(1, 1.25, 0.32, "#d8301c", "#ff8a3a", 0.42, 0.7, turn=1.57, mark="#ffd05a", stripe=0.3),
    ), spin=0.15, drop=0.5),
)
# fmt: on


def draw_flower(species: int | str, seed: int, size: int = 64) -> Tensor:
    """One flower: uint8 (3, size, size), a function of (species, seed, size) and nothing else.

    species: a name or an index of SPECIES. seed: 0, 1, 2, ... size: 16 to 256 px; the flower is
    the same at every size, only the resolution differs. Anything else is a ValueError.
    """
    index, seed, size = _index(species), operator.index(seed), operator.index(size)
    if seed < 0:
        raise ValueError(f"seed {seed} is negative; use 0, 1, 2, ...")
    if not 16 <= size <= 256:
        raise ValueError(f"size {size} is out of range; a flower is 16 to 256 pixels wide")
    kind, rng = SPECIES[index], np.random.default_rng([index, seed])
    fine = 4 if size < 32 else 2 if size < 192 else 1  # samples per pixel along each side
    line = (np.arange(size * fine, dtype=np.float32) + 0.5) * (2 / (size * fine)) - 1
    x, y = line[None, :], -line[:, None]  # -1..1, y upwards
    image = _background(kind.sky, x, y, rng)  # (3, H, W), 0..1

    # The pose: from the picture's (x, y) to the flower's own, in units of its radius.
    radius, dx, dy = rng.uniform(0.74, 0.92), rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1)
    axis, tilt, spin = rng.uniform(0, math.pi), rng.uniform(0.78, 1), kind.spin * rng.uniform(-1, 1)
    sun, hue = rng.uniform(0.2, 0.8) * math.pi - spin, rng.normal(0, 0.012)
    x, y = (x - dx) / radius, (y - dy) / radius + kind.drop
    c, s = math.cos(axis), math.sin(axis)  # not numpy's: its floats would make all this float64
    along, across = c * x + s * y, (c * y - s * x) / tilt
    x, y = c * along - s * across, s * along + c * across
    r, angle, pixel = np.hypot(x, y), np.arctan2(y, x) - spin, 2 / (size * fine * radius)
    image *= 1 - 0.25 * _smooth((1.15 - np.hypot(x, y + 0.12 - kind.drop)) / 0.8)  # its shadow
    for ring in kind.rings:
        for row in range(ring.rows):
            _paint_ring(image, ring, row, r, angle, sun, pixel, hue, rng)
    _paint_disc(image, kind, r, angle, sun, pixel, hue, rng)
    image = image.reshape(3, size, fine, size, fine).mean((2, 4)) * rng.uniform(0.92, 1.06)
    return torch.from_numpy(np.round(image.clip(0, 1) * 255).astype(np.uint8))


def garden(per_species: int, size: int = 64, seed: int = 0) -> tuple[Tensor, Tensor, list[str]]:
    """A data set: images uint8 (N, 3, size, size), labels long (N,) and the species' names.

    N = per_species * len(SPECIES), species after species; label k is SPECIES[k]. Picture i of a
    species has seed `seed * 1_000_000 + i`, so gardens of different seeds share no flower.
    """
    if per_species < 1:
        raise ValueError(f"per_species is {per_species}; a garden has at least 1 flower of each")
    seeds = range(seed * 1_000_000, seed * 1_000_000 + per_species)
    images = torch.stack([draw_flower(k, s, size) for k in range(len(SPECIES)) for s in seeds])
    labels = torch.arange(len(SPECIES)).repeat_interleave(per_species)
    return images, labels, [species.name for species in SPECIES]


def _index(species: int | str) -> int:
    names = [known.name for known in SPECIES]
    if species in names:
        return names.index(species)
    if not isinstance(species, str) and 0 <= operator.index(species) < len(names):
        return operator.index(species)
    close = difflib.get_close_matches(str(species).lower(), names, 1)
    choices = f"choose 0 to {len(names) - 1} or one of {', '.join(names)}"
    hint = f"did you mean {close[0]!r}?" if close else choices
    raise ValueError(f"no species {species!r} in the garden; {hint}")


def _paint(colour: str, hue: float) -> np.ndarray:
    h, s, v = colorsys.rgb_to_hsv(*(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)))
    return np.array(colorsys.hsv_to_rgb(h + hue, s, v), np.float32)[:, None, None]  # (3, 1, 1)


def _smooth(t: np.ndarray) -> np.ndarray:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)  # 0 below 0, 1 above 1, and no corner between


def _background(sky: tuple[str, str, str], x, y, rng: np.random.Generator) -> np.ndarray:
    hue, turn, bend = rng.normal(0, 0.02), rng.uniform(0, 2 * math.pi), rng.uniform(-0.4, 0.4)
    first, second, lights = (_paint(colour, hue) for colour in sky)
    t = 0.5 + 0.45 * (math.cos(turn) * x + math.sin(turn) * y) + bend * x * y
    for cx, cy, a in rng.uniform(-1, 1, (4, 3)).tolist():  # blades of grass, far out of focus
        c, s = math.cos(3 * a), math.sin(3 * a)
        u, v = c * (x - cx) + s * (y - cy), c * (y - cy) - s * (x - cx)
        t += math.copysign(0.6, a) * np.exp(-2 * u * u - 22 * v * v)
    image = first + _smooth(t) * (second - first)
    for cx, cy, a in rng.uniform(-1, 1, (6, 3)).tolist():  # lights, out of focus
        glow = _smooth((0.2 + 0.08 * a - np.hypot(x - cx, y - cy)) * 12)
        image += (0.22 + 0.12 * a) * glow * (lights - image)
    return image


def _outline(ring: Ring, u, v):
    """How deep (u, v) lies inside the petal, and the petal's half-width at u."""
    rise = ring.point * ring.fat / (1 - ring.fat)  # u^rise (1 - u)^point is greatest at u = fat
    scale = ring.width / (ring.fat**rise * (1 - ring.fat) ** ring.point)
    ub = np.clip(u, 1e-4, 1 - 1e-4)
    half = scale * ub**rise * (1 - ub) ** ring.point
    slope = half * (rise / ub - ring.point / (1 - ub))
    depth = half - np.abs(v)  # measured across; the true distance is shorter where the edge slopes
    return np.where(depth > 0, depth / np.sqrt(1 + slope * slope), depth) - np.abs(u - ub), half


def _paint_ring(image, ring: Ring, row: int, r, angle, sun, pixel, hue, rng) -> None:
    f = 1 - 0.18 * row  # the inner rows are shorter, and have fewer petals
    count = math.ceil(ring.count * math.sqrt(f)) + int(ring.count >= 14 and rng.integers(-1, 2))
    turn, spacing = ring.turn + row * math.pi / ring.count, 2 * math.pi / count
    jitter = rng.uniform(-1, 1, (3, count)).astype(np.float32)  # no two petals are the same
    length, lean = f * ring.length * (1 + 0.06 * jitter[0]), 0.08 * min(spacing, 1) * jitter[1]
    lit = (sun - turn - spacing * np.arange(count)).astype(np.float32)  # from the petal to the sun
    base, tip, mark = (_paint(colour, hue) for colour in (ring.base, ring.tip, ring.mark))
    slot = (angle - (turn + rng.normal(0, 0.04)) - ring.twist * r) / spacing
    for petal in (np.floor(slot) + 1, np.floor(slot))[:count]:  # each lies over the next one
        k = petal.astype(np.int32) % count
        phi, out = (slot - petal) * spacing - lean[k], r / length[k]
        u, v = np.cos(phi) * out, np.sin(phi) * out  # along the petal (1 at the tip) and across
        if ring.notch:
            u *= 1 + ring.notch * np.exp(-40 * v * v)
        image *= 1 - 0.42 * _smooth(_outline(ring, 0.86 * u, 0.82 * v)[0] / 0.2)  # its shadow
        depth, half = _outline(ring, u, v)
        s = np.clip(v / half, -1, 1)  # -1 on one edge of the petal, 1 on the other
        colour = base + _smooth(u) * (tip - base)
        if ring.blotch:
            colour += _smooth((ring.blotch - out) * 7 + 0.5) * (mark - colour)
        if ring.stripe:
            colour += _smooth((ring.stripe - np.abs(s)) * 6 + 0.5) * (mark - colour)
        if ring.spots:
            dots = np.cos(38 * u) * np.cos(52 * v) * _smooth(4 * u - 0.6) * _smooth(3.2 - 4 * u)
            colour += ring.spots * _smooth(3 * dots - 0.6) * (mark - colour)
        veins = 0.05 * np.cos(15 * s) * (1 - s * s) - 0.12 * np.exp(-90 * s * s) * (1 - u)
        glow = 0.16 * np.sin(lit)[k] * s + 0.14 * np.cos(lit)[k] * (2 * u - 1) - 0.1 * s * s
        colour *= (0.98 + 0.06 * jitter[2][k] + veins + glow) * (0.72 + 0.28 * _smooth(r * 2.5))
        image += np.clip(depth * (f * ring.length / pixel) + 0.5, 0, 1) * (colour - image)


def _paint_disc(image, kind: Species, r, angle, sun, pixel, hue, rng) -> None:
    middle, rim = (_paint(colour, hue) for colour in kind.heart)
    t = r / (kind.disc * rng.uniform(0.92, 1.08))  # 1 at the rim
    image *= 1 - 0.45 * _smooth(3 - 2 * t)
    seeds = np.cos(13 * angle + 22 * np.sqrt(t)) * np.cos(21 * angle - 30 * np.sqrt(t))
    light = 1 + 0.22 * t * np.cos(angle - sun) + 0.6 * kind.disc * seeds * t - 0.2 * t**4
    colour = (middle + _smooth(t) * (rim - middle)) * light
    image += np.clip((1 - t) * kind.disc / pixel + 0.5, 0, 1) * (colour - image)
