# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 00 · First flower
#
# **About 25 minutes** · the machine needs less than one of them.
#
# **You need** Python as far as a `for` loop and a function call, and the idea that a picture is a
# grid of numbers. No network, no graphics card, no knowledge of diffusion models.
#
# **Afterwards you can**
#
# - grow a flower out of noise, step by step, and say what happens in a step;
# - name the three pictures of every step ($x_t$, $\hat x_0$, $\hat\varepsilon$) and read the three
#   numbers below them ($t$, $\bar\alpha_t$, SNR);
# - tell what the label decides and what the seed decides;
# - stop half-way and go on as another flower, with the mouse and in five lines of Python;
# - say what this model was trained on, and what it cannot do.
#
# **How a lesson goes.** Before most cells there is a question. Answer it for yourself, in a word or
# two, *then* run the cell (`Shift` + `Enter`), then read on. A wrong guess is worth more than no
# guess: you will remember it.

# %% [markdown]
# ## 1 · A flower out of noise
#
# A trained model comes with the course, in a file on this disk. It has looked at a few thousand
# photographs of flowers of 102 kinds, and it has learned to do one thing: find the noise in a noisy
# photograph.

# %%
from flowerdiff.checkpoint import load_pretrained

model = load_pretrained("flowers64")
model

# %% [markdown]
# The next cell takes 64 × 64 pixels of pure noise, and lets the model clean them up in 25 small
# steps. We tell it to see a sunflower.
#
# > **Predict.** At which step will you be able to tell that it is a flower? And when will its
# > colour be settled: earlier, later, or at the same time?

# %%
from flowerdiff.widgets import denoising_stepper

stepper = denoising_stepper(model, "sunflower", seed=10)
stepper

# %% [markdown]
# **Move the slider**, or click on a picture and use the keys: `←` `→` one step, `Home` `End` first
# and last, `Space` play.
#
# Look at the picture in the middle. The large things come first: there are a dark centre and much
# yellow already in the first guess, while the left picture is nothing but noise. Petals take shape
# in the first half of the walk, and their edges at the end.
#
# Now **change something**, and press *Grow*:
#
# | control | what it is | try |
# |---|---|---|
# | flower | the kind the model is told to see: its *label* | your favourite |
# | seed | names the noise we begin with; same seed, same noise | 11 instead of 10 |
# | w | how much the label counts (lesson 05): −1 not at all, 0 as learned, then more | −1, then 6 |
# | sampler | how a step is made (lesson 04) | `ddpm` |
# | steps | how many steps from noise to flower | 3, then 50 |
#
# The last line of the widget is for section 5.

# %% [markdown]
# ## 2 · Three pictures and three numbers
#
# Let $x_0$ be a clean picture: a list of numbers from −1 (dark) to 1 (bright), three for each
# pixel. Let $\varepsilon$ (epsilon) be **noise**: as many numbers, each drawn by chance from the
# standard normal distribution, so mostly between −3 and 3. A **noisy picture** is a mixture of
# both:
#
# $$ x_t = \sqrt{\bar\alpha_t}\; x_0 + \sqrt{1-\bar\alpha_t}\; \varepsilon $$
#
# - $t$ is the **time**, a whole number from 0 (clean) to $T = 800$ (noise). A walk goes *down*:
#   from $t = 800$ to $t = 0$.
# - $\bar\alpha_t$ ("alpha bar", `alpha_bar`) is the picture's share in the mixture at time $t$, and
#   $1-\bar\alpha_t$ is the noise's share. They are shares of the *variance*, so what one multiplies
#   with is their root (lesson 01). It is a fixed table of numbers, the **schedule**.
# - $\mathrm{SNR} = \bar\alpha_t / (1-\bar\alpha_t)$ is the **signal-to-noise ratio**: at 1 there is
#   as much picture as noise, at 0.01 the noise has a hundred times the variance.
#
# > **Predict.** Half-way, at $t = 400$: is about half of the mixture picture? And when is the
# > picture down to a tenth: before $t = 500$, between 500 and 600, or between 600 and 700?

# %%
for t in (0, 100, 200, 400, 600, 640, 700, 800):
    alpha_bar = model.schedule.alpha_bar[t].item()
    snr = model.schedule.snr(t).item()
    print(f"t = {t:3d}   alpha_bar = {alpha_bar:.3f}   SNR = {snr:8.3f}")

# %% [markdown]
# Half-way, half. A tenth is left at about $t = 640$. And where the walk begins, at $t = 800$, there
# is no picture in the mixture at all. Nobody has hidden a flower in the noise: the model sees one
# there, as you see a face in a cloud. In every cloud it sees another.
#
# Nobody shows the model $x_0$ or $\varepsilon$, either: here there is no $x_0$. It is shown $x_t$,
# told $t$ and the label, and answers with its best guess of the noise. (`predicts v`, it says at
# the top: it really answers with a mixture of noise and picture, out of which the library takes the
# noise. Lesson 03 tells why.) We write a hat on what is guessed:
#
# - $\hat\varepsilon$ (`eps_hat`) is **the noise in it**, as the model sees it. The widget shows
#   $\hat\varepsilon / 3$, so that nearly all of it fits between dark and bright; at $t = 0$ there
#   is none, and the panel is grey.
# - $\hat x_0$ (`x0_hat`) is **the flower in it**: what remains if the guess was right. It is the
#   equation above, solved for $x_0$:
#
# $$ \hat x_0 = \frac{x_t - \sqrt{1-\bar\alpha_t}\;\hat\varepsilon}{\sqrt{\bar\alpha_t}} $$
#
# > **Predict.** Take one step of the walk above and mix its two guesses again, with the two roots
# > of that $t$. Do you get the noisy picture back: exactly, nearly, or not at all, since both are
# > guesses?

# %%
import torch

step = stepper.walk[len(stepper.walk) // 2]  # half-way
alpha_bar = model.schedule.alpha_bar[step.t]
mixed = alpha_bar.sqrt() * step.x0_hat + (1 - alpha_bar).sqrt() * step.eps_hat

torch.testing.assert_close(mixed, step.x_t)
print("the two guesses, mixed again, are x_t")

# %% [markdown]
# Exactly, but for rounding (`assert_close` would have complained of a difference in the fifth
# digit). The two guesses are one: whoever knows the noise in $x_t$ knows the picture in it. The
# middle and the right of the widget are one answer, written in two ways.

# %% [markdown]
# ## 3 · The walk is a loop
#
# There is nothing in the widget that you could not write yourself. A sampler, here `ddim`, is a
# Python *generator*: it makes one step when you ask for it, and waits.
#
# > **Predict.** After `first = next(walk)`, how many times has the model been asked, of 25? And how
# > many steps down have been made?

# %%
from flowerdiff.guidance import guided
from flowerdiff.sampling import ddim, noise

x_T = noise(seeds=[10], t=model.schedule.T)  # one image of pure noise
label = torch.tensor([model.label("sunflower")])
listening = guided(model, w=2.0, null_label=model.null_label)  # the model, told to obey the label

walk = ddim(listening, model.schedule, x_T, label, steps=25, clip_x0=1.0)
first = next(walk)
print(f"t = {first.t}, and x_t is still the noise we began with: {first.x_t is x_T}")

# %% [markdown]
# Asked once, about pure noise; and no step down yet: `first` is step 0 of the widget. The step to
# $t = 768$ is made when you ask for the next. Each holds what you saw in the widget, `step.t`,
# `step.x_t`, `step.x0_hat` and `step.eps_hat`, and a `for` loop asks for the rest.
#
# (`clip_x0=1.0` keeps $\hat x_0$ between dark and bright: some guesses overshoot, the more the
# larger $w$ is. Then $\hat\varepsilon$ is worked out anew, so that the two still belong together.)

# %%
from flowerdiff.widgets import filmstrip, picture

steps = [first]
for step in walk:
    steps.append(step)

picture(
    [filmstrip(steps, model.schedule)],
    "Six steps of the walk, from t = 800 on the left to t = 0: x_t above, x0_hat in the middle, "
    "eps_hat below. x0_hat is a blurred flower while x_t is still mostly noise.",
    zoom=1,
)

# %% [markdown]
# What does a step do? It takes the guess apart and mixes it anew, with a little less noise: if $s$
# is the next time on the way down,
#
# $$ x_s = \sqrt{\bar\alpha_s}\;\hat x_0 + \sqrt{1-\bar\alpha_s}\;\hat\varepsilon . $$
#
# Then the model looks again. That is all of DDIM, the sampler we used. Why many small steps are
# better than one large one, and what other samplers do, is lesson 04.

# %% [markdown]
# ## 4 · What the label decides, what the seed decides
#
# > **Predict.** Six flowers grow from *the same noise*, with six labels. Apart from the kind, what
# > will they have in common?

# %%
from flowerdiff.pixels import to_uint8


def grow(flowers, seeds, w=2.0, steps=25):
    """The finished flowers, one for each name and seed, as pixels."""
    x_T = noise(seeds, model.schedule.T)
    labels = torch.tensor([model.label(name) for name in flowers])
    listening = guided(model, w, model.null_label)
    *_, last = ddim(listening, model.schedule, x_T, labels, steps=steps, clip_x0=1.0)
    return to_uint8(last.x_t)


kinds = ["sunflower", "rose", "water lily", "oxeye daisy", "bearded iris", "hibiscus"]
picture(
    grow(kinds, seeds=[10] * 6),
    "Six kinds of flowers, grown from the same noise: each stands in the middle, seen from about "
    "as near as the others.",
    labels=kinds,
)

# %% [markdown]
# > **Predict.** And six water lilies from six different seeds?

# %%
picture(
    grow(["water lily"] * 6, seeds=range(6)),
    "Water lilies from six seeds: all of them pointed petals around a yellow or orange centre, "
    "before leaves and dark water; white, yellow or pink, one alone or two, each in a place and a "
    "size of its own.",
    labels=[f"seed {seed}" for seed in range(6)],
)

# %% [markdown]
# The label decides **what**: petals, the centre, and the colour if the kind has only one. The seed
# chooses among what is left: **where** exactly the flower sits, how large it is, whether there is a
# second one, where the light falls, and of a kind that comes in many colours, which. Flowers of one
# seed resemble one another like photographs taken from the same spot. (Try `["sunflower"] * 6`,
# too: these are more alike than photographs of sunflowers are. That is the price of $w = 2$: lesson
# 05.)
#
# A seed belongs to one image, not to a batch: the water lily of seed 3 is the same alone or among a
# thousand.

# %% [markdown]
# ## 5 · Go on from here, as something else
#
# A step knows everything that the rest of the walk needs: $x_t$ and $t$. So we can stop anywhere,
# and let *another* walk begin there.
#
# First with the mouse. In the widget, move the slider to about $t = 700$, choose another flower in
# the last line, and press *Go on from here*. You get two rows: the old walk, and the new one, at
# the same times.
#
# Now in Python. We follow the sunflower's walk for 1, 2, 3, 5 and 9 of its 25 steps, and then go on
# as a **water lily**.
#
# > **Predict.** After how many steps of sunflower is it too late to become a water lily?

# %%
water_lily = torch.tensor([model.label("water lily")])
times = [step.t for step in steps]

ends, titles = [], []
for i in (1, 2, 3, 5, 9):
    *_, last = ddim(
        listening,
        model.schedule,
        steps[i].x_t,
        water_lily,
        start=times[i],
        steps=times[i + 1 :],
        clip_x0=1.0,
    )
    ends.append(to_uint8(last.x_t[0]))
    titles.append(f"after {i}, t = {times[i]}")

picture(
    [*ends, to_uint8(steps[-1].x_t[0])],
    "Five pictures that left the sunflower's walk after 1, 2, 3, 5 and 9 steps to become a water "
    "lily, and the sunflower. The first is a water lily; the later the change, the more yellow is "
    "left.",
    labels=[*titles, "all 25: sunflower"],
)

# %% [markdown]
# Earlier than most people guess. After 5 steps, a fifth of the walk, $x_t$ is still little more to
# the eye than noise, and the large things are settled: where the flower is, and nearly its colour.
# The model goes on from the picture it finds, and can only repaint what is still open, longest of
# all the details.
#
# In between lie the interesting ones. (People make pictures this way: noise a photograph or a
# doodle up to some $t$, and go on from there with a label. Lesson 04 does.)

# %% [markdown]
# ## 6 · What the model is, and what it is not

# %%
for key in ("net", "data", "images_seen", "cpu_hours", "machine", "limits"):
    print(f"{key}: {model.card[key]}")

# %% [markdown]
# That is its **model card**: what a model was made of, and what it cannot do. Every model should
# have one, and the last line is the one to read first.
#
# This one is small on purpose: it has to draw a flower in about three seconds on a laptop without a
# graphics card. It was trained from scratch, so all it knows of the world are those photographs:
#
# - 102 kinds of flowers, most of them common in Britain; no vases, no bees, no words.
# - Some kinds had 200 photographs to learn from, some fewer than 30. But the number is not all: try
#   a pink primrose (27 photographs), then a petunia (206, in many forms and colours).
# - It draws what *photographs* of flowers look like, not what flowers are. Petals need not add up:
#   do not learn botany from it.

# %% [markdown]
# ## Key points
#
# - A diffusion model does one thing: it guesses the **noise** in a noisy picture.
# - Guessing the noise $\hat\varepsilon$ and guessing the clean picture $\hat x_0$ is the same
#   thing; $\bar\alpha_t$ says how they mix.
# - A sampler walks from noise to a picture in small steps, and asks the model at each. Large things
#   are settled early, details late.
# - The **label** decides what, the **seed** decides where and how.
# - A walk is a plain Python loop. You can stop it, look, change something and go on.
#
# ## Where to go on
#
# - **01 Forward diffusion**: where the mixture comes from, and why these $\bar\alpha_t$.
# - J. Ho, A. Jain, P. Abbeel, *Denoising Diffusion Probabilistic Models*, 2020
#   ([arXiv:2006.11239](https://arxiv.org/abs/2006.11239)): the paper behind $x_t$ and
#   $\hat\varepsilon$. Figure 6 is our filmstrip.
# - J. Song, C. Meng, S. Ermon, *Denoising Diffusion Implicit Models*, 2020
#   ([arXiv:2010.02502](https://arxiv.org/abs/2010.02502)): `ddim`.
# - `flowerdiff/sampling.py` in this course: the loop you ran, in about forty lines. You can read it
#   now.
