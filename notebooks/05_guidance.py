# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 · Guidance
#
# **About 90 minutes** up to section 7, with a break after section 4, and 30 more for section 8,
# which can wait; seven exercises among them · the machine needs about one minute.
#
# **You need** lessons 00 and 01 ($\bar\alpha_t$, $\hat x_0$, $\hat\varepsilon$), from lesson 04
# what a sampler does and what a score is, and from mathematics what a conditional probability
# $p(y \mid x)$ is.
#
# **Afterwards you can**
#
# - train one net that draws a flower of a given kind, and any flower;
# - say what the weight $w$ does, at which times it does it, and write it in three lines;
# - translate the $w$, $s$ and $\gamma$ of papers and libraries into each other;
# - measure what guidance costs: colours and variety;
# - lead a walk away from a flower, and guide only some of the time;
# - explain why guidance does not sample what most people say it samples.
#
# In lesson 00 you turned $w$ up, and the sunflower became more of a sunflower. Here we find out
# why, and what it costs.

# %% [markdown]
# ## 1 · One net for each flower, and for any flower
#
# The net is told what to see by a **label** $y$: a number from 0 to 101, one for each kind of
# flower. Inside, the course's net has a table with a row of numbers for each label, and it learns
# those numbers like all its others. (The 2-layer net of lesson 02 has a one-hot instead.)
#
# The table has one row more than there are flowers. Row 102, `num_classes`, is the **null label**,
# written $\varnothing$: *no label, any flower*. No picture comes with the label $\varnothing$. Each
# time that an image is shown in training, it loses its label with probability $p = 0.1$ and gets
# $\varnothing$ instead. That is **label dropout**, and that is all there is to it. So one net
# learns two things:
#
# - $\hat\varepsilon(x_t, t, y)$, the noise in $x_t$ if this is a flower of the kind $y$: the
#   **conditional** prediction;
# - $\hat\varepsilon(x_t, t, \varnothing)$, the noise in $x_t$ if this is *some* flower: the
#   **unconditional** one.
#
# > **Predict.** Six walks from six seeds, once with the label "rose", once with $\varnothing$. What
# > will the second row show: six different flowers? A flower that is the mean of all? Nothing?

# %%
import torch

from flowerdiff.checkpoint import load_pretrained
from flowerdiff.guidance import guided
from flowerdiff.pixels import to_uint8
from flowerdiff.sampling import dpm_solver_pp, noise
from flowerdiff.widgets import picture

model = load_pretrained("flowers64")
T, null = model.schedule.T, model.null_label


def grow(eps_model, labels, seeds):
    """Finished flowers, one for each label and seed, as pixels (B, 3, 64, 64)."""
    y, x_T = torch.tensor(labels), noise(seeds, T)
    with torch.inference_mode():
        *_, last = dpm_solver_pp(eps_model, model.schedule, x_T, y, steps=12, clip_x0=1.0)
    return to_uint8(last.x_t)


rose, sunflower = model.label("rose"), model.label("sunflower")
picture(
    [*grow(model, [rose] * 6, range(6)), *grow(model, [null] * 6, range(6))],
    "Two rows from the same six seeds. With the label rose: soft roses in orange, pink and red, "
    "not all of them whole. Without a label: flowers of several shapes and colours, one of them in "
    "pieces, hardly one of a kind that one could name, each about where the rose above it is.",
    labels=[f"rose, seed {seed}" for seed in range(6)] + ["no label"] * 6,
)

# %% [markdown]
# Six different flowers: $\varnothing$ is not the mean of all flowers, it is *any* of them, and the
# seed decides which. (They are hardly of a kind one could name, and that of seed 3 is in pieces: to
# draw *some* flower is harder than to draw a rose.) And the flowers of a column have much in
# common: the place, the light, the leaves, often even the colour.
#
# To drop a label is one line. Which line?

# %% [markdown]
# ### Exercise 1 · Drop labels, image by image
#
# *easy · 5 minutes.* `y` are the labels of a batch, (B,), and `u` is a random number from 0 to 1
# for each of them, (B,). Where `u` is below `p`, the label becomes the null label.
# (`torch.where(condition, a, b)` takes `a` where the condition holds, and `b` elsewhere.)

# %%
from flowerdiff.checks.guidance import check_drop_labels


def drop_labels(y, u, p, num_classes):
    """The labels (B,), some of them dropped."""
    # solution
    return torch.where(u < p, num_classes, y)
    # end of solution


check_drop_labels(drop_labels)

# %% [markdown]
# Why one `u` for each image, and not one for the batch? On average the same share is dropped.
#
# > **Predict.** A thousand batches of 64 images, $p = 0.1$. How many labels are dropped in a batch,
# > on average, and at the least and at the most: with a `u` for each image, and with one for all?

# %%
from flowerdiff import guidance as library

rng = torch.Generator().manual_seed(0)
y = torch.randint(0, 102, (1000, 64), generator=rng)
draws = {
    "one for each image": torch.rand(1000, 64, generator=rng),
    "one for the batch": torch.rand(1000, 1, generator=rng).expand(-1, 64),
}
for name, u in draws.items():
    dropped = library.drop_labels(y, u < 0.1, null).eq(null).sum(1)  # of each batch
    print(
        f"{name:18s} mean {dropped.float().mean():.1f}, from {dropped.min()} to {dropped.max()}; "
        f"{(dropped == 0).float().mean():.1%} of the batches have none"
    )

# %% [markdown]
# The means are alike, and so are the gradients, on average. But with one draw for the batch nine
# steps in ten teach nothing about $\varnothing$, and the tenth teaches nothing else: the steps vary
# more. With a draw for each image every step is a little of both.

# %% [markdown]
# ## 2 · Two predictions, and what lies between them
#
# Let us ask the net both questions about the same $x_t$. We take the walk of a sunflower, and stop
# it at three times.
#
# > **Predict.** In $\hat\varepsilon$, how different are the two answers: do they show two different
# > flowers, or can you not tell them apart? And when is the difference greatest: early ($t = 750$),
# > half-way, or late?

# %%
from flowerdiff.sampling import ddim


def ask_twice(step, labels):
    """eps_hat with the labels and without them, for the pictures of a step."""
    t = torch.full((len(labels),), step.t)
    with torch.inference_mode():
        return model(step.x_t, t, labels), model(step.x_t, t, torch.full_like(labels, null))


def answers(step, labels):
    """Six pictures of a step: eps_hat twice, their difference; x0_hat twice, their difference."""
    eps_y, eps_null = ask_twice(step, labels)
    x0_y, x0_null = (model.schedule.x0_from_eps(step.x_t, step.t, e) for e in (eps_y, eps_null))
    shown = eps_y / 3, eps_null / 3, 5 * (eps_y - eps_null), x0_y, x0_null, 2 * (x0_y - x0_null)
    return [to_uint8(image[0]) for image in shown]


# %%
with torch.inference_mode():
    one = torch.tensor([sunflower])
    walk = list(ddim(model, model.schedule, noise([1], T), one, steps=16, clip_x0=1.0))

titles = "eps(y) / 3", "eps(null) / 3", "difference x 5", "x0_hat(y)", "x0_hat(null)", "diff. x 2"
picture(
    [image for i in (1, 6, 12) for image in answers(walk[i], one)],
    "Three rows, t = 750, 500 and 200. The two eps_hat look the same, pure noise. The difference, "
    "enlarged five times (grey is 0), has the shape of a sunflower: a bluish blur at t = 750, "
    "petals at 500, edges at 200. The two x0_hat differ at t = 750, a sunflower and a reddish "
    "blur, and the difference is a bright yellow ring; at t = 500 it is faint, at 200 hardly to be "
    "seen.",
    labels=[f"{name}\nt = {walk[i].t}" for i in (1, 6, 12) for name in titles],
)

# %% [markdown]
# You cannot tell the two $\hat\varepsilon$ apart: both are noise, nearly all of it the same. What
# lies between them is small, and it is no noise at all: it is **what the label says about this
# picture**. At $t = 750$, in $\hat x_0$, it is yellow around and dark in the middle, which is what
# we mean by a sunflower. (In $\hat\varepsilon$ it is the same in negative.)
#
# Later on, even without a label, the net sees a sunflower: there is one in $x_t$ by now. All that
# the label adds is a little to the petals and the disc, and at last to the edges. In numbers, for
# eight flowers:
#
# > **Predict.** The difference in $\hat x_0$ shrinks as the walk goes on, from $t = 800$ to 0. And
# > the difference in $\hat\varepsilon$?

# %%
from flowerdiff.plots import curves

names = ["sunflower", "rose", "water lily", "oxeye daisy"]
names += ["bearded iris", "hibiscus", "fire lily", "gazania"]
eight = torch.tensor([model.label(name) for name in names])


def size(x):
    """Root mean square over each picture: (B, 3, 64, 64) -> (B,)."""
    return x.square().mean((1, 2, 3)).sqrt()


times, in_eps, in_x0 = [], [], []
with torch.inference_mode():
    for step in ddim(model, model.schedule, noise(range(8), T), eight, steps=16, clip_x0=1.0):
        if step.t:
            eps_y, eps_null = ask_twice(step, eight)
            x0 = [model.schedule.x0_from_eps(step.x_t, step.t, e) for e in (eps_y, eps_null)]
            times.append(step.t)
            in_eps.append(size(eps_y - eps_null))
            in_x0.append(size(x0[0] - x0[1]))

t = torch.tensor(times)
in_eps, in_x0 = torch.stack(in_eps), torch.stack(in_x0)  # (16, 8)

# %%
curves(
    {
        "difference in eps_hat": {"eight flowers": (t, in_eps), "mean": (t, in_eps.mean(1))},
        "difference in x0_hat": {"eight flowers": (t, in_x0), "mean": (t, in_x0.mean(1))},
    },
    caption="Root mean square of the difference between the two predictions over t, for eight "
    "flowers and their mean. A walk goes from right to left: in eps_hat the mean grows, from "
    "nothing at t = 800 to more than 0.03 half-way, and then hardly further; in x0_hat it shrinks, "
    "from more than 0.1 to almost nothing.",
)

# %% [markdown]
# It *grows*, the other way round: fast in the first half of the walk, and then little. In
# $\hat x_0$ the label means most at the start, where nothing else is known. In
# $\hat\varepsilon$ it means nothing there, for $x_T$ *is* the noise, whatever the flower. Both are
# the same difference, seen through $\hat x_0 = (x_t -
# \sqrt{1-\bar\alpha_t}\,\hat\varepsilon) / \sqrt{\bar\alpha_t}$. Subtract that for $\varnothing$
# from that for $y$, and $x_t$ cancels:
#
# $$ \hat x_0(y) - \hat x_0(\varnothing) = -\sqrt{\frac{1-\bar\alpha_t}{\bar\alpha_t}}\;
#    \bigl(\hat\varepsilon(y) - \hat\varepsilon(\varnothing)\bigr). $$

# %%
alpha_bar = model.schedule.alpha_bar[t[1:]]  # all but t = 800, where alpha_bar is almost 0
factor = ((1 - alpha_bar) / alpha_bar).sqrt()[:, None]

torch.testing.assert_close(in_x0[1:], factor * in_eps[1:], rtol=1e-3, atol=1e-5)
print(f"the factor is {factor[-1, 0]:.2f} at t = {t[-1]}, and {factor[0, 0]:.1f} at t = {t[1]}")

# %% [markdown]
# What *is* this difference? Up to a factor, $\hat\varepsilon$ is a **score** (lesson 04): the
# direction in which the density of noisy pictures grows fastest, $\hat\varepsilon(\varnothing) =
# -\sqrt{1-\bar\alpha_t}\; \nabla \log p_t(x_t)$, where $p_t(x_t)$ is the density of all noisy
# pictures and $\nabla$ the gradient with respect to $x_t$; and $\hat\varepsilon(y)$ is that of the
# noisy pictures of the kind $y$, $p_t(x_t \mid y)$. By Bayes, $p_t(x_t \mid y) \,/\, p_t(x_t) =
# p_t(y \mid x_t) \,/\, p(y)$. Take logarithms, then gradients; $p(y)$ does not depend on $x_t$:
#
# $$ \hat\varepsilon(y) - \hat\varepsilon(\varnothing) =
#    -\sqrt{1-\bar\alpha_t}\; \nabla \log p_t(y \mid x_t). $$
#
# $p_t(y \mid x_t)$ is a **classifier**: how likely is the label, given the noisy picture? Dhariwal
# and Nichol (2021) trained one and added its gradient: **classifier guidance**. Here nobody has:
# the net holds it in the difference of its two answers, an *implicit* classifier. (Exactly so if
# both answers are perfect. A net's are near that, and their difference need not be the gradient of
# anything.) Hence the name of what follows: **classifier-free guidance**, CFG for short.

# %% [markdown]
# ## 3 · Further along the difference
#
# If the difference is what the label says, let us say it louder. Begin at the prediction *with* the
# label, and go on in the same direction, $w$ times as far as it was from $\varnothing$:
#
# $$ \hat\varepsilon = \hat\varepsilon(y) + w\,\bigl(\hat\varepsilon(y) -
#    \hat\varepsilon(\varnothing)\bigr)
#    = (1+w)\,\hat\varepsilon(y) - w\,\hat\varepsilon(\varnothing). $$
#
# $w$ is the **guidance weight**, as in the paper that the course follows: at $w = 0$ the net
# listens to the label as it has learned to, at $w = -1$ not at all, above 0 we exaggerate.

# %% [markdown]
# ### Exercise 2 · The guided prediction
#
# *easy · 5 minutes.* `eps_y` and `eps_null` are the two predictions, `w` is a number.

# %%
from flowerdiff.checks.guidance import check_combine


def combine(eps_y, eps_null, w):
    """The guided prediction, a tensor like the two."""
    # solution
    return (1 + w) * eps_y - w * eps_null
    # end of solution


check_combine(combine)

# %% [markdown]
# The library's `guided(model, w, null_label)` is a model again, with the same three arguments:
# every sampler takes it, and need not know that it is guided. Does it compute what the formula
# says? And could we have guided $\hat x_0$ instead?
#
# > **Predict.** $(1+w)\,\hat x_0(y) - w\,\hat x_0(\varnothing)$: is that the $\hat x_0$ of the
# > guided $\hat\varepsilon$, for every $w$, or only for small ones?

# %%
step, w = walk[6], 3.0
t_now = torch.tensor([step.t])
eps_y, eps_null = ask_twice(step, one)
with torch.inference_mode():
    by_library = guided(model, w, null)(step.x_t, t_now, one)

by_hand = eps_y + w * (eps_y - eps_null)
torch.testing.assert_close(by_hand, by_library, rtol=1e-4, atol=1e-4)

x0_y, x0_null, x0_guided = (
    model.schedule.x0_from_eps(step.x_t, step.t, eps) for eps in (eps_y, eps_null, by_hand)
)
torch.testing.assert_close((1 + w) * x0_y - w * x0_null, x0_guided, rtol=1e-4, atol=1e-4)
print("the same, in eps_hat and in x0_hat")

# %% [markdown]
# For every $w$. $\hat x_0$ is $x_t/\sqrt{\bar\alpha_t}$ plus a multiple of $\hat\varepsilon$, and
# the two weights, $1+w$ and $-w$, sum to 1: so the first part is in it exactly once. It makes no
# difference whether you guide $\hat\varepsilon$, $\hat x_0$, $v$ or the score. (Clipping does make
# one: clip *after* guiding.)
#
# A guided step asks the net twice, so it costs twice. (The code that was published with the paper
# asks twice even at $w = 0$, and multiplies the second answer by zero; half of its sampling time is
# for nothing.) But both questions fit into *one* batch, and on a GPU one large batch is quicker
# than two small ones (on a CPU hardly).

# %% [markdown]
# ### Exercise 3 · One pass for both
#
# *medium · 8 minutes.* The model was asked once, with a batch of 2 B: first all B pictures with
# their labels, then the same B pictures without. `both` is its answer, (2 B, 3, H, W). Each picture
# has a weight of its own, `w` (B,). Return the guided predictions, (B, 3, H, W).
# (`both.chunk(2)` cuts a tensor into two halves.)

# %%
from flowerdiff.checks.guidance import check_one_pass


def one_pass(both, w):
    """The guided predictions (B, 3, H, W), from the answer to the double batch."""
    # solution
    eps_y, eps_null = both.chunk(2)
    w = w.reshape(-1, 1, 1, 1)
    return (1 + w) * eps_y - w * eps_null
    # end of solution


check_one_pass(one_pass)

# %% [markdown]
# Now $w$ on a slider, with all else held: two flowers, three seeds, and DPM-Solver++ with 12 steps
# (lesson 04), which is quick. The cell draws six pictures for each of ten $w$, so it takes about
# a quarter of a minute.
#
# > **Predict.** As $w$ grows: what happens to the shape, what to the colours, what to the
# > background? And do the three sunflowers become more alike, or more different?

# %%
from flowerdiff.widgets import guidance_explorer

explorer = guidance_explorer(model, "sunflower", "rose")
explorer

# %% [markdown]
# **Move the slider**, or click on a picture and use `←` `→` `Home` `End`.
#
# - At $w = -1$ the two rows are the same: nobody listens to the label.
# - From there to $w = 0$ they become a sunflower and a rose. From 0 to 2 the flowers become
#   *clearer*: the sunflower's middle is dark, the rose has petals, and both have an outline.
# - From 3 on they become *louder*: the yellow is pure yellow, the dark is black, and the caption's
#   numbers climb. (**Saturation** says how far from grey a colour is, from 0 to 1. **Clipped** are
#   values at the very end of the scale, 0 or 255, where there is no detail any more.)
# - And the three sunflowers become more alike: round, large, with the same dark disc, before much
#   the same background. The seed has less and less to say.
#
# Now **change something**, and press *Draw*. You can watch the pictures come out while it works.
#
# | control | try |
# |---|---|
# | flower, and | *water lily* and *lotus lotus*: at which $w$ can you tell them apart? |
# | seed | 100: is it the luck of these three seeds? |
# | sampler, steps | `ddim`, 4 steps: which $w$ suffer most from haste? |
# | guided from $t$ … down to … | 800 to 500, then 300 to 0: that is section 6 |

# %% [markdown]
# ## 4 · The $w$, the $s$ and the $\gamma$
#
# Everybody guides, and everybody writes it in another way. Here $c$ is short for the conditional
# prediction, $\hat\varepsilon(y)$, and $u$ for the unconditional one:
#
# | who | how it is written | off at | our $w$ is |
# |---|---|---|---|
# | this course, its paper, and Ho and Salimans: $w$ | $(1+w)\,c - w\,u$ | 0 | $w$ |
# | GLIDE: $s$; diffusers: `guidance_scale` | $u + s\,(c - u)$ | 1 | $s - 1$ |
# | Imagen: also $w$! | $w\,c + (1-w)\,u$ | 1 | its $w - 1$ |
# | Dieleman; Bradley et al.: $\gamma$ | $p(x\vert y)^\gamma\,p(x)^{1-\gamma}$ | 1 | $\gamma - 1$ |
# | Dhariwal and Nichol, labels and a classifier: $s$ | $p(x\vert y)\,p(y\vert x)^{s}$ | 0 | $s$ |
#
# (The last two name the density that they have in mind; section 8 will come back to it.) Two
# camps, then: those who count from the *conditional* prediction (off at 0), and those who count
# from the *unconditional* one (off at 1). The letter does not tell you which. Even in one library
# both are found: the guider of diffusers takes a `guidance_scale`, and an option
# `use_original_formulation` that shifts its meaning by 1. And its older pipelines switch guidance
# off for every scale up to 1, so that 0 does not mean "no label" but "plain conditional".
#
# The sure way is to ask the code itself.

# %% [markdown]
# ### Exercise 4 · Which w was that?
#
# *medium · 8 minutes.* You have the two predictions and what some program made of them, `eps_hat`.
# All three are tensors of one shape. Find the program's weight, in our convention, as one number.
#
# Write $d = c - u$, so that `eps_hat` is $c + w\,d$. Subtract $c$, multiply by $d$ and sum over all
# pixels: both sides are numbers, and one division remains.

# %%
from flowerdiff.checks.guidance import check_which_w


def which_w(eps_hat, eps_y, eps_null):
    """The weight, one number."""
    # solution
    d = eps_y - eps_null
    return ((eps_hat - eps_y) * d).sum() / (d * d).sum()
    # end of solution


check_which_w(which_w)

# %% [markdown]
# Stable Diffusion became famous with `guidance_scale=7.5`.
#
# > **Predict.** What is that in our $w$? And what is the paper's largest, $w = 4$, as a
# > `guidance_scale`?

# %%
from flowerdiff.guidance import guidance_scale, w_from_guidance_scale, w_of


def elsewhere(eps_y, eps_null, scale):
    """As many programs have it."""
    return eps_null + scale * (eps_y - eps_null)


for scale in (7.5, 1.0, 0.0):
    found = w_of(elsewhere(eps_y, eps_null, scale), eps_y, eps_null)  # the library's which_w
    torch.testing.assert_close(found, w_from_guidance_scale(scale), rtol=1e-3, atol=1e-3)
    print(f"guidance_scale = {scale}: w = {round(found, 2) + 0.0}")  # + 0.0: no -0.0
print("w = 4 is guidance_scale =", guidance_scale(4))

# %% [markdown]
# ## 5 · What it costs
#
# First the colours: the explorer's two numbers, for all its $w$. Beside them, recorded once by
# `tools/measure_guidance.py`, the same for pictures of all 102 kinds, and for 818 photographs that
# the model has never seen. (If you drew something else in the explorer, its curve is of that.)
#
# > **Predict.** At which $w$ are the drawn flowers as colourful as photographs?

# %%
import json

from flowerdiff.colour import clipped, saturation
from flowerdiff.course import course_file

recorded = json.loads(course_file("docs/results/guidance.json").read_text())
settings = {s["name"]: s for s in recorded["settings"]}
whole = [s for s in settings.values() if (s["low"], s["high"]) == (0, T)]  # guided all the way
ws = torch.tensor([s["w"] for s in whole])
our_ws = torch.tensor(list(explorer.images))


# %%


def colours(name, measure):
    """The curves of one panel: {name: (w, values)}."""
    ours = torch.stack([measure(images).mean() for images in explorer.images.values()])
    real = torch.full((len(ws),), recorded["real"][name])
    theirs = torch.tensor([s[name] for s in whole])
    return {"explorer": (our_ws, ours), "102 kinds": (ws, theirs), "photographs": (ws, real)}


curves(
    {"saturation": colours("saturation", saturation), "clipped": colours("clipped", clipped)},
    caption="Saturation and share of clipped values over w. For all 102 kinds both rise with w; "
    "they cross the line of the photographs at w = 1 and at w = 3. The explorer's sunflowers and "
    "roses are ahead of them: they cross it before w = 0 and soon after w = 2.",
    xlabel="w",
)

# %% [markdown]
# At $w = 1$, if all kinds are taken together (and as often clipped at 3). This model is small, and
# what it draws at $w = 0$ is paler than the world is; guidance makes up for that, and then overdoes
# it. Sunflowers and roses are colourful kinds, so they get there sooner. (A comparison with
# photographs of *other* flowers can mislead: mind what a line is of.)
#
# Where do the colours come from? $\hat x_0(y)$ is a sensible picture, with values between −1 and 1.
# But $\hat x_0(y)$ plus $w$ times a difference need not be: nothing in the formula knows where the
# scale ends.
#
# > **Predict.** At which times will the guided $\hat x_0$ leave the scale most: early or late?

# %%
y = torch.tensor([sunflower] * 3 + [rose] * 3)
beyond = {}
for w in (0.0, 2.0, 8.0):
    eps_model, shares = guided(model, w, null), []
    with torch.inference_mode():
        x_T = noise([0, 1, 2] * 2, T)
        for step in dpm_solver_pp(eps_model, model.schedule, x_T, y, steps=12, clip_x0=1.0):
            if step.t:
                eps_hat = eps_model(step.x_t, torch.full((6,), step.t), y)
                x0_hat = model.schedule.x0_from_eps(step.x_t, step.t, eps_hat)  # not clipped yet
                shares.append((step.t, (x0_hat.abs() > 1).float().mean()))
    beyond[f"w = {w:g}"] = torch.tensor(shares).T.unbind()

curves(
    {"share of x0_hat beyond [-1, 1]": beyond},
    caption="Share of the values of x0_hat beyond -1 or 1, before they are clipped, over t. With "
    "w = 0 there are hardly any; with w = 2 at most about a seventh, at t = 800; with w = 8 "
    "more than half at t = 800, and less than a tenth at the end.",
    size=(4.5, 2.8),
)

# %% [markdown]
# Early, where the difference is largest (section 2). With $w = 8$, at the first step, more than
# half of the values are beyond the scale, and our samplers push them back to its end
# (`clip_x0=1.0`). Most of them come back later; up to a tenth stay there, and are the pure yellow
# and the pure black of the explorer.
#
# > **Predict.** And without clipping in the walk: how many of the finished pictures' values are
# > then at or beyond the ends, with $w = 8$: fewer, as many, or more?

# %%
for clip in (1.0, None):
    with torch.inference_mode():
        eps_model, x_T = guided(model, 8.0, null), noise([0, 1, 2] * 2, T)
        *_, last = dpm_solver_pp(eps_model, model.schedule, x_T, y, steps=12, clip_x0=clip)
    print(f"clip_x0 = {clip}: {clipped(to_uint8(last.x_t)).mean():.0%} at the ends")

# %% [markdown]
# About five times as many. What is beyond the scale goes into the next $x_t$, and the net has
# never seen such an $x_t$ in training. (Cutting at ±1 is *static thresholding*. Imagen's *dynamic*
# kind and *guidance rescale*, Lin et al. 2023, bring the guided prediction back to a sensible size
# instead.)
#
# Now what eyes are bad at. Is it the flower that was asked for? And do flowers of one kind still
# differ? Again recorded, since it takes hundreds of pictures, photographs, and a net that knows
# flowers:
#
# - **Recognition**: a classifier that has learned from photographs looks at each picture. How often
#   does it name the label that was asked for?
# - **Diversity**: how far apart are two pictures of one label, compared with two photographs of it?
#   1 is as varied as nature.
#
# > **Predict.** Recognition rises with $w$: from where to where? Does it go on rising? And
# > diversity?

# %%
panels = {}
for name in ("recognition", "diversity"):
    values = torch.tensor([s[name] for s in whole])  # value, and both ends of its 95 % interval
    panels[name] = {
        "drawn": (ws, values[:, 0]),
        "photographs": (ws, torch.full((len(ws),), recorded["real"][name][0])),
        "95 % interval": (ws, values[:, 1:]),
    }
print(recorded["command"])
print(f"{recorded['n']} pictures for each w; {recorded['features']}")
curves(
    panels,
    caption="Recognition and diversity over w. Recognition rises steeply, from almost 0 at w = -1 "
    "over 0.6 at w = 0 to 0.95 at w = 2, and then no further; it crosses the line of the "
    "photographs, 0.83, before w = 1. Diversity falls, from about 1 at w = -1 over 0.86 at w = 0 "
    "to 0.75 at w = 2, and after that hardly any further.",
    xlabel="w",
)

# %% [markdown]
# From 58 in a hundred at $w = 0$ to 95 at $w = 2$: **as far as the label goes, guidance makes
# up for all that this model lacks.** And the model has not learned anything: it is the same net,
# asked twice. (In other respects it still lacks a lot: see KID in section 6.)
#
# That is more than the 83 of photographs. Are the drawings better flowers? No: more *typical* ones.
# Guidance leads to where a classifier is sure (section 2); photographs also show buds, and flowers
# half hidden. (And the classifier has learned from the very photographs that our model learned
# from.)
#
# The price is variety: a quarter of nature's is missing at $w = 2$. Papers call this the
# **trade-off between fidelity and diversity**. (At $w = -1$ each
# picture may be *any* flower, and still they vary no more than photographs of one kind: probably
# since this model's soft pictures are much alike.) From 2 to 8 nothing is gained, and the colours
# still get worse. So a middling $w$ is best, and *which* depends on the model, the sampler, and on
# what you want.

# %% [markdown]
# ## 6 · Guidance some of the time
#
# Guidance need not be the same at all times. Kynkäänniemi and others (2024) guided only in an
# **interval** of $t$, with $w = 0$ before and after, and their pictures became better *and*
# cheaper.
#
# We have 12 steps. Let us guide with $w = 4$ in the first four only ($t$ from 800 down to 600), in
# the middle four (533 to 333), or in the last four (267 to 67).
#
# > **Predict.** Think of section 2: when did the label have the most to say? Which third will look
# > most like "guided all the time"? Which one could we do without?

# %%
from flowerdiff.guidance import guided_between

parts = {
    "never": (T + 1, T + 1),
    "always": (0, T),
    "first third": (534, T),
    "middle third": (268, 533),
    "last third": (0, 267),
}
rows = {
    part: grow(guided_between(model, 4.0, null, low, high), eight[:5].tolist(), range(5))
    for part, (low, high) in parts.items()
}
picture(
    [image for row in rows.values() for image in row],
    "Five flowers in five rows. Guided never: soft and dull. Always: clear and bright, and the "
    "iris, violet before, is pale, nearly white. In the first third: almost like always. "
    "In the middle third: the colours of never, with clearer shapes. In the last third: like "
    "never, a little sharper.",
    labels=[f"{name}\n{part}" for part in rows for name in names[:5]],
    columns=5,
)

# %% [markdown]
# To the eye it is the first third: there the large things are settled, and the label has the most
# to say. (Look at the bearded iris: it even changes its colour there.) The last third,
# to the eye, does almost nothing: edges, and some grain.
#
# Now the recorded numbers: the same thirds, and all *but* the first.
#
# > **Predict.** Guided in the last third only: does the classifier see any difference from never?
# > And which third costs the most diversity?

# %%
print("guided                              recognition  diversity  saturation    KID")
for name, s in settings.items():
    if s["w"] >= 0:
        print(
            f"{name:35s} {s['recognition'][0]:11.2f} {s['diversity'][0]:10.2f} "
            f"{s['saturation']:11.2f} {s['kid'][0]:6.3f}"
        )

# %% [markdown]
# The classifier disagrees with the eye. The last third, of which we see next to nothing, helps it
# about as much as the middle third, and five sixths as much as the first: probably it
# looks at fine edges, too, and those are made there. (Or it is easier to please than we are. A
# number is not a flower; lesson 06.) And most of the *price* is paid in the first third: there the
# diversity goes and the colours come, while the other two thirds cost little.
#
# Kynkäänniemi and others found guidance harmful at the beginning, of no use at the end, and good
# only in the middle. Here too the beginning is the costly part, but the end helps, at least by this
# classifier. So leave out the first third only: with $w = 4$ in the rest, the flowers are
# recognised more often than photographs are, at a diversity of 0.82. With $w = 1$ all the way they
# are recognised as often, at a diversity of 0.79. It is cheaper as well: four steps of twelve need
# only one prediction.
#
# Is it simply better, then? By **KID**, a distance between drawn flowers and photographs (lesson
# 06; less is better), $w = 1$ all the way is ahead, 0.035 against 0.049 (both about ±0.006).
# Perhaps our pale model needs the colours that come in the first third, and the paper's large
# models did not; we have not tested that. Which is best depends on what you ask for.

# %% [markdown]
# ### Exercise 5 · Guidance some of the time
#
# *medium · 8 minutes.* Each picture of the batch has its own time, `t` (B,). Where
# `low <= t <= high`, it is guided with the number `w`; elsewhere it gets the plain conditional
# prediction. (Python's `low <= t <= high` is for one number. For a tensor, join two comparisons
# with `&`, each in parentheses.)

# %%
from flowerdiff.checks.guidance import check_guide_between


def guide_between(eps_y, eps_null, w, t, low, high):
    """The predictions (B, 3, H, W), guided where t is between low and high."""
    # solution
    inside = (low <= t) & (t <= high)
    w = w * inside.float().reshape(-1, 1, 1, 1)
    return (1 + w) * eps_y - w * eps_null
    # end of solution


check_guide_between(guide_between)

# %% [markdown]
# ## 7 · Away from
#
# The formula goes towards $y$ and away from $\varnothing$. Who says that it must be $\varnothing$?
#
# $$ \hat\varepsilon = (1+w)\,\hat\varepsilon(y) - w\,\hat\varepsilon(y_-) $$
#
# goes away from the label $y_-$, a **negative label**. (With words in the place of labels it is the
# *negative prompt* of many programs: "blurry, six fingers".) In code nothing new is needed: another
# number in the place of the null label.
#
# > **Predict.** Roses, away from English marigolds (which are orange): what will they look like?
# > And *any flower* ($y = \varnothing$), away from sunflowers? Away from roses?

# %%
marigold = model.label("english marigold")
pairs = {
    "rose": (rose, null),
    "rose, not marigold": (rose, marigold),
    "any": (null, null),
    "any, not sunflower": (null, sunflower),
    "any, not rose": (null, rose),
}
rows = {
    name: grow(guided(model, 2.0, avoid), [towards] * 5, range(5))
    for name, (towards, avoid) in pairs.items()
}
picture(
    [image for row in rows.values() for image in row],
    "Five rows from the same five seeds. Roses: orange and red. Roses, not marigolds: magenta "
    "to violet. Any flower: of many colours. Any flower, but no sunflower: pink, magenta "
    "and violet. Any, but no rose: blue and violet.",
    labels=[name if i == 0 else f"seed {i}" for name in rows for i in range(5)],
    columns=5,
)

# %% [markdown]
# Roses that are not orange are magenta to violet: in the same places, and still roses. What they
# shared with marigolds has been taken out.
#
# The last two rows are a surprise. You might have expected flowers of all kinds, just no
# sunflowers. But "away from" is a direction, too, and it leads to the flower that is *most unlike*
# a sunflower: not yellow but pink, magenta or violet, with few and smooth petals, and so five times
# over. Even seed 3, in pieces as *any*, becomes one whole flower of that kind. Roses, in this
# model's world, are warm; their opposite is blue. A negative label does not leave something out. It
# pulls.

# %% [markdown]
# ### Exercise 6 · Away from another flower
#
# *easy · 6 minutes.* Write the labels for the one pass of exercise 3, (2 B,): first what to go
# towards, `y` (B,), then what to go away from. `avoid` (B,) holds a negative label for each
# picture, or -1 if there is none; then it is the null label, as usual.

# %%
from flowerdiff.checks.guidance import check_both_labels


def both_labels(y, avoid, null_label):
    """The labels of the double batch, (2 B,)."""
    # solution
    return torch.cat([y, torch.where(avoid >= 0, avoid, null_label)])
    # end of solution


check_both_labels(both_labels)

# %% [markdown]
# ## 8 · In the plane, where everything is known
#
# What does guidance *sample*? There is a tempting answer. Scores are gradients of logarithms, so
# adding them with weights is multiplying densities with exponents. The guided score
#
# $$ (1+w)\,\nabla\log p_t(x \mid y) - w\,\nabla\log p_t(x) =
#    \nabla \log\left( p_t(x \mid y)^{1+w}\; p_t(x)^{-w} \right) $$
#
# is the score of a density that is proportional to
#
# $$ q_t(x) = p_t(x \mid y)^{1+w}\; p_t(x)^{-w} \;\propto\; p_t(x \mid y)\; p_t(y \mid x)^{w}. $$
#
# At $t = 0$ this is the **sharpened density** $q_0$: the pictures of the kind $y$, with more weight
# on those that a classifier is sure about. Many texts say that guided sampling draws from $q_0$.
# Does it? With flowers nobody can know. In the plane we can: let the "pictures" be points, of three
# kinds, each a round Gaussian.

# %%
from flowerdiff.mixture import Mixture
from flowerdiff.plots import clouds, levels_around
from flowerdiff.schedule import linear_schedule

kinds = Mixture(
    means=torch.tensor([[0.8, 0.0], [-0.4, 0.7], [-0.4, -0.7]]),
    stds=torch.full((3,), 0.5),
    weights=torch.full((3,), 1 / 3),
)
W, LIMITS = 4.0, (-2.0, 3.0)
axis = torch.linspace(*LIMITS, 101)
grid = torch.cartesian_prod(axis, axis)  # (10201, 2)

# The logarithms of the densities, (10201, 3), but for a constant that cancels.
log_kind = -(grid[:, None] - kinds.means).square().sum(2) / (2 * 0.5**2)
log_any = log_kind.logsumexp(1)
sharp = ((1 + W) * log_kind[:, 0] - W * log_any).softmax(0)  # q_0 on the grid, 1 in sum

points, kind = kinds.sample(2000, torch.Generator().manual_seed(0))
i = torch.multinomial(sharp, 2000, replacement=True, generator=torch.Generator().manual_seed(1))
direct = grid[i] + 0.05 * (torch.rand(2000, 2, generator=torch.Generator().manual_seed(2)) - 0.5)

# %%
clouds(
    {
        "all three kinds": {f"kind {k}": points[kind == k] for k in range(3)},
        "kind 0 alone": {"": points[kind == 0]},
        "drawn from q_0": {"": direct},
    },
    caption="Three clouds of points, and in each panel the same three rings: they hold 50, 90 and "
    "99 % of the sharpened density. Kind 0, on the right of the three, reaches beyond the rings to "
    "the left, where the others are. The points drawn from the sharpened density fill the rings.",
    density=sharp.reshape(101, 101),
    limits=LIMITS,
)

# %% [markdown]
# The sharpened density (the rings) is kind 0, moved a little away from the others and a little
# narrower. We can draw from it without any diffusion: choose a point of the grid, each with its
# probability.
#
# And its score? You can write it down:

# %% [markdown]
# ### Exercise 7 · The score of the sharpened density
#
# *harder · 12 minutes.* `x` (N, 2) are points, `means` (K, 2) the middles of K kinds, all with the
# same `std` and equally frequent. Return the guided score for kind `k` at $t = 0$, (N, 2):
# $(1+w)$ times the score of kind `k`, minus $w$ times the score of all together.
#
# The score of *one* Gaussian points uphill, to its middle: $(\mu_j - x)/\mathrm{std}^2$. The score
# of a *mixture* is their weighted mean. The weight of kind $j$ is how likely it is that $x$ is of
# kind $j$ (its *responsibility*; by Bayes): $e^{-|x-\mu_j|^2/(2\,\mathrm{std}^2)}$, divided by the
# sum over all $j$. (That is `.softmax(1)` of the exponents (N, K). `means - x[:, None]` has the
# shape (N, K, 2).)

# %%
from flowerdiff.checks.guidance import check_sharpened_score


def sharpened_score(x, means, std, k, w):
    """The score of p(x | k)^(1 + w) p(x)^(-w), (N, 2)."""
    # solution
    ways = means - x[:, None]  # (N, K, 2)
    share = (-ways.square().sum(2) / (2 * std**2)).softmax(1)  # (N, K)
    of_kind, of_all = ways[:, k], (share[..., None] * ways).sum(1)
    return ((1 + w) * of_kind - w * of_all) / std**2
    # end of solution


check_sharpened_score(sharpened_score)

# %% [markdown]
# The library's `eps_model` knows the mixture's exact $\hat\varepsilon$ at every $t$, so no net can
# be blamed for what follows. Is the guided one, at the very end of the walk ($t = 1$, almost no
# noise), the score of the sharpened density? PyTorch can take the gradient of $\log q_0$ for us.

# %%
plane = linear_schedule()
exact = kinds.eps_model(plane)
guided_eps = guided(exact, W, null_label=3)

x = direct.clone().requires_grad_()
log_kind = -(x[:, None] - kinds.means).square().sum(2) / (2 * 0.5**2)
log_q = (1 + W) * log_kind[:, 0] - W * log_kind.logsumexp(1)
(score,) = torch.autograd.grad(log_q.sum(), x)

zeros = torch.zeros(2000, dtype=torch.long)  # y: kind 0
at_the_end = guided_eps(direct, zeros + 1, zeros)  # t = 1
guided_score = -at_the_end / (1 - plane.alpha_bar[1]).sqrt()
torch.testing.assert_close(guided_score, score, rtol=1e-2, atol=1e-2)
print("at t = 1 the guided score is that of the sharpened density")

# %% [markdown]
# It is. So: 2,000 points, 100 guided steps of DDIM.
#
# > **Predict.** Where will the points lie: within the rings? Closer to the others? Further away?

# %%
x_T = noise(range(2000), plane.T, (2,))
*_, last = ddim(guided_eps, plane, x_T, zeros, steps=100)
by_guidance = last.x_t

(outermost,) = levels_around(sharp, [0.99])  # the density on the outermost ring


def report(name, points):
    """Mean and spread from left to right, and the share beyond the outermost ring."""
    cell = ((points - LIMITS[0]) / (axis[1] - axis[0])).round().long().clamp(0, 100)
    out = sharp[cell[:, 0] * 101 + cell[:, 1]] < outermost
    x = points[:, 0]
    print(
        f"{name:22s} mean {x.mean():5.2f}   std {x.std():.2f}   {out.float().mean():5.1%} outside"
    )


report("kind 0", points[kind == 0])
report("drawn from q_0", direct)
report("guided sampling", by_guidance)

# %% [markdown]
# Much further away than they should be: the mean is at 1.8 instead of 1.1, and the points are
# crowded together. Guided sampling is *not* drawing from the sharpened density. Is it DDIM's fault?
#
# Let us hand DDIM what guidance was taken for: the score of the sharpened density **with noise
# added**, at every $t$. We can have it very nearly, too: cover the rings with a fine grid of tiny
# Gaussians, each with its share of the density, and that is a `Mixture` again.
#
# > **Predict.** With this score, will the points fill the rings? And where do the two predictions
# > differ, in $\hat\varepsilon$ and in $\hat x_0$: at small $t$, at large $t$, in between?

# %%
coarse = torch.cartesian_prod(axis[::2], axis[::2])  # every other line of the grid is enough
share = sharp.reshape(101, 101)[::2, ::2].flatten()
kept = share > 1e-4 * share.max()
truth = Mixture(coarse[kept], torch.full((int(kept.sum()),), 0.05), share[kept] / share[kept].sum())
right = truth.eps_model(plane)

*_, last = ddim(right, plane, x_T, None, steps=100)
by_right_score = last.x_t
report("with the right score", by_right_score)
clouds(
    {"guided sampling": {"": by_guidance}, "with the right score": {"": by_right_score}},
    caption="Two clouds and the rings of the sharpened density. Guided sampling: a crowd at the "
    "right edge, most of it beyond the inner ring. With the right score: the rings are filled as "
    "they should be.",
    density=sharp.reshape(101, 101),
    limits=LIMITS,
)

# %%
off = []
for t in (1, *range(50, 801, 50)):
    x_t = plane.add_noise(direct[:500], t, x_T[:500])  # where the points should be at time t
    at = torch.full((500,), t)
    wrong_by = (guided_eps(x_t, at, zeros[:500]) - right(x_t, at)).square().mean().sqrt()
    in_x0 = wrong_by * ((1 - plane.alpha_bar[t]) / plane.alpha_bar[t]).sqrt()
    off.append((t, wrong_by, in_x0))

times, in_eps, in_x0 = torch.tensor(off).T
curves(
    {"eps_hat, wrong by": {"": (times, in_eps)}, "x0_hat, wrong by": {"": (times, in_x0)}},
    caption="Root mean square of the difference between the guided prediction and the right one "
    "over t. In eps_hat: nothing at t = 1, a hump of about 1.3 at t = 200, next to nothing at "
    "t = 800. In x0_hat it rises all the way, to 2 in pure noise.",
)

# %% [markdown]
# With the right score the points fill the rings; so DDIM is innocent. In $\hat\varepsilon$ the
# guided prediction is most wrong on the way, by more than the noise itself (which has the size 1),
# and not at all at the ends. But in pure noise that is no merit: there every $\hat\varepsilon$ is
# $x_T$ (section 2). In $\hat x_0$ the error is greatest there. Nothing is known yet, so $\hat
# x_0(y)$ is the mean of kind 0, at 0.8 from left to right; $\hat x_0(\varnothing)$ is the mean of
# all, at 0; and the guided one is $5 \cdot 0.8 - 4 \cdot 0 = 4$, where the sharpened density has
# its mean at 1.1. (That is wrong by 2.9. The curve says 2: it is the root mean square of both
# coordinates, and the other one is right.) So the walk sets out for a place where nothing is, like
# the colours of section 5.
#
# Where is the error in the tempting answer? The guided score at time $t$ is that of $q_t$: *first
# add noise* to both densities, *then sharpen*. A walk to $q_0$ needs the other order: *first
# sharpen, then add noise*. The two do not give the same. There is not even any density of which
# all the $q_t$ would be the noisy versions: it would have to be $q_0$, and you have just seen that
# it is not. Only at $t = 0$ the two meet (and in pure noise, where there is nothing to tell apart),
# which is why the equation looks so convincing.
#
# One more sign, without any grid: a method that draws from a density must draw from the same one
# with every good sampler. `ddpm` takes all 800 steps, and adds noise at each.
#
# > **Predict.** Will the mean be at 1.8 again?

# %%
from flowerdiff.sampling import ddpm

torch.manual_seed(0)
*_, last = ddpm(guided_eps, plane, x_T, zeros)
report("guided sampling, ddpm", last.x_t)

# %% [markdown]
# No: at about 1.4, and wider. (It is not the number of steps: DDIM stays at 1.8 with all 800.) So
# what guided sampling draws depends on the sampler, and is not *the* sharpened density with either.
#
# All this does not make guidance wrong. It makes it a *method*: useful, measured, and not what its
# formula suggests. In the plane it moves away from the others, further than it should, and with
# DDIM it crowds together. With flowers you have measured something like it: colours that overshoot,
# and less variety (section 5). Whether the reason is the same is argued about: in many dimensions
# the overshoot can be smaller (Pavasovic et al. 2025).

# %% [markdown]
# ## What you have solved

# %%
from flowerdiff.checks.guidance import summary

summary()

# %% [markdown]
# ## Common mistakes
#
# - **`eps_null + w * (eps_y - eps_null)` with our $w$.** *You see:* $w = 1$ does nothing, $w = 0$
#   ignores the label. *The rule:* test at $w = 0$; it must be the conditional prediction, exactly.
# - **a sign turned round.** *You see:* the larger $w$, the less it is the flower you asked for.
#   *The rule:* test at $w = -1$, too; it must be the prediction without the label, exactly.
# - **the wrong null label: 0, 101, −1.** *You see:* with 0 or 101 in training, that flower can no
#   longer be asked for: its row has learned "any flower". In sampling only, "without a label" is
#   always that one kind. −1 stops with an `IndexError`. *The rule:* `num_classes`, one more than
#   the last flower.
# - **labels dropped batch by batch.** *You see:* little, at best a more restless loss; that is why
#   it stays in. *The rule:* one draw for each image.
# - **labels dropped when sampling, too.** *You see:* one flower in ten is of another kind. *The
#   rule:* dropout belongs to training.
# - **the halves of the double batch in another order than the labels.** *You see:* like a turned
#   sign. *The rule:* what goes in first comes out first.
# - **clipping before guiding.** *You see:* the colours still run away. *The rule:* guide, then
#   clip.
# - **comparing models at different $w$, or at another library's `guidance_scale`.** *You see:* one
#   looks better and is not. *The rule:* say the formula, not only the number; better, a curve over
#   $w$.
#
# ## Key points
#
# - **Label dropout** makes one net both conditional and unconditional; the null label is
#   `num_classes`.
# - The **difference** of the two predictions is what the label says about this picture: the
#   gradient of a classifier that nobody has trained. In $\hat x_0$ it is largest at the beginning.
# - **Guidance** goes on along it: $(1+w)\,\hat\varepsilon(y) - w\,\hat\varepsilon(\varnothing)$.
#   `guidance_scale` is mostly $1 + w$: check at "off".
# - It buys recognition, and pays with **variety and colours**; most of the price is paid in the
#   first steps.
# - Any label can stand in the place of $\varnothing$: a **negative label** pulls to the opposite.
# - Guided sampling does **not** draw from $p(x \mid y)^{1+w}\,p(x)^{-w}$: sharpening noisy
#   densities is not adding noise to a sharpened one.
#
# ## Where to go on
#
# - **06 Evaluation**: recognition against diversity, KID, and how far a number can be trusted.
# - P. Dhariwal, A. Nichol, *Diffusion Models Beat GANs on Image Synthesis*, 2021
#   ([arXiv:2105.05233](https://arxiv.org/abs/2105.05233)): section 4, guidance *with* a classifier.
# - J. Ho, T. Salimans, *Classifier-Free Diffusion Guidance*, 2022
#   ([arXiv:2207.12598](https://arxiv.org/abs/2207.12598)): sections 2 and 3.
# - S. Dieleman, *Guidance: a cheat code for diffusion models*, 2022
#   ([sander.ai](https://sander.ai/2022/05/26/guidance.html)): the same in words, with $\gamma$.
# - S. Lin and others, *Common Diffusion Noise Schedules and Sample Steps are Flawed*, 2023
#   ([arXiv:2305.08891](https://arxiv.org/abs/2305.08891)): guidance rescale.
# - C. Saharia and others, *Photorealistic Text-to-Image Diffusion Models* (Imagen), 2022
#   ([arXiv:2205.11487](https://arxiv.org/abs/2205.11487)): section 2.3, clipping done better.
# - T. Kynkäänniemi and others, *Applying Guidance in a Limited Interval*, 2024
#   ([arXiv:2404.07724](https://arxiv.org/abs/2404.07724)): section 6 of this lesson.
# - T. Karras and others, *Guiding a Diffusion Model with a Bad Version of Itself*, 2024
#   ([arXiv:2406.02507](https://arxiv.org/abs/2406.02507)): **autoguidance**: away from a *worse
#   net* in the place of $\varnothing$.
# - A. Bradley, P. Nakkiran, *Classifier-Free Guidance is a Predictor-Corrector*, 2024
#   ([arXiv:2408.09000](https://arxiv.org/abs/2408.09000)): section 8, with proofs.
# - K. Pavasovic and others, *Classifier-Free Guidance: From High-Dimensional Analysis to
#   Generalized Guidance Forms*, 2025 ([arXiv:2502.07849](https://arxiv.org/abs/2502.07849)): and in
#   many dimensions?
# - `flowerdiff/guidance.py` in this course: all of it, in about a hundred lines.
