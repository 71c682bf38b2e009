# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 · Forward diffusion
#
# **About 90 minutes** up to section 6, with a break after section 4, and 20 more for section 7,
# which can wait; seven exercises among them · the machine needs less than one.
#
# **You need** lesson 00, PyTorch as far as adding and multiplying tensors of one shape, and from
# mathematics the mean, the variance and the normal distribution (also called the Gaussian).
#
# **Afterwards you can**
#
# - turn a photograph into noise, step by step and in one jump, and say why both are the same;
# - read and write a *schedule*: $\beta_t$, $\bar\alpha_t$ and the signal-to-noise ratio;
# - say what the schedule leaves of the picture at the end, and what a net could make of it;
# - adapt a schedule to larger pictures.
#
# This lesson has no neural net in it. It is about *destroying* pictures, in a way that we
# understand so well that a net can learn to go back.
#
# **Exercises** check themselves. Write your answer where the `...` is, run the cell, and you get
# `✓`, or `✗` with a hint, or `○` while there is nothing to check. No exercise holds up the lesson:
# all that follows works without your answer.

# %% [markdown]
# ## 1 · One pixel
#
# Take one pixel of one picture. Its value is $x_0$, a number from −1 (dark) to 1 (bright). We
# change it in small steps $t = 1, 2, 3, \dots$ Each step makes $x_t$ out of $x_{t-1}$:
#
# $$ x_t = \sqrt{1-\beta_t}\; x_{t-1} + \sqrt{\beta_t}\; \varepsilon_t $$
#
# - $\varepsilon_t$ is fresh **noise**: a number drawn from the Gaussian with mean 0 and variance 1.
# - $\beta_t$ ("beta", `beta`) is a number between 0 and 1: the **variance of the noise** that step
#   $t$ adds. Multiplied with its root, noise of variance 1 becomes noise of variance $\beta_t$.
# - $\sqrt{1-\beta_t}$ is a little less than 1: the step also **shrinks** what was there.
#
# Why shrink? Let us see what happens without. The next cell follows 30 copies of a pixel that
# begins at 0.8, for 200 steps with $\beta = 0.02$; once only adding noise, once as above.
#
# > **Predict.** Where are the 30 copies after 200 steps, left and right? How would it go on?

# %%
import torch

from flowerdiff.plots import curves

rng = torch.Generator().manual_seed(1)


def paths(factor):
    """30 copies of a pixel over 200 steps, with noise of variance 0.02 in each: (201, 30)."""
    states = [torch.full((30,), 0.8)]
    for _t in range(200):
        states.append(factor * states[-1] + 0.02**0.5 * torch.randn(30, generator=rng))
    return torch.stack(states)


curves(
    {"only adding noise": {"pixel": paths(1.0)}, "shrinking, too": {"pixel": paths(0.98**0.5)}},
    caption="30 paths that begin at 0.8. On the left they spread out ever further, one of them "
    "beyond 6. On the right they come down to around 0, and most stay between -2 and 2.",
    ylim=(-8, 8),
)

# %% [markdown]
# Left, the copies spread without end: 200 steps add the variance $200 \cdot 0.02 = 4$, and on
# average they are still where they began, at 0.8. Right, two things happen. The start is
# **forgotten**: the mean goes to 0. And the spread **settles**: if $x_{t-1}$ has variance 1, then
#
# $$ \mathrm{Var}(x_t) = (1-\beta_t)\cdot 1 + \beta_t \cdot 1 = 1 . $$
#
# A factor $f$ makes a variance $f^2$ times as large (hence $1-\beta_t$, without a root), and the
# variances of independent things add up. So whatever we begin with, the end is the same well-known
# thing: Gaussian noise with mean 0 and variance 1. That is where a sampler can begin its way back.
#
# (And if the variance is not 1? Then its distance to 1 shrinks by the factor $1-\beta_t$ at every
# step. Adding noise without shrinking is not wrong: it is called *variance exploding*, and some
# good models are made so. What the course does is *variance preserving*.)

# %% [markdown]
# ### Exercise 1 · One step of noise
#
# *easy · 5 minutes.* Write the step. `x` and `eps` are tensors of one shape (a pixel, a picture, a
# batch: it makes no difference), `beta` is a number. (The root of a number is `number ** 0.5`.)

# %%
from flowerdiff.checks.forward import check_noise_step


def noise_step(x, beta, eps):
    """x_t from x_{t-1} (`x`), the step's variance and its noise; a tensor like x."""
    # solution
    return (1 - beta) ** 0.5 * x + beta**0.5 * eps
    # end of solution


check_noise_step(noise_step)

# %% [markdown]
# ## 2 · From one pixel to a picture
#
# A picture is many pixels, and each gets its own noise. We take a photograph of a dahlia that comes
# with the library scikit-learn. (*Photograph: [vultilion on
# Flickr](https://www.flickr.com/photos/vultilion/6056698931/), licence
# [CC BY 2.0](https://creativecommons.org/licenses/by/2.0/); here cropped to a square and made
# smaller, and below with noise.*)

# %%
import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

from flowerdiff.pictures import square
from flowerdiff.pixels import from_uint8, to_uint8
from flowerdiff.widgets import picture


def photograph(size):
    """The dahlia: float (3, size, size) in [-1, 1]."""
    image = square(Image.fromarray(load_sample_image("flower.jpg")), size)
    return from_uint8(torch.from_numpy(np.array(image)).permute(2, 0, 1))


picture(
    [to_uint8(photograph(size)) for size in (128, 64, 16)],
    labels=["128 x 128 pixels", "64 x 64", "16 x 16"],
    caption="An orange dahlia in front of dark leaves, in fine, in coarser and in very coarse "
    "pixels.",
    zoom=1,
)

# %% [markdown]
# The course's nets draw 64 × 64 pixels, the picture in the middle. Now $T = 800$ steps of noise.
# The $\beta_t$ grow from 0.0001 to 0.02: small steps first, larger ones later. This is the *linear*
# schedule; `linear_schedule()` holds it. Ho, Jain and Abbeel introduced it, with $T = 1000$; with
# $T = 800$ it is that of the study of flowers which lesson 07 takes apart. (The model of lesson 00
# was trained with another one, the *cosine* of section 5: its numbers were different.)
#
# > **Predict.** From which $t$ on will you no longer see that there is a flower?

# %%
from flowerdiff.schedule import linear_schedule
from flowerdiff.widgets import noise_stepper

linear = linear_schedule(T=800, beta_1=0.0001, beta_T=0.02)
noise_stepper(photograph(64), linear)

# %% [markdown]
# **Move the slider**, or use `←` `→`, `Home`, `End`, and `Space` to play. The first picture is the
# sum of the two after it (the screen cuts off what is below −1 or above 1), and the line below says
# how much of each.
#
# Most people lose the flower between $t = 400$ and $500$, far from the end. Watch the last panel
# meanwhile: the **histogram** counts how many of the 12,288 numbers (64 × 64 pixels, three colours)
# have which value. At $t = 0$ it is all the photograph's, with a high hump for the dark leaves and
# a small one for the petals. At the end it is the black curve, the Gaussian with mean 0 and
# variance 1, whatever the picture was. (A page that runs no widgets, like GitHub's, shows a strip
# of pictures only, in rows instead of columns, and no histogram.) The widget took the 800 steps one
# by one. That is what we get rid of next.

# %% [markdown]
# ## 3 · Noise plus noise is noise
#
# Two steps add two noises. What is their sum? Let one have the standard deviation 0.6, the other
# 0.8. (The **standard deviation**, `std`, is the root of the variance: it is in the units of the
# thing itself, here of brightness.)
#
# > **Predict.** The sum's standard deviation: 1.4, 1.0 or 0.7? And its shape: a Gaussian, or a
# > shape of its own?

# %%
from flowerdiff.plots import histograms, normal

a = 0.6 * torch.randn(100_000, generator=rng)
b = 0.8 * torch.randn(100_000, generator=rng)
both = f"a + b: std {(a + b).std():.2f}"
x = torch.linspace(-3.5, 3.5, 200)

histograms(
    {
        "a: std 0.6": {"": a},
        "b: std 0.8": {"": b},
        both: {"": a + b},
    },
    caption="Three histograms. a is a narrow bell, b a wider one, their sum the widest; on it lies "
    "the black curve of a Gaussian with standard deviation 1, and fits.",
    expected={both: {"Gaussian, std 1": (x, normal(x))}},
)

# %% [markdown]
# 1.0, since *variances* add up: $0.6^2 + 0.8^2 = 0.36 + 0.64 = 1$. And it is a Gaussian. Why? Draw
# each pair of noises $(\varepsilon_1, \varepsilon_2)$ as a point in the plane: they make a cloud
# that is perfectly **round**, for the density
# $e^{-\varepsilon_1^2/2} \cdot e^{-\varepsilon_2^2/2} = e^{-r^2/2}$ knows the distance $r$ from the
# middle and no direction. Seen along one axis, the cloud's shadow is $\varepsilon_1$, a Gaussian.
# The sum $0.6\,\varepsilon_1 + 0.8\,\varepsilon_2$ is its shadow along the slanting direction (0.6,
# 0.8), which has length 1 since $0.6^2+0.8^2=1$; and a round cloud has the same shadow from every
# side. Among all shapes of noise, only the Gaussian has this.
#
# And if the noise were something else, say the toss of a **coin**, −1 or 1? (Mean 0, variance 1 as
# well.) The next cell takes 20,000 copies of a pixel through 40 steps with $\beta = 0.1$. On the
# left three pixels, a dark, a grey and a bright one, with Gaussian noise; on the right the bright
# one with coins.
#
# > **Predict.** How many different values can the pixel on the right have after one step, after
# > two, after three? What will its histogram look like after 40?

# %%
from flowerdiff.widgets import histogram_player


def gauss(n):
    return torch.randn(n, generator=rng)


def coin(n):
    return torch.randint(0, 2, (n,), generator=rng) * 2.0 - 1


def chain(x0, beta, draw, steps=40, copies=20_000):
    """The values of all copies after 0, 1, ... steps: (steps + 1, copies)."""
    states = [torch.full((copies,), x0)]
    for _t in range(steps):
        states.append((1 - beta) ** 0.5 * states[-1] + beta**0.5 * draw(copies))
    return torch.stack(states)


# %%
times = [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40]
pixels = {
    name: chain(x0, 0.1, gauss)[times]
    for name, x0 in {"dark": -0.8, "grey": 0.0, "bright": 0.8}.items()
}

histogram_player(
    {"Gaussian noise": pixels, "coins": {"bright": chain(0.8, 0.1, coin)[times]}},
    captions=[f"t = {t} steps · shrunk to {0.9 ** (t / 2):.3f}" for t in times],
    expected=[
        {"coins": (x, normal(x, 0.8 * 0.9 ** (t / 2), max(1 - 0.9**t, 1e-3) ** 0.5))} for t in times
    ],
)

# %% [markdown]
# **Drive it.** On the left all three are Gaussians from the first step on; their means creep
# together, and after 40 steps hardly anybody could say which pixel was the bright one. On the right
# one step gives two values, two steps four, three eight (you see fewer columns: heads then tails
# ends close to tails then heads): first a comb, then a cloud, and soon nearly the same bell (the
# black curve is what Gaussian noise would give). Sums of *many* small independent things become
# Gaussian, whatever the things are: the **central limit theorem**.
#
# So after many *small* steps the end is the same with coins, and the smaller they are the more so.
# But only with Gaussian noise has every $t$ in between one short formula, and a net has to be
# trained at every $t$.
#
# **Your turn:** change `coin` to something else with mean 0 and variance 1 (a coin that is 3 once
# in ten times, and −1/3 else?) and run both cells again.

# %% [markdown]
# ### Exercise 2 · The noise after two steps
#
# *medium · 8 minutes.* Put the first step into the second:
#
# $$ x_2 = \sqrt{1-\beta_2}\,\underbrace{\left(\sqrt{1-\beta_1}\,x_0 +
#    \sqrt{\beta_1}\,\varepsilon_1\right)}_{x_1} + \sqrt{\beta_2}\,\varepsilon_2 . $$
#
# There is one part with $x_0$, and there are two noises. What is the **standard deviation** of the
# two noises together? Paper first, then Python; `beta_1` and `beta_2` are numbers.

# %%
from flowerdiff.checks.forward import check_std_after_two


def std_after_two(beta_1, beta_2):
    """The standard deviation of all the noise in x_2."""
    # solution
    return ((1 - beta_2) * beta_1 + beta_2) ** 0.5
    # end of solution


check_std_after_two(std_after_two)

# %% [markdown]
# ## 4 · One jump instead of 800 steps
#
# After two steps $x_0$ has the factor $\sqrt{(1-\beta_1)(1-\beta_2)}$, and the noise has the
# variance $(1-\beta_2)\beta_1 + \beta_2$. Multiply out, and you find that this is
# $1 - (1-\beta_1)(1-\beta_2)$: one minus the square of the other factor. It goes on like that: if
# the noise so far has the variance $1-a$, the next step makes it $(1-\beta)(1-a) + \beta =
# 1-(1-\beta)\,a$. Two names, and we have all of it:
#
# $$ \alpha_t = 1-\beta_t, \qquad
#    \bar\alpha_t = \alpha_1 \cdot \alpha_2 \cdots \alpha_t , \qquad
#    x_t = \sqrt{\bar\alpha_t}\; x_0 + \sqrt{1-\bar\alpha_t}\; \varepsilon . $$
#
# - $\alpha_t$ ("alpha") is the share of the variance that **one step** keeps.
# - $\bar\alpha_t$ ("alpha bar", `alpha_bar`) is the share that **all steps up to $t$** keep. The
#   bar means "all together", and shares of shares multiply.
# - $\varepsilon$ stands for all the noise so far: by section 3 it is *one* Gaussian noise.
#
# This is the mixture of lesson 00, and equation (4) of the paper by Ho, Jain and Abbeel. For the
# clean picture, $t = 0$, no step has been made, and $\bar\alpha_0 = 1$.
#
# Papers write the step and the jump as distributions, a Gaussian with its mean and its variance:
#
# $$ q(x_t \mid x_{t-1}) = \mathcal N(\sqrt{1-\beta_t}\; x_{t-1},\ \beta_t I), \qquad
#    q(x_t \mid x_0) = \mathcal N(\sqrt{\bar\alpha_t}\; x_0,\ (1-\bar\alpha_t) I) . $$
#
# Each step looks only at the one before it, so the steps are a **Markov chain**, which the papers
# call the **forward process**.

# %% [markdown]
# ### Exercise 3 · From beta to alpha_bar
#
# *easy · 5 minutes.* `beta` is a tensor $(\beta_1, \dots, \beta_T)$. Return `alpha_bar` with its
# $T + 1$ entries, so that `alpha_bar[t]` belongs to time $t$. (A tensor has methods for running
# sums and running products; `torch.cat` puts tensors together, `beta.new_ones(1)` is a 1 that
# fits.)

# %%
from flowerdiff.checks.forward import check_alpha_bars


def alpha_bars(beta):
    """alpha_bar (T + 1,) from beta (T,)."""
    # solution
    return torch.cat([beta.new_ones(1), (1 - beta).cumprod(0)])
    # end of solution


check_alpha_bars(alpha_bars)

# %% [markdown]
# Is it true? We take 100,000 copies of a pixel through all 800 steps, and write down what the jump
# says they should be. The library knows `alpha_bar` as well, so we compare with that, too.
#
# > **Predict.** How close will the copies' mean and standard deviation come to the formula: to the
# > first digit, the third, the sixth?

# %%
betas = torch.linspace(0.0001, 0.02, 800, dtype=torch.float64)
copies = torch.full((100_000,), 0.8)
share = torch.tensor(1.0, dtype=torch.float64)

for t, beta in enumerate(betas.tolist(), start=1):
    copies = (1 - beta) ** 0.5 * copies + beta**0.5 * gauss(len(copies))
    share = share * (1 - beta)
    torch.testing.assert_close(share.float(), linear.alpha_bar[t])
    if t in (1, 100, 200, 400, 800):
        mean, std = 0.8 * share.sqrt(), (1 - share).sqrt()
        print(
            f"t = {t:3d}   mean: walked {copies.mean():6.3f}, jumped {mean:6.3f}"
            f"   std: walked {copies.std():.3f}, jumped {std:.3f}"
        )

# %% [markdown]
# To the second or third decimal, as one may hope of 100,000 random copies (the mean of $n$ copies
# is off by about $1/\sqrt n$, here 0.003). So walk and jump are the same **in distribution**: not
# the same noisy picture, but equally likely ones, and training needs no more. It needs a great many
# of them, each at another $t$. To walk there takes 400 draws of noise on average; to jump, one.

# %% [markdown]
# ### Exercise 4 · To any t in one jump
#
# *medium · 10 minutes.* In training every picture of a batch has its **own** time. `x0` and `eps`
# have the shape (B, 3, H, W), `t` has the shape (B,) and holds whole numbers from 0 to $T$,
# `alpha_bar` has $T + 1$ entries.
#
# No loop is needed: index, reshape, mix. `alpha_bar[t]` takes one number for each picture, shape
# (B,); `.reshape(-1, 1, 1, 1)` makes its shape (B, 1, 1, 1), and then PyTorch uses each number for
# all the pixels of its picture.

# %%
from flowerdiff.checks.forward import check_add_noise


def add_noise(x0, t, alpha_bar, eps):
    """x_t (B, 3, H, W): image i at its time t[i]."""
    # solution
    ab = alpha_bar[t].reshape(-1, 1, 1, 1)  # (B, 1, 1, 1): one number for each image
    return ab.sqrt() * x0 + (1 - ab).sqrt() * eps
    # end of solution


check_add_noise(add_noise)

# %% [markdown]
# The library's version is `schedule.add_noise(x0, t, eps)`. Garden flowers, the course's drawn data
# set, show what a batch in training looks like. (`noise(seeds, t)` is standard normal for every
# `t`, which only picks another draw of the same seed.)
#
# > **Predict.** Times are drawn evenly from 1 to 800. Of eight flowers, how many will you
# > recognise?

# %%
from flowerdiff.garden import garden
from flowerdiff.sampling import noise

flowers = from_uint8(garden(per_species=1)[0][:8])  # (8, 3, 64, 64)
t = torch.randint(1, 801, (8,), generator=torch.Generator().manual_seed(13))
eps = noise(seeds=range(8), t=0)
x_t = linear.add_noise(flowers, t, eps)

by_hand = [
    linear.alpha_bar[t[i]].sqrt() * flowers[i] + (1 - linear.alpha_bar[t[i]]).sqrt() * eps[i]
    for i in range(8)
]
torch.testing.assert_close(x_t, torch.stack(by_hand))

picture(
    to_uint8(x_t),
    labels=[f"t = {i}" for i in t.tolist()],
    caption="Eight drawn flowers at eight different times: with little noise at small t, "
    "nothing but noise above about t = 450.",
    columns=4,
)

# %% [markdown]
# Three, perhaps four. The net gets them all, is told $t$ for each, and has to say what the noise
# is. With this schedule it spends more than a third of its time, from $t = 500$ on, on pictures in
# which *you* see nothing. A net sees more, for it can average (section 7): in such noise it settles
# where a flower is and what colour it has. Is a third of the time too much for that, or too little?
# That is a question about the schedule.

# %% [markdown]
# ## 5 · Schedules
#
# A **schedule** is the list of numbers $\bar\alpha_0, \dots, \bar\alpha_T$. This course uses
# three:
#
# - **linear** (Ho et al. 2020): $\beta_t$ rises in a straight line, here from 0.0001 to 0.02;
# - **cosine** (Nichol and Dhariwal 2021): $\sqrt{\bar\alpha_t}$ falls like a cosine from 1 to 0;
# - **zero-terminal** (Lin et al. 2023): another schedule, bent a little so that
#   $\bar\alpha_T = 0$. Section 6 says why.
#
# One number is better than $\bar\alpha_t$ for comparing them, the **signal-to-noise ratio**: the
# variance of the picture's part over that of the noise,
#
# $$ \mathrm{SNR}(t) = \frac{\bar\alpha_t}{1-\bar\alpha_t} . $$
#
# At 1, there is as much picture as noise. (We count the picture's own variance as 1. Really it is
# less, about a quarter, for some pictures a half and for some a tenth.)
#
# > **Predict.** Half-way, at $t = 400$, which schedule has more of the picture left, linear or
# > cosine? And whose curve of $\beta_t$ shoots up at the end?

# %%
from flowerdiff.schedule import cosine_schedule, zero_terminal_snr

schedules = {
    "linear": linear,
    "cosine": cosine_schedule(T=800),
    "zero-terminal": zero_terminal_snr(linear),
}
every_t = torch.arange(1, 801)

curves(
    {
        "beta (log)": {name: (every_t, s.beta(every_t)) for name, s in schedules.items()},
        "alpha_bar": {name: s.alpha_bar for name, s in schedules.items()},
        "SNR (log)": {name: (every_t[:-1], s.snr(every_t[:-1])) for name, s in schedules.items()},
    },
    log=["beta (log)", "SNR (log)"],
    caption="Curves over t. beta: linear rises steadily to 0.02, cosine and zero-terminal "
    "shoot up to 1 at the end. alpha_bar: linear and zero-terminal are the same to "
    "the eye, and near 0 from t = 600; cosine is higher and falls evenly. SNR: cosine "
    "is the highest until shortly before the end, where cosine and zero-terminal dive "
    "while linear stops at 0.0003.",
)

# %% [markdown]
# The cosine: it keeps half of the variance until the middle of the way, the linear one only an
# eighth. It was invented for that. The linear schedule does well on large pictures, but on
# pictures of 64 × 64 or 32 × 32 pixels its end is so noisy that the last steps hardly count
# (section 7 shows why). Cosine and zero-terminal end at (almost) no picture at all, so their last
# $\beta_t$ must be near 1: the last step throws away what is left.
#
# The $\bar\alpha_t$ of linear and zero-terminal are the same to the eye. Only the two logarithmic
# panels, β and SNR, show where they part.
#
# The cosine in code: `offset` keeps the first steps from being too small. The library also keeps
# the last $\beta$ below 1, so we compare all but the last entry.

# %%
T, offset = 800, 0.008
angle = (torch.arange(T + 1, dtype=torch.float64) / T + offset) / (1 + offset) * torch.pi / 2
by_hand = angle.cos() ** 2
by_hand = by_hand / by_hand[0]  # exactly 1 at t = 0

torch.testing.assert_close(by_hand[:-1].float(), schedules["cosine"].alpha_bar[:-1])
print(
    f"last entry: {by_hand[-1]:.1e} by hand, {schedules['cosine'].alpha_bar[-1]:.1e} in the library"
)

# %% [markdown]
# Now on pictures: the same pictures, the same noise, three schedules.
#
# > **Predict.** The photograph at $t = 400$: what can you see of it under each schedule?

# %%
from flowerdiff.garden import draw_flower
from flowerdiff.widgets import schedule_explorer

schedule_explorer(
    {
        "photograph": photograph(48),
        "garden flower": from_uint8(draw_flower("skyfive", seed=3, size=48)),
    },
    schedules,
)

# %% [markdown]
# Find the $t$ at which you lose the flower under *linear* (between 400 and 500), and the one at
# which you lose it under *cosine* (between 600 and 700). Then compare the two SNRs there: they are
# about the same. **How noisy a picture of one size looks depends on the SNR alone**, and a schedule
# only says at which $t$ which SNR is visited, and so how much of the training and of the sampling
# goes into it. (Papers often draw its logarithm, the **log-SNR**.)
#
# Other families fit in here. Divide any mixture $a_t\, x_0 + b_t\, \varepsilon$ by
# $\sqrt{a_t^2 + b_t^2}$, and it is ours, with $\mathrm{SNR} = a_t^2 / b_t^2$: with $a = 1$ and
# $b = \sigma$ that of *EDM* (Karras et al. 2022), with $a = 1 - t$ and $b = t$ for $t$ from 0 to 1
# that of *flow matching*.

# %% [markdown]
# ### Exercise 5 · When the noise takes over
#
# *easy · 5 minutes.* Find the first time at which the SNR is below a given number. Return a whole
# number. (`(condition).nonzero()` lists the indices at which a condition holds. At $t = 0$ the SNR
# is 1/0; PyTorch says `inf`, infinity, and compares it correctly.)

# %%
from flowerdiff.checks.forward import check_time_of


def time_of(alpha_bar, snr):
    """The smallest t whose SNR is below the number `snr`."""
    # solution
    return int((alpha_bar / (1 - alpha_bar) < snr).nonzero()[0])
    # end of solution


check_time_of(time_of)

# %% [markdown]
# ## 6 · What is left at the end
#
# The sampler begins with pure noise. The noisiest that training shows the net is $x_T$, and we hope
# that this is the same.
# For our linear schedule, $T = 800$ and $\beta_T = 0.02$, it is not quite:
#
# $$ \bar\alpha_T = \prod_{t=1}^{800}(1-\beta_t) = 0.000305,\quad \sqrt{\bar\alpha_T} = 0.0175 . $$
#
# Every pixel of $x_T$ still has 1.75 % of its old brightness in it, below noise of standard
# deviation 1. Nobody can see that. But a net has more than eyes.
#
# > **Predict.** Below are $x_T$ of an all-black and of an all-white picture. Can you tell which is
# > which? And could someone who is good at *averaging*?

# %%
black, white = -torch.ones(3, 64, 64), torch.ones(3, 64, 64)
x_T = {
    name: linear.add_noise(x0, 800, noise([seed], t=800)[0])
    for seed, (name, x0) in enumerate({"first": white, "second": black}.items())
}

picture(
    [to_uint8(x) for x in x_T.values()],
    labels=list(x_T),
    caption="Two squares of coloured noise. Nothing tells them apart.",
    zoom=3,
)

# %% [markdown]
# Not by eye. Now let us be good at averaging. We noise the black and the white picture a thousand
# times each, and write down one number of every $x_T$: the average of all its 12,288 values.
#
# > **Predict.** Noise has the average 0. Will the averages of the black and of the white pictures
# > overlap: completely, a little, not at all? And under the zero-terminal schedule?

# %%
many = noise(seeds=range(1000), t=800)  # (1000, 3, 64, 64)


def means(x0, schedule):
    """The average of all 12,288 numbers of x_T, for 1000 different noises."""
    return schedule.add_noise(x0, 800, many).mean((1, 2, 3))


ends = {
    "linear": {"black": means(black, linear), "white": means(white, linear)},
    "zero-terminal": {
        "black": means(black, schedules["zero-terminal"]),
        "white": means(white, schedules["zero-terminal"]),
    },
}
histograms(
    ends,
    caption="Histograms of the average of x_T. Under the linear schedule black pictures "
    "average about -0.017 and white ones 0.017, two humps that hardly overlap. Under "
    "the zero-terminal schedule the two humps are one.",
    xlabel="average of x_T",
    limits=(-0.06, 0.06),
)

# %% [markdown]
# Averaging 12,288 numbers leaves the brightness as it is, ±0.0175, and shrinks the noise to
# $1/\sqrt{12288} = 0.009$. That is only half as much, and so the humps hardly overlap. (The first
# square above is the white one. You need not take my word for it: `x_T["first"].mean()`.)
#
# > **Predict.** How often does the sign of the average tell white from black? And how much of the
# > picture would be left with $T = 100$ steps from the same $\beta_1$ to the same $\beta_T$, how
# > much with 2000?

# %%
right = (ends["linear"]["white"] > 0).float().mean() + (ends["linear"]["black"] < 0).float().mean()
print(f"white from black by the sign of the average: {right / 2:.0%} right")
for T in (100, 400, 800, 1000, 2000):
    schedule = linear_schedule(T=T)
    print(
        f"T = {T:4d}: alpha_bar_T = {schedule.alpha_bar[-1]:.1e}, "
        f"factor of the picture {schedule.alpha_bar[-1].sqrt():.2%}"
    )

# %% [markdown]
# 97 times in 100, and **a net can find this**, too. In training, the average brightness of $x_T$
# gives away that of the picture, and the net learns to trust it. In sampling we hand it pure noise,
# with an average of nearly 0, and it concludes: *a picture of medium brightness*. So such models
# have a hard time drawing a night sky, or a white flower on white. How strong the effect is depends
# on the net, on the pictures (black and white are the extremes) and on what is left: the last
# column shows it for other $T$ and the same $\beta$s. (The schedule of Stable Diffusion left 6.8 %,
# and people noticed.) With $T = 100$ more than half of the brightness would be left: a factor of
# 0.60, a share of 36 %.
#
# The cure is to bend the schedule so that nothing is left (Lin et al. 2023): take the factor of the
# picture, $r_t = \sqrt{\bar\alpha_t}$; **shift** the whole curve down until its end is at 0, then
# **stretch** it until its beginning is at 1 again; square.

# %% [markdown]
# ### Exercise 6 · Nothing left at the end
#
# *medium · 8 minutes.* Do that: shift, stretch, square.

# %%
from flowerdiff.checks.forward import check_zero_terminal


def zero_terminal(alpha_bar):
    """The bent schedule (T + 1,): from exactly 1 to exactly 0."""
    # solution
    root = alpha_bar.sqrt()
    root = (root - root[-1]) / (1 - root[-1])
    return root**2
    # end of solution


check_zero_terminal(zero_terminal)

# %% [markdown]
# The library's `zero_terminal_snr` differs in two small things: it stretches so that the *first
# step* stays as it was, and it ends at $2^{-30}$ instead of 0. For with an exact 0 the equation for
# $x_0$ would divide by zero at $t = T$. There $x_T$ *is* the noise: a net that predicts noise has
# only to copy its input, and says nothing about the picture. (A later lesson has another thing to
# predict, $v$, that works there.)

# %% [markdown]
# ## 7 · Larger pictures
#
# The same flower, with 16, 32, 64 and 128 pixels across, and the same $t = 300$: so each *pixel*
# has the same SNR.
#
# > **Predict.** In which one do you recognise the flower best? Make a guess for the second row,
# > too: there, the pixels of the first row are averaged until all have 16 × 16.

# %%
import torch.nn.functional as F

SIZES = (16, 32, 64, 128)


def noisy_flowers(times):
    """Two rows of pixels: a flower at each size and time, and the same averaged to 16 x 16."""
    rows = [[], []]
    for size, t in zip(SIZES, times, strict=True):
        x0 = from_uint8(draw_flower("embercup", seed=2, size=size))
        x_t = linear.add_noise(x0, t, noise([5], t, x0.shape)[0])
        small = F.avg_pool2d(x_t, size // 16)
        small = 0.7 * small / small.std()  # the mixing has faded the colours: bring them back
        for row, x in zip(rows, (x_t, small), strict=True):
            row.append(F.interpolate(to_uint8(x)[None], 128, mode="nearest")[0])
    return [*rows[0], *rows[1]]


picture(
    noisy_flowers([300] * 4),
    labels=[f"{size} px, t = 300" for size in SIZES] + ["averaged to 16 px"] * 4,
    caption="A red flower with noise at four sizes, and the same averaged to 16 x 16 pixels. The "
    "more pixels, the clearer it is: at 16 it cannot be made out; the one at 128, averaged, has "
    "hardly any noise.",
    columns=4,
    zoom=1,
)

# %% [markdown]
# The largest. Your eye averages neighbouring pixels, and so does a net. A square of $k \times k$
# pixels has about the same colour all over, so averaging keeps the picture; but the noise is
# different in each of the $k^2$ pixels, and its variance shrinks to $1/k^2$. **With $k$ times as
# many pixels across, the same $t$ is $k^2$ times as clear.** A schedule that is right for 64 pixels
# destroys too little at 256, and there the net is asked too seldom for the large forms.
#
# The cure (Hoogeboom, Heek and Salimans 2023): divide the SNR by $k^2$. Here is a look at it, with
# a later $t$ for each larger size: the one at which the SNR is a quarter of that before.
#
# > **Predict.** What will the second row look like now?

# %%
snr = linear.snr(torch.arange(801))
targets = [snr[100] * (16 / size) ** 2 for size in SIZES]
times = [int((snr - target).abs().argmin()) for target in targets]

picture(
    noisy_flowers(times),
    labels=[f"{size} px, t = {t}" for size, t in zip(SIZES, times, strict=True)]
    + ["averaged to 16 px"] * 4,
    caption="The same flower at four sizes, each with more noise than the one before. "
    "Averaged to 16 x 16 pixels, all four are equally noisy.",
    columns=4,
    zoom=1,
)

# %% [markdown]
# All alike, apart from the luck of the noise: $t = 100$ at 16 pixels is as far from the picture as
# $t = 427$ at 128. A schedule for each size, so that all are equally clear at the *same* $t$, is
# the last exercise.

# %% [markdown]
# ### Exercise 7 · A schedule for larger pictures
#
# *harder · 12 minutes.* `alpha_bar` is a schedule for pictures with 64 pixels across. Return the
# one for `size` pixels across, in which every SNR is $(64/\text{size})^2$ times what it was. You
# need $\bar\alpha$ from SNR: solve $\mathrm{SNR} = \bar\alpha / (1-\bar\alpha)$ for $\bar\alpha$.
# Mind $t = 0$.

# %%
from flowerdiff.checks.forward import check_for_size


def for_size(alpha_bar, size):
    """The schedule (T + 1,) for pictures of size x size pixels; the same for size = 64."""
    # solution
    f = (64 / size) ** 2
    return f * alpha_bar / (f * alpha_bar + 1 - alpha_bar)
    # end of solution


check_for_size(for_size)

# %% [markdown]
# ## What you have solved

# %%
from flowerdiff.checks.forward import summary

summary()

# %% [markdown]
# ## Common mistakes
#
# - **a root is missing: `alpha_bar * x0`.** *You see:* everything turns greyer, and pure noise put
#   in comes out with a std well below 1. *The rule:* shares are of *variance*; what you multiply
#   with is a root.
# - **`alpha[t]` for `alpha_bar[t]`.** *You see:* there is hardly any noise at any $t$. *The
#   rule:* the jump takes *all* steps together: the bar.
# - **`cumsum` for `cumprod`.** *You see:* shares above 1 or below 0, and `nan` from their roots.
#   *The rule:* shares of shares multiply.
# - **`alpha_bar` without its first 1.** *You see:* the last sampling step leaves a little noise,
#   or `t = T` is out of range. *The rule:* $T + 1$ entries, `alpha_bar[0] == 1`.
# - **`alpha_bar[t] * x0` with `t` of shape (B,).** *You see:* an error, or, if B happens to equal
#   the width, stripes without an error. *The rule:* reshape to (B, 1, 1, 1).
# - **pixels from 0 to 255, or 0 to 1.** *You see:* the noise drowns in the picture, or the
#   average drifts. *The rule:* pictures are in [−1, 1].
# - **"at $t = T$ it is pure noise".** *You see:* no very dark and no very bright pictures. *The
#   rule:* print $\sqrt{\bar\alpha_T}$.
# - **a schedule from another resolution.** *You see:* large pictures without a plan, or time
#   wasted at small ones. *The rule:* compare SNRs, at one size.
#
# ## Key points
#
# - A step of forward diffusion **shrinks** the picture a little and **adds** a little noise, so
#   that the variance goes to 1, whatever it was, and stays there.
# - Gaussian noises add up to a Gaussian noise. So the jump to any $t$ has a **closed form**, and
#   training can begin at any $t$ at once.
# - $\beta_t$ is what one step adds, $\bar\alpha_t$ is what all steps leave, and
#   $\mathrm{SNR} = \bar\alpha_t/(1-\bar\alpha_t)$ is how it looks, at one size.
# - A schedule says how much time is spent at which SNR. What is right depends on the
#   **resolution**.
# - Look at the **end**: 800 steps up to 0.02 leave 1.75 % of the picture's brightness, enough to
#   give it away.
#
# ## Where to go on
#
# - **02 U-Net design**: the net that finds the noise.
# - J. Ho, A. Jain, P. Abbeel, *Denoising Diffusion Probabilistic Models*, 2020
#   ([arXiv:2006.11239](https://arxiv.org/abs/2006.11239)): section 2 is our sections 1 and 4. The
#   forward process is older: J. Sohl-Dickstein and others, 2015
#   ([arXiv:1503.03585](https://arxiv.org/abs/1503.03585)).
# - D. Kingma and others, *Variational Diffusion Models*, 2021
#   ([arXiv:2107.00630](https://arxiv.org/abs/2107.00630)): why the SNR says all.
# - A. Nichol, P. Dhariwal, *Improved Denoising Diffusion Probabilistic Models*, 2021
#   ([arXiv:2102.09672](https://arxiv.org/abs/2102.09672)): the cosine, section 3.2.
# - S. Lin and others, *Common Diffusion Noise Schedules and Sample Steps are Flawed*, 2023
#   ([arXiv:2305.08891](https://arxiv.org/abs/2305.08891)): what is left at the end.
# - E. Hoogeboom, J. Heek, T. Salimans, *simple diffusion*, 2023
#   ([arXiv:2301.11093](https://arxiv.org/abs/2301.11093)): resolution, section 3.1.
# - The other families: Y. Song and others, 2020
#   ([arXiv:2011.13456](https://arxiv.org/abs/2011.13456): variance exploding and preserving), T.
#   Karras and others, 2022 ([arXiv:2206.00364](https://arxiv.org/abs/2206.00364)), Y. Lipman and
#   others, 2023 ([arXiv:2210.02747](https://arxiv.org/abs/2210.02747): flow matching).
# - `flowerdiff/schedule.py` in this course: all three schedules and the algebra around them.
