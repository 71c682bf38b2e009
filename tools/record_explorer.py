"""Record the walks of the site's explorer page with the bundled model.

    python tools/record_explorer.py              into build/explorer, 2 to 20 minutes
    python tools/record_explorer.py --force      even if nothing has changed since

`make docs` runs this. For each walk there is a script `KEY.js` with the pictures of x0_hat at every
step. No more: a sampler only ever adds up the noise that it began with, the x0_hat that the model
sees on the way, and the noise that it throws in, so the page can do the sum again. The noise is the
same for all flowers and all w: `noise.SEED.SAMPLER.js` has what comes of it if nothing is seen.

Scripts with the pictures inside them, because a page opened from a disk (file://) may load scripts
and show pictures, but may neither fetch a file nor read a picture's pixels.
"""

import argparse
import base64
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from flowerdiff import guidance, sampling
from flowerdiff.checkpoint import PRETRAINED, load_pretrained
from flowerdiff.guidance import guided
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import SAMPLERS, Step, noise
from flowerdiff.widgets import frames
from flowerdiff.widgets.frames import EPS_SCALE, TITLES, step_frame

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build/explorer"
MODEL = "flowers64"
MAX_BYTES = 14_800_000  # with the page's own scripts under 15 MB
QUALITY = 75  # of WebP
NOISE_SCALE = 4  # noise of variance 1 is kept as a picture of noise / 4


@dataclass(frozen=True)
class Plan:
    """Which walks are recorded: all combinations. With w = -1 the label does not count, so that
    there is one walk for all flowers.
    """

    flowers: Sequence[str] = (
        "sunflower",
        "passion flower",
        "water lily",
        "oxeye daisy",
        "rose",
        "daffodil",
        "bearded iris",
        "hibiscus",
        "tiger lily",
        "purple coneflower",
        "bird of paradise",
        "common dandelion",
    )
    seeds: Sequence[int] = (1, 2, 3)
    weights: Sequence[float] = (-1, 0, 2, 6)
    samplers: Sequence[str] = tuple(SAMPLERS)
    steps: int = 20

    @property
    def start(self) -> tuple[int, float, str]:
        """Seed, w and sampler that the page begins with."""
        return self.seeds[0], self.weights[len(self.weights) // 2], self.samplers[0]

    def walks(self, w: float) -> list[tuple[str, int]]:
        """The flowers and seeds that are walked with w."""
        return list(product(self.flowers if w != -1 else ("any",), self.seeds))


def key(flower: str, seed: int, w: float, sampler: str) -> str:
    """The name of a walk; explorer.js makes the same."""
    return f"{flower.replace(' ', '-')}.{seed}.{w:g}.{sampler}"


def record(model, out: Path, plan: Plan) -> int:
    """Write every walk of the plan, the noises, and index.js; returns how many bytes they have."""
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.js"):
        old.unlink()
    schedule, size = model.schedule, (3, model.image_size, model.image_size)
    thumbnails, frames = {}, []
    for sampler, w in product(plan.samplers, plan.weights):
        walks = plan.walks(w)
        seeds = [seed for _, seed in walks]
        y = [model.null_label if name == "any" else model.label(name) for name, _ in walks]
        x_T = noise(seeds, schedule.T, size)
        eps_model = guided(model, w, model.null_label)
        steps = walk(sampler, eps_model, schedule, x_T, torch.tensor(y), seeds, plan.steps, 1.0)
        frames = [frame(step, schedule, i, plan.steps) for i, step in enumerate(steps)]
        for i, (flower, seed) in enumerate(walks):
            pictures = [webp(step.x0_hat[i]) for step in steps]
            write(out, key(flower, seed, w, sampler), pictures)
            if (seed, w, sampler) == plan.start:
                thumbnails[flower] = pictures[-1]
    for sampler, seed in product(plan.samplers, plan.seeds):
        x_T = noise([seed], schedule.T, size)
        steps = unseen(sampler, schedule, x_T, torch.zeros(plan.steps), seed)
        write(out, f"noise.{seed}.{sampler}", [noise_picture(step.x_t[0]) for step in steps])
    index = {
        "flowers": thumbnails,
        "start": dict(zip(("seed", "w", "sampler"), plan.start, strict=True)),
        "seeds": list(plan.seeds),
        "weights": list(plan.weights),
        "samplers": list(plan.samplers),
        "titles": list(TITLES),
        "epsScale": EPS_SCALE,
        "noiseScale": NOISE_SCALE,
        "frames": frames,
        "sums": {sampler: sums(sampler, schedule, plan.steps) for sampler in plan.samplers},
    }
    (out / "index.js").write_text(
        f"const flowerdiffIndex = {json.dumps(index)};\n", encoding="utf-8"
    )
    return sum(file.stat().st_size for file in out.glob("*.js"))


def write(out: Path, name: str, content: list) -> None:
    (out / f"{name}.js").write_text(
        f"flowerdiffWalk({json.dumps([name, content])});\n", encoding="utf-8"
    )


def walk(sampler: str, eps_model, schedule, x_T, y, seeds, steps: int, clip_x0=None) -> list[Step]:
    own = {"seeds": seeds, "clip_x0": clip_x0}
    with torch.inference_mode():
        return list(SAMPLERS[sampler](eps_model, schedule, x_T, y, steps=steps, **own))


def unseen(sampler: str, schedule, x_T: Tensor, x0s: Tensor, seed: int = 0) -> list[Step]:
    """A walk without a model: in step i, x0s[i] is what is seen in x_t, whatever x_t is."""
    seen = iter(x0s)

    def eps_model(x_t, t, y):
        return schedule.eps_from_x0(x_t, int(t[0]), next(seen).expand_as(x_t))

    return walk(sampler, eps_model, schedule, x_T, None, [seed], len(x0s))


def sums(sampler: str, schedule, steps: int) -> list[list[float]]:
    """In step i, x_t is that of the walk that saw nothing, plus the sum over j of
    sums[i][j] * (the x0_hat of step j). The sum's weights are found by seeing one 1 at a time.
    """
    nothing = torch.zeros(steps, steps, dtype=torch.float64)
    each = torch.eye(steps, dtype=torch.float64)
    ones, zeros = (unseen(sampler, schedule, nothing[:1], x0s) for x0s in (each, nothing))
    found = [(one.x_t - zero.x_t)[0].tolist() for one, zero in zip(ones, zeros, strict=True)]
    return [[float(f"{weight:.6g}") for weight in row] for row in found]


def frame(step: Step, schedule, i: int, last: int) -> dict:
    """What is the same for all walks: words, and the two shares of the mixture."""
    alpha_bar = schedule.alpha_bar[step.t].item()
    said = step_frame(step, schedule, i, last)
    shares = [alpha_bar**0.5, (1 - alpha_bar) ** 0.5]
    return {"caption": said.caption, "alt": said.alt.partition(";")[0], "shares": shares}


def noise_picture(x: Tensor) -> dict:
    """Noise (3, S, S) as its scale and a grey picture of the three colours side by side: in one of
    colours, WebP would keep but half of them.
    """
    scale = x.std().item()
    beside = torch.cat(list(x / (scale or 1) / NOISE_SCALE), dim=1)  # (S, 3 S)
    return {"scale": scale, "picture": webp(beside.expand(3, -1, -1))}


def webp(x: Tensor) -> str:
    """A float image (3, H, W) in [-1, 1] as a data URL."""
    buffer = io.BytesIO()
    pixels = to_uint8(x).permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def fingerprint() -> str:
    """Of all that a recording depends on: the weights, and what draws and describes the walks."""
    parts = [Path(__file__), *(Path(module.__file__) for module in (frames, guidance, sampling))]
    key = PRETRAINED[MODEL].encode() + b"".join(part.read_bytes() for part in parts)
    return hashlib.sha256(key).hexdigest()


def bring_up_to_date(out: Path = OUT, force: bool = False) -> None:
    """Record, unless what is in `out` was made with all that is here now."""
    made_with = out / "made-with"
    if not force and made_with.exists() and made_with.read_text(encoding="utf-8") == fingerprint():
        return
    print(f"recording the explorer's walks into {out}: 2 to 20 minutes", flush=True)
    size = record(load_pretrained(MODEL), out, Plan())
    if size > MAX_BYTES:
        raise SystemExit(f"the explorer's walks have {size / 1e6:.1f} MB; record fewer")
    made_with.write_text(fingerprint(), encoding="utf-8")
    print(f"{len(list(out.glob('*.js'))) - 1} walks, {size / 1e6:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--force", action="store_true", help="record again in any case")
    arguments = parser.parse_args()
    bring_up_to_date(arguments.out, arguments.force)


if __name__ == "__main__":
    main()
