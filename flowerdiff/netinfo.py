"""What a net is made of, measured: shapes, parameters, FLOPs, how far each block sees.

    for block in measure(net, size=64):
        print(block.part.name, block.shape, block.parameters, block.flops, block.sees)

Nothing here is worked out from the architecture: one picture is sent through the net, and hooks
look on. So a net of your own is measured the same way; only `parts` has to know its blocks.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from flowerdiff.unet import CompactUNet, ThreeLayerUNet, TwoLayerUNet


@dataclass(frozen=True)
class Part:
    """One block of a net, as a drawing shows it."""

    name: str
    modules: tuple[str, ...]  # names of its submodules in the net; the last's output is the part's
    what: str  # what it does, in a line
    skips: tuple[str, ...] = ()  # earlier parts whose outputs it also takes in
    feeds: tuple[str, ...] = ()  # of time and class: the parts that they go into; () is every block


@dataclass(frozen=True)
class Block:
    """A part, measured with one picture."""

    part: Part
    shape: tuple[int, ...]  # of its output: (C, H, W), or (C,) for time and class
    parameters: int
    flops: int  # of a forward pass; a multiplication and its addition are two
    sees: tuple[int, int, int, int] | None  # top, left, bottom, right of what its middle pixel sees

    @property
    def field(self) -> int:
        """How many pixels wide its middle pixel sees, in a picture of this size; 0: no pixels."""
        return self.sees[3] - self.sees[1] if self.sees else 0


@singledispatch
def parts(net: nn.Module) -> list[Part]:
    """The blocks of a net, in the order in which a picture passes them; time and class last.
    Raises TypeError for a net that it does not know.
    """
    raise TypeError(f"parts() does not know the blocks of a {type(net).__name__}")


@parts.register
def _(net: TwoLayerUNet) -> list[Part]:
    convs = "two 3x3 convolutions with BatchNorm and GELU"
    up = "twice as large by a 2x2 transposed convolution, then four 3x3 convolutions"
    labels = (
        [Part("label 1", ("label1",), "the class, multiplied in", feeds=("up 1",))],
        [Part("label 2", ("label2",), "the class, multiplied in", feeds=("up 2",))],
    )
    label1, label2 = labels if net.label1 is not None else ([], [])
    return [
        Part("stem", ("stem",), f"{convs}; the first one's output is added to the second's"),
        Part("down 1", ("down1",), f"{convs}, then max-pooling: half as large"),
        Part("down 2", ("down2",), f"{convs}, then max-pooling: half as large"),
        Part("bottleneck", ("bottleneck",), "the average of each 8x8 cell, and back to 8x8 pixels"),
        Part("up 1", ("up1",), up, skips=("down 2",)),
        Part("up 2", ("up2",), up, skips=("down 1",)),
        Part("out", ("out",), "two 3x3 convolutions to the noise in 3 colours", skips=("stem",)),
        Part("time 1", ("time1",), "t / T through two linear layers, added", feeds=("up 1",)),
        *label1,
        Part("time 2", ("time2",), "t / T through two linear layers, added", feeds=("up 2",)),
        *label2,
    ]


@parts.register
def _(net: ThreeLayerUNet) -> list[Part]:
    blocks = "two ConvNeXt blocks, linear attention"
    levels = len(net.down)

    def stage(way: str, i: int) -> tuple[str, ...]:
        return tuple(f"{way}.{i}.{k}" for k in range(4))

    return [
        Part("stem", ("stem",), "a 7x7 convolution"),
        *[
            Part(f"down {i + 1}", stage("down", i), f"{blocks}, half as large")
            for i in range(levels - 1)
        ],
        Part(f"down {levels}", stage("down", levels - 1), blocks),
        Part("middle 1", ("middle1",), "a ConvNeXt block"),
        Part("attention", ("attention",), "softmax attention: every pixel looks at every other"),
        Part("middle 2", ("middle2",), "a ConvNeXt block"),
        *[
            Part(
                f"up {i + 1}", stage("up", i), f"{blocks}, twice as large", (f"down {levels - i}",)
            )
            for i in range(levels - 1)
        ],
        Part("out", ("out",), "a ConvNeXt block, and a 1x1 convolution to 3 colours"),
        Part("time", ("time",), "sinusoids of t / T through two linear layers, into every block"),
        *([Part("label", ("label",), "the class, into every block")] if net.label else []),
    ]


@parts.register
def _(net: CompactUNet) -> list[Part]:
    def block(layer) -> str:
        attends = not isinstance(layer.attention, nn.Identity)
        return "a residual block" + (", then attention" if attends else "")

    found = [Part("stem", ("stem",), f"{net.config.patch}x{net.config.patch} pixels into channels")]
    kept = ["stem"]
    for i, layer in enumerate(net.down):
        what = "half as large" if isinstance(layer, nn.Conv2d) else block(layer)
        found.append(Part(f"down {i + 1}", (f"down.{i}",), what))
        kept.append(found[-1].name)
    for i, layer in enumerate(net.middle):
        found.append(Part(f"middle {i + 1}", (f"middle.{i}",), block(layer)))
    for i, layer in enumerate(net.up):
        if isinstance(layer, nn.Upsample):  # belongs to the block before it
            last = found.pop()
            modules, what = (*last.modules, f"up.{i}"), f"{last.what}, then twice as large"
            found.append(Part(last.name, modules, what, last.skips))
        else:
            name = f"up {sum(part.name.startswith('up') for part in found) + 1}"
            found.append(Part(name, (f"up.{i}",), block(layer), (kept.pop(),)))
    found.append(Part("out", ("out",), "a 3x3 convolution, and channels back into pixels"))
    found.append(Part("time", ("time",), "sinusoids of t, two linear layers, into every block"))
    if net.label is not None:
        found.append(Part("label", ("label",), "one vector for each class, into every block"))
    return found


def measure(net: nn.Module, size: int) -> list[Block]:
    """Every part of a net, for one picture of size x size pixels. The net is left as it was.

    A net on the device "meta" has shapes, parameters and FLOPs, but sees nothing.
    """
    known, net = parts(net), copy.deepcopy(net).eval()
    with FlopCounterMode(display=False) as counter:
        shapes = {name: a.shape[1:] for name, a in _outputs(net, known, *_blank(net, size)).items()}
    flops = counter.get_flop_counts()
    root, real = type(net).__name__, next(net.parameters()).device.type != "meta"
    fields = _fields(net, known, size) if real else {}
    return [
        Block(
            part,
            tuple(shapes[part.name]),
            sum(p.numel() for m in part.modules for p in net.get_submodule(m).parameters()),
            sum(sum(flops.get(f"{root}.{m}", {}).values()) for m in part.modules),
            fields.get(part.name),
        )
        for part in known
    ]


def activations(net: nn.Module, x_t: Tensor, t: Tensor, y: Tensor) -> dict[str, Tensor]:
    """What comes out of each part for the first image of a batch, by name: (C, H, W) or (C,), on
    the CPU. The net is asked where it lies, in evaluation mode, and left as it was.
    """
    device, was_training = next(net.parameters()).device, net.training
    inputs = (a.to(device) for a in (x_t, t, y))
    net.eval()
    try:
        with torch.no_grad():
            return {name: a[0].cpu() for name, a in _outputs(net, parts(net), *inputs).items()}
    finally:
        net.train(was_training)


def chain_field(layers: Sequence[tuple[int, int]]) -> int:
    """How many pixels wide one output of a chain of layers sees; a layer is (kernel, stride)."""
    field, jump = 1, 1  # jump: pixels of the picture between two neighbours of the layer's input
    for kernel, stride in layers:
        field, jump = field + (kernel - 1) * jump, jump * stride
    return field


def _blank(net: nn.Module, size: int) -> tuple[Tensor, Tensor, Tensor]:
    device = next(net.parameters()).device
    t = torch.zeros(1, dtype=torch.long, device=device)
    return torch.ones(1, 3, size, size, device=device), t + 1, t


def _outputs(net: nn.Module, known: list[Part], *inputs: Tensor) -> dict[str, Tensor]:
    """The output of every part that runs, by name."""
    found = {}

    def keep(name):
        return lambda module, given, output: found.__setitem__(name, output)

    hooks = [net.get_submodule(p.modules[-1]).register_forward_hook(keep(p.name)) for p in known]
    try:
        net(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _fields(net: nn.Module, known: list[Part], size: int) -> dict[str, tuple]:
    """For each part the box of pixels that its middle pixel depends on, by gradients.

    A gradient may be 0 by chance where there is a path: a ReLU is off, or two paths cancel out. So
    this is asked of a copy in which all weights are positive and nothing is ever off. The norms
    are taken out: their averages look at the whole picture, but see no place in it.
    """
    net = copy.deepcopy(net).requires_grad_(False)
    for name, layer in list(net.named_modules()):
        parent, _, child = name.rpartition(".")
        if isinstance(layer, nn.GroupNorm | nn.BatchNorm2d):
            setattr(net.get_submodule(parent), child, nn.Identity())
        elif isinstance(layer, nn.MaxPool2d):
            pool = nn.AvgPool2d(layer.kernel_size, layer.stride)
            setattr(net.get_submodule(parent), child, pool)
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            # Neither the middle of the field nor its corners leave the range of a float.
            width = layer.weight.shape[1] if isinstance(layer, nn.Conv2d) else layer.in_channels
            layer.weight.fill_(1 / (width * layer.kernel_size[0]))
            if layer.bias is not None:
                layer.bias.zero_()
        elif isinstance(layer, nn.Linear | nn.Embedding):  # time and class: 1 in every channel
            layer.weight.fill_(0 if isinstance(layer, nn.Linear) else 1)
            if isinstance(layer, nn.Linear) and layer.bias is not None:
                layer.bias.fill_(1)
    for layer in net.modules():
        if isinstance(getattr(layer, "qkv", None), nn.Conv2d):  # look at all pixels alike
            layer.qkv.weight[: 2 * len(layer.qkv.weight) // 3] = 0
    x, t, y = _blank(net, size)
    outputs = _outputs(net, known, x.requires_grad_(), t, y)
    boxes = {}
    for name, output in outputs.items():
        if output.ndim != 4:
            continue
        middle = output[0, :, output.shape[2] // 2, output.shape[3] // 2].sum()
        (gradient,) = torch.autograd.grad(middle, x, retain_graph=True)
        rows, columns = (gradient[0].ne(0).any(0).any(axis).nonzero() for axis in (1, 0))
        boxes[name] = tuple(int(i) for i in (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1))
    return boxes
