"""A model for tests of everything around models: instant, exact, the same on every machine."""

import torch

from flowerdiff.labels import find_label
from flowerdiff.schedule import linear_schedule


class FakeFlowers:
    """Looks like a FlowerModel of a world with one picture per class: a disc in a colour."""

    def __init__(self, class_names=("daisy", "rose", "sunflower", "tulip"), image_size=64):
        self.class_names, self.image_size = tuple(class_names), image_size
        self.null_label = len(self.class_names)
        self.schedule = linear_schedule()
        self.card = {}
        y, x = torch.meshgrid(*[torch.linspace(-1, 1, image_size)] * 2, indexing="ij")
        disc = (x**2 + y**2 < 0.5).float()
        names = torch.arange(self.null_label + 1)[:, None] * torch.tensor([1.0, 2.0, 4.0])
        self.x0 = names.sin()[:, :, None, None] * disc - 0.5 * (1 - disc)  # (classes + 1, 3, S, S)

    def label(self, name: str | int) -> int:
        return find_label(name, self.class_names)

    def __call__(self, x_t, t, y):
        return self.schedule.eps_from_x0(x_t, t, self.x0[y])


class Remembering(FakeFlowers):
    """Sees a little of x_t in the clean picture: so every step of a walk leaves a trace."""

    def __call__(self, x_t, t, y):
        return self.schedule.eps_from_x0(x_t, t, 0.6 * self.x0[y] + 0.4 * x_t.clamp(-1, 1))


class FragileFlowers(FakeFlowers):
    """Raises when the class `broken` is asked for.

    trace: how much of x_t is in x0_hat, so that every step of a walk leaves something in the image.
    """

    def __init__(self, trace: float = 0.4):
        super().__init__(("broken", "daisy", "rose", "sunflower", "tulip"))
        self.trace = trace

    def __call__(self, x_t, t, y):
        if (y == self.label("broken")).any():
            raise RuntimeError("this flower is broken")
        x0 = (1 - self.trace) * self.x0[y] + self.trace * x_t.clamp(-1, 1)
        return self.schedule.eps_from_x0(x_t, t, x0)
