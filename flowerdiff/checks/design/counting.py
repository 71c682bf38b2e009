"""Lesson 02, U-Net design: the exercises that count: how far, how many, how much work."""

import torch

from flowerdiff.checks.exercise import Exercise, Mistake


def _integers(generator, low, high, count) -> torch.Tensor:
    return torch.randint(low, high + 1, (count,), generator=generator)


# 1 · the receptive field of a chain of layers


def field(kernels, strides):
    seen, jump = 1, 1
    for kernel, stride in zip(kernels.tolist(), strides.tolist(), strict=True):
        seen += (kernel - 1) * jump
        jump *= stride
    return seen


def _walk(kernels, strides, start, step) -> int:
    """The state of a loop over the layers, whose `step` takes (seen, jump, kernel, stride)."""
    seen, jump = start, 1
    for kernel, stride in zip(kernels.tolist(), strides.tolist(), strict=True):
        seen, jump = step(seen, jump, kernel, stride)
    return seen


def _draw_chain(generator, i):
    kernels, strides = _integers(generator, 2, 5, 4 + i), _integers(generator, 1, 2, 4 + i)
    strides[1] = strides[-1] = 2  # one that counts for the layers after it, and one that does not
    return kernels, strides


check_field = Exercise(
    "02",
    "how far a chain sees",
    field,
    _draw_chain,
    [
        Mistake(
            "the strides do not count in yours. After a stride of 2, two neighbours are two pixels "
            "apart, and a kernel reaches twice as far.",
            lambda k, s: _walk(k, s, 1, lambda f, j, k, s: (f + k - 1, j)),
        ),
        Mistake(
            "a layer's own stride comes too early: it spreads the layer's *outputs*, so only the "
            "layers after it reach further.",
            lambda k, s: _walk(k, s, 1, lambda f, j, k, s: (f + (k - 1) * j * s, j * s)),
        ),
        Mistake(
            "one pixel is missing: before the first layer, an output is a pixel and sees itself. "
            "Begin with 1.",
            lambda k, s: _walk(k, s, 0, lambda f, j, k, s: (f + (k - 1) * j, j * s)),
        ),
        Mistake(
            "a kernel of 3 sees one more on each side, 2 in all: k - 1, not k.",
            lambda k, s: _walk(k, s, 1, lambda f, j, k, s: (f + k * j, j * s)),
        ),
        Mistake(
            "strides multiply: after two strides of 2 neighbours are 4 pixels apart. You add them.",
            lambda k, s: _walk(k, s, 1, lambda f, j, k, s: (f + (k - 1) * j, j + s - 1)),
        ),
        Mistake(
            "the stride of the layer itself, alone, is not enough: all strides *before* a layer "
            "count, multiplied.",
            lambda k, s: _walk(k, s, 1, lambda f, j, k, s: (f + (k - 1) * s, j)),
        ),
        Mistake(
            "that is how far apart two neighbours are at the end, not how far one of them sees.",
            lambda k, s: int(s.prod()),
        ),
        Mistake(
            "you multiply the kernels. They overlap: each layer only adds what lies beyond.",
            lambda k, s: int(k.prod()),
        ),
        Mistake(
            "yours sees 1 pixel whatever the layers are. Before the first layer two neighbours are "
            "1 apart; 0 would stay 0, however often it is multiplied.",
            lambda k, s: 1,
        ),
        Mistake(
            "the kernels do not count in yours: each layer adds as much as a 3x3 one. A kernel of "
            "k adds k - 1.",
            lambda k, s: _walk(k, s, 1, lambda f, j, k, s: (f + 2 * j, j * s)),
        ),
        Mistake(
            "k // 2 is how far a kernel reaches on one side. It reaches on both: k - 1 in all.",
            lambda k, s: _walk(k, s, 1, lambda f, j, k, s: (f + k // 2 * j, j * s)),
        ),
    ],
)


# 2 · the parameters of a block


def parameters(c_in, c_out):
    return _two(c_in, c_out)


def _two(c_in, c_out, kernel=9, bias=1, norm=2, second=None) -> int:
    first = c_out * (c_in * kernel + bias) + norm * c_out
    return first + c_out * ((c_out if second is None else second) * kernel + bias) + norm * c_out


check_parameters = Exercise(
    "02",
    "the parameters of a block",
    parameters,
    lambda generator, i: tuple(_integers(generator, 3, 64, 2).tolist()),
    [
        Mistake(
            "one number for each channel is missing, twice. A convolution has a bias for each "
            "output channel; BatchNorm a factor *and* a shift.",
            lambda c_in, c_out: _two(c_in, c_out, bias=0),
        ),
        Mistake(
            "BatchNorm has parameters too: one factor and one shift for each channel.",
            lambda c_in, c_out: _two(c_in, c_out, norm=0),
        ),
        Mistake(
            "BatchNorm's running mean and variance are remembered, not learned: buffers, and no "
            "parameters. Two numbers for a channel, not four.",
            lambda c_in, c_out: _two(c_in, c_out, norm=4),
        ),
        Mistake(
            "the second convolution gets what the first one puts out: c_out channels.",
            lambda c_in, c_out: _two(c_in, c_out, second=c_in),
        ),
        Mistake(
            "a 3x3 kernel has nine weights for each pair of channels, not three.",
            lambda c_in, c_out: _two(c_in, c_out, kernel=3),
        ),
        Mistake(
            "the kernel does not count in yours: nine weights for each pair of channels.",
            lambda c_in, c_out: _two(c_in, c_out, kernel=1),
        ),
        Mistake(
            "those are the weights alone. The convolutions have biases, and BatchNorm learns too.",
            lambda c_in, c_out: _two(c_in, c_out, bias=0, norm=0),
        ),
        Mistake(
            "that is the first convolution with its BatchNorm; the block has two of each.",
            lambda c_in, c_out: c_out * (9 * c_in + 1) + 2 * c_out,
        ),
    ],
)


# 4 · the work of a convolution


def flops(c_in, c_out, kernel, size, stride):
    return 2 * kernel**2 * c_in * c_out * (size // stride) ** 2


def _draw_convolution(generator, i):
    c_in, c_out = _integers(generator, 3, 40, 2).tolist()
    stride = [1, 2, 4, 1, 2][i]
    return c_in, c_out, [3, 5, 7, 5, 3][i], stride * int(_integers(generator, 5, 20, 1)), stride


check_flops = Exercise(
    "02",
    "the work of a convolution",
    flops,
    _draw_convolution,
    [
        Mistake(
            "every weight is multiplied *and* added: two operations.",
            lambda a, b, k, n, s: flops(a, b, k, n, s) // 2,
        ),
        Mistake(
            "the work is done once for each pixel that comes *out*, and a stride leaves fewer.",
            lambda a, b, k, n, s: flops(a, b, k, n, 1),
        ),
        Mistake(
            "a picture has size x size pixels; you count one row of them.",
            lambda a, b, k, n, s: 2 * k**2 * a * b * (n // s),
        ),
        Mistake(
            "the kernel is a square: kernel x kernel weights for each pair of channels.",
            lambda a, b, k, n, s: 2 * k * a * b * (n // s) ** 2,
        ),
        Mistake(
            "the stride counts twice: half as many rows, and half as many columns.",
            lambda a, b, k, n, s: 2 * k**2 * a * b * n * (n // s),
        ),
        Mistake(
            "that is the number of weights. Each of them works once for every pixel that comes "
            "out.",
            lambda a, b, k, n, s: k**2 * a * b,
        ),
        Mistake(
            "the channels that come in do not count in yours: an output looks at all of them.",
            lambda a, b, k, n, s: flops(1, b, k, n, s),
        ),
        Mistake(
            "the channels that come out do not count in yours: each has weights of its own.",
            lambda a, b, k, n, s: flops(a, 1, k, n, s),
        ),
        Mistake(
            "channels multiply: every output channel looks at every input channel. You add them.",
            lambda a, b, k, n, s: 2 * k**2 * (a + b) * (n // s) ** 2,
        ),
    ],
)
