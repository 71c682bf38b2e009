# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 · Sampling
#
# **About 90 minutes** up to section 5, with a break after section 3. Then 35 more for sections 6
# and 7 (fewer steps, and a race), and 45 for sections 8 to 10 (another noise, a patch, a doodle);
# these two parts do not need each other. Eight exercises among them · the machine needs about one
# minute.
#
# **You need** lessons 00 and 01; from mathematics the normal distribution (the Gaussian), its mean
# and its variance, and what a gradient is. Lesson 03 (training) helps, but is not needed.
#
# **Afterwards you can**
#
# - derive a step of ancestral sampling from two hints, and write it;
# - say what $x_t$, $\hat x_0$, $\hat\varepsilon$ and the score have to do with one another;
# - write DDIM, and say what $\eta$ does; say why DPM-Solver++ needs fewer steps, and when not;
# - measure how far a sampler is from the truth, in the plane and on flowers;
# - stop a walk and go on with another noise, with a painted patch, or with a doodle of your own.
#
# A model only says what it *sees* in a noisy picture. A **sampler** makes a walk of that, from
# noise to a picture. One model, many samplers: nothing is trained in this lesson.

# %% [markdown]
# ## 1 · What a step sees
#
# Whether a sampler or a model is to blame for a bad picture is hard to tell. So let us begin where
# the model is **perfect**. Our "pictures" are points in the plane, with two numbers each, and they
# come from five round clouds, like the petals of a flower. For such a mixture of Gaussians the best
# possible $\hat\varepsilon$ is a formula (`Mixture.eps_model` has it). Whatever goes wrong here is
# the sampler's doing.
#
# As before, $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1-\bar\alpha_t}\, \varepsilon$, with the
# **noise** $\varepsilon$, times $t$ from 0 to $T = 800$, and a **schedule** of numbers
# $\bar\alpha_t$ from 1 down to (almost) 0. We take the schedule of the course's flower model.
#
# > **Predict.** At which $t$ do the five petals become one blob: 100, 200 or 400?

# %%
import math

import torch

from flowerdiff.checkpoint import load_pretrained
from flowerdiff.mixture import Mixture
from flowerdiff.plots import clouds
from flowerdiff.sampling import ddim, ddpm, dpm_solver_pp, noise

model = load_pretrained("flowers64")
schedule, T = model.schedule, model.schedule.T

angle = torch.arange(5) * 2 * torch.pi / 5
petals = Mixture(
    means=torch.stack([angle.sin(), angle.cos()], dim=1),  # (5, 2): on a circle of radius 1
    stds=torch.full((5,), 0.15),
    weights=torch.full((5,), 0.2),
)
exact = petals.eps_model(schedule)  # (x_t, t) -> the best possible eps_hat
points, _ = petals.sample(1000, torch.Generator().manual_seed(0))
eps = noise(range(1000), 0, (2,))

clouds(
    {f"t = {t}": {"": schedule.add_noise(points, t, eps)} for t in (0, 100, 200, 400)},
    "Points from five round clouds on a circle, with more and more noise. At t = 100 the clouds "
    "touch, at t = 200 they are one blob, at t = 400 a larger one.",
)

# %% [markdown]
# By 200 they are one blob to the eye. A step of a sampler looks at one point $x_t$ of such a blob,
# and asks the model. There are three ways to read the answer. Two of them you know:
#
# - $\hat\varepsilon$, **the noise in it**: the average of all noises that could have led here;
# - $\hat x_0$, **the picture in it**: the average of all clean points that could have been the
#   start. The two belong together:
#   $x_t = \sqrt{\bar\alpha_t}\,\hat x_0 + \sqrt{1-\bar\alpha_t}\,\hat\varepsilon$.
#
# The third has made a career of its own. Let $p_t(x)$ be the density of all noisy points at time
# $t$. The **score** is the gradient of its logarithm, $\nabla \log p_t(x_t)$: an arrow that points
# to where the points are denser. For *one* known $x_0$ the density of $x_t$ is a Gaussian, and its
# score is
#
# $$ \nabla_{x_t} \left( -\frac{(x_t - \sqrt{\bar\alpha_t}\,x_0)^2}{2(1-\bar\alpha_t)} \right)
#    = -\frac{x_t - \sqrt{\bar\alpha_t}\,x_0}{1-\bar\alpha_t}
#    = -\frac{\varepsilon}{\sqrt{1-\bar\alpha_t}} . $$
#
# For *all* $x_0$ together, call that Gaussian $q(x_t \mid x_0)$. Then $p_t(x_t)$ is the sum of
# $p(x_0)\, q(x_t \mid x_0)$ over all $x_0$, and since $\nabla q = q\,\nabla \log q$,
#
# $$ \nabla \log p_t(x_t) = \frac{\nabla p_t(x_t)}{p_t(x_t)}
#    = \sum_{x_0} \frac{p(x_0)\, q(x_t \mid x_0)}{p_t(x_t)} \; \nabla \log q(x_t \mid x_0) . $$
#
# The fraction says how likely it is that this $x_0$ led to $x_t$ (Bayes' rule). So the score is the
# average of $-\varepsilon / \sqrt{1-\bar\alpha_t}$ over all that could have led here, and the
# average of $\varepsilon$ is $\hat\varepsilon$:
#
# $$ \text{score} = -\frac{\hat\varepsilon}{\sqrt{1-\bar\alpha_t}} . $$
#
# Let PyTorch take the gradient, and see. And take the average: draw 100,000 points, ask of each
# what the noise was if $x_t$ came from *it*, and weight it with how likely that is.
#
# > **Predict.** How well will gradient, average and $\hat\varepsilon$ agree: in the first digit, or
# > in all of them?

# %%
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

t = 300
ab = schedule.alpha_bar[t]
x_t = schedule.add_noise(points, t, eps)
eps_hat = exact(x_t, torch.full((1000,), t))

std = (ab * petals.stds**2 + 1 - ab).sqrt()  # (5,): each cloud is still a Gaussian, but wider
parts = Independent(Normal(ab.sqrt() * petals.means, std[:, None].expand(5, 2)), 1)
p_t = MixtureSameFamily(Categorical(petals.weights), parts)
with torch.enable_grad():
    x = x_t.clone().requires_grad_()
    (score,) = torch.autograd.grad(p_t.log_prob(x).sum(), x)
torch.testing.assert_close(score, -eps_hat / (1 - ab).sqrt(), atol=1e-4, rtol=1e-4)
print("the score is -eps_hat / sqrt(1 - alpha_bar)")

starts, _ = petals.sample(100_000, torch.Generator().manual_seed(1))
each = (x_t[:5, None] - ab.sqrt() * starts) / (1 - ab).sqrt()  # (5, 100000, 2)
share = (-each.square().sum(dim=2) / 2).softmax(dim=1)  # a Gaussian's density, made to sum to 1
average = (share[:, :, None] * each).sum(dim=1)
print(f"the average of eps is eps_hat, up to {(average - eps_hat[:5]).abs().max():.4f}")

# %% [markdown]
# The gradient in all of them: it is the same thing under another name. The average in two digits,
# for it is that of a draw. So whoever trains a net to find noise, trains it to find the score
# (papers call that **denoising score matching**).
#
# > **Predict.** Arrows from points on a grid towards what the model sees in them. With much noise
# > ($t = 600$): will they point to the nearest petal, or somewhere else? And at $t = 100$?

# %%
side = torch.linspace(-2.4, 2.4, 9)
grid = torch.cartesian_prod(side, side)  # (81, 2)


def arrow(t):
    """A third of the way from each grid point to sqrt(alpha_bar) * x0_hat, which lies at
    (1 - alpha_bar) * score from it.
    """
    eps_hat = exact(grid, torch.full((len(grid),), t))
    score = -eps_hat / (1 - schedule.alpha_bar[t]).sqrt()
    return (1 - schedule.alpha_bar[t]) * score / 3


times = (600, 300, 100)
clouds(
    {f"t = {t}": {"": schedule.add_noise(points, t, eps)} for t in times},
    "Arrows on a grid. At t = 600 all point to the middle. At t = 300 they still do, but inside a "
    "ring they are very short. At t = 100 those outside point to the nearest petal, and near a "
    "petal they are very short.",
    arrows={f"t = {t}": (grid, arrow(t)) for t in times},
    size=3.3,
)

# %% [markdown]
# (Each arrow aims at $\sqrt{\bar\alpha_t}\,\hat x_0$, what the model sees, shrunk as it is in
# $x_t$, and is drawn at a third of its length.) With much noise every petal could have been the
# start, and their average is the middle of the circle, where there is no petal at all! That is why
# $\hat x_0$ of a flower is a blur at first: an average of many flowers is no flower. With less
# noise, only one petal is left in question.
#
# A walk in one step, straight to the first $\hat x_0$, would end in the middle. Hence *small*
# steps, and a new look after each.

# %% [markdown]
# ### Exercise 1 · x0_hat from the score
#
# *easy · 6 minutes.* Someone gives you a model that returns the score. Get $\hat x_0$ from it. (You
# need two equations from above.) `x_t` and `score` are tensors of one shape, `ab_t` is the number
# $\bar\alpha_t$ (and the root of a number is `number ** 0.5`).

# %%
from flowerdiff.checks.sampling import check_x0_from_score


def x0_from_score(x_t, score, ab_t):
    """x0_hat, a tensor like x_t."""
    # solution
    eps_hat = -((1 - ab_t) ** 0.5) * score
    return (x_t - (1 - ab_t) ** 0.5 * eps_hat) / ab_t**0.5
    # end of solution


check_x0_from_score(x0_from_score)

# %% [markdown]
# (Its name is **Tweedie's formula**, and it is from 1956.)
#
# ## 2 · Where was it a moment ago?
#
# We are at $x_t$, and want to go to an earlier time $s < t$, where there is a little less noise.
# Say somebody told us $x_0$. Where was the pixel at time $s$? First by experiment: a pixel with
# $x_0 = 0.5$ is noised to $s = 300$, and on to $t = 400$, a million times. We keep the copies that
# happen to arrive near $x_t = 1.5$, and look where *they* were at $s$.
#
# With $a = \bar\alpha_t / \bar\alpha_s$, the share of the variance that is kept *between* $s$ and
# $t$, and $b = 1 - a$, the noise added between them, the step from $s$ to $t$ is
# $x_t = \sqrt a\, x_s + \sqrt b\, \varepsilon$. (For $s = t - 1$ these are $\alpha_t$ and
# $\beta_t$ of lesson 01.)
#
# > **Predict.** All copies together have an $x_s$ around $\sqrt{\bar\alpha_s}\cdot 0.5$, with the
# > standard deviation $\sqrt{1-\bar\alpha_s}$. Those that end near 1.5: is their mean larger or
# > smaller, and is their spread larger or smaller?

# %%
from flowerdiff.plots import histograms, normal

rng = torch.Generator().manual_seed(2)
t, s, x0 = 400, 300, 0.5
ab_t, ab_s = schedule.alpha_bar[[t, s]].tolist()
a, b = ab_t / ab_s, 1 - ab_t / ab_s

x_s = ab_s**0.5 * x0 + (1 - ab_s) ** 0.5 * torch.randn(1_000_000, generator=rng)
x_t = a**0.5 * x_s + b**0.5 * torch.randn(1_000_000, generator=rng)
kept = x_s[(x_t - 1.5).abs() < 0.02]

mean, variance = schedule.posterior(torch.tensor(1.5), t, torch.tensor(x0), s)
x = torch.linspace(-2, 5, 200)
found = f"{len(kept)} copies: mean {kept.mean():.2f}, std {kept.std():.2f}"
print(f"{found}; formula: mean {mean:.2f}, std {variance.sqrt():.2f}")
histograms(
    {"x_s": {"all copies": x_s, "those that end near 1.5": kept}},
    "Histogram of x_s. All copies: a wide bell around 0.4. Those that end near 1.5: a narrower "
    "bell around 1, and on it lies the black curve of the posterior.",
    expected={"x_s": {"posterior": (x, normal(x, mean, variance.sqrt()))}},
    limits=(-2, 5),
    size=(5.5, 2.8),
)

# %% [markdown]
# Larger, and smaller: a copy that ends far out was probably far out before; and two hints tell more
# than one. The black curve is the **posterior**, $q(x_s \mid x_t, x_0)$: the distribution of $x_s$
# when both ends are known. Here is where it comes from. There are two hints about $x_s$:
#
# 1. from $x_0$, by the jump to $s$: $x_s$ is around $m_1 = \sqrt{\bar\alpha_s}\, x_0$, with the
#    variance $v_1 = 1-\bar\alpha_s$;
# 2. from $x_t = \sqrt a\, x_s + \sqrt b\,\varepsilon$, divided by $\sqrt a$: $x_s$ is around
#    $m_2 = x_t / \sqrt a$, with the variance $v_2 = b / a$.
#
# Each hint is a Gaussian in $x_s$. The noise between $s$ and $t$ has nothing to do with that
# before, so by Bayes' rule we multiply the two densities. In the exponent of the product stands
#
# $$ -\frac{(x_s - m_1)^2}{2 v_1} - \frac{(x_s - m_2)^2}{2 v_2}
#    = -\frac{1}{2}\left(\frac{1}{v_1} + \frac{1}{v_2}\right) x_s^2
#      + \left(\frac{m_1}{v_1} + \frac{m_2}{v_2}\right) x_s + \dots $$
#
# That is a Gaussian again. One over a variance is called **precision**, and we read off: *the
# precisions add up, and the mean is the average of the two means, weighted with their precisions*:
#
# $$ \frac{1}{v} = \frac{1}{v_1} + \frac{1}{v_2}, \qquad
#    m = v \left(\frac{m_1}{v_1} + \frac{m_2}{v_2}\right) . $$
#
# Ten lines of arithmetic make the paper's form of it (Ho et al. 2020, equations 6 and 7):
#
# $$ m = \frac{\sqrt{\bar\alpha_s}\; b}{1-\bar\alpha_t}\; x_0
#      + \frac{\sqrt{a}\,(1-\bar\alpha_s)}{1-\bar\alpha_t}\; x_t . $$

# %%
v_1, v_2 = 1 - ab_s, b / a
m_1, m_2 = ab_s**0.5 * x0, 1.5 / a**0.5

by_hints = (m_1 / v_1 + m_2 / v_2) / (1 / v_1 + 1 / v_2)
by_paper = ab_s**0.5 * b / (1 - ab_t) * x0 + a**0.5 * (1 - ab_s) / (1 - ab_t) * 1.5

torch.testing.assert_close(by_hints, mean.item(), atol=1e-5, rtol=1e-5)
torch.testing.assert_close(by_paper, mean.item(), atol=1e-5, rtol=1e-5)
print(f"hint 1 says {m_1:.2f}, hint 2 says {m_2:.2f}, together {by_hints:.2f}")

# %% [markdown]
# ### Exercise 2 · How well two hints tell where it was
#
# *easy · 6 minutes.* Write the posterior's variance $v$ from the two numbers $\bar\alpha_t$ and
# $\bar\alpha_s$.

# %%
from flowerdiff.checks.sampling import check_posterior_variance


def posterior_variance(ab_t, ab_s):
    """The variance of x_s when x_t and x0 are known; a number."""
    # solution
    a = ab_t / ab_s
    b = 1 - a
    return 1 / (1 / (1 - ab_s) + a / b)
    # end of solution


check_posterior_variance(posterior_variance)

# %% [markdown]
# ## 3 · Ancestral sampling
#
# Nobody tells us $x_0$. But the model has a guess, and that is the whole trick: **put $\hat x_0$
# in the place of $x_0$**, take the posterior's mean, and add noise.
#
# How much noise? If $x_0$ were really known, the posterior's variance $v$ (the library says
# `beta_tilde`). But a guess is not knowledge, so rather more. The right amount lies between $v$ and
# $b$ (Ho et al. 2020, section 3.2); we take $b$, as the study of lesson 07 does. With many small
# steps the two are nearly the same. On arriving at $s = 0$ no noise is added: nobody would take it
# away again.
#
# That is **ancestral sampling**, also called DDPM. (With ever smaller steps it becomes what papers
# call the *reverse SDE*, a differential equation with dice.)
#
# ### Exercise 3 · One step back
#
# *medium · 12 minutes.* Write the step from $t$ to $s$, with $b$ as the noise's variance.
# `x_t`, `eps_hat` and the fresh noise `z` have one shape, `alpha_bar` (T + 1,) is that of some
# schedule (the check brings its own), `t` and `s` are whole numbers. Begin with $\hat x_0$.

# %%
from flowerdiff.checks.sampling import check_ancestral_step


def ancestral_step(x_t, eps_hat, z, alpha_bar, t, s):
    """x_s, a tensor like x_t; without noise if s is 0."""
    # solution
    ab_t, ab_s = alpha_bar[t], alpha_bar[s]
    a, b = ab_t / ab_s, 1 - ab_t / ab_s
    x0_hat = (x_t - (1 - ab_t).sqrt() * eps_hat) / ab_t.sqrt()
    mean = ab_s.sqrt() * b * x0_hat + a.sqrt() * (1 - ab_s) * x_t
    fresh = b.sqrt() * z if s > 0 else 0
    return mean / (1 - ab_t) + fresh
    # end of solution


check_ancestral_step(ancestral_step)

# %% [markdown]
# Now on a flower, by hand: no library but the model and the posterior. (`guided` makes the model
# obey its label with the weight $w$, as in lesson 00; `noise([seed], s)` is noise of variance 1
# that belongs to this seed and this time; `clamp` is for section 4.)
#
# > **Predict.** In which of the 25 steps is the picture still noisy to the eye: until the middle,
# > or nearly to the end?

# %%
from flowerdiff.guidance import guided
from flowerdiff.widgets import Frame, Player, walk_frames

torch.set_grad_enabled(False)  # nothing is trained here
listening = guided(model, w=2.0, null_label=model.null_label)
sunflower = torch.tensor([model.label("sunflower")])

times = [round(T * (25 - i) / 25) for i in range(26)]  # 800, 768, ..., 32, 0
x = noise([7], T)
for t, s in zip(times[:-1], times[1:], strict=True):
    eps_hat = listening(x, torch.tensor([t]), sunflower)
    x0_hat = schedule.x0_from_eps(x, t, eps_hat).clamp(-1, 1)
    mean, _ = schedule.posterior(x, t, x0_hat, s)
    b = schedule.beta(t, s)  # 1 - alpha_bar_t / alpha_bar_s
    x = mean + b.sqrt() * noise([7], s) if s > 0 else mean

walk = list(ddpm(listening, schedule, noise([7], T), sunflower, steps=25, seeds=[7], clip_x0=1.0))
torch.testing.assert_close(x, walk[-1].x_t, atol=1e-4, rtol=1e-4)
frames = [
    Frame(frame.images[:2], frame.caption, frame.alt) for frame in walk_frames(walk, schedule)
]
Player(["x_t", "x0_hat"], {"": frames[::5]}, label="Ancestral sampling, every fifth step")

# %% [markdown]
# **Move the slider** and compare the two. In $x_t$ the noise stays nearly to the end, as it must:
# at $t = 160$ the noise has the variance 0.10, while the picture's own, whose values lie between −1
# and 1, is only about a third: a quarter of what you see is noise. In $\hat x_0$ the flower is
# there after a fifth of the way, and then only details change: look at the edges of the petals,
# which move until the end. ($\hat\varepsilon$ is what is left of $x_t$ without $\hat x_0$; the
# stepper of lesson 00 shows all three.)

# %% [markdown]
# ## 4 · Keeping x0_hat in range
#
# Pictures have values from −1 to 1. Nothing keeps $\hat x_0$ there, so samplers cut it off:
# `clip_x0=1.0` above, the `clamp` in our loop. (Papers say *static thresholding*; the *dynamic*
# kind divides by the largest values instead, where they are above 1.) Is that needed?
#
# > **Predict.** What share of the numbers in $\hat x_0$ is out of range without clipping at
# > $w = 0$: 0.1 %, 1 %, 10 %? And with a larger $w$?

# %%
from flowerdiff.pixels import to_uint8
from flowerdiff.widgets import picture

KINDS = ["sunflower", "oxeye daisy", "hibiscus", "water lily"]
labels = torch.tensor([model.label(kind) for kind in KINDS])


def outside(w, clip_x0):
    """The walk's last pictures, and the share of x0_hat's numbers beyond 1.01, over all steps."""
    net = guided(model, w, model.null_label)
    walk = list(ddim(net, schedule, noise([7] * 4, T), labels, steps=15, clip_x0=clip_x0))
    share = torch.stack([step.x0_hat.abs() > 1.01 for step in walk]).float().mean().item()
    return walk[-1].x_t, share


for w in (0.0, 2.0, 4.0):
    free, share = outside(w, None)
    kept, _ = outside(w, 1.0)
    change = (to_uint8(free).float() - to_uint8(kept).float()).abs().mean()
    print(f"w = {w:g}: {share:.1%} out of range; clipping changes a pixel by {change:.1f} of 255")

# %% [markdown]
# Hardly any at $w = 0$, and a sixth at $w = 4$, which exaggerates. The pictures change little: this
# model can do without. It was trained to predict a mixture of noise and picture,
# $\sqrt{\bar\alpha_t}\,\varepsilon - \sqrt{1-\bar\alpha_t}\, x_0$ (which lesson 03 and the papers
# call $v$, too; it is not our variance), from which $\hat x_0$ is worked out without a division.
# Many models predict $\varepsilon$, as Ho's and those of lesson 07 do. There $\hat x_0$ takes a
# *division*:
#
# $$ \hat x_0 = \frac{x_t - \sqrt{1-\bar\alpha_t}\;\hat\varepsilon}{\sqrt{\bar\alpha_t}} $$
#
# > **Predict.** A net's $\hat\varepsilon$ is off by 0.01, one percent of the noise. How much is
# > $\hat x_0$ off at $t = 400$, at 790, at 799?

# %%
for t in (100, 400, 700, 790, 799, 800):
    ab = schedule.alpha_bar[t]
    print(f"t = {t}: x0_hat is off by {0.01 * ((1 - ab) / ab).sqrt():.3g}")

# %% [markdown]
# Near $t = T$ we divide by almost nothing. So let us make our good model a little worse: add a
# fixed error of one percent to its $\hat\varepsilon$, and sample with and without clipping.
#
# > **Predict.** Which of the four pictures will survive: DDIM or DDPM, with or without?

# %%
error = 0.01 * noise([99], 0)


def sloppy(x_t, t, y):
    """The model, with an error of one percent in every eps_hat, always the same."""
    return listening(x_t, t, y) + error


images, titles = [], []
for sampler, seeds in ((ddim, {}), (ddpm, {"seeds": [7]})):
    for clip_x0 in (1.0, None):
        *_, last = sampler(
            sloppy, schedule, noise([7], T), sunflower, steps=25, clip_x0=clip_x0, **seeds
        )
        images.append(to_uint8(last.x_t[0]))
        titles.append(f"{sampler.__name__}, {'clipped' if clip_x0 else 'not clipped'}")
        print(f"{titles[-1]}: values from {last.x_t.min():.1f} to {last.x_t.max():.1f}")

picture(
    images,
    "Sunflowers from a model with an error of one percent. Clipped, both samplers draw a good "
    "sunflower. Not clipped, DDIM ends in coloured noise, DDPM in black and white patches.",
    labels=titles,
    columns=4,
)

# %% [markdown]
# At the first step the error is multiplied by sixteen thousand, and $\hat x_0$ is nonsense;
# clipped, it is at worst black or white, and the next steps repair it. DDIM, which adds no noise of
# its own, carries the nonsense to the end. DDPM replaces most of it by fresh noise, step by step.
# It does not find its way back to a sunflower, but its values are nearly those of a picture again:
# **noise forgives**. Remember that for the next section.

# %% [markdown]
# ## 5 · DDIM: a walk without dice
#
# A step knows $\hat x_0$ and $\hat\varepsilon$. The simplest way to a picture with less noise is to
# *mix the two again* with the shares of time $s$:
#
# $$ x_s = \sqrt{\bar\alpha_s}\;\hat x_0 + \sqrt{1-\bar\alpha_s}\;\hat\varepsilon . $$
#
# No dice: the same $x_T$ always ends in the same picture. That is **DDIM**. Between it and
# ancestral sampling there is a dial, $\eta$ ("eta", from 0 to 1): give a part of the old noise
# away, and fill up with fresh noise $z$:
#
# $$ x_s = \sqrt{\bar\alpha_s}\;\hat x_0
#        + \sqrt{1-\bar\alpha_s-\sigma^2}\;\hat\varepsilon + \sigma z, \qquad
#    \sigma^2 = \eta^2 v . $$
#
# If $\hat\varepsilon$ were the very noise in $x_t$, the two together would have the variance
# $1-\bar\alpha_s$ whatever $\eta$ is, and $x_s$ would be as noisy as it should be. (It is an
# average, and varies less: with large steps a little is missing, as we shall see.) And $v$ is the
# posterior's variance from exercise 2: $\eta = 1$ is ancestral sampling with that variance.
#
# ### Exercise 4 · One step of DDIM
#
# *medium · 10 minutes.* Write it. The arguments are those of exercise 3, and `eta`. Your
# `posterior_variance` may help, but is not needed (and with Python's numbers, `.item()`, it divides
# by 0 at $s = 0$): its formula is
# $v = \frac{1-\bar\alpha_s}{1-\bar\alpha_t}\, b$.

# %%
from flowerdiff.checks.sampling import check_ddim_step


def ddim_step(x_t, eps_hat, z, alpha_bar, t, s, eta):
    """x_s, a tensor like x_t."""
    # solution
    ab_t, ab_s = alpha_bar[t], alpha_bar[s]
    x0_hat = (x_t - (1 - ab_t).sqrt() * eps_hat) / ab_t.sqrt()
    variance = eta**2 * (1 - ab_s) / (1 - ab_t) * (1 - ab_t / ab_s)
    old = (1 - ab_s - variance).clamp(min=0).sqrt()
    return ab_s.sqrt() * x0_hat + old * eps_hat + variance.sqrt() * z
    # end of solution


check_ddim_step(ddim_step)

# %% [markdown]
# Is it true that $\eta = 1$ is ancestral sampling? And what do the paths look like, in the plane?
#
# > **Predict.** Three points walk from noise to the petals in 200 steps, with $\eta = 0$ and with
# > $\eta = 1$, from the same beginnings. Do they end in the same petals?

# %%
from flowerdiff.schedule import Schedule

start = torch.tensor([[2.0, 1.2], [-1.9, 1.0], [-0.2, -2.2]])
seeds = [1, 2, 3]


def path(sampler, **arguments):
    """x_t of every step: (201, 3, 2)."""
    steps = sampler(exact, schedule, start, steps=200, **arguments)
    return torch.stack([step.x_t for step in steps])


paths = {"eta = 0": path(ddim), "eta = 1": path(ddim, seeds=seeds, eta=1.0)}
ancestral = path(ddpm, seeds=seeds, variance=Schedule.beta_tilde)
torch.testing.assert_close(paths["eta = 1"], ancestral, atol=1e-4, rtol=1e-4)

names = ("first", "second", "third")
clouds(
    {
        title: {"the truth": points} | {name: p[:, i] for i, name in enumerate(names)}
        for title, p in paths.items()
    },
    "Paths of three points, and an arrow from the beginning of each to its end. With eta = 0 each "
    "is a smooth curve to the nearest petal. With eta = 1 each is a wide swarm of dots across "
    "several petals, and all three end in other petals, two of them in the same.",
    arrows={title: (start, p[-1] - start) for title, p in paths.items()},
    size=3.6,
)

# %% [markdown]
# No: with dice, every step may change the petal, until late. What is the same is only how *many*
# points end where. Without dice the beginning decides all. Such a path is smooth: it follows an
# ordinary differential equation, the **probability flow**, and a sampler without noise is a
# numerical solver for it. That has three uses: a noise is a *name* for its picture (section 9;
# walked *up*, the equation finds the noise of a picture, which is called *DDIM inversion*); smooth
# curves can be followed in few steps (section 6); and two samplers can be compared point by point
# (section 7).
#
# > **Predict.** The same sunflower with $\eta = 0$, 0.3, 0.6 and 1, and 25 steps each: what
# > changes?

# %%
images = []
for eta in (0.0, 0.3, 0.6, 1.0):
    *_, last = ddim(
        listening, schedule, noise([7], T), sunflower, steps=25, seeds=[7], clip_x0=1.0, eta=eta
    )
    images.append(to_uint8(last.x_t[0]))

picture(
    images,
    "Sunflowers from the same noise at four values of eta. The larger eta, the less the flower "
    "resembles the one at eta = 0; at eta = 1 it is another one, before another ground.",
    labels=["eta = 0", "eta = 0.3", "eta = 0.6", "eta = 1"],
    columns=4,
)

# %% [markdown]
# A little noise changes little, much noise makes another flower. As a rule, with few steps, dice
# are bad luck: there are too few later steps to repair what the noise has done. With many, all
# values of $\eta$ come nearer to each other (Song et al. 2020, table 1): small steps make small
# errors, with dice or without.
#
# ## 6 · Fewer steps
#
# Every step asks the model once, and that is what costs (papers count the *NFE*, the number of
# function evaluations). How many do we need? With the perfect
# model of the petals we can measure it: the **truth** is where 800 steps end. (They are those of
# the better sampler that we are coming to. DDIM's own 800 steps, the last line, end very near
# them.)
#
# > **Predict.** Twice as many steps: is the error of DDIM half as large, or a quarter?

# %%
start = noise(range(300), T, (2,))


def end(sampler, steps):
    """Where 300 points end, (300, 2)."""
    *_, last = sampler(exact, schedule, start, steps=steps)
    return last.x_t


truth = end(dpm_solver_pp, None)  # all 800 steps


def error_of(sampler, steps):
    """The average distance of the end points from the truth."""
    return (end(sampler, steps) - truth).norm(dim=1).mean().item()


for steps in (10, 20, 40, 80, 160, 800):
    print(f"{steps:3d} steps of DDIM: error {error_of(ddim, steps):.4f}")

# %% [markdown]
# Half. DDIM goes straight on as if $\hat x_0$ stayed the same for the whole step, and looks again
# only afterwards. It is a **first-order** method: half the step, half the error.
#
# But $\hat x_0$ does not stay the same: it moves, from the blur to the flower, and it moves
# *smoothly*. So look back: where was it at the step before, where is it now, and where will it be
# **half a step further on**, if it goes on like that? Take *that* for the step. It costs nothing,
# for we remember the last $\hat x_0$ anyway. With half the step, the error is now a quarter: a
# **second-order** method. This one is called **DPM-Solver++(2M)**, M for "multistep".
#
# "Half a step" of what? Not of $t$, along which $\hat x_0$ does not move evenly. The right clock is
#
# $$ \lambda_t = \tfrac{1}{2} \log \mathrm{SNR}(t)
#    = \tfrac{1}{2} \log \frac{\bar\alpha_t}{1-\bar\alpha_t} , $$
#
# because in $\lambda$ ("lambda", it rises on the way down) the exact solution has a simple form.
# With $\sigma_t = \sqrt{1-\bar\alpha_t}$ for the noise's factor it is
#
# $$ x_s = \frac{\sigma_s}{\sigma_t}\, x_t
#        + \sigma_s \int_{\lambda_t}^{\lambda_s} e^{\lambda}\; \hat x_0 \; d\lambda . $$
#
# All of $x_t$ shrinks, until its noise is right for $s$; what is then missing of the picture comes
# from the $\hat x_0$ on the way. An $\hat x_0$ that stays the same can be taken out of the
# integral, and the rest is $\sqrt{\bar\alpha_s} - \frac{\sigma_s}{\sigma_t} \sqrt{\bar\alpha_t}$:
# that is DDIM. One that moves evenly in $\lambda$ counts nearly as where it is half-way. Here it is
# in a dozen lines. (If `target` were always `x0_hat`, they would be DDIM.)

# %%
lam = schedule.snr(torch.arange(T + 1)).double().log() / 2  # lambda for every t; infinite at 0
ab = schedule.alpha_bar.double()

x, before = start.double(), None
times = [round(T * (20 - i) / 20) for i in range(21)]
for t, s in zip(times[:-1], times[1:], strict=True):
    eps_hat = exact(x.float(), torch.full((300,), t)).double()
    x0_hat = target = (x - (1 - ab[t]).sqrt() * eps_hat) / ab[t].sqrt()
    if before is not None and s > 0:
        r = (lam[s] - lam[t]) / (lam[t] - lam[before[0]])  # this step, in units of the last one
        target = x0_hat + r / 2 * (x0_hat - before[1])  # half a step further on
    shrink = ((1 - ab[s]) / (1 - ab[t])).sqrt()
    x = shrink * x + (ab[s].sqrt() - shrink * ab[t].sqrt()) * target
    before = (t, x0_hat)

torch.testing.assert_close(x.float(), end(dpm_solver_pp, 20), atol=1e-4, rtol=1e-4)
for steps in (10, 20, 40, 80, 160):
    print(f"{steps:3d} steps: DDIM {error_of(ddim, steps):.4f}", end="   ")
    print(f"DPM-Solver++ {error_of(dpm_solver_pp, steps):.4f}")

# %% [markdown]
# With many steps it is as promised: about a quarter, each time. But with 10 or 20 steps it is no
# better than DDIM, even a little worse! Why?
#
# > **Predict.** We space the times evenly in $t$. In $\lambda$, which steps are the long ones?

# %%
from flowerdiff.plots import curves

curves(
    {
        "lambda": {"": (torch.arange(1, T), lam[1:T])},
        "length of 20 even steps": {"": (times[1:-2], (lam[times[2:-1]] - lam[times[1:-2]]))},
    },
    "Left, lambda over t: almost straight in the middle, steep at both ends. Right, the lengths of "
    "steps in lambda: less than 0.2 in the middle, more than 0.6 towards both ends.",
)

# %% [markdown]
# The first and the last. (The very first and the very last are not even in the picture: they are
# infinitely long, or nearly.) Do both hurt? Give the walk one stop more, once in the first step and
# once in the last.

# %%
print(f"20 even steps: error {error_of(dpm_solver_pp, times):.4f}")
print(f"and a stop at t = 780: {error_of(dpm_solver_pp, [800, 780, *times[1:]]):.4f}")
print(f"and a stop at t = 10: {error_of(dpm_solver_pp, [*times[:-1], 10, 0]):.4f}")

# %% [markdown]
# The long first step does no harm here: as long as there is so much noise, $\hat x_0$ is the
# middle, and stays there. The last one is what hurts. It is long, and at its end $\lambda$ is
# infinite, so nothing can be half-way: it is a step of DDIM (`s > 0` in the code above). The cure
# is to space the times evenly in $\lambda$ instead: then they go on to small $t$ before they make
# that step. (In the library `diffusers` that is `use_lu_lambdas`; other spacings, such as *Karras*,
# have the same purpose.)
#
# ### Exercise 5 · Times evenly in log-SNR
#
# *medium · 12 minutes.* Give `steps` times, from $\lambda = -2$ to $\lambda = 2$, evenly spaced in
# $\lambda$: for each $\lambda$ wanted, the whole number $t$ whose $\lambda_t$ is nearest to it.
# `alpha_bar` is again that of some schedule, with $T + 1$ entries; $t = 0$, where $\lambda$ is
# infinite, does not count. Return a tensor of whole numbers of the shape (steps,), falling.
#
# (Try `torch.linspace` for what is wanted, and `(values[:, None] - wanted).abs().argmin(0)`, which
# says for each wanted number the position of the nearest value.)

# %%
from flowerdiff.checks.sampling import check_log_snr_times


def log_snr_times(alpha_bar, steps):
    """Whole times (steps,), from lambda = -2 (more noise) to lambda = 2 (more picture)."""
    # solution
    lam = (alpha_bar[1:] / (1 - alpha_bar[1:])).log() / 2  # of t = 1, 2, ..., T
    wanted = torch.linspace(-2, 2, steps, dtype=lam.dtype)
    return 1 + (lam[:, None] - wanted).abs().argmin(0)
    # end of solution


check_log_snr_times(log_snr_times)

# %% [markdown]
# The widgets' version goes from $\lambda = -4$ (the picture's factor $\sqrt{\bar\alpha_t}$ is
# 0.018) to $4$ (the noise's is 0.018), with $T$ put before and 0 after. Does it help?
#
# > **Predict.** Will the new times help DPM-Solver++, DDIM, or both?

# %%
from flowerdiff.widgets import log_snr_times as even_in_lambda

print("10 steps evenly in lambda:", even_in_lambda(schedule, 10))
counts = [5, 10, 15, 20, 25, 30, 40, 50]
errors = {
    "DDIM": [error_of(ddim, n) for n in counts],
    "DPM-Solver++": [error_of(dpm_solver_pp, n) for n in counts],
    "DDIM, even in lambda": [error_of(ddim, even_in_lambda(schedule, n)) for n in counts],
    "DPM-Solver++, even in lambda": [
        error_of(dpm_solver_pp, even_in_lambda(schedule, n)) for n in counts
    ],
}
curves(
    {
        "error (log)": {
            name: (torch.tensor(counts), torch.tensor(values)) for name, values in errors.items()
        }
    },
    "The error over the number of steps, on a logarithmic scale. DPM-Solver++ with times even in "
    "lambda falls fastest, and is four times as exact as all others at 25 steps. DDIM gets worse "
    "with these times.",
    xlabel="steps",
    log=["error (log)"],
    size=(6.5, 3.6),
)

# %% [markdown]
# DPM-Solver++ alone, and from 15 steps on it makes all the difference. DDIM even gets worse: a
# first-order solver errs most where $\hat x_0$ changes fastest, here in the middle, and there the
# new times are farther apart. **Solver and times belong together**. And with ten steps or fewer
# "second order" is an empty promise here: it speaks of steps that are small for what is decided in
# them. (For flowers ten are small enough: section 7.)

# %% [markdown]
# ## 7 · The race
#
# Now all against all, from the same noise. First in the plane, where we know not only the exact end
# of each walk, but also the **true distribution**. For a sampler with dice, like DDPM, that is the
# only fair measure: it ends elsewhere each time, and that is not an error.
#
# How far is one cloud of points from another? Look at both from the side, in 32 directions. From
# each side a cloud is a row of numbers: sort both rows, and compare the first with the first, the
# second with the second, and so on. The average difference is the **sliced Wasserstein distance**.

# %%
from flowerdiff.widgets import RACERS, points_race

noises = noise(range(2000), T, (2,))
drawn, _ = petals.sample(2000, torch.Generator().manual_seed(1))  # the truth, now as a cloud
sides = torch.arange(32) * torch.pi / 32
sides = torch.stack([sides.cos(), sides.sin()])  # (2, 32): a direction in each column


def distance(points, others):
    """Sliced Wasserstein distance of two clouds (N, 2); a number."""
    difference = (points @ sides).sort(dim=0).values - (others @ sides).sort(dim=0).values
    return difference.abs().mean().item()


def spread(points):
    """The average distance of points (N, 2) from the middle of the nearest petal; a number."""
    return (points[:, None] - petals.means).norm(dim=2).min(dim=1).values.mean().item()


others = [petals.sample(2000, torch.Generator().manual_seed(i))[0] for i in range(2, 8)]
apart = ", ".join(f"{distance(other, drawn):.3f}" for other in others)
print(f"the truth, from six other draws of it: distance {apart}")
print(f"spread of the truth: {spread(drawn):.3f}")
BUDGETS = (5, 10, 25, 50)
finishes = {}
for name, sampler in RACERS.items():
    walks = (sampler(exact, schedule, noises, steps=n, seeds=range(2000)) for n in BUDGETS)
    finishes[name] = [list(walk)[-1].x_t for walk in walks]

# %% [markdown]
# > **Predict.** Who is best with 5 steps, who with 50? Which cloud will be too narrow, which too
# > wide?

# %%
captions = []
for i, steps in enumerate(BUDGETS):
    row = {name: (distance(ends[i], drawn), spread(ends[i])) for name, ends in finishes.items()}
    far = " · ".join(f"{name} {d:.3f}, {wide:.3f}" for name, (d, wide) in row.items())
    captions.append(f"{steps} steps · distance from the truth, and spread: {far}")
print("\n".join(captions))
points_race(finishes, captions, drawn)

# %% [markdown]
# With 5 steps nobody has parted the petals: points hang between them. With 10, the clouds of DDIM
# and DPM-Solver++ are too narrow and too far inside. DDPM's *distance* is as small as anybody's,
# also with 5 steps: its noise makes up for what large steps take away. But its clouds are too wide
# even with 50, for $b$ is too much noise for steps that large. (With $v$ they are too narrow: the
# right amount lies between. Try it: `variance=Schedule.beta_tilde`.)
#
# From 25 steps on, the distance is about what other draws of the truth have, and sees no more:
# below 0.04 nearly all is luck. The spread sees finer. Without dice and with times even in
# $\lambda$ it is right from 25 steps on. Note how late the others are.
#
# Now on flowers. There is no true distribution that we could draw from, but there is an exact end
# for the samplers without dice: where the walk would end with *all* 800 steps. The number is the
# **distance** from that picture: the root of the mean squared difference, over all 12,288 numbers
# of the picture. (Working out those 800 steps is what takes the time in the next cell.)
#
# > **Predict.** From which number of steps on will you see no difference from the exact picture,
# > for each of the samplers?

# %%
from flowerdiff.widgets import sampler_race

race = sampler_race(model, "water lily", seed=7, w=0.0)  # w = 0: one call a step, not two
print("\n".join(frame.caption for frame in race.result.finish()["picture"]))

ten, lily = even_in_lambda(schedule, 10), torch.tensor([model.label("water lily")])
*_, last = ddim(model, schedule, noise([7], T), lily, steps=ten, clip_x0=1.0)
print(f"not in the race: DDIM, 10 steps even in lambda {race.result.distance(last.x_t[0]):.3f}")
race

# %% [markdown]
# Move the slider. With 5 steps, DDIM and DPM-Solver++ draw the right flower through frosted glass.
# Their first step alone goes from pure noise to $\lambda = -1.1$, and takes all large forms and
# colours from one look. By eye they need 50 steps, and with times even in $\lambda$ ten are enough:
# closer to the exact picture than 50 steps of DDIM! (And it goes on: with 50
# steps even in $\lambda$ the distance is about a quarter of that with 25.)
#
# Is it the solver, or the times? With 10 steps evenly in $t$ the better solver changes almost
# nothing (0.226, 0.214). The times alone take more than a third off DDIM's error (0.136), and with
# *them* the better solver makes it about a third of that (0.048). In the plane these times made
# DDIM worse: there, all that is to be decided is which petal, in the middle of the walk. A flower
# has something to decide at every $t$, from the large forms to the finest grain. So do not choose
# times by the plane alone.
#
# And DDPM? From 10 steps on its distance *grows*. That is no error: its dice make another flower of
# the same noise, and the sharper that becomes, the farther it is from the exact one. With 5 and 10
# steps it is plainly the worst, though: in a real picture, noise of the variance $b$ from so few
# large steps is never cleaned up. A number that compares with one picture can judge only those who
# aim at this picture. For the others there are those of lesson 06, which compare many pictures with
# photographs. Of 204 flowers at $w = 1$ KID (less is better) says what your eyes say: with 10 steps
# DDPM has 0.246, DDIM 0.051, and DPM-Solver++ with times even in $\lambda$ 0.033. There DDIM is
# with 25 (0.030). DDPM is at 0.137 then, and with all 800 nearly there (0.041, of 120 flowers).
# (`docs/results.md` has all of them.)
#
# **Your turn** (this needs Python): choose another flower and another seed, and press *Race*. Then
# look at *the walk with 10 steps*: it shows $\hat x_0$ on the way, of all of them at once.

# %% [markdown]
# ## 8 · Stop, change something, go on
#
# A step knows $x_t$ and $t$, and that is all that the rest of the walk needs. (But for
# DPM-Solver++, which remembers one $\hat x_0$: begun again, it makes a step of DDIM first.) So we
# may stop anywhere and change what we like. First the **label**, as in lesson 00: the walk of a
# sunflower (seed 12) is stopped at five times, and goes on as an oxeye daisy.
#
# > **Predict.** Up to which $t$ is it not too late to become a daisy? And what will the model do
# > with a label that comes too late?


# %%
def go_on(x_t, t, kind="sunflower", steps=15, w=2.0):
    """The end of the walk from x_t (B, 3, 64, 64) at time t: (B, 3, 64, 64)."""
    y = torch.full((len(x_t),), model.label(kind))
    net = guided(model, w, model.null_label)
    *_, last = ddim(net, schedule, x_t, y, start=t, steps=steps, clip_x0=1.0)
    return last.x_t


walk = list(ddim(listening, schedule, noise([12], T), sunflower, steps=25, clip_x0=1.0))
stops = [walk[i] for i in (1, 2, 4, 6, 9)]
picture(
    [to_uint8(go_on(step.x_t, step.t, "oxeye daisy", steps=20)[0]) for step in stops],
    "A walk that began as a sunflower and goes on as an oxeye daisy. From t = 768 a white daisy, "
    "from 736 one with a dull green heart. From 672, 608 and 512 a flower with a large dark heart, "
    "and with petals that are pale yellow, yellow, deep yellow.",
    labels=[f"daisy from t = {step.t}" for step in stops],
    columns=5,
)

# %% [markdown]
# In the first step or two it may still become another flower (after the second, with a spoilt
# heart). From 672 on it is too late. The dark heart of the sunflower is in $x_t$ by then, and what
# the model sees in $x_t$ counts more than what it is told. The label has only the petals to work
# on.
#
# Now the **noise**: take a finished flower, noise it to some $t$ again, with other noise than it
# came from, and walk down again.
#
# > **Predict.** How large must $t$ be for another flower? And what will stay the same longest?

# %%
flower = go_on(noise([12], T), T, steps=25)  # (1, 3, 64, 64)
images, titles = [to_uint8(flower[0])], ["the flower"]
for t in (400, 500, 600, 700):
    x_t = schedule.add_noise(flower, t, noise([1], t))
    images.append(to_uint8(go_on(x_t, t)[0]))
    titles.append(f"from t = {t}")

picture(
    images,
    "A sunflower, and four that were noised from it to t = 400, 500, 600 and 700. At 400 only the "
    "edges of petals and spots of the ground differ, at 700 it is another sunflower, with its "
    "heart in the same place.",
    labels=titles,
    columns=5,
)

# %% [markdown]
# Up to 500 it is the same flower with other details. At 600 and 700 the petals are others, and what
# stays are the large things: where the heart sits, and where it is yellow. It is the order of
# lesson 00 again: large things are settled at large $t$, small ones at small $t$. If you want to
# *keep* something, go back only to a $t$ at which it is settled already.
#
# Next, a **painted patch**: we stop the walk, paint a red disc into $x_t$, and go on. (The disc is
# noised to $t$ first, as everything at time $t$ must be.)
#
# > **Predict.** Painted at $t = 32$, at 320, at 512, at 704: when will it stay a red disc, when
# > will it become part of the flower?

# %%
line = torch.linspace(-1, 1, 64)
y, x = torch.meshgrid(-line, line, indexing="ij")  # y upwards
disc = (((x - 0.55) ** 2 + (y + 0.55) ** 2) < 0.35**2).float()  # (64, 64): 1 inside
red = torch.tensor([0.9, -0.8, -0.7])[:, None, None].expand(1, 3, 64, 64)

images, titles = [], []
for i in (24, 15, 9, 3):
    step = walk[i]  # of the sunflower, as above
    painted = disc * schedule.add_noise(red, step.t, noise([5], step.t)) + (1 - disc) * step.x_t
    images.append(to_uint8(go_on(painted, step.t, steps=25 - i)[0]))
    titles.append(f"painted at t = {step.t}")

picture(
    images,
    "Four ends of the walk. Painted at t = 32 it is a red disc with a sharp edge, at 320 a red "
    "fluffy ball, at 512 a tuft of orange-red petals; painted at 704, nothing red is left.",
    labels=titles,
    columns=4,
)

# %% [markdown]
# The later it is painted, the less time the model has to do something about it. At 320 it makes a
# fluffy ball of it, at 512 petals; at 704 it takes the red for an accident of the noise, and draws
# on.
#
# ### Exercise 6 · Keep what is known
#
# *medium · 10 minutes.* Turn it round: keep a part of a picture, and let the model draw the rest
# anew (**inpainting**). In every step, after the sampler has made $x_s$, the known part is put
# back: the known picture `x0`, noised to $s$ with the noise `eps`. These three are (B, 3, H, W);
# `known` (H, W) is 1 where the picture is known and 0 elsewhere, `ab_s` is the number
# $\bar\alpha_s$.

# %%
from flowerdiff.checks.sampling import check_keep_known


def keep_known(x_s, x0, known, eps, ab_s):
    """x_s with the known part of x0 in it, as noisy as x_s is; a tensor like x_s."""
    # solution
    noisy = ab_s**0.5 * x0 + (1 - ab_s) ** 0.5 * eps
    return known * noisy + (1 - known) * x_s
    # end of solution


check_keep_known(keep_known)

# %% [markdown]
# The next cell keeps the left half of our sunflower. It is the loop of section 3, with your line at
# the end. (The dice of ancestral sampling are welcome here: noise helps to wash out the seam.)
#
# > **Predict.** The right half grows as a sunflower, as an oxeye daisy, as a rose. Will the halves
# > fit together?


# %%
def fill_in(x0, known, kind, seed):
    """x0 (1, 3, 64, 64) where known (64, 64) is 1, and drawn anew as `kind` elsewhere."""
    y = torch.tensor([model.label(kind)])
    times = [round(T * (25 - i) / 25) for i in range(26)]
    x = noise([seed], T)
    for t, s in zip(times[:-1], times[1:], strict=True):
        x0_hat = schedule.x0_from_eps(x, t, listening(x, torch.tensor([t]), y)).clamp(-1, 1)
        mean, _ = schedule.posterior(x, t, x0_hat, s)
        x = mean + schedule.beta(t, s).sqrt() * noise([seed], s) if s > 0 else mean
        noisy = schedule.add_noise(x0, s, noise([seed + 1000], s))
        x = known * noisy + (1 - known) * x
    return x


left = (x < 0).float()
kinds = ["sunflower", "sunflower", "oxeye daisy", "rose"]
seeds = [2, 3, 2, 1]
halves = [fill_in(flower, left, kind, seed) for kind, seed in zip(kinds, seeds, strict=True)]
picture(
    [to_uint8(flower[0])] + [to_uint8(half[0]) for half in halves],
    "A sunflower whose left half is kept. Right halves grown twice as a sunflower: heart and "
    "petals go on, though the heart is grainier there, and once hangs lower; the ground is "
    "another, darker or with a blue sky. As a daisy and as a rose: a collage of two flowers.",
    labels=["known"] + [f"{kind}, {seed}" for kind, seed in zip(kinds, seeds, strict=True)],
    columns=5,
)

# %% [markdown]
# As a sunflower the heart and the petals go on across the seam: in every step the model sees the
# known half, and draws what goes with it. You find the line in the heart, which is grainier on its
# right (and hangs lower with seed 3); and the ground is another, darker with seed 2 and with a blue
# sky with seed 3. With another label it makes a collage. The model cannot go back and change its
# first idea of the right half when it sees that it does not fit. (A method called RePaint lets it:
# it walks a few steps down, noises up again, and repeats.)

# %% [markdown]
# ## 9 · Between two noises
#
# Without dice, a noise is the name of its picture. What lies between two names? The obvious way
# from noise $a$ to noise $b$ is a straight line, $(1-u)\,a + u\,b$ with $u$ from 0 to 1.
#
# > **Predict.** $a$ and $b$ have variance 1. What is the variance of their middle, $(a + b)/2$? And
# > what will the model make of it?

# %%
a, b = noise([7], T), noise([12], T)
print(f"variances: a {a.var():.2f}, b {b.var():.2f}, the middle {((a + b) / 2).var():.2f}")
print(f"lengths: a {a.norm():.1f}, b {b.norm():.1f}, the middle {((a + b) / 2).norm():.1f}")
cosine = (a * b).sum() / (a.norm() * b.norm())
print(f"the angle between a and b: {cosine.acos().rad2deg():.1f} degrees")

# %% [markdown]
# Half: variances of independent things add up, $\frac14 + \frac14$. At $t = T$ the model has never
# seen such weak noise. In 12,288 dimensions all noises have nearly the same length,
# $\sqrt{12288} \approx 111$, and are nearly at right angles: they lie on a **sphere**, and the
# straight line cuts through its inside. The cure is to stay on the sphere and walk on the arc
# (**slerp**, "spherical linear interpolation"). With the angle $\theta$ between $a$ and $b$:
#
# $$ \mathrm{slerp}(a, b, u) = \frac{\sin((1-u)\,\theta)}{\sin\theta}\; a
#    + \frac{\sin(u\,\theta)}{\sin\theta}\; b, \qquad
#    \cos\theta = \frac{a \cdot b}{|a|\,|b|} . $$
#
# ### Exercise 7 · From one noise to another
#
# *medium · 8 minutes.* Write it. `a` and `b` are tensors of one shape: take each as *one* long
# vector. `u` is a number.

# %%
from flowerdiff.checks.sampling import check_slerp


def slerp(a, b, u):
    """A tensor like a: a itself for u = 0, b for u = 1, on the arc between."""
    # solution
    theta = torch.acos((a * b).sum() / (a.norm() * b.norm()))
    return (((1 - u) * theta).sin() * a + (u * theta).sin() * b) / theta.sin()
    # end of solution


check_slerp(slerp)

# %% [markdown]
# The next cell has both ways, straight and on the arc (with the angle taken as 90 degrees, which is
# nearly right: $\sin$ and $\cos$ do).

# %%
shares = [0, 0.25, 0.5, 0.75, 1]
quarter = torch.pi / 2
line = torch.cat([(1 - u) * a + u * b for u in shares])  # (5, 3, 64, 64)
arc = torch.cat([math.cos(u * quarter) * a + math.sin(u * quarter) * b for u in shares])

picture(
    list(to_uint8(torch.cat([go_on(line, T), go_on(arc, T)]))),
    "Sunflowers between two noises. On the straight line they lose all detail towards the middle: "
    "smooth petals before an empty ground. On the arc every one is sharp.",
    labels=[f"straight, u = {u:g}" for u in shares] + [f"arc, u = {u:g}" for u in shares],
    columns=5,
)

# %% [markdown]
# With too little noise, the model believes that there is nothing but smooth things in the picture:
# the middle has neither fine petals nor leaves behind. On the arc every stage is a full sunflower,
# and the one turns into the other.

# %% [markdown]
# ## 10 · A doodle becomes a flower
#
# All is in place for a trick with a name of its own, **SDEdit** (Meng et al. 2021; image tools call
# it *img2img*, and $t/T$ its *strength*): begin the walk
# not with noise, and not with a flower, but with a *drawing*, noised to some $t$. The noise covers
# what is crude about the drawing, its edges and flat colours. What is left, where which colour is,
# the model takes for the beginnings of a flower.
#
# ### Exercise 8 · Begin with a doodle
#
# *easy · 6 minutes.* `doodle` has the pixels of a drawing, uint8 from 0 to 255, of the shape
# (3, H, W). Return $x_t$, from which the walk begins. `eps` is noise of the same shape, `ab_t` the
# number $\bar\alpha_t$.

# %%
from flowerdiff.checks.sampling import check_start_from


def start_from(doodle, eps, ab_t):
    """x_t, floats (3, H, W)."""
    # solution
    x0 = doodle.float() / 127.5 - 1
    return ab_t**0.5 * x0 + (1 - ab_t) ** 0.5 * eps
    # end of solution


check_start_from(start_from)

# %% [markdown]
# Two doodles that a few lines of code have drawn, and four strengths.
#
# > **Predict.** Which $t$ is the best compromise between *my drawing* and *a flower*?

# %%
from flowerdiff.widgets import PRESETS, sdedit

images, titles = [], []
for preset, kind in (("sun", "sunflower"), ("five petals", "rose")):
    doodle = PRESETS[preset].draw()  # uint8 (3, 64, 64)
    images.append(doodle)
    titles.append(f"to be a {kind}")
    for t in (400, 500, 600, 700):
        *_, last = sdedit(model, doodle, t, kind, w=2.0, seed=1, steps=15)
        images.append(to_uint8(last.x_t[0]))
        titles.append(f"t = {t}")

picture(
    images,
    "Two doodles and what grows of them from four times t. At t = 400 they are the doodles, "
    "painted in oil. At 500 and 600 a sunflower and a rose grow in their outlines. At 700 the "
    "outlines are gone; place and colours remain.",
    labels=titles,
    columns=5,
)

# %% [markdown]
# At 400 the drawing is kept, and gets a skin. At 700 the model draws its own flower, and takes only
# the place and the colours from you. The most fun is in between, at 500 to 600. Note that no net
# was trained for this: it is the same model, and another beginning.
#
# **Now you.** Draw with the mouse or a finger; or with the keyboard: click on the canvas or go
# there with `Tab`, then the arrow keys move the brush, `Space` paints a dot, and `Shift` with an
# arrow paints a line. Choose a flower and how far to noise it, and press *Grow*. (The canvas needs
# Python; on a page without it you see a recorded doodle, and the slider moves.)

# %%
from flowerdiff.widgets import doodle_canvas

doodle_canvas(model, "five petals", "water lily", t=600, steps=8)

# %% [markdown]
# Things to try: a flower in the wrong colour; two flowers; a face; the same doodle with five seeds;
# nothing but a blue ground. Where does the model follow you, and where does it not?

# %% [markdown]
# ## What you have solved

# %%
from flowerdiff.checks.sampling import summary

summary()

# %% [markdown]
# ## Common mistakes
#
# - **noise added on arriving at $t = 0$.** *You see:* fine grain on all finished pictures. *The
#   rule:* the last step has no $z$.
# - **the variance for its root.** *You see:* pictures too smooth (too little noise in each step).
#   *The rule:* $z$ is multiplied with $\sqrt b$.
# - **`beta[t]` although steps are skipped.** *You see:* with 25 steps instead of 800, the noise
#   stays. *The rule:* $b = 1 - \bar\alpha_t/\bar\alpha_s$, from the two times that the step really
#   has.
# - **the times run to 1 and not to 0, or `[::-1]` is forgotten.** *You see:* a trace of noise at
#   the end, or garbage. *The rule:* print the times.
# - **no clipping with a net that predicts $\varepsilon$.** *You see:* garish colours, or nothing.
#   *The rule:* look at $\hat x_0$ of the *first* step.
# - **$\hat x_0$ clipped, $\hat\varepsilon$ not.** *You see:* with DDIM and a large $w$, pale
#   holes. *The rule:* the two belong together; after clipping work $\hat\varepsilon$ out again (the
#   library does).
# - **a doodle or a patch without noise put into $x_t$.** *You see:* it stays as it is, or becomes
#   a smooth blob. *The rule:* everything at time $t$ is as noisy as $t$ says.
# - **a mean of two noises.** *You see:* smooth pictures. *The rule:* check the variance; use
#   slerp.
# - **two samplers compared with different noise.** *You see:* whatever you like. *The rule:* the
#   same seeds for all.
#
# ## Key points
#
# - $\hat\varepsilon$, $\hat x_0$ and the **score** are one answer in three forms.
# - Two hints about $x_s$, one from $x_0$ and one from $x_t$: **precisions add up**. That is the
#   posterior, and with $\hat x_0$ for $x_0$ a step of **ancestral sampling**.
# - **DDIM** mixes $\hat x_0$ and $\hat\varepsilon$ again, without dice; $\eta$ turns the dice on.
#   Noise forgives mistakes, and wants many steps; without it, the beginning decides all.
# - A second-order solver (**DPM-Solver++**) needs fewer steps, if they are spaced for it: evenly in
#   $\lambda = \frac12 \log \mathrm{SNR}$.
# - Compare samplers with the same noise, and against something exact.
# - A walk can begin and go on anywhere: from a noised flower, a patch, a doodle. $t$ says how much
#   is kept.
#
# ## Where to go on
#
# - **05 Guidance**: what $w$ really does.
# - J. Ho, A. Jain, P. Abbeel, *Denoising Diffusion Probabilistic Models*, 2020
#   ([arXiv:2006.11239](https://arxiv.org/abs/2006.11239)): sections 2 and 3.2, our 2 and 3.
# - P. Vincent, *A Connection Between Score Matching and Denoising Autoencoders*, 2011 (Neural
#   Computation 23): the score out of denoising.
# - J. Song, C. Meng, S. Ermon, *Denoising Diffusion Implicit Models*, 2020
#   ([arXiv:2010.02502](https://arxiv.org/abs/2010.02502)): the step, section 4.1; $\eta$,
#   section 5.
# - Y. Song and others, *Score-Based Generative Modeling through Stochastic Differential Equations*,
#   2020 ([arXiv:2011.13456](https://arxiv.org/abs/2011.13456)): the score, and the probability
#   flow.
# - C. Lu and others, *DPM-Solver++*, 2022
#   ([arXiv:2211.01095](https://arxiv.org/abs/2211.01095)): algorithm 2 is ours.
# - T. Karras and others, *Elucidating the Design Space of Diffusion-Based Generative Models*, 2022
#   ([arXiv:2206.00364](https://arxiv.org/abs/2206.00364)): which times, which solver, when noise
#   helps.
# - C. Meng and others, *SDEdit*, 2021 ([arXiv:2108.01073](https://arxiv.org/abs/2108.01073)):
#   doodles.
# - A. Lugmayr and others, *RePaint*, 2022
#   ([arXiv:2201.09865](https://arxiv.org/abs/2201.09865)): seams that close.
# - `flowerdiff/sampling.py` in this course: all three samplers, and every step of yours.
