# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 03 · Training
#
# **About 90 minutes** up to section 10, with a break after section 5, and 30 more for the clinic in
# section 11; twelve exercises among them · the machine needs less than three.
#
# **You need** lesson 01 (noisy pictures, schedules), and from PyTorch what an optimizer does:
# `loss.backward()`, `optimizer.step()`. Lesson 02 says how the net is built; here it is a box with
# weights in it.
#
# **Afterwards you can**
#
# - derive the loss of a diffusion model, write it down, and write the loop around it;
# - train a model that draws flowers, on this computer, in minutes;
# - say what a loss of 1.0 means, and why a small loss need not mean a good model;
# - choose learning rate, batch size, augmentation and averaging, and know what each of them does;
# - look at a curve and a few samples of a sick run and say what is wrong with it.
#
# We begin with the training itself, for it takes a while. It runs **in the background**: you read
# on, and look at it from time to time.

# %% [markdown]
# ## 1 · Set it going
#
# Four kinds of garden flowers (drawn by the course's own program, so they need no network), sixty
# of each, with 32 × 32 pixels.

# %%
import torch

from flowerdiff.garden import draw_flower
from flowerdiff.widgets import picture

SPECIES = ["sunwheel", "embercup", "skyfive", "moontrumpet"]
SIZE = 32

images = torch.stack([draw_flower(name, seed, SIZE) for name in SPECIES for seed in range(60)])
labels = torch.arange(4).repeat_interleave(60)  # (240,): 0 for each sunwheel, 1 for ...

picture(
    [images[60 * kind + i] for i in range(2) for kind in range(4)],
    "Two flowers of each of the four species: a yellow one with a large dark centre on light blue, "
    "a red one with a black centre, a blue one on green, and a white one with a large yellow "
    "centre on dark blue.",
    labels=SPECIES * 2,
    columns=4,
    zoom=3,
)

# %% [markdown]
# A small net, its settings, and what we want to see while it learns: sixteen flowers, four of each
# species, *always from the same noise*, so that any change in them is the net's. (What the settings
# mean comes with the sections: `prediction` in 2, `ema_decay` in 5, `lr` and `warmup` in 7.)

# %%
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import ddim, noise
from flowerdiff.schedule import cosine_schedule, eps_model
from flowerdiff.training import TrainConfig, train
from flowerdiff.unet import CompactConfig, CompactUNet

schedule = cosine_schedule(T=800)
config = TrainConfig(
    steps=100_000, batch_size=16, lr=2e-3, warmup=50, prediction="x0", ema_decay=(0.99,)
)
torch.manual_seed(0)
net = CompactUNet(CompactConfig(num_classes=4, channels=(32, 64, 128), embedding=128))

x_T = noise(seeds=range(16), t=800, shape=(3, SIZE, SIZE))
kinds = torch.arange(4).repeat_interleave(4)


def draw(net):
    """Sixteen flowers as pixels, (16, 3, 32, 32)."""
    model = eps_model(net, schedule, config.prediction)  # called with (x_t, t, y), says eps_hat
    *_, last = ddim(model, schedule, x_T, kinds, steps=12, clip_x0=1.0)
    return to_uint8(last.x_t)


print(f"{sum(p.numel() for p in net.parameters()):,} weights, none of them trained yet")

# %% [markdown]
# `train` is a generator: every `next` makes one training step. (`steps=100_000` is more than we
# shall ever ask for.) The **training monitor** asks for 800 of them, in the background, and shows
# how it goes.
#
# > **Predict.** On two processor cores, how long will it be until you can tell the four species
# > apart: ten seconds, a minute, or longer than you are willing to wait? What comes first: colour,
# > form or sharpness?

# %%
from pathlib import Path

from flowerdiff.checkpoint import FlowerModel, save_model
from flowerdiff.widgets import training_monitor


def keep(net):
    """What the button does: a model file, as the course's own."""
    path = Path("../runs/my-garden.safetensors")
    card = {"data": "240 garden flowers at 32 px", "made": "in lesson 03"}
    save_model(path, FlowerModel(net, schedule, config.prediction, SPECIES, SIZE, card))
    return f"kept in {path}"


monitor = training_monitor(
    train(net, images, labels, schedule, config), draw, steps=800, draw_every=50, keep=keep
)
monitor

# %% [markdown]
# Left the **loss**: the thin line is that of each step, the thick one their mean over 50 steps.
# Right the **samples**. (A page without a running notebook shows a run that was saved.) The
# buttons:
#
# - *Pause* holds the training, and lets you look through the samples so far with the slider; *Go
#   on* goes on.
# - *Stop* ends it early. Whatever the net has learned stays learned.
# - *Train on* adds 400 steps, now or when it is done: a minute or less.
# - *Keep the weights* writes the model to a file, which `flowerdiff.checkpoint.load_model` reads.
#
# (To begin again from nothing, run this section from its top. A new monitor stops the old one.)
#
# Let it work, and **read on here**: this section and the next need nothing of it. (While a cell is
# running, buttons answer in JupyterLab, but not everywhere, for instance not in Colab. The
# notebook's own stop button ■ always does: it ends the training, not the notebook.)

# %% [markdown]
# ## 2 · What the net is asked for
#
# Where does the loss come from? We want to walk back from noise to a picture, one step from $x_t$
# to $x_{t-1}$ at a time. **If we knew the clean picture $x_0$**, there would be nothing to learn:
# both $x_t$ and $x_{t-1}$ are mixtures of $x_0$ and Gaussian noise, and the distribution of the one
# given the other is again a Gaussian, with a mean and a variance that can be worked out (lesson 04
# does):
#
# $$ \tilde\mu_t = \frac{1}{\sqrt{\alpha_t}}
#    \left( x_t - \frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\;\varepsilon \right), \qquad
#    \tilde\beta_t = \frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\,\beta_t . $$
#
# $\tilde\mu_t$ ("mu tilde") is the mean of $x_{t-1}$, $\tilde\beta_t$ its variance, and
# $\varepsilon$ the noise that is in $x_t$. Look at what stands in the mean: $x_t$, which we have;
# numbers of the schedule, which we have; and $\varepsilon$, which we have **not**, on the way back.
# So that is all that a net has to find. Put its guess $\hat\varepsilon$ in the place of
# $\varepsilon$, and you have its guess of the mean, $\hat\mu_t$.
#
# How wrong is a guess? How much two Gaussians differ is measured by their *Kullback–Leibler
# divergence*. If both have the variance $\tilde\beta_t$, it is the squared distance of their means,
# in units of twice that variance:
#
# $$ \frac{(\tilde\mu_t - \hat\mu_t)^2}{2\,\tilde\beta_t}
#    = \underbrace{\frac{\beta_t^2}{2\,\tilde\beta_t\,\alpha_t\,(1-\bar\alpha_t)}}_{\text{a number
#    that depends on } t}\; (\varepsilon - \hat\varepsilon)^2 . $$
#
# Added up over $t = 2 \dots T$, with one term for the last step (at $t = 1$, where $\tilde\beta$ is
# 0 and this fraction has no meaning) and one that no net can change, this is the **variational
# bound** (its negative is the *ELBO*): an upper bound on $-\log p(x_0)$, where $p(x_0)$ is the
# probability density that the model gives to this picture. With it diffusion models were first
# trained.
#
# So to be right about the mean is to be right about the noise. Let us check that with the library's
# `posterior`, which knows $\tilde\mu_t$ and $\tilde\beta_t$, and a made-up guess.
#
# > **Predict.** The number in front of $(\varepsilon-\hat\varepsilon)^2$: is it larger for small
# > $t$, where the picture is almost clean, or for large $t$?

# %%
from flowerdiff.pixels import from_uint8

x0 = from_uint8(images[:8])
eps, eps_hat = noise(range(8), 1, x0.shape[1:]), noise(range(8), 2, x0.shape[1:])  # truth, a guess

for t in (2, 10, 100, 400, 700, 800):
    x_t = schedule.add_noise(x0, t, eps)
    mean, variance = schedule.posterior(x_t, t, x0)
    mean_hat, _ = schedule.posterior(x_t, t, schedule.x0_from_eps(x_t, t, eps_hat))
    wrong_by = ((mean - mean_hat) ** 2 / (2 * variance)).mean()

    beta, alpha_bar = schedule.beta(t), schedule.alpha_bar[t]
    number = beta**2 / (2 * variance * (1 - beta) * (1 - alpha_bar))
    torch.testing.assert_close(wrong_by, number * ((eps - eps_hat) ** 2).mean(), rtol=1e-3, atol=0)
    print(f"t = {t:3d}: the number is {number:.4f}")

# %% [markdown]
# At both ends. On the right it does no harm. The number is so large because $\alpha_t$, which it is
# divided by, is nearly 0 in the last steps of this schedule; but there $x_t$ is all noise, a net
# need only copy it, and $\varepsilon-\hat\varepsilon$ is tiny. What does harm is the left end,
# where noise is hard to find: $t = 2$ counts more than a hundred times as much as $t = 400$. So in
# this sum the finest noise, which nobody sees, would count most. Ho, Jain and Abbeel tried
# something simple instead: **leave the number out**. All times count the same, and the pictures got
# better. That is *the* loss of diffusion models, $L_\mathrm{simple}$ in their paper (equation 14):
#
# $$ L = \text{mean over pictures, times and noises of } \;
#    \big(\varepsilon - \hat\varepsilon(x_t, t, y)\big)^2 . $$
#
# In words: take a picture, a random time and a random noise; mix them; show the mixture to the net
# (with $t$ and the label $y$), and measure by how much it misses the noise. One random $t$ per
# picture and step is enough, since there will be thousands of steps.

# %% [markdown]
# ### Exercise 1 · The loss of a batch
#
# *medium · 8 minutes.* For the simplest net there is: it has a single `weight`, and its guess is
# $\hat\varepsilon = \text{weight} \cdot x_t$. `x0` and `eps` have the shape (B, 3, H, W), `t` the
# shape (B,), and `alpha_bar` (T + 1,) is that of some schedule; the check brings its own. Mix (as
# in lesson 01, exercise 4), guess, compare. Return one number.

# %%
from flowerdiff.checks.training import check_training_loss


def training_loss(weight, x0, t, alpha_bar, eps):
    """The mean squared error of the noise that the net guesses."""
    # solution
    ab = alpha_bar[t].reshape(-1, 1, 1, 1)
    x_t = ab.sqrt() * x0 + (1 - ab).sqrt() * eps
    eps_hat = weight * x_t
    return ((eps_hat - eps) ** 2).mean()
    # end of solution


check_training_loss(training_loss)

# %% [markdown]
# ### Nets that have learned nothing
#
# Before you can read a loss, you must know what it is for a net that has learned nothing. Here are
# two such nets, on our garden flowers:
#
# - one that always says **zero**: $\hat\varepsilon = 0$;
# - one that **copies**: "it is all noise", $\hat\varepsilon = x_t$.
#
# > **Predict.** What is the loss of the one that says zero? (What is the mean of the square of a
# > standard normal number?) And at which times will the copier be good?

# %%
from flowerdiff.plots import curves

x0, times = from_uint8(images[::4]), torch.arange(10, 801, 10)
eps = noise(range(60), 3, x0.shape[1:])


def loss_per_t(guess):
    """The loss (80,) of a net `guess(x_t, t)`, at every tenth time."""
    noisy = ((schedule.add_noise(x0, int(t), eps), t) for t in times)
    return torch.stack([((guess(x_t, t) - eps) ** 2).mean() for x_t, t in noisy])


lazy = {"says zero": loss_per_t(lambda x_t, t: 0 * x_t), "copies": loss_per_t(lambda x_t, t: x_t)}
print({name: f"{losses.mean():.3f}" for name, losses in lazy.items()})

curves(
    {"loss in eps": {name: (times, losses) for name, losses in lazy.items()}},
    caption="The loss of two lazy nets over t. The one that says zero is at 1.0 everywhere. The "
    "one that copies begins at 1.3, and falls to 0 at t = 800.",
    size=(5, 2.8),
)

# %% [markdown]
# **A loss of 1.0 is the loss of a net that says nothing**: noise has variance 1, and a guess of its
# mean, 0, is wrong by its variance. A run whose loss comes down to 1.0 and stays there has learned
# *nothing at all*: this is **the plateau at 1.0**, and we shall see two ways to end on it. (Our net
# begins by saying zero: the weights of its last layer are all 0 at first.)
#
# The copier is more of a surprise. It knows nothing about flowers, not even that there is such a
# thing, and its loss is much smaller. At large $t$ noise is all there is, so a net that copies it
# is right. **A small loss alone does not mean that a net knows flowers.** What decides species,
# colour and layout is in the small differences that remain at large $t$, and these hardly count in
# the mean.

# %% [markdown]
# ### The same error, in three currencies
#
# From $x_t$ and $\hat\varepsilon$ follows $\hat x_0$ (lesson 00). So a net may as well be
# trained to say
#
# - the noise, $\hat\varepsilon$: error $(\varepsilon-\hat\varepsilon)^2$;
# - the clean picture, $\hat x_0$: error $(x_0-\hat x_0)^2$, which is $1/\mathrm{SNR}$ times as
#   large;
# - or a mixture of both, $v = \sqrt{\bar\alpha_t}\,\varepsilon - \sqrt{1-\bar\alpha_t}\,x_0$
#   (Salimans and Ho 2022), that is never easy: at $t = 0$ it is the noise, at $t = T$ the picture,
#   with its sign turned. Its error is $\mathrm{SNR}+1$ times that in $x_0$.
#
# It is the same knowledge, and the same mistake *counts differently*: an error in the picture
# counts SNR times with the loss in $\varepsilon$, SNR + 1 times with $v$, once with $x_0$. Min-SNR
# (Hang and others 2023) takes the smaller of SNR and a limit $\gamma$ ("gamma"), mostly 5: so it
# counts like $\varepsilon$ at large $t$, and like $x_0$ at small $t$. (Below, the net with that
# loss says $\hat x_0$.)
#
# > **Predict.** Same net, same pictures, same 250 steps, four losses. Which of them will draw the
# > cleanest colours, which the best forms?

# %%
from flowerdiff.checks.training import record

losses = {"eps": "eps", "v": "v", "min-SNR, gamma = 5": "min-snr", "x0": "healthy"}
picture(
    [record(name).samples for name in losses.values()],
    "Sixteen samples each of four runs. eps: coloured noise with hints of flowers. v: flowers "
    "under noise. min-SNR: clean and sharp, of odd forms. x0: clean and round, a little soft.",
    labels=list(losses),
    columns=4,
    zoom=2,
)

# %% [markdown]
# Two things differ between these runs: how a mistake *counts* (the **weighting**), and what the net
# has to *say* (the **parameterisation**, or prediction type). The pictures split by the second. The
# two nets that say $\hat x_0$ draw clean colours. The two whose answer contains the noise leave
# noise behind: a young net cannot yet repeat 1,728 random numbers (24 × 24 pixels, three colours),
# and what it misses of them becomes picture: $1/\sqrt{\mathrm{SNR}}$ times as large with
# $\varepsilon$, $1/\sqrt{\mathrm{SNR} + 1}$ times with $v$. (On photographs, five CPU-minutes each,
# all with the weighting of min-SNR: KID 0.25 for $\hat x_0$, 0.35 for $v$, 0.41 for $\varepsilon$.
# KID is a distance from real photographs: less is better, lesson 06. Without that weighting the
# last two change by less than 0.03; `docs/results/search.json`.)
#
# What the weighting does is seen in the last two pictures, which differ in nothing else: min-SNR is
# sharp before its forms are right, the plain error in $x_0$ gets the large forms first and leaves
# the edges soft. **After 250 steps of a small net.** After hours the order can be another one: the
# paper trains on $\varepsilon$ for 80 rounds, the course's own model (lesson 00) on $v$ for hours.
# *We* have minutes, so our run in section 1 is told `prediction="x0"`.
#
# (These four runs, and all others that the lesson shows without running them, were made by
# `python tools/make_clinic.py`, at 24 × 24 pixels.)

# %% [markdown]
# ### Exercise 2 · Min-SNR
#
# *medium · 6 minutes.* The error in $x_0$ is to count $\min(\mathrm{SNR}, \gamma)$ times. But the
# net predicts $\varepsilon$, and it is the error in $\varepsilon$ that you have. With what do you
# multiply it? `snr` is a tensor (B,), `gamma` a number; `clamp(max=...)` cuts a tensor off.

# %%
from flowerdiff.checks.training import check_weight


def weight(snr, gamma):
    """The weight (B,) of each picture's squared error in eps."""
    # solution
    return snr.clamp(max=gamma) / snr
    # end of solution


check_weight(weight)

# %% [markdown]
# **Learned the hard way.** We trained the course's own model on $v$ with min-SNR weights, and runs
# of five minutes, made later, seemed to agree: a little better (KID 0.346, without them 0.368,
# where two seeds differ by 0.013). Beside the plain error in $v$ they multiply by
# $\min(\mathrm{SNR}, 5) / (\mathrm{SNR} + 1)$: 0.83 at an SNR of 5, but 0.05 at 100, where the
# grain goes, and 0.01 at 0.01, where colour and layout are decided. After nine CPU-hours, training
# on brought hardly anything. Then we left the weights out, and 15 CPU-hours later the flowers of no
# label had a KID of 0.099 (after 7.6 hours: 0.135), those of $w = 0$ one of 0.058 (0.081); no
# interval overlapped another (`docs/results.md`).
#
# A hint, not a proof. It is one run, and it also had more blocks, larger batches and a higher
# learning rate. (The blocks alone, with the weights, had gained nothing that we could see.) And the
# new model heeds its label more and varies less, so with guidance less is left: at the best $w$ of
# each, KID is 0.035 and 0.038, which 306 samples cannot tell apart (lessons 05 and 06). Our error
# on unseen flowers could not help us, for it weighed the times in the same way. **What is best
# after minutes need not be best after hours; and a measure that shares the loss's weights is blind
# where the loss is.**

# %% [markdown]
# ## 3 · What came out
#
# The next cell waits for the training to end. (Pressed *Pause* and forgot? It goes on.)
#
# > **Predict.** If you have peeped: fine. If not: what part of the first step's loss is left at the
# > end: a half, a tenth, a hundredth?

# %%
progress = monitor.wait()

moments = [step for step in (1, 50, 200, 800) if step in monitor.samples]
picture(
    [flower for step in moments for flower in monitor.samples[step][::4]],
    "One sample of each species after 1, 50, 200 and 800 steps: grey; soft blots in the right "
    "colours; flowers with soft edges; flowers with petals and centres.",
    labels=[f"step {step}" for step in moments for _ in SPECIES],
    columns=4,
    zoom=3,
)

# %% [markdown]
# After one step: grey, for the net still says zero. After 50 (800 pictures, a few seconds) the
# colours are there, and you can tell the species by them; then the forms come, then edges and
# petals. It is the order in which a *walk* makes a flower (lesson 00): large things first. Here it
# is this *loss's* doing: the colours alone took the error in $x_0$ from 0.35 to 0.08. With min-SNR
# weights the edges came before the forms (section 2).
#
# In the monitor, move the slider: the film of the whole run stays there.

# %% tags=["nbval-ignore-output"]
from flowerdiff.widgets.monitor_frames import smoothed

seen = smoothed(monitor.run.losses)  # the thick line of the monitor
print(f"a net that says zero: {from_uint8(images).square().mean():.3f}")
for step in (1, 50, 200, 400, 800):
    print(f"around step {step:3d}: {seen[min(step, len(seen)) - 1]:.3f}")

# %% [markdown]
# A lazy net is the place to begin, here too: a net that always says $\hat x_0 = 0$, middle grey, is
# wrong by the mean square of a pixel. That is where our loss begins; it ends at about a ninth. But
# most of this, down to a seventh, was done within 200 steps. From step 200 to 800 the loss falls by
# another fifth or quarter, a small thing on the curve, while soft outlines become petals, rims and
# centres. **You cannot see from the loss when a model is good.** It tells you that something goes
# *wrong*; for the rest, look at samples. Why it moves so little is to be seen if we take it apart.

# %% [markdown]
# ### Train on
#
# Press *Train on*, for as long as you like; or in Python, 400 steps at a time:
#
# ```python
# monitor.more(400)
# progress = monitor.wait()
# ```
#
# All that follows works with whatever the net knows by then.

# %% [markdown]
# ## 4 · The loss at each time
#
# Every step has drawn sixteen values of $t$, and the monitor has kept them, each with its loss. So
# we can see *where* the loss comes from.
#
# > **Predict.** The loss is now that of $\hat x_0$. At which $t$ is it small, at which large? Where
# > has the net got better between the first hundred steps and the last? And what would be the loss
# > at $t = 800$ of a net that knows *everything* about garden flowers?

# %%
from flowerdiff.plots import curves

t, losses = torch.cat(monitor.run.times), torch.cat(monitor.run.of_images)
middles = torch.arange(25, 800, 50)


def per_time(first, last):
    """The mean loss of these steps, in 16 ranges of t."""
    some = slice(16 * first, 16 * last)
    return torch.stack([losses[some][(t[some] - m).abs() <= 25].mean() for m in middles])


curves(
    {
        "loss in x0 (log)": {
            f"steps {first} to {last}": (middles, per_time(first, last))
            for first, last in ((0, 100), (100, 300), (600, 800))
        }
    },
    log=["loss in x0 (log)"],
    caption="Loss in x0 over t, on a logarithmic scale, for three parts of the run. All three rise "
    "with t. Between the first and the last, the loss at small t falls to a fifth, that at large t "
    "to about a half.",
    size=(5, 3),
)

# %% [markdown]
# At small $t$ the flower is in plain sight, and the net has only to clean it: there the loss is
# small, and still falls. At $t = 800$ there is nothing to be seen but noise. The best that anyone
# can say there is **the mean of all flowers of that label**, and this is wrong by as much as
# flowers of one species differ from each other. Let us work that out. (One picture in ten is shown
# to the net without its label, which lesson 05 will need. For these, the best is the mean of all
# 240 flowers.)

# %%
x0 = from_uint8(images).reshape(4, 60, 3, SIZE, SIZE)  # (species, flower, ...)
with_label = (x0 - x0.mean(1, keepdim=True)).square().mean()
without = (x0 - x0.mean((0, 1))).square().mean()
print(f"loss at t = 800, knowing everything: {0.9 * with_label + 0.1 * without:.3f}")

# %% [markdown]
# **Knowing everything, the loss is not 0.** But before $t = 800$ a little of the flower shows, and
# a net that knows all 240 flowers by heart may recognise it. Then the best guess is the mean of all
# that it could be, each with its probability.
#
# > **Predict.** From which $t$ down does a net that knows them by heart make next to no mistake?

# %% tags=["nbval-ignore-output"]
one = from_uint8(images)
known, species = torch.cat([one, one.flip(3)]), torch.arange(4).repeat_interleave(60).repeat(2)


def floor_at(t):
    """The loss at t of one who knows all flowers, and their mirror images, by heart."""
    ab = schedule.alpha_bar[t]
    x_t = schedule.add_noise(one, t, noise(range(240), t, one.shape[1:]))
    far = torch.cdist(x_t.flatten(1), ab.sqrt() * known.flatten(1)).square() / (2 * (1 - ab))
    other = species[:240, None] != species
    guesses = [(-f).softmax(1) @ known.flatten(1) for f in (far.masked_fill(other, torch.inf), far)]
    with_label, without = ((guess - one.flatten(1)).square().mean() for guess in guesses)
    return 0.9 * with_label + 0.1 * without


ours = per_time(600, 800)
for t in (625, 675, 725, 775):
    net_s = ours[(middles - t).abs().argmin()]
    print(f"t = {t}: by heart {floor_at(t):.3f}; our net, around this t, {net_s:.3f}")

# %% [markdown]
# The floor sinks fast: at $t = 625$, where $\bar\alpha_t$ is a tenth, one of 240 flowers can be
# told from the others. A net that is to draw *new* flowers should not get that low (it would have
# learned them by heart), and how low it could get we do not know.
#
# What the picture does show: the losses on the right are large and have fallen by a fifth from the
# dashed curve to the dotted, those on the left are small and have fallen by two fifths. The mean is
# mostly the right half. So the mean moves little, while edges and petals get better twice as fast.
#
# It is also why the thin line in the monitor is so ragged: sixteen random values of $t$ in each
# step, some easy, some hopeless. (It would be worse, but the library draws one time from each
# sixteenth of $1 \dots T$.)
#
# The loss of $\hat\varepsilon$ over $t$ leans the other way: the same mistake counts SNR times as
# much there, and so most at small $t$, where noise is hard to tell from fine detail. Trained in
# $x_0$, our net does not care for the finest noise: hence its soft edges.

# %% [markdown]
# ## 5 · The averaged net
#
# The samples in the monitor are not those of the net that is being trained, but of its **moving
# average** (EMA, exponential moving average). After each step
#
# $$ \bar\theta \leftarrow d\,\bar\theta + (1-d)\,\theta , $$
#
# where $\theta$ ("theta") is a weight of the net, $\bar\theta$ the same weight in the average, and
# $d$ the **decay**, here 0.99: the average remembers about the last $1/(1-d) = 100$ steps. Long
# runs take 0.999 or 0.9999. It costs a copy of the weights, and nothing else: training does not
# even know of it.
#
# The next cell goes on with our run for 3 times 20 steps, and draws each time with both, the
# average and the net itself; one flower of each species, always from the same noise.
#
# > **Predict.** Twenty steps are little, after 800. Will you see any change from picture to
# > picture, with the average, and without?

# %% tags=["nbval-ignore-output"]
drawn = {"average": [], "net": []}
for _ in range(3):
    monitor.more(20)
    progress = monitor.wait()
    with torch.inference_mode():
        drawn["average"].append(draw(progress.ema)[::4])
        drawn["net"].append(draw(progress.net)[::4])

for name, rows in drawn.items():
    change = (torch.stack(rows).float().diff(dim=0)).abs().mean()
    print(f"{name}: a pixel changes by {change:.1f} of 255 from one row to the next")

picture(
    [flower for pair in zip(*drawn.values(), strict=True) for row in pair for flower in row],
    "One flower of each species, after 20, 40 and 60 more steps from top to bottom. Left by the "
    "average: the three rows look alike. Right by the net itself: tints and outlines change from "
    "row to row.",
    labels=[f"{name}, + {20 * i}" for i in (1, 2, 3) for name in drawn for _ in SPECIES],
    columns=8,
    zoom=3,
)

# %% [markdown]
# With the average you have to search for a change. The net itself draws another tint or another
# outline every twenty steps; its pixels move some ten times as far. It is getting neither better
# nor worse: each step pulls the weights to where *its* sixteen pictures would like to have them,
# with a learning rate that is still the full one, and so the weights jitter about a good place.
#
# > **Predict.** Which of the two makes the smaller error on flowers that neither has been trained
# > on, or is there no difference?

# %% tags=["nbval-ignore-output"]
unseen = [draw_flower(name, seed, SIZE) for name in SPECIES for seed in range(1000, 1040)]
x0, y = from_uint8(torch.stack(unseen)), torch.arange(4).repeat_interleave(40)
t = 1 + 5 * (37 * torch.arange(160) % 160)  # every fifth time once, whatever the species
x_t = schedule.add_noise(x0, t, noise(range(160), 1, x0.shape[1:]))

for name, which in {"average": progress.ema, "net": progress.net}.items():
    with torch.inference_mode():
        print(f"{name}: loss in x0 {((which(x_t, t, y) - x0) ** 2).mean():.4f}")

# %% [markdown]
# The average's: in our runs by something between 2 and 15 %, for it depends on the moment at which
# you ask the net, which jitters. That is less than the samples made one expect: much of the jitter
# is in tints and outlines, which cost little squared error. (And the average's is below the last
# loss of section 3, for here no label is hidden.) A learning rate that falls at the end of the run
# does something similar, but one has to know the end beforehand.
#
# Two traps. **The start**: the average begins as a copy of the random net, and with $d = 0.9999$ it
# would remember that for ten thousand steps. So the library keeps the decay smaller at the
# beginning: $\min(d, \frac{1 + \text{step}}{10 + \text{step}})$. After $n$ steps that looks back
# over about $n/9$ of them: in our 800 steps $d$ has not even reached 0.99. And **buffers**,
# PyTorch's word for numbers in a net that are not trained: some nets, such as the paper's with its
# BatchNorm, hold running statistics of their activations in them. These are averages already, and
# belong to the net's weights of this moment: they are *copied*.

# %% [markdown]
# ### Exercise 3 · The averaged net
#
# *medium · 6 minutes.* One update. Here all weights and buffers are put into one long tensor each,
# `ema` and `net`, and `is_buffer` says which entries are buffers. Return the new average.
# (`torch.where(condition, a, b)` takes from `a` where the condition is True.)

# %%
from flowerdiff.checks.training import check_ema_update


def ema_update(ema, net, decay, is_buffer):
    """The average after one more step: weights averaged, buffers copied."""
    # solution
    return torch.where(is_buffer, net, decay * ema + (1 - decay) * net)
    # end of solution


check_ema_update(ema_update)

# %% [markdown]
# ## 6 · The loop, by hand
#
# What does `train` do in a step? Everything that you need you have seen, but for two things: it
# **warms up** the learning rate (section 7), and it **clips** the gradient. A few pictures may give
# a gradient that is far too long, and one such step can spoil what a thousand steps have learned.
# If the gradient, all weights' together as one long vector, is longer than `grad_clip` (1.0), it is
# made exactly that long; its direction stays.
#
# Here is the loop in full, but for the average, on a smaller net, for three steps. `draw_batch`
# draws the pictures, their labels (one in ten is replaced by label 4, "no label"), times from 1 to
# 800, and noises.
#
# > **Predict.** Will the losses of our loop and of the library's agree to all digits, to some, or
# > only roughly?

# %%
from dataclasses import replace

from flowerdiff.stream import draw_batch, random_flip
from flowerdiff.training import lr_at


def small_net():
    torch.manual_seed(0)
    return CompactUNet(CompactConfig(num_classes=4, channels=(32, 64), blocks=(1, 1), embedding=64))


def losses_by_hand(net, settings):
    """The losses of `settings.steps` training steps."""
    optimizer, losses = torch.optim.AdamW(net.parameters(), weight_decay=0.0), []
    for step in range(settings.steps):
        places = range(16 * step, 16 * step + 16)
        x0, y, t, eps = draw_batch(images, labels, 800, 4, settings, places, random_flip)
        x_t = schedule.add_noise(x0, t, eps)
        loss = ((net(x_t, t, y) - x0) ** 2).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.param_groups[0]["lr"] = lr_at(step, settings)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


# %% tags=["nbval-ignore-output"]
three = replace(config, steps=3)
ours = losses_by_hand(small_net(), three)
theirs = [p.loss for p in train(small_net(), images, labels, schedule, three)]

print("by hand:    ", [f"{loss:.5f}" for loss in ours])
print("the library:", [f"{loss:.5f}" for loss in theirs])
torch.testing.assert_close(torch.tensor(ours), torch.tensor(theirs), rtol=1e-3, atol=0)

# %% [markdown]
# To all digits printed (the last one may be off by 1: sums are added up in another order). There is
# no more to it: **mix, guess, compare, step**. The rest of the library's `train` is for long runs:
# averaged copies, 16-bit numbers, many processes, a checkpoint that a killed run goes on from. (And
# everything that is random, it draws anew from the seed and the picture's place in the run, not
# from one generator. So a run that was killed and resumed is the same run.)

# %% [markdown]
# ### Exercise 4 · Gradients that are too long
#
# *medium · 6 minutes.* A net has two tensors of weights, with the gradients `a` and `b`. Return the
# factor by which *both* are multiplied: 1 if the whole gradient is no longer than `max_norm`, else
# the one that makes it exactly `max_norm` long. (The length of a vector: the root of the sum of its
# squares.)

# %%
from flowerdiff.checks.training import check_clip_factor


def clip_factor(a, b, max_norm):
    """One number, at most 1."""
    # solution
    length = (a.square().sum() + b.square().sum()).sqrt()
    return (max_norm / length).clamp(max=1)
    # end of solution


check_clip_factor(clip_factor)

# %% [markdown]
# ## 7 · Four flowers, three learning rates
#
# A habit that saves days: **before you train on everything, train on four pictures.** A net that
# cannot learn four pictures by heart has a bug, and you know it after seconds instead of after a
# night. No augmentation, no dropped labels: there is nothing to be learned but these four.

# %%
four = torch.stack([draw_flower(name, 0, 16) for name in SPECIES])  # 16 x 16 pixels
by_heart = replace(
    config, steps=150, lr=3e-3, warmup=10, decay=75, label_dropout=0.0, ema_decay=(0.95,)
)  # decay=75: over the last 75 steps the learning rate falls (exercise 5)


def as_it_is(image, rng):
    return image


def train_on_four(settings):
    """All progress of a small net that sees nothing but the four."""
    return list(train(small_net(), four, torch.arange(4), schedule, settings, augment=as_it_is))


*_, last = train_on_four(by_heart)
with torch.inference_mode():
    model = eps_model(last.ema, schedule, "x0")
    *_, end = ddim(
        model, schedule, noise(range(4), 800, (3, 16, 16)), torch.arange(4), steps=25, clip_x0=1.0
    )
picture(
    [*four, *to_uint8(end.x_t)],
    "Above the four training pictures, below what the net draws when it is asked for each of the "
    "four labels: the same four, a little softer.",
    labels=SPECIES + [f"drawn {i}" for i in (1, 2, 3, 4)],
    columns=4,
    zoom=5,
)

# %% [markdown]
# By heart, out of pure noise, in seconds. So the labels arrive, the times arrive, the loss and the
# sampler agree on what the net says. Had one of them been broken, we would see it here.
#
# Four pictures are also a good place to look for a **learning rate**, the size of a step. The same
# net again, now with the loss in $\varepsilon$, which you can compare with 1.0.
#
# > **Predict.** Learning rates of 0.00001, 0.002 and 0.3. Where will each loss be after 120 steps?

# %% tags=["nbval-ignore-output"]
rates = {
    f"lr = {lr:g}": [
        p.loss
        for p in train_on_four(replace(by_heart, steps=120, decay=0, lr=lr, prediction="eps"))
    ]
    for lr in (1e-5, 2e-3, 0.3)
}
print({name: f"last 20: {sum(losses[-20:]) / 20:.3f}" for name, losses in rates.items()})

curves(
    {"loss in eps (log)": {name: smoothed(losses, 10) for name, losses in rates.items()}},
    log=["loss in eps (log)"],
    xlabel="step",
    caption="The loss in eps over 120 steps, on a logarithmic scale. With a learning rate of "
    "0.00001 it stays at 1. With 0.002 it falls to 0.2. With 0.3 it leaps to more than 10, and "
    "comes down to 1 again.",
    size=(5, 3),
)

# %% [markdown]
# **Two ways to the plateau at 1.0.** With steps that are too short, the net is still the one that
# says zero: it *has not begun* to learn. With steps that are too long, the weights are thrown far
# away at once (a loss of 10 and more: worse than knowing nothing), and 120 steps later the net is
# back near 1, still a little worse than saying zero: it *has been destroyed*, and begins with worse
# than nothing. Nearly the same number, opposite cure. The beginning of the curve tells them apart,
# so always look at it.
#
# The rule of thumb: go up in factors of three until the loss jumps, then go back by one or two.

# %% [markdown]
# ### Exercise 5 · Up, level, down
#
# *medium · 7 minutes.* In its first steps a net knows nothing, its gradients point anywhere, and
# Adam, which divides by what it has seen of them, has seen little: so the learning rate is **warmed
# up**. At the end, short steps let the weights settle. Write the plan: over the first `warmup`
# steps the rate rises evenly to `lr` (the first of them has `lr / warmup`, the last has `lr`), over
# the last `decay` steps it falls evenly (from `lr` down to `lr / decay`), and in between it is
# `lr`. `step` counts from 0 to `steps - 1`, and **no step has the rate 0**, for it would be a step
# for nothing. (This `decay` is a number of steps, and not that of an average.)

# %%
from flowerdiff.checks.training import check_lr_at


def learning_rate(step, steps, lr, warmup, decay):
    """The learning rate of step 0, 1, ..., steps - 1."""
    # solution
    return lr * min(1, (step + 1) / warmup, (steps - step) / decay)
    # end of solution


check_lr_at(learning_rate)

# %% [markdown]
# ## 8 · Sixteen or thirty-two pictures at a time
#
# The paper finds that a larger batch "improves image quality": 32 instead of 16, both for 80 rounds
# through the data. A fair comparison? That depends on what is to be equal:
#
# - at equal **steps**, the batch of 32 has seen twice as many pictures, and cost twice the time;
# - at equal **pictures** (the paper's choice), it has made half as many steps.
#
# Here are both. Two runs each, with different seeds, so that you can see how much is luck (that of
# pictures, times and noises; the random weights at the start are the same): 250 steps, a learning
# rate of 0.002 for all. The loss is measured on flowers that none of them was trained on.
#
# > **Predict.** Which batch is ahead at equal steps, and which at equal pictures?

# %%
runs = {
    "batch 16": ("healthy", "healthy-again"),
    "batch 32": ("batch-32", "batch-32-again"),
}
held_out = {
    batch: torch.stack([record(name).held_out for name in names], dim=2)  # (N, 2, runs)
    for batch, names in runs.items()
}
curves(
    {
        "at equal steps (log)": {b: (h[:, 0, 0], h[:, 1]) for b, h in held_out.items()},
        "at equal pictures (log)": {
            b: (h[:, 0, 0] * int(b.split()[1]), h[:, 1]) for b, h in held_out.items()
        },
    },
    log=["at equal steps (log)", "at equal pictures (log)"],
    xlabel=["steps", "pictures"],
    caption="Loss on flowers never trained on, two thin lines for each batch size. Over steps, "
    "those of batch 32 are below those of batch 16 all the way. Over pictures, those of batch 16 "
    "are below. Two runs of one batch size are hardly apart.",
)

# %%
for batch, h in held_out.items():
    for step, losses in zip((125, 250), h[[4, 9], 1].tolist(), strict=True):
        print(f"{batch}, step {step}:", *(f"{loss:.4f}" for loss in losses))

# %% [markdown]
# Each of them once. At equal steps the batch of 32 is ahead (after 250 steps 0.043 against 0.046;
# two seeds differ by less than a tenth of this distance): its gradients are means over more
# pictures, so less of a step is chance. But it was paid for with twice the work. **At equal
# pictures, and so at equal cost, the batch of 16 is ahead**: with 4,000 pictures, which are its 250
# steps and the other's 125, it is 0.046 against 0.049. It has made twice as many steps, and this
# early in a run the number of steps is what is lacking, not their precision. Late in a run it can
# be the other way round; and a batch of 32 could bear a larger learning rate, which we have not
# given it. (What a GPU likes is another matter: there 32 pictures may take hardly longer than 16.)
#
# So "a larger batch is better" is an answer without a question. And the paper has one run of each,
# and 106 samples of it: before we believe a difference, we should know how far apart two runs of
# the *same* settings are. Here we have a first idea.

# %% [markdown]
# ### Exercise 6 · Steps and pictures
#
# *easy · 5 minutes.* How many steps does a run need to see at least `images` pictures, if each
# forward pass of a process takes `per_pass` of them, `processes` processes work side by side, and
# each adds up the gradients of `accumulate` passes before a step is made? A whole number.

# %%
from flowerdiff.checks.training import check_steps_needed


def steps_needed(images, per_pass, processes, accumulate):
    """The number of optimizer steps."""
    # solution
    per_step = per_pass * processes * accumulate
    return -(-images // per_step)  # // rounds down; twice the sign turned: up
    # end of solution


check_steps_needed(steps_needed)

# %% [markdown]
# ## 9 · Augmentation: look before you train
#
# **Augmentation** changes every training picture a little, each time in another way, so that a net
# does not learn a small collection by heart. `train` has so far mirrored every second picture. The
# paper tried more: it changed brightness, contrast, saturation and hue (the place of a colour in
# the rainbow), each by half, and sharpened. Its conclusion: such augmentations "lower the quality
# of the generated images".
#
# Its code is public, so we can look at what its net was shown. The code makes *four* random changes
# in a row, one for each of the four properties. Here are three flowers after each of them.
#
# > **Predict.** What would you expect to see in the last column?

# %%
import numpy as np

from flowerdiff.augment import PUBLISHED, as_intended

rows = []
for kind, name in enumerate(SPECIES[:3]):
    x = draw_flower(name, 3, SIZE).float() / 255  # from 0 to 1
    rng = np.random.default_rng(kind)
    rows.append((x * 255).to(torch.uint8))
    for jitter in PUBLISHED:
        x = jitter(x, rng)
        rows.append((x * 255).round().to(torch.uint8))

picture(
    rows,
    "Three flowers, and what is left of each after one, two, three and four changes: a flat grey, "
    "then black, black, black.",
    labels=["flower", "brightness", "contrast", "saturation", "hue"] * 3,
    columns=5,
    zoom=3,
)

# %% [markdown]
# **Black.** Each of the four changes was told to leave the other three properties alone, and was
# told so with the range (0, 0). For a hue, which is *added*, 0 means "as it was". But brightness,
# contrast and saturation are *factors*: there, 1 means "as it was", and 0 means none. The first
# change sets the contrast to 0 (one flat grey), the second the brightness: black. The nets of "+
# img. aug" in the paper have learned to draw black squares (lesson 07 looks for the evidence), and
# its conclusion about augmentation is one about black squares. The loss was excellent, by the way.
#
# What was meant is a single change of all four. Is that better?
#
# > **Predict.** Saturation, brightness and contrast between half and one and a half times, the hue
# > anywhere in the rainbow. Would you train on this?

# %%
seeds = {random_flip: (0, 2), as_intended: (0, 1)}  # of 0 and 2, the second one mirrors
seen = [
    change(draw_flower(name, 3, SIZE), np.random.default_rng(seed))
    for change in (random_flip, as_intended)
    for name in SPECIES
    for seed in seeds[change]
]
picture(
    seen,
    "Above eight flowers as we trained on them, every second one mirrored. Below the same, "
    "augmented as intended: two blue sunwheels, a turquoise and a green embercup, a "
    "yellow and a brick-red skyfive, moontrumpets with blue centres on brown.",
    labels=["as it is", "mirrored"] * 4 + ["changed"] * 8,
    columns=8,
    zoom=2,
)

# %% [markdown]
# They are flowers, of nobody's garden. Here is what a net has learned from them, beside our healthy
# one: same net, same 250 steps.
#
# > **Predict.** Will it have learned the *forms* better, since it could not go by the colours?

# %%
picture(
    [record("healthy").samples, record("as-intended").samples],
    "Left the flowers of the healthy run. Right soft, roundish blots in violet, green, pink and "
    "turquoise; only the white moontrumpets have petals.",
    labels=["trained on mirrored flowers", "trained on augmented flowers"],
    columns=2,
    zoom=2,
)

# %% [markdown]
# No. A net that makes pictures learns *everything* that it is shown: to it, augmentation is not a
# way to ignore the colours, but an order to draw flowers in all of them. It has more to learn, so
# it is later with everything else. (For a net that *names* flowers, this may be just right: it can
# ignore what it is not asked for.) One says that the augmentation *leaks*. **Augment a generative
# model only with what you want to see in its pictures:** mirrored flowers, yes. (Or tell the net,
# as a condition, what was done to a picture, and ask for "nothing" when you draw: Karras et al.
# 2022, *non-leaky augmentation*.)
#
# So: **look at a batch, as the net gets it, before you train.** It takes one line, and here it
# would have saved a column of a table in a paper.

# %% [markdown]
# ## 10 · From this laptop to a GPU, and to many
#
# What you ran in this notebook is the same code that trained the course's model, and that trains on
# a machine with eight GPUs. A run is described by a file:
#
# ```toml
# out = "runs/garden"        # everything goes there; run it again, and it goes on where it was
# source = "garden"          # or "hub": the paper's photographs; or a file, or a folder of yours
# split = "train"            # the others are left for `flowerdiff evaluate`
# size = 32
#
# [net]
# kind = "CompactUNet"
# channels = [48, 96, 192]
#
# [schedule]
# kind = "cosine"
#
# [train]
# steps = 10000
# batch_size = 64
# prediction = "v"
# precision = "auto"         # numbers of 16 bits where that is faster: GPUs, new processors
# accumulate = 1             # 4: four passes of 16 for one step, a quarter of the memory
# ```
#
# and started by one of these:
#
# ```sh
# flowerdiff train --config run.toml                       # this laptop, or its GPU if it has one
# accelerate launch -m flowerdiff train --config run.toml  # all GPUs of a machine
# ```
#
# The second starts one process for each GPU. Each takes its share of every batch, and before each
# step they average their gradients: **the same losses, sooner**. `batch_size` is that of all
# processes together, so that a run on eight GPUs is the same run, and not one with a batch eight
# times as large. (If you *want* the larger batch, you will want a larger learning rate, too.)

# %% [markdown]
# ## 11 · The clinic
#
# Six patients. Each of them is a real run that differs from the healthy one in *one thing*, and
# that thing is a mistake that people make. You see the curve of the loss (dashed: the healthy
# one's) and sixteen samples, four of each species in a row. All have trained for 250 steps on the
# same flowers, 24 × 24 pixels, with the loss in $\hat x_0$. (This section can be run on its own.)
#
# A patient may suffer from one of these:

# %%
from IPython.display import display

from flowerdiff.checks.training import Disease, record
from flowerdiff.plots import curves
from flowerdiff.widgets import picture
from flowerdiff.widgets.monitor_frames import smoothed

WORDS = {  # what is to be seen: the curve, then the samples
    "A": "lies on the healthy one. | all grey, with a faint blot in the middle of each.",
    "B": "stays above the healthy one. | flowers, of several species in each row.",
    "C": "begins above the healthy one, and falls far below it. | all black.",
    "D": "lies on the healthy one. | coloured noise from edge to edge.",
    "E": "leaps up, and stays far above the healthy one. | brown and blue-grey blots, hard edges.",
    "F": "falls to a third of the healthy one. | pale flowers; each row is of one species.",
}


def examine(letter):
    """The curve of a patient, and its samples beside healthy ones."""
    both = {f"patient {letter}": record(letter.lower()), "healthy": record("healthy")}
    chart = {"loss in x0 (log)": {k: smoothed(run.losses.tolist(), 10) for k, run in both.items()}}
    curve, samples = WORDS[letter].split(" | ")
    display(curves(chart, f"The curve {curve}", "step", log=list(chart), size=(4.2, 2.5)))
    pictures = [run.samples for run in both.values()]
    return picture(pictures, f"Patient {letter}: {samples}", list(both), 2, 2)


print(*(f"Disease.{disease.name}" for disease in Disease), sep="\n")

# %% [markdown]
# Most names speak for themselves. `OUTPUT_MISREAD`: the net says one thing ($\hat x_0$), the
# sampler takes it for another ($\hat\varepsilon$). `EMA_TOO_SLOW`: the samples come from an average
# that remembers too much. There are more diseases in the list than patients.
#
# **For each patient:** look at the curve, then at the samples; say aloud what you see; then name
# the disease, with `return Disease.LR_TOO_LOW` or the like. A wrong diagnosis costs nothing, and
# you are told how *that* disease would look. The treatment is folded up below each.

# %% [markdown]
# ### Exercise 7 · Patient A
#
# *medium · 3 minutes.* What is wrong with this run?

# %%
examine("A")

# %%
from flowerdiff.checks.training import check_patient_a


def patient_a():
    """The diagnosis: one of Disease."""
    # solution
    return Disease.EMA_TOO_SLOW
    # end of solution


check_patient_a(patient_a)

# %% [markdown]
# <details><summary><b>Show me the treatment of patient A</b></summary>
#
# The samples are those of the **averaged** net, with a decay of 0.9995 and without a warm-up: it
# remembers 2,000 steps, and the run has 250. So most of it is still the random net of the
# beginning, which says grey. The net itself is as healthy as its curve. *Treatment:* nothing is
# lost. Draw with the net itself; next time, a decay that fits the run ($1/(1-d)$ at most a tenth of
# its steps), or one that grows with it, as the library's does.
#
# </details>

# %% [markdown]
# ### Exercise 8 · Patient B
#
# *medium · 3 minutes.* What is wrong with this run?

# %%
examine("B")

# %%
from flowerdiff.checks.training import check_patient_b


def patient_b():
    """The diagnosis: one of Disease."""
    # solution
    return Disease.WRONG_LABELS
    # end of solution


check_patient_b(patient_b)

# %% [markdown]
# <details><summary><b>Show me the treatment of patient B</b></summary>
#
# The **labels** were shuffled: a quarter is right, by chance. The net has learned flowers, and that
# the label says nothing about them. It is so hard to see because the loss is only about 40 %
# higher: labels help only at large $t$, where noise hides everything else. *Treatment:* look at a
# batch with its labels written below. The usual cause is sorting pictures but not labels (or file
# names as strings: 1, 10, 100, 2).
#
# </details>

# %% [markdown]
# ### Exercise 9 · Patient C
#
# *easy · 3 minutes.* What is wrong with this run?

# %%
examine("C")

# %%
from flowerdiff.checks.training import check_patient_c


def patient_c():
    """The diagnosis: one of Disease."""
    # solution
    return Disease.BLACK_PICTURES
    # end of solution


check_patient_c(patient_c)

# %% [markdown]
# <details><summary><b>Show me the treatment of patient C</b></summary>
#
# This is the paper's **augmentation** as published. All training pictures are black, and to say
# black is easy: the loss begins at 1.0, the square of −1, and is near zero after a hundred steps.
# *A loss that is too good is a symptom.* (The saved log of the paper's augmented run ends at
# 0.0023; the only other saved log, of flowers, stands near 0.025 where it breaks off.)
# *Treatment:* look at a batch, as the net gets it.
#
# </details>

# %% [markdown]
# ### Exercise 10 · Patient D
#
# *medium · 3 minutes.* What is wrong with this run?

# %%
examine("D")

# %%
from flowerdiff.checks.training import check_patient_d


def patient_d():
    """The diagnosis: one of Disease."""
    # solution
    return Disease.OUTPUT_MISREAD
    # end of solution


check_patient_d(patient_d)

# %% [markdown]
# <details><summary><b>Show me the treatment of patient D</b></summary>
#
# The net was trained to say $\hat x_0$, and the sampler was told `prediction="eps"`. What it takes
# for noise is a flower: it subtracts the flower and keeps the noise. *Treatment:* no new training.
# Store with the weights what they predict (the library does), and overfit four pictures *with
# sampling* before a long run.
#
# </details>

# %% [markdown]
# ### Exercise 11 · Patient E
#
# *medium · 3 minutes.* What is wrong with this run?

# %%
examine("E")

# %%
from flowerdiff.checks.training import check_patient_e


def patient_e():
    """The diagnosis: one of Disease."""
    # solution
    return Disease.LR_TOO_HIGH
    # end of solution


check_patient_e(patient_e)

# %% [markdown]
# <details><summary><b>Show me the treatment of patient E</b></summary>
#
# The **learning rate** was 0.1 instead of 0.002. The weights were thrown away in the first steps,
# and the net has come back only to blots. It even draws the same ones for several species.
# *Treatment:* start again from the beginning with less; weights that were destroyed do not heal.
# Warm-up and clipping help against a single bad step, not against a hundred.
#
# </details>

# %% [markdown]
# ### Exercise 12 · Patient F
#
# *easy · 3 minutes.* What is wrong with this run?

# %%
examine("F")

# %%
from flowerdiff.checks.training import check_patient_f


def patient_f():
    """The diagnosis: one of Disease."""
    # solution
    return Disease.PIXELS_FROM_0_TO_1
    # end of solution


check_patient_f(patient_f)

# %% [markdown]
# <details><summary><b>Show me the treatment of patient F</b></summary>
#
# The pixels were divided by 255 and **not** moved on to [−1, 1]. The net has learned pictures from
# 0 to 1, and shows them well; whoever takes them for [−1, 1] sees black as middle grey. The loss is
# *lower*, since the pictures have half the contrast. (That alone would make it a quarter; but the
# same noise hides a paler picture better, so it is a third.) Losses can only be compared on the
# same data. *Treatment:* `from_uint8`, and one look at `x0.min()` and `x0.max()`.
#
# </details>

# %% [markdown]
# ## What you have solved

# %%
from flowerdiff.checks.training import summary

summary()

# %% [markdown]
# ## Common mistakes
#
# - **"the loss has stopped falling, so training is done".** *You see:* you stop at blots. *The
#   rule:* the mean hides the part that falls; look at samples, and at the loss over $t$.
# - **a loss of 1.0, and waiting.** *You see:* a straight line. *The rule:* that is the net that
#   says zero. Look at the beginning of the curve: crept or jumped?
# - **comparing losses of different things.** *You see:* "mine is 0.02, yours is 0.1". *The rule:*
#   $\varepsilon$, $v$, $\hat x_0$, another schedule, other pictures: another scale.
# - **`net` for `ema` in sampling.** *You see:* samples that change their tint from step to step.
#   *The rule:* draw with the average, as soon as it has forgotten its random start.
# - **a decay that is too long for the run.** *You see:* grey samples from a good curve. *The
#   rule:* $1/(1-d)$ at most a tenth of the steps, or a decay that grows with them, as the
#   library's.
# - **one label dropout for the whole batch.** *You see:* little, at best a more restless loss;
#   that is why it stays in. *The rule:* everything random is drawn per picture: $t$, noise, flip,
#   dropped label.
# - **`zero_grad` forgotten.** *You see:* a loss that falls a little, and then only wavers; without
#   clipping it goes up. *The rule:* backward, clip, step, zero.
# - **augmentation that nobody has looked at.** *You see:* a column of a table in a paper. *The
#   rule:* one picture of one batch.
#
# ## Key points
#
# - To be right about the step back is to be right about the **noise**; hence the loss: the mean
#   squared error of $\hat\varepsilon$, at a random time for each picture.
# - What the net **says** ($\varepsilon$, $v$, $\hat x_0$) and how the loss **weighs** the times
#   (min-SNR) are two choices; both decide what is learned first.
# - **1.0** is the loss in $\varepsilon$ of a net that knows nothing. A small loss is no proof of
#   knowledge, and at large $t$ even perfect knowledge has a loss.
# - The **average** of the weights draws steadier pictures than the weights, for nothing.
# - Before a long run: **look at a batch**, and **overfit four pictures** with sampling at the end.
# - A sick run shows in the curve, in the samples, or only in both together.
#
# ## Where to go on
#
# - **04 Sampling**: the walk back, and how to take fewer steps.
# - J. Ho, A. Jain, P. Abbeel, *Denoising Diffusion Probabilistic Models*, 2020
#   ([arXiv:2006.11239](https://arxiv.org/abs/2006.11239)): section 3.2 is our section 2, section
#   3.4 is "leave the number out".
# - T. Salimans, J. Ho, *Progressive Distillation*, 2022
#   ([arXiv:2202.00512](https://arxiv.org/abs/2202.00512)): $v$, appendix D.
# - T. Hang and others, *Efficient Diffusion Training via Min-SNR Weighting Strategy*, 2023
#   ([arXiv:2303.09556](https://arxiv.org/abs/2303.09556)). D. Kingma, R. Gao, *Understanding
#   Diffusion Objectives as the ELBO*, 2023 ([arXiv:2303.00848](https://arxiv.org/abs/2303.00848)):
#   a weight, times how often $t$ is drawn, is what counts.
# - T. Karras and others, *Elucidating the Design Space of Diffusion-Based Generative Models*, 2022
#   ([arXiv:2206.00364](https://arxiv.org/abs/2206.00364)): weights, parameterisation and
#   augmentation.
# - T. Karras and others, *Analyzing and Improving the Training Dynamics of Diffusion Models*, 2023
#   ([arXiv:2312.02696](https://arxiv.org/abs/2312.02696)): averages of many lengths from one run.
# - `flowerdiff/training.py` in this course: the loop of section 6, with everything around it.
