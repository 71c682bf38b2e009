# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02 · U-Net design
#
# **About 95 minutes** up to section 5, with a break after section 3, and 40 more for sections 6 and
# 7, which can wait; seven exercises among them · the machine needs about one.
#
# **You need** lessons 00 and 01, and of neural nets: what a layer, a weight and a gradient are, and
# that a *convolution* slides one small set of weights (its *kernel*) over a picture.
#
# **Afterwards you can**
#
# - build a 2-layer U-Net block by block, and say what each block is for;
# - read off a net where its parameters sit, where its work is done, and how far each block sees;
# - tell a net the time and the class, and see when an embedding tells it nothing;
# - say what attention looks at, and what BatchNorm does to a batch of noisy pictures;
# - change a net, measure what the change buys, and say what the measurement does *not* show.
#
# The net is given the noisy picture $x_t$, the time $t$ and the label $y$, and it answers with the
# noise that it sees, $\hat\varepsilon$: as many numbers as the picture has. What is in between is
# this lesson.
#
# "**The paper**" is from here on the study of flowers that the course follows: *Exploring image
# generation with unconditional DDPM and conditional DDPM with classifier-free guidance*. It drew
# flowers with two nets, "2-layer" and "3-layer". Its code was published with it, and lesson 07
# takes it apart.

# %% [markdown]
# ## 1 · How far must a net see?
#
# One number of a convolution's output depends on a small square of its input, for a 3×3 kernel on
# 3×3 pixels. A second convolution sees a 3×3 square of *those*, and so 5×5 pixels of the picture.
# The pixels that an output can depend on at all are its **receptive field**, and we can ask PyTorch
# for it: the gradient of one output is 0 at every pixel that it does not depend on.
#
# A convolution with **stride** 2 puts its kernel on every other pixel only, so what comes out is
# half as large.
#
# > **Predict.** Five 3×3 convolutions in a row: how many pixels wide is the field of the middle
# > output? And if the first two of them have stride 2?

# %%
import torch
from torch import nn

from flowerdiff.widgets import picture


def chain(strides):
    """3x3 convolutions in a row, one for each stride."""
    return nn.Sequential(*[nn.Conv2d(1, 1, 3, stride=s, padding=1) for s in strides])


def seen(layers, size=64):
    """White where the middle output depends on the picture: uint8 (3, size, size)."""
    x = torch.randn(1, 1, size, size, requires_grad=True)
    out = layers(x)
    out[0, 0, out.shape[2] // 2, out.shape[3] // 2].backward()
    return (x.grad[0] != 0).expand(3, -1, -1).to(torch.uint8) * 255


torch.manual_seed(0)
chains = [(1, 1, 1, 1, 1), (2, 1, 1, 1, 1), (2, 2, 1, 1, 1), (2, 2, 2, 1, 1)]
fields = [seen(chain(strides)) for strides in chains]
picture(
    fields,
    labels=[f"strides {' '.join(map(str, s))}" for s in chains],
    caption="White squares in black pictures of 64 x 64 pixels. The more strides of 2 there are, "
    f"the larger the square: {[int(f[0].any(0).sum()) for f in fields]} pixels wide.",
)

# %% [markdown]
# Without strides each layer adds one pixel on each side: 3, 5, 7, 9, 11. So the middle of a picture
# of 64×64 would need 32 layers to see all of it, each of them working on every pixel. After a
# stride of 2, two neighbours stand for places two pixels apart, and every later kernel reaches
# twice as far, for a quarter of the work.
#
# Must it see that far? To tell noise from petal, you compare a pixel with its surroundings, and the
# noisier the picture, the more of them you need: lesson 01 averaged $k \times k$ pixels to see
# through the noise. At large $t$ the net has to find out what grows where, and whatever it decides
# on the left must fit what it decides on the right.
#
# So a U-Net **goes down**: it makes the picture smaller, to see far at little cost. And it **comes
# up** again, to say for each pixel what is noise. On the way down, exact places get lost; so each
# block on the way up is also given what the way down had at the same size, over a **skip
# connection**. Drawn with the large maps on top, it looks like a U.

# %% [markdown]
# ### Exercise 1 · How far a chain sees
#
# *medium · 8 minutes.* Work out the field, without a picture. `kernels` and `strides` are tensors
# with a whole number for each layer, first layer first. Go through the layers and keep two numbers:
# how many pixels an output sees, and how many pixels of the picture two neighbouring outputs are
# apart. (Before the first layer, an output is a pixel: both are 1.)

# %%
from flowerdiff.checks.design import check_field


def field(kernels, strides):
    """How many pixels wide one output of the last layer sees; a whole number."""
    # solution
    sees, apart = 1, 1
    for kernel, stride in zip(kernels.tolist(), strides.tolist(), strict=True):
        sees += (kernel - 1) * apart
        apart *= stride
    return sees
    # end of solution


check_field(field)

# %% [markdown]
# ## 2 · The 2-layer U-Net, block by block
#
# The net that the paper begins with has two levels down and two up ("2-layer"). Its bricks are
# blocks of two 3×3 convolutions. Three words for what stands between them:
#
# - **channels**: a picture has 3 numbers at each pixel, red, green and blue; inside a net there are
#   more, here $c = 128$ (the net's *width*). A picture with many channels is a (*feature*) **map**.
# - **BatchNorm** brings each channel to mean 0 and variance 1, measured over all pixels of all
#   images in the batch, and then multiplies it with a learned factor and adds a learned shift.
#   (Section 6 asks whether that was a good idea.)
# - **GELU** is a bent line: nearly 0 for negative numbers, nearly $x$ for positive ones. Without a
#   bend, two convolutions in a row would be no more than one. (Further on you meet **ReLU**, the
#   same with a sharp bend, and **GroupNorm**, a relative of BatchNorm, of which section 6 speaks.)


# %%
def conv_norm_gelu(c_in, c_out):
    conv = nn.Conv2d(c_in, c_out, 3, padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.GELU())


class ConvBlock(nn.Module):
    def __init__(self, c_in, c_out, residual=False):
        super().__init__()
        self.residual = residual
        self.first, self.second = conv_norm_gelu(c_in, c_out), conv_norm_gelu(c_out, c_out)

    def forward(self, x):
        first = self.first(x)
        second = self.second(first)
        return (first + second) / 2**0.5 if self.residual else second


block = ConvBlock(3, 128)
print(f"{sum(p.numel() for p in block.parameters()):,} parameters")

# %% [markdown]
# With `residual` (a **residual connection**, He et al. 2015), the first half's output is *added* to
# the second's: the second then only has to learn what is to be changed. (Two independent things of
# one variance add up to twice that variance. These two are not quite independent, but the root
# keeps the size about right.)
#
# ### Exercise 2 · The parameters of a block
#
# *easy · 6 minutes.* Where does that number come from? Count the parameters of a `ConvBlock` that
# turns `c_in` channels into `c_out`, by arithmetic: all weights and biases of both convolutions,
# and what both BatchNorms learn.

# %%
from flowerdiff.checks.design import check_parameters


def parameters(c_in, c_out):
    """How many numbers a ConvBlock(c_in, c_out) learns."""
    # solution
    norm = 2 * c_out
    first = 3 * 3 * c_in * c_out + c_out
    second = 3 * 3 * c_out * c_out + c_out
    return first + norm + second + norm
    # end of solution


check_parameters(parameters)

# %% [markdown]
# Now the parts. **Down**: a block, then `MaxPool2d(2)`, which keeps the largest of each 2×2 pixels.
# **Bottleneck**: the average of each 8×8 cell of the smallest maps; then a *transposed convolution*
# spreads each average over 8×8 pixels again, with a learned pattern. **Up**: a transposed
# convolution to twice the size, then two blocks.
#
# **Time** $t$ and **class** $y$ come in as lists of numbers. Time is one number, $t/T$; the class
# is a **one-hot**: as many numbers as there are classes, all 0 but for a single 1 (and all 0 for
# the *null label*, which means "no class told"; lesson 05). Each goes through two `Linear` layers
# and becomes one number for each channel. Both come in on the way up, at each of its two stages.


# %%
def down(c_in, c_out):
    return nn.Sequential(ConvBlock(c_in, c_out), nn.MaxPool2d(2))


def bottleneck(c):
    spread = nn.ConvTranspose2d(c, c, 8, stride=8)
    return nn.Sequential(nn.AvgPool2d(8), nn.GELU(), spread, nn.GroupNorm(8, c), nn.ReLU())


def up(c_in, c_out):
    larger = nn.ConvTranspose2d(c_in, c_out, 2, stride=2)
    return nn.Sequential(larger, ConvBlock(c_out, c_out), ConvBlock(c_out, c_out))


def embed(numbers, c):
    return nn.Sequential(nn.Linear(numbers, c), nn.GELU(), nn.Linear(c, c))


# %% [markdown]
# What goes *into* an up stage? The map `h` from below, told the class and the time; and beside it
# the skip, the map of the same size from the way down. The paper's text says that time and class
# are "concatenated with the feature maps". Its code does something else: it **multiplies** with the
# numbers of the class and **adds** those of the time. (Both together are known as **FiLM**, Perez
# et al. 2017.)
#
# ### Exercise 3 · Where all meets
#
# *medium · 8 minutes.* `h` and `skip` are maps (B, C, H, W), `time` and `label` are embedded
# already: (B, C), a number for each image and channel. Return what the up stage gets, (B, 2C, H,
# W): first `h`, times class, plus time; then the skip, as it is. (`a[:, :, None, None]` gives a
# tensor two more dimensions of length 1, which PyTorch repeats as needed; `torch.cat` puts side by
# side.)

# %%
from flowerdiff.checks.design import check_meet


def meet(h, skip, time, label):
    """The input of an up stage, (B, 2C, H, W)."""
    # solution
    h = h * label[:, :, None, None] + time[:, :, None, None]
    return torch.cat([h, skip], dim=1)
    # end of solution


check_meet(meet)

# %% [markdown]
# All together. Maps have $c$ channels at full and half size, and $2c$ at a quarter. (The 53 classes
# are the paper's.)
#
# > **Predict.** The paper's width is 128. How many parameters, roughly: 0.1, 1, 10 or 100 million?


# %%
class MyUNet(nn.Module):
    def __init__(self, c=128, classes=53, T=800):
        super().__init__()
        self.classes, self.T = classes, T
        self.stem = ConvBlock(3, c, residual=True)
        self.down1, self.down2 = down(c, c), down(c, 2 * c)
        self.bottleneck = bottleneck(2 * c)
        self.time1, self.label1 = embed(1, 2 * c), embed(classes, 2 * c)
        self.time2, self.label2 = embed(1, c), embed(classes, c)
        self.up1, self.up2 = up(4 * c, c), up(2 * c, c)
        conv, last = nn.Conv2d(2 * c, c, 3, padding=1), nn.Conv2d(c, 3, 3, padding=1)
        self.out = nn.Sequential(conv, nn.GroupNorm(8, c), nn.ReLU(), last)

    def forward(self, x_t, t, y):
        time = t[:, None].float() / self.T
        label = torch.eye(self.classes + 1)[y, : self.classes]  # one-hot; the null label is all 0
        x = self.stem(x_t)  # (B, c, H, W)
        down1 = self.down1(x)  # (B, c, H/2, W/2)
        down2 = self.down2(down1)  # (B, 2c, H/4, W/4)
        h = join(self.bottleneck(down2), down2, self.time1(time), self.label1(label))
        h = join(self.up1(h), down1, self.time2(time), self.label2(label))
        return self.out(torch.cat([self.up2(h), x], dim=1))


# %%
def join(h, skip, time, label):  # exercise 3, so that the lesson goes on without your answer
    return torch.cat([h * label[:, :, None, None] + time[:, :, None, None], skip], dim=1)


from flowerdiff.unet import TwoLayerConfig, TwoLayerUNet

library = TwoLayerUNet(TwoLayerConfig(num_classes=53)).eval()
mine = MyUNet().eval()
mine.load_state_dict(library.state_dict())  # complains unless every name and shape is the same

x_t, t, y = torch.randn(2, 3, 64, 64), torch.tensor([1, 800]), torch.tensor([7, 53])
with torch.no_grad():
    torch.testing.assert_close(mine(x_t, t, y), library(x_t, t, y))
assert sum(p.numel() for p in mine.parameters()) == 7_589_763
print("the same net, with 7,589,763 parameters")

# %% [markdown]
# 7.6 million; without a class it is 7,486,723, as many as the paper's unconditional net has. (That
# one adds its first time embedding a few layers earlier, before the bottleneck is enlarged.)

# %% [markdown]
# ## 3 · A map of the net
#
# An untrained net has nothing to show. So we train one, small enough for half a minute: 16 channels
# wide, on flowers of the garden with 32×32 pixels, the paper's schedule. (How training works is
# lesson 03; the loss is the mean squared error of $\hat\varepsilon$, and a net that always answers
# 0 has the loss 1. What you see of this net may differ in the last digits from what the text says:
# each kind of processor adds up its sums in an order of its own.)

# %% tags=["nbval-ignore-output"]
from flowerdiff.data import load_flowers
from flowerdiff.schedule import linear_schedule
from flowerdiff.training import TrainConfig, train

flowers = load_flowers("garden", split="train", size=32)
schedule = linear_schedule()

torch.manual_seed(0)
net = TwoLayerUNet(TwoLayerConfig(num_classes=18, width=16))
config = TrainConfig(steps=300, lr=2e-3, warmup=20, ema_decay=())
for progress in train(net, flowers.images, flowers.labels, schedule, config):
    if progress.step % 60 == 0:
        print(f"step {progress.step}: loss {progress.loss:.2f}")
net = net.eval()

# %% [markdown]
# Now look inside. At the top you choose a picture and a time $t$, then a block, with the mouse, or
# with `Tab` and the arrow keys. The taller a block, the larger its maps; the wider, the more
# channels. The lines from dot to dot are skips. Below: what the block puts out, what it costs, what
# its **middle pixel sees** (bright), and eight of its channels.
#
# > **Predict.** Which block has the most parameters? Which one does the most work? Which is the
# > first whose middle pixel sees the whole picture?

# %%
from flowerdiff.garden import draw_flower
from flowerdiff.pixels import from_uint8, to_uint8
from flowerdiff.widgets import net_map

garden = {name: from_uint8(draw_flower(name, seed=3, size=32)) for name in ("sunwheel", "embercup")}
labels = {name: flowers.label(name) for name in garden}

net_map(net, schedule, garden, labels, label="Map of the 2-layer net")

# %% [markdown]
# The **bottleneck** holds more than half of the parameters, and does next to no work. **Up 2**
# works hardest, and has a tenth of the parameters. The bottleneck is also the first to see
# everything.
#
# Then look at the pictures:
#
# - **stem**, $t = 10$: eight versions of the flower, some with bright edges, some with a dark
#   centre. At $t = 400$ you see noise in all of them: 5×5 pixels are too few to see through it.
# - **up 1**, $t = 200$: far in, some channels show *something* where the flower is, a bright blot,
#   and hardly any noise.
# - **time 1** at two times, and **label 1**: a number for each channel. Time changes with $t$, the
#   label only with the flower.
# - **up 2**: stripes and dots, mostly. They come from the transposed convolution, which paints each
#   of its inputs as the same 2×2 pattern; they have to be mended by what follows.
# - **out**, $t = 10$: that should be noise, and you can make out petals. These are *mistakes*: at
#   little noise, a sharp edge is easily taken for noise.

# %% [markdown]
# Parameters are what is learned and stored; **FLOPs** (floating-point operations: every
# multiplication and every addition is one; papers that count *MACs* take both together, and get
# half our number) are the work for one picture. They have little to do with each other: a weight of
# a convolution works once for every pixel that comes out.
#
# ### Exercise 4 · The work of a convolution
#
# *easy · 6 minutes.* How many FLOPs does a convolution take, from `c_in` to `c_out` channels, with
# a kernel of `kernel` × `kernel`, on a map of `size` × `size` pixels, with a stride (that divides
# `size`; the map comes out `size // stride` wide)? Leave out the bias.

# %%
from flowerdiff.checks.design import check_flops


def flops(c_in, c_out, kernel, size, stride):
    """FLOPs of one convolution for one picture; a whole number."""
    # solution
    weights = c_in * c_out * kernel**2
    pixels = (size // stride) ** 2
    return 2 * weights * pixels
    # end of solution


check_flops(flops)

# %% [markdown]
# The map did not work out its numbers. It sends one picture through the net and looks on:
# `flowerdiff.netinfo.measure`. So it can measure any net, also the paper's at full size, and on the
# device `"meta"`, where tensors have shapes and no numbers, that costs no memory.
#
# > **Predict.** The paper's pictures have 128×128 pixels, its width is 128. What share of the
# > *work* is done at full size? That is by `stem`, `down 1` (which convolves before it halves),
# > `up 2` and `out`.

# %%
from flowerdiff.netinfo import measure

with torch.device("meta"):
    papers = TwoLayerUNet()
blocks = measure(papers, size=128)
all_parameters, all_flops = (sum(getattr(b, n) for b in blocks) for n in ("parameters", "flops"))

for b in blocks:
    share, work = b.parameters / all_parameters, b.flops / all_flops
    print(f"{b.part.name:10}  {share:6.1%} of the parameters  {work:6.1%} of the work")
print(f"{all_parameters:,} parameters, {all_flops / 1e9:.1f} GFLOP for one picture")

# %% [markdown]
# About 78 % (8.6 + 16.8 + 35.5 + 17.0), for 20 % of the parameters. Full size is where the work is.
#
# What are the parts good for? We can cut a connection of the trained net, put zeros in its place,
# and see what becomes of its answer. $\hat x_0$ is the picture that remains if $\hat\varepsilon$ is
# taken off. (How to cut: a *hook* is a function of ours that PyTorch calls whenever a layer runs;
# this one puts the zeros in. "No bottleneck" takes time 1 and label 1 away, too.)
#
# > **Predict.** Which cut hurts most: the skip from the stem, the one from down 1, or the
# > bottleneck? What will $\hat x_0$ look like without each?

# %%
from flowerdiff.sampling import noise


def only(stage, kept):
    """From now on a stage gets zeros for all channels but `kept`."""

    def zeros(module, inputs):
        h = torch.zeros_like(inputs[0])
        h[:, kept] = inputs[0][:, kept]
        return h

    return stage.register_forward_pre_hook(zeros)


cuts = {  # h comes first, the skip behind it
    "whole": (net.out, slice(None)),
    "no skip from stem": (net.out, slice(0, 16)),
    "no skip from down 1": (net.up2, slice(0, 16)),
    "no skip from down 2": (net.up1, slice(0, 32)),
    "no bottleneck": (net.up1, slice(32, None)),
}

# %% tags=["nbval-ignore-output"]
others = load_flowers("garden", split="validation", size=32)  # flowers it was not trained on
x0, y = from_uint8(others.images[::10]), others.labels[::10]  # one of each species
eps = noise(range(len(x0)), 800, x0.shape[1:])


def ask(t, told=None, who=net):
    """x0_hat and the loss, when all flowers have the noise of t, and the net is told `told`."""
    x_t, told = schedule.add_noise(x0, t, eps), torch.full((len(x0),), told or t)
    with torch.no_grad():
        eps_hat = who(x_t, told, y)
    return schedule.x0_from_eps(x_t, t, eps_hat).clamp(-1, 1), (eps_hat - eps).square().mean()


shown, titles = [], []
for name, (stage, kept) in cuts.items():
    hook = only(stage, kept)
    losses = {t: ask(t)[1].item() for t in (100, 300, 600)}
    shown.append(to_uint8(ask(200)[0][3]))
    hook.remove()
    titles.append(name)
    print(f"{name:20}", "  ".join(f"t = {t}: loss {loss:.3f}" for t, loss in losses.items()))

# %%
picture(
    shown,
    labels=titles,
    columns=5,
    zoom=6,
    caption="x0_hat of a blue flower at t = 200. Whole: a soft flower. Without the skip from the "
    "stem: glaring noise, and behind it a bright disc. Without the one from down 1: the flower "
    "under a layer of noise. Without the one from down 2, or the bottleneck: as if nothing had "
    "happened.",
)

# %% [markdown]
# Without the skip from the stem nothing works: the *noise itself* is what is to be found, number by
# number, and only this skip has it at full size. The bottleneck, with more than half of the
# parameters, could nearly be left out. That is a finding about *this* net, small, at 32 pixels and
# after 300 steps; and a cut is a crude tool, for a net trained without a part would have learned to
# do without. But it is a good first question to any net: *what happens without it?*
#
# ## 4 · How time gets in
#
# The net must know $t$: a pixel unlike its neighbours is the edge of a petal at $t = 10$, and
# nothing but noise at $t = 700$.
#
# > **Predict.** We lie: all pictures have the noise of $t = 300$, and the net is told another time.
# > How much worse does it get: not at all, a little, hopelessly?

# %% tags=["nbval-ignore-output"]
for told in (10, 50, 150, 300, 450, 700):
    print(f"told t = {told:3}: loss {ask(300, told)[1]:.4f}")

# %% [markdown]
# It gets worse, but it does not fall apart: half as bad again at the worst. The net can *see* how
# noisy a picture is. What it is told makes the difference between about right and right.
#
# So far $t$ came in as *one* number, $t/T$. Most nets do something else. They turn it into many:
# sines and cosines of $t$, some fast and some slow, like the hands of a clock. (The idea is from
# the Transformer, Vaswani et al. 2017.) For $D$ numbers there are $D/2$ frequencies $\omega_i$,
# from $1$ down to $10^{-4}$ by equal factors:
#
# $$ \left(\sin \omega_1 t, \dots, \sin \omega_{D/2}\, t,\; \cos \omega_1 t, \dots,
#    \cos \omega_{D/2}\, t\right), \qquad \omega_i = 10^{-4\,(i-1)/(D/2-1)} . $$
#
# ### Exercise 5 · Sinusoids of the time
#
# *medium · 8 minutes.* Write it for a batch: `t` is (B,), whole numbers; return (B, dim), 32-bit
# floats. `torch.logspace` makes the frequencies.

# %%
from flowerdiff.checks.design import check_sinusoid


def my_sinusoid(t, dim):
    """Sines, then cosines, of t at dim / 2 frequencies from 1 to 0.0001."""
    # solution
    frequency = torch.logspace(0, -4, dim // 2)
    angle = t[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=1)
    # end of solution


check_sinusoid(my_sinusoid)

# %% [markdown]
# The paper's 3-layer net has sinusoids, too. But its code hands them $t/T$, a number between 0 and
# 1, with the same frequencies.
#
# > **Predict.** Below, each row is a time and each column one of 128 numbers, black −1, white 1. On
# > the left sinusoids of $t$. What will those of $t/T$ look like?

# %%
from flowerdiff.unet.layers import sinusoid

T = 800
every_t = torch.arange(1, T + 1)
embeddings = {"of t": sinusoid(every_t, 128), "of t / T": sinusoid(every_t / T, 128)}

picture(  # every fourth time, in a black frame
    [nn.functional.pad(to_uint8(e[3::4]), (1,) * 4).expand(3, -1, -1) for e in embeddings.values()],
    labels=list(embeddings),
    columns=2,
    zoom=2,
    caption="Times from 1 at the top to 800 at the bottom. Of t: stripes, fast on the left and "
    "slow on the right of each half, so every row is different. Of t / T: two flat areas, grey for "
    "the sines and white for the cosines, with a faint shade in the leftmost columns.",
)

# %% [markdown]
# A net can only use what differs. So: how far is the embedding of $t = 400$ from that of another
# time? And how many directions of the 128-dimensional space do all 800 embeddings use, so that 99 %
# of their variance lies in them? (The singular values of the centred matrix say so: their squares
# are the variances along its own axes.)
#
# > **Predict.** For $t/T$: how far is it from $t = 400$ to 401, and how many directions are there?

# %%
from flowerdiff.plots import curves

distances = {name: (e - e[399]).norm(dim=1) for name, e in embeddings.items()}
directions = {}
for name, e in embeddings.items():
    variances = torch.linalg.svdvals((e - e.mean(0)).double()).square()
    share = variances.cumsum(0) / variances.sum()
    directions[name] = int((share < 0.99).sum()) + 1
    print(
        f"{name:9} t = 400 to 401: {distances[name][400]:.4f}, to 500: {distances[name][499]:.3f}, "
        f"to 800: {distances[name][799]:.3f}; directions for 99 %: {directions[name]}"
    )
curves(
    {"distance from t = 400": {name: (every_t, d) for name, d in distances.items()}},
    caption="Over t, the distance of its embedding from that of t = 400. Of t: it leaps to 6 "
    "within ten steps, then rises slowly to about 10. Of t / T: a shallow V that reaches 1.",
    size=(5, 2.8),
)

# %% [markdown]
# With $t$, 53 directions. With $t/T$, **one**: 128 numbers that say hardly more than the one number
# $t/T$. The reason: the fastest frequency is 1, and $t/T$ never gets beyond 1. Between 0 and 1 a
# sine is nearly a straight line; a slower sine is a straighter, flatter line. None of the clock's
# hands gets far enough round to be told from the others. And $t = 400$ is only 0.0025 away from
# 401, in an embedding whose numbers are as large as 1: a layer that is to tell the two apart needs
# large weights.
#
# That is one of the traps in the published code (lesson 07 has them all). **Is it harmful?**
# The embedding shows that something is *wasted*, not what it costs. The net before had a single
# $t/T$, and learned. Section 7 measures it.

# %% [markdown]
# ## 5 · The 3-layer net, and attention
#
# The paper's second net drew better flowers: "a clear improvement", to the authors' eyes. It is
# another kind of net altogether:
#
# | | 2-layer | 3-layer |
# |---|---|---|
# | blocks | two 3×3 convolutions, BatchNorm | 7×7 per channel (*depthwise*), two 3×3, GroupNorm |
# | widths on the way down | 128, 128, 256 | 84, 128, 256, 512, 1024 |
# | halvings | 2, and cells of 8×8 | 3 |
# | time, class | at two places; added, multiplied | in every block but the last; added |
# | attention | none | at every level, and in the middle |
#
# > **Predict.** At 128×128 pixels: how many times the parameters, how many times the work? And how
# > much of the picture does the middle pixel of each net's *answer* see?

# %%
from flowerdiff.unet import ThreeLayerConfig, ThreeLayerUNet

with torch.device("meta"):
    full_size = {"2-layer": TwoLayerUNet(), "3-layer": ThreeLayerUNet()}
narrow = {  # how far a net sees does not depend on how wide it is
    "2-layer": TwoLayerUNet(TwoLayerConfig(width=8)),
    "3-layer": ThreeLayerUNet(ThreeLayerConfig(width=6)),
}
for name, papers in full_size.items():
    blocks = measure(papers, size=128)
    (sees,) = (b.field for b in measure(narrow[name], size=128) if b.part.name == "out")
    print(
        f"{name}: {sum(b.parameters for b in blocks):11,} parameters, "
        f"{sum(b.flops for b in blocks) / 1e9:5.1f} GFLOP; sees {sees} of 128 pixels"
    )

# %% [markdown]
# 30 times the parameters, 4.7 times the work. And where the 2-layer net's answer at this pixel
# rests on 80 pixels across (and at none on more: its bottleneck sees the picture in cells, and this
# pixel is best placed), the 3-layer net's rests on all 128. Left edge and right edge of one flower
# do not know of each other in the 2-layer net. (There is a back door: GroupNorm in the bottleneck
# and in `out` averages over the whole picture. `measure` leaves the norms out, for they pass on
# *how much* there is, and not *where*.)
#
# **Attention** is how a pixel gets at what is far away. Every pixel of a map makes three lists of
# $d$ numbers out of its channels, with learned weights (a 1×1 convolution; `qkv` in the code): a
# *query* $q$, what am I looking for; a *key* $k$, what do I have; a *value* $v$, what I hand over.
# (These are the usual letters. This $v$ is not the $v$ that a model can predict.)
# Pixel $i$ looks at pixel $j$ with the weight
#
# $$ a_{ij} = \frac{e^{s_{ij}}}{\sum_{j'} e^{s_{ij'}}}, \qquad
#    s_{ij} = \frac{q_i \cdot k_j}{\sqrt{d}}, \qquad
#    \text{and gets} \quad \sum_j a_{ij}\, v_j . $$
#
# The weights of one pixel are shares: they add up to 1 (a **softmax**). Nothing in them depends on
# how far away $j$ is. The root: $q_i \cdot k_j$ is a sum of $d$ products, and its standard
# deviation grows like $\sqrt d$. What the pixel gets goes through one more learned layer and is
# *added* to the map. As the pixels of *one* map look at each other, it is called
# **self-attention**.
#
# The price: $N$ pixels have $N^2$ weights, 268 million at 128×128. So at its levels the 3-layer net
# has *linear* attention, a cheaper relative without those $N^2$ weights. The attention of the
# formula it has only in the middle, between the way down and the way up.
#
# ### Exercise 6 · Attention
#
# *medium · 8 minutes.* `q`, `k`, `v` are (B, N, d): N pixels, each with d numbers. `@` multiplies
# matrices, `k.transpose(1, 2)` is (B, d, N), and tensors have a `softmax(dim)`.

# %%
from flowerdiff.checks.design import check_attend


def attend(q, k, v):
    """What every pixel gets, (B, N, d)."""
    # solution
    scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
    return scores.softmax(dim=2) @ v
    # end of solution


check_attend(attend)

# %% [markdown]
# What does a net look at? We need one that was trained for long: the bundled model, whose net has
# attention on maps of 8×8. It does this four times side by side, with 48 numbers each (four
# *heads*), and each of the 64 "pixels" stands for 8×8 pixels of the picture. A hook takes what goes
# into the last of its attentions, on the way up; the last three lines are the formula.

# %%
import torch.nn.functional as F

from flowerdiff.checkpoint import load_pretrained
from flowerdiff.guidance import guided
from flowerdiff.sampling import ddim

model = load_pretrained("flowers64")
names = ["oxeye daisy", "sunflower", "water lily"]
kinds = torch.tensor([model.label(name) for name in names])
listening = guided(model, 2.0, model.null_label)
with torch.inference_mode():
    seeds = noise([3, 0, 2], model.schedule.T)
    *_, last = ddim(listening, model.schedule, seeds, kinds, steps=25, clip_x0=1.0)
drawn = last.x_t.clone()  # three flowers that the model drew itself

attentions = [layer for layer in model.net.modules() if type(layer).__name__ == "Attention"]
attention, taken = attentions[-1], []  # they stand in the order of work
hook = attention.norm.register_forward_hook(lambda module, given, out: taken.append(out))
x_t = model.schedule.add_noise(drawn, 400, noise([5, 6, 7], 400))
with torch.no_grad():
    model(x_t, torch.full((3,), 400), kinds)
hook.remove()

lists = attention.qkv(taken[0]).reshape(3, 3, 4, 48, 64)  # (flower, q k v, head, number, pixel)
q, k, v = lists.transpose(3, 4).unbind(1)
weights = (q @ k.transpose(2, 3) / 48**0.5).softmax(dim=3)  # (flower, head, looks, is looked at)
torch.testing.assert_close(weights @ v, F.scaled_dot_product_attention(q, k, v))

# %% [markdown]
# > **Predict.** The model sees the noisy picture at $t = 400$. We choose a piece of a petal, of the
# > centre and of the background. Where will each of them look: around itself, at the middle of the
# > picture, at what is like itself?

# %%
PLACES = {0: [(6, 3), (4, 3), (0, 7)], 1: [(6, 3), (4, 3), (1, 0)], 2: [(4, 5), (3, 3), (7, 7)]}


def looks(flower, row, column):
    """The flower in grey, orange where the piece at (row, column), in a white frame, looks."""
    share = weights[flower].mean(0)[8 * row + column].reshape(8, 8)  # mean of the four heads
    light = (share / share.max()).repeat_interleave(8, 0).repeat_interleave(8, 1)
    grey = 0.5 * to_uint8(drawn[flower]).float().mean(0, keepdim=True)
    image = grey * (1 - light) + torch.tensor([255.0, 140, 0])[:, None, None] * light
    piece = image[:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
    inside = piece[:, 1:-1, 1:-1].clone()
    piece[:] = 255
    piece[:, 1:-1, 1:-1] = inside
    return image.to(torch.uint8)


images, titles = [], []
for flower, places in PLACES.items():
    images += [to_uint8(drawn[flower]), to_uint8(x_t[flower])]
    images += [looks(flower, *place) for place in places]
    titles += [names[flower], "what the net sees", "petal", "centre", "background"]
picture(
    images,
    labels=titles,
    columns=5,
    caption="Three flowers; what the net sees of them; in orange, where a piece in a white frame "
    "looks. The sunflower's petal looks at petals all around; those of daisy and water lily at "
    "petals on the other side, too; centres at the centre, background at background.",
)

# %% [markdown]
# At **what is like itself**, and that in a picture that is half noise. A petal looks across the
# centre, at the petals on the other side. But beware of pictures that were chosen: let us count,
# over all 64 pieces of the three flowers. How different in colour (in the clean picture) are the
# pieces that a piece looks at? Itself we leave out: that would be too easy. To compare: all other
# pieces; and its eight neighbours, for what is near is often alike, too.

# %%
colours = F.avg_pool2d(drawn, 8).flatten(2).transpose(1, 2)  # (flower, piece, 3)
rows, columns = torch.arange(64) // 8, torch.arange(64) % 8
where = torch.stack([rows, columns], dim=1).float()
difference, distance = torch.cdist(colours, colours), torch.cdist(where, where)
others_only = (distance > 0).float()
near = others_only * (distance < 1.5)

for who, share in {
    "looked at": weights.mean(1) * others_only,
    "neighbours": near,
    "all others": others_only,
}.items():
    colour, far = ((share * x).sum(-1) / share.sum(-1) for x in (difference, distance))
    print(f"{who}: difference in colour {colour.mean():.2f}, {far.mean():.1f} pieces away")

# %% [markdown]
# So it holds: about half the difference in colour that there is to any other piece, and less than
# to its own neighbours, although it looks more than three pieces far on average. What we *measured*
# is where the weights are large, and that the colours there are alike. That the net does so *in
# order to* compare petals with petals is our reading of it. And it is *one* of its attentions. Take
# `attentions[1]`, the second, in the place of `attentions[-1]`, and run the three cells again:
# there what a piece looks at is no more like it than any other piece is.
#
# > **Predict.** We switch all attentions of the model off. How much does the loss grow on these
# > three flowers: hardly, by a third, tenfold?

# %%
from contextlib import contextmanager


@contextmanager
def blind(net):
    """Inside `with blind(net):` its attention hands nothing over."""
    layers = [layer.out for layer in net.modules() if type(layer).__name__ == "Attention"]
    hooks = [layer.register_forward_hook(lambda m, given, out: 0 * out) for layer in layers]
    yield
    for hook in hooks:
        hook.remove()


def model_loss(t):
    """The mean squared error of the model's eps_hat, over eight noises for each flower."""
    eps = noise(range(24), t)
    x_t = model.schedule.add_noise(drawn.repeat(8, 1, 1, 1), t, eps)
    with torch.inference_mode():
        return (model(x_t, torch.full((24,), t), kinds.repeat(8)) - eps).square().mean().item()


for t in (50, 200, 400, 600):
    with blind(model.net):
        without = model_loss(t)
    print(f"t = {t}: loss {model_loss(t):.4f}, without attention {without:.4f}", end="")
    print(f" (+{without / model_loss(t) - 1:.0%})")

# %% [markdown]
# By a third, in the middle of the way; much less near the end, at $t = 50$, where there is only
# fine grain left to tell. So attention does a good deal, and convolutions do most. (This net has
# learned to rely on it. One that never had any might have learned to do without: section 7.)
#
# **Why does the 3-layer net draw better, then?** Let us keep apart what we know and what we think.
#
# - *Measured here*: it sees the whole picture; it has 30 times the parameters; it does 4.7 times
#   the work for each picture. In *another* net, attention connects what is alike, and without it
#   the loss is up to a third higher.
# - *Measured by the paper*: the same number of epochs took four times as long (2:12 h against 0:33
#   h), and of its three scores of quality one got a little better and two a little worse.
# - *Argued*: "attention layers and additional convolutions can improve the model inference". The
#   paper changed blocks, size, norms, embeddings and attention **at once**. From such a comparison
#   nobody can say which of them it was.
#
# To say it, one must change one thing at a time. Section 7 does, on a small scale.

# %% [markdown]
# ## 6 · BatchNorm against GroupNorm
#
# BatchNorm measures mean and variance over the *whole batch*. So in training, what the net says of
# one picture depends on its neighbours. In use (`net.eval()`) it takes averages remembered from
# training instead.
#
# > **Predict.** The same noisy flower at $t = 300$ in four batches of 16. Three have random others
# > as neighbours, at random times; in the fourth, all neighbours are nearly clean ($t = 10$). Will
# > you see a difference in $\hat x_0$?

# %%
import copy

rng = torch.Generator().manual_seed(0)


def among(neighbours, net, t=None):
    """eps_hat of flower 3 at t = 300, in a batch with so many random others, in training mode."""
    who = torch.cat([torch.tensor([30]), torch.randint(0, 180, (neighbours,), generator=rng)])
    low, high = (1, 800) if t is None else (t, t)
    times = torch.randint(low, high + 1, who.shape, generator=rng)
    images, times[0] = from_uint8(others.images[who]), 300
    noises = torch.randn(images.shape, generator=rng)
    noises[0] = eps[3]
    with torch.no_grad():  # a copy, for BatchNorm also *remembers* what it has seen
        x_t = schedule.add_noise(images, times, noises)
        return copy.deepcopy(net).train()(x_t, times, others.labels[who])[0]


# %%
x_300 = schedule.add_noise(x0[3], 300, eps[3])
answers = [among(15, net) for _ in range(3)] + [among(15, net, t=10)]
off = [(answer - answers[0]).abs() for answer in answers[1:]]
picture(
    [to_uint8(schedule.x0_from_eps(x_300, 300, a).clamp(-1, 1)) for a in answers]
    + [to_uint8(x0[3])]
    + [to_uint8((5 * d - 1).clamp(-1, 1)) for d in off],
    labels=["x0_hat, neighbours A", "neighbours B", "neighbours C", "all at t = 10", "the flower"]
    + ["|B - A| of eps_hat", "|C - A|", "|(all at t = 10) - A|"],
    columns=5,
    zoom=5,
    caption="Above: x0_hat of one flower in four batches, and the flower. A, B and C are alike at "
    "first sight; among nearly clean neighbours it is much noisier. Below: how far eps_hat is "
    "from that of A (black: not at all; white: 0.4). B and C: faint specks; t = 10: large.",
)

# %% [markdown]
# Same picture, same weights, other answers. With random neighbours the difference is small (the
# lower row shows it enlarged five times), with neighbours from one end of the schedule it is large:
# their statistics are not those of a noisy picture.
#
# And that is no far-fetched case. In sampling, *all* pictures of a batch are at the same $t$.
#
# > **Predict.** All flowers at one $t$: in which mode is the net better, measuring the batch (as in
# > training) or with remembered averages (as in use)? At which $t$ is the difference largest?


# %% tags=["nbval-ignore-output"]
def batch_loss(t):
    """The loss of all 18 flowers at one t: measuring the batch, and with remembered averages."""
    measuring = copy.deepcopy(net).train()
    return ask(t, who=measuring)[1], ask(t)[1]


for t in (20, 100, 300, 600):
    in_training, in_use = batch_loss(t)
    print(f"t = {t}: loss {in_training:.3f} measuring the batch, {in_use:.3f} with averages")

# %% [markdown]
# With averages, as it should be used. But those are averages over *all* $t$, from batches in which
# 16 values of $t$ were mixed: the net has never been trained with quite the statistics that it is
# used with. Forget `net.eval()` before you sample, and you are in the left column: at $t = 20$ the
# loss is half as large again.
#
# > **Predict.** How strongly do the neighbours count in batches of 4 to 64? And what will the curve
# > be for the same net with GroupNorm? (It was not trained so, and its answers are no good. We only
# > ask whether they *change*.)


# %% tags=["nbval-ignore-output"]
def group_normed(net):
    """A copy of the net with GroupNorm in the place of every BatchNorm."""
    net = copy.deepcopy(net)
    for stage in net.modules():
        for name, layer in stage.named_children():
            if isinstance(layer, nn.BatchNorm2d):
                setattr(stage, name, nn.GroupNorm(4, layer.num_features))
    return net


batches = torch.tensor([4, 8, 16, 32, 64])
spread = {}
for name, kind in {"BatchNorm": net, "GroupNorm": group_normed(net)}.items():
    answers = [torch.stack([among(b - 1, kind) for _ in range(24)]) for b in batches.tolist()]
    spread[name] = torch.stack([a.std(0).mean() for a in answers])
    print(name, [f"{s:.4f}" for s in spread[name].tolist()])

curves(
    {"what the neighbours do to eps_hat": {n: (batches, s) for n, s in spread.items()}},
    caption="How far eps_hat of one picture scatters with its neighbours (standard deviation). "
    "BatchNorm: 0.06 in a batch of 4, 0.04 in one of 16, 0.02 in one of 64. GroupNorm: 0.",
    xlabel="images in the batch",
    size=(5, 2.8),
)

# %% [markdown]
# The larger the batch, the better its average, and the less one neighbour counts. At the paper's 16
# the scatter is about a sixth of the error that the net makes anyway (the root of the loss at $t =
# 300$ is 0.24): a noise that training has to live with, not a disaster. (The paper reports better
# pictures with 32 than with 16, and it is tempting to see the reason here. Lesson 07 measures it
# again, and finds the opposite at equal epochs.) With GroupNorm it is exactly 0: whatever the
# neighbours are.
#
# **GroupNorm** (Wu and He 2018) measures within *one* image: the channels are divided into groups
# of neighbours, and each group gets mean 0 and variance 1 over its channels and all pixels:
#
# $$ \frac{x - \mu}{\sqrt{\sigma^2 + 10^{-5}}}, \qquad
#    \mu, \sigma^2: \text{mean and variance of the group, of this image alone.} $$
#
# ### Exercise 7 · GroupNorm
#
# *harder · 10 minutes.* `x` is (B, C, H, W), `groups` divides C. Return a tensor like `x`, without
# a learned factor and shift. The variance is the mean of the squared distances from the mean
# (`unbiased=False` in PyTorch's `var`). (`reshape` to a shape in which a group is one dimension,
# and back.)

# %%
from flowerdiff.checks.design import check_group_norm


def group_norm(x, groups):
    """Every group of channels of every image at mean 0 and variance 1."""
    # solution
    g = x.reshape(x.shape[0], groups, -1)
    mean, var = g.mean(2, keepdim=True), g.var(2, keepdim=True, unbiased=False)
    return ((g - mean) / (var + 1e-5).sqrt()).reshape(x.shape)
    # end of solution


check_group_norm(group_norm)

# %%
maps = torch.randn(2, 16, 8, 8) * 3 + 1
g = maps.reshape(2, 4, -1)  # exercise 7, beside the library's
by_hand = (g - g.mean(2, keepdim=True)) / (g.var(2, keepdim=True, unbiased=False) + 1e-5).sqrt()
torch.testing.assert_close(by_hand.reshape(maps.shape), nn.GroupNorm(4, 16)(maps))
print("the same as nn.GroupNorm")

# %% [markdown]
# ## 7 · The compact net, and what each change buys
#
# The bundled model is a third net, made for this course and for laptops. What is different in it?
#
# - **Patches**: the stem folds 2×2 pixels into channels, so that nothing is done at full size.
# - **Residual blocks** that begin as doing nothing: the last layer of each starts at zero
#   (*zero-initialisation*).
# - **GroupNorm** in place of BatchNorm.
# - **Time and class in every block**: they *scale and shift* the normalised maps, so both
#   multiplying and adding (**adaptive GroupNorm**, AdaGN; in transformers *adaLN*); sinusoids of
#   $t$, not of $t/T$.
# - **Attention** on the coarsest maps only.
#
# > **Predict.** Where are its parameters, where is its work? From which block on does it see
# > everything, and why there?

# %%
garden64 = {
    name: from_uint8(draw_flower(name, seed=3, size=64)) for name in ("sunwheel", "embercup")
}
net_map(
    model.net,
    model.schedule,
    garden64 | {"oxeye daisy (drawn)": drawn[0]},
    label="Map of the compact net",
)

# %% [markdown]
# More evenly spread than before: no block has more than a seventh of the parameters, or more than
# about a twelfth of the work. (Together, the blocks that work on the smallest maps, 8×8, hold
# nearly four fifths of the parameters and do two fifths of the work: *down 6* to *up 3*, which
# enlarges its map at the end.) The first block with attention is the first to see everything. (Its
# two convolutions alone would reach all of the picture, too, from the pixel in the middle. So at
# this size attention buys hardly any reach; it buys that a block can *choose* what to look at.)
# These maps come from a net that was trained for hours: at $t = 600$ find a channel that sees the
# flower; the **stem** has one already. What **out** shows is $v$, a mixture of noise and picture,
# with the colours of the picture turned round. (Lesson 03 tells why one predicts it.)
#
# And what does each change buy? That has to be measured: train with it and without it, all else
# equal. But *what* equal: the same number of images, or the same time? On a laptop time is what we
# have, so each net gets 100 seconds of one CPU core. That is too long for this page; the numbers
# come from the script `tools/compare_nets.py`, which you can run.

# %%
import json

import numpy as np
from PIL import Image

from flowerdiff.course import course_file

file = course_file("docs/results/nets/compare.json")
study = json.loads(file.read_text())

for key in ("command", "machine", "data", "training"):
    print(f"{key}: {study[key]}")

# %% [markdown]
# > **Predict.** Three nets of comparable work for one picture (0.16 to 0.23 GFLOP at 32 pixels).
# > Which of them has the lowest loss after 100 CPU seconds? And after equal *images*?


# %%
def curve(name, x):
    points = study["nets"][name]["curve"]
    return torch.tensor([p[x] for p in points]), torch.tensor([p["loss"] for p in points])


def loss_at(name, images):
    """The loss after so many images, between the points that were measured."""
    return float(np.interp(images, *curve(name, "images")))


three = ("2-layer", "3-layer", "compact")
curves(
    {
        "loss over CPU seconds": {name: curve(name, "cpu_seconds") for name in three},
        "loss over images seen": {name: curve(name, "images") for name in three},
    },
    caption="The loss of three nets, both axes as far as 100 CPU seconds take them. 2-layer: down "
    "to 0.07, the lowest all the way. Compact: nearly twice that at first, a little more in the "
    "end. 3-layer: still at 0.4, after a third of the images.",
    xlabel=["CPU seconds", "images seen"],
    log=["loss over CPU seconds", "loss over images seen"],
)

# %%
for name in (*three, "3-layer, no attention"):
    net_ = study["nets"][name]
    last = net_["curve"][-1]
    by_t = ", ".join(f"{loss:.3f} at t = {t}" for t, loss in last["loss_by_t"].items())
    print(
        f"{name}: {net_['parameters'] / 1e6:.1f} M parameters, "
        f"{net_['mflop_per_image'] / 1e3:.2f} GFLOP; CPU ms for an image: "
        f"{net_['predict_ms_per_image']:.1f} to predict, {net_['train_ms_per_image']:.1f} to train"
    )
    print(f"    {last['images']:,} images in 100 s, loss {last['loss']:.4f} ({by_t})")
    print(f"    after the first 5,280 images: loss {loss_at(name, 5280):.2f}")

# %% [markdown]
# Of these three the simplest wins, by a little, but by much more than a seed makes (below). A
# likely reason: in the first 15,000 images there is much to learn that takes neither depth nor
# reach, and a small net that does its work at full size learns it soonest. The 3-layer net takes
# three times as long for each image, and even at equal *images* it is behind: narrow as it had to
# be for this (12 channels), and deep. **What is best after 100 seconds need not be best after a
# day**, and this does not say what the paper's nets do after hours on a GPU.
#
# Equal FLOPs are not equal time, either: the 3-layer net needs 4.4 ms where the compact one needs
# 1.5. The last line tells where they go: it is the 3-layer net with its attention taken out, and
# needs 1.8. Attention is a quarter of its FLOPs and three fifths of its time, for it moves much and
# computes little: a softmax goes over many numbers and does next to nothing with each. (And this
# net is 12 channels wide, its attention 128, as in the paper's: in a wide net it weighs less.)
#
# Without attention it sees more than twice as many images in the time, and is far ahead. At equal
# images (5,280) the two are level: 0.38 without, 0.39 with. So a hundred seconds at 32 pixels give
# no sign of what attention is to this net; to the paper, with 128 pixels and hours, it may be more.
#
# Now the compact net with one change *undone* at a time. Two runs that differ in nothing but the
# seed tell how much is chance.
#
# > **Predict.** Undoing which of them hurts most: patches, attention, GroupNorm, sinusoids of $t$,
# > scaling, starting at zero? Is there one whose undoing *helps*?


# %%
print(f"{'':22} CPU ms, 1 image    after 100 s       compact = 0 after")
print(f"{'':22} train  predict    loss   images    100 s   as many images")
for name, variant in study["nets"].items():
    if name.startswith("compact"):
        end, compact = variant["curve"][-1], study["nets"]["compact"]["curve"][-1]
        common = min(end["images"], compact["images"])
        worse = loss_at(name, common) - loss_at("compact", common)
        print(
            f"{name:22} {variant['train_ms_per_image']:5.1f} "
            f"{variant['predict_ms_per_image']:8.1f}  {end['loss']:.4f}  {end['images']:7,}"
            f"  {end['loss'] - compact['loss']:+.4f}   {worse:+.4f}"
        )

# %% [markdown]
# Chance is about 0.0002 in the loss (from two runs only). In the milliseconds it can be a fifth:
# *t / T* must cost what sinusoids cost, and reads 1.8 instead of 1.5. From what helps most to what
# costs most:
#
# - **Starting at zero** is worth 0.012, and costs nothing.
# - **GroupNorm** in the place of BatchNorm: 0.009, for 4 % fewer images in the time, which may be
#   chance. (Below you will see what this number hides.)
# - **Sinusoids of $t$** in the place of $t/T$: 0.002. So the waste *is* measurable, and small: a
#   net can get by with one number, and it sees the noise anyway.
# - **Scaling**, not only adding: 0.0004; that is hardly more than chance.
# - **Attention** *costs* 0.005 at equal time. At equal images it makes no difference: here it has
#   maps of 4×4 to look at, and two 3×3 convolutions see nearly all of such a map anyway.
# - **Patches** cost most, 0.017: without them the net sees a third of the images in that time, and
#   is better all the same. What patches buy is in the other columns: a third of the time for each
#   prediction. A sampler makes many of them for each flower, on *your* machine.
#
# So two of our own ideas, patches and attention, are no gain in this table! They were made for
# larger pictures and hours of training, where it may be otherwise, and this table does not tell.
# (It also has a single learning rate for all, one data set of drawn flowers, and the loss of
# $\hat\varepsilon$, most of which comes from small $t$, where the nearest pixels count most.) A
# measurement answers the question that was asked, for the sizes it was asked at.
#
# Last, what do they draw after 100 seconds? In each column, label and seed are the same.

# %%
sheet = torch.from_numpy(np.array(Image.open(file.with_name("samples.png")).convert("RGB")))
rows = {name: 2 + 34 * i for i, name in enumerate(study["nets"])}  # 32 pixels and 2 of white each
names = ["2-layer", "3-layer", "compact", "compact, no patches", "compact, BatchNorm"]
picture(
    [sheet[rows[name] : rows[name] + 32, :272].permute(2, 0, 1) for name in names],
    labels=names,
    columns=1,
    caption="Eight samples of each net, 32 x 32 pixels. 2-layer: soft coloured blobs like flowers. "
    "3-layer: noise. Compact: flowers under a grid of dots, two pixels wide. Without patches, and "
    "with BatchNorm: flowers without the grid.",
)

# %% [markdown]
# "Colourful patches that resemble flowers": that is what the paper says of its 2-layer net, too.
# And there is a **grid**, two pixels wide: the four pixels of a patch come from four channels, and
# they do not agree. Without patches it is gone. But look at BatchNorm: there are patches, no grid,
# and yet a *higher* loss. So it takes patches *and* GroupNorm; why, this table does not say. The
# loss gives no hint of it, and the eye sees it at once. The bundled model has both, and after many
# more images (`flowerdiff weights flowers64` prints its card: how many) there is no grid: look at
# the flowers of section 5.
#
# **Your turn**: `python tools/compare_nets.py --seconds 10 --out my-results` takes about three
# minutes. Add a line to its `NETS`, and you have asked a question of your own.

# %% [markdown]
# ## What you have solved

# %%
from flowerdiff.checks.design import summary

summary("02")

# %% [markdown]
# ## Common mistakes
#
# - **the skip is added where it should be put beside, or forgotten.** *You see:* an error about
#   channels, or blurred noise in $\hat x_0$. *The rule:* print the shapes before and after each
#   `torch.cat`.
# - **(B, C) meets (B, C, H, W) without `[:, :, None, None]`.** *You see:* an error, or, if the
#   sizes happen to fit, time and class laid along rows and columns. *The rule:* as in lesson 01.
# - **a size that cannot be halved so often.** *You see:* two maps at a skip differ by one pixel.
#   *The rule:* sizes are multiples of `net.multiple_of`.
# - **$t/T$ given to sinusoids that were made for $t$.** *You see:* nothing! Neighbouring times
#   look alike to the net. *The rule:* look at the embedding as a picture.
# - **`net.eval()` forgotten.** *You see:* a picture changes with its neighbours in the batch, and
#   a single one is worse. *The rule:* `.train()` to train, `.eval()` to draw.
# - **softmax over the wrong dimension.** *You see:* nothing, but that it learns badly. *The rule:*
#   `weights.sum(-1)` is 1 for every pixel that looks.
# - **parameters taken for work.** *You see:* a "small" net that is slow. *The rule:* measure
#   FLOPs, and then milliseconds.
# - **two changes at once.** *You see:* "the new net is better", and nobody knows why. *The rule:*
#   one change, the same budget, more than one seed.
#
# ## Key points
#
# - A U-Net **goes down** to see far at little cost, and **comes up** with skips, to answer for
#   every pixel. The skip at full size carries the noise itself.
# - Parameters, work and field of view are three different things, and they sit in different blocks.
# - Time and class are lists of numbers, one for each channel: added, multiplied, or both. An
#   embedding is worth what it lets the net tell apart.
# - **Attention** lets each place choose what to look at, near or far: in the last one of our net,
#   at what is like itself.
# - **BatchNorm** ties the pictures of a batch together and behaves differently in use;
#   **GroupNorm** does neither.
# - What is better depends on the budget, the size and the question. Change one thing at a time.
#
# ## Where to go on
#
# - **03 Training**: how such a net learns.
# - O. Ronneberger, P. Fischer, T. Brox, *U-Net*, 2015
#   ([arXiv:1505.04597](https://arxiv.org/abs/1505.04597)): where the U comes from, for cells under
#   a microscope.
# - E. Perez and others, *FiLM*, 2017 ([arXiv:1709.07871](https://arxiv.org/abs/1709.07871)): to
#   multiply and to add.
# - K. He and others, *Deep Residual Learning for Image Recognition*, 2015
#   ([arXiv:1512.03385](https://arxiv.org/abs/1512.03385)): adding in place of replacing.
# - Y. Wu, K. He, *Group Normalization*, 2018
#   ([arXiv:1803.08494](https://arxiv.org/abs/1803.08494)).
# - A. Vaswani and others, *Attention Is All You Need*, 2017
#   ([arXiv:1706.03762](https://arxiv.org/abs/1706.03762)): sections 3.2 and 3.5.
# - P. Dhariwal, A. Nichol, *Diffusion Models Beat GANs on Image Synthesis*, 2021
#   ([arXiv:2105.05233](https://arxiv.org/abs/2105.05233)): a U-Net made better one change at a
#   time.
# - W. Peebles, S. Xie, *Scalable Diffusion Models with Transformers*, 2022
#   ([arXiv:2212.09748](https://arxiv.org/abs/2212.09748)): no U-Net at all: patches and attention.
# - Z. Liu and others, *A ConvNet for the 2020s*, 2022
#   ([arXiv:2201.03545](https://arxiv.org/abs/2201.03545)): a lesson in changing one thing at a
#   time.
# - `flowerdiff/unet/` in this course: the three nets, about a hundred lines each.
