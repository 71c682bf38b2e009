# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06 · Evaluation
#
# **About 65 minutes** up to section 4, and 60 more for the rest, which can wait; seven exercises
# among them · the machine needs about one.
#
# **You need** lesson 00, from lesson 05 what the weight $w$ does, and from mathematics mean,
# variance and covariance (and for exercise 2 eigenvalues). And the packages that measure: if a cell
# says `MissingExtra`, do what it says, and restart the kernel.
#
# **Afterwards you can**
#
# - say of seven common scores what each sees, and what it is blind to;
# - measure KID, FID and Inception Score yourself, and say how far they can be trusted: by an
#   interval, and beside a floor;
# - spot the mistakes that make a table of scores worthless: the wrong range, too few images, scores
#   that do not compare;
# - find out whether a model copies;
# - look at pictures without fooling yourself.
#
# You have a model, and somebody asks: *is it any good?* Better than yesterday's? Better than that
# of the paper? You would like a number. There are many numbers. We begin by finding out what they
# look at.

# %% [markdown]
# ## 1 · What does a number see?
#
# In this lesson the garden's flowers are the **real** ones: the course's own program draws them, 18
# species and as many of each as we like. (Photographs of the data set may not be passed on, so they
# are here in the form of numbers.) We plant two beds: `known`, which a model might have learned
# from, and `new`, which are just as real, and no model has ever seen.
#
# Most scores do not look at pixels. They ask a net that has learned to tell a million photographs
# apart, and take what it thinks just before it answers: its **features**, here 1,280 numbers for a
# picture. Pictures of similar things have similar features. The net is EfficientNet-Lite0, whose
# weights come as a package, so that nothing is downloaded here. It does not care for flowers in
# particular: its photographs were of cats, cars, and a thousand things (ImageNet).

# %%
import torch

from flowerdiff.garden import SPECIES, draw_flower
from flowerdiff.metrics import Measured, efficientnet_lite0
from flowerdiff.widgets import picture

extractor = efficientnet_lite0()
rng = torch.Generator().manual_seed(0)


def flowers(n, first_seed):
    """n garden flowers, each of a random species, and their features."""
    labels = torch.randint(len(SPECIES), (n,), generator=rng)
    images = torch.stack([draw_flower(int(k), first_seed + i) for i, k in enumerate(labels)])
    return Measured(images, labels, extractor(images))


known, new = flowers(360, first_seed=0), flowers(360, first_seed=1_000_000)
picture(
    list(new.images[:6]),
    "Six new flowers: a pinwheel of magenta and white, a white daisy, a sunflower, a blue one with "
    "five petals, a spotted orange star, and an orchid.",
    labels=[SPECIES[k].name for k in new.labels[:6]],
)

# %% [markdown]
# Now the first 36 of the new flowers under five damages. You get the scores before and after. What
# they mean comes one by one later in the lesson; here is all that you need now:
#
# | score | good is | asks |
# |---|---|---|
# | **KID**, **FID** | ↓ | how far is this *set* of pictures from a set of real ones? (of `known`) |
# | **IS** | ↑ | is the net sure what each picture shows, and does each show something else? |
# | **recognition** | ↑ | does a classifier of flowers name the right species? |
# | **diversity** | 1 | are two flowers of one species as different as two real ones are? |
# | **NIQE**, **BRISQUE** | ↓ | is this one picture blurred, noisy, full of blocks? |
# | **CNN-IQA** | ↑ | would people call this photograph a good one? |
#
# > **Predict.** Noise of 8 grey levels (of 255) makes the pictures a little grainy. Which scores
# > see it? And which will not mind if the flowers lose all their *colour*?

# %%
from flowerdiff.widgets import damage_bench

bench = damage_bench(new.images[:36], new.labels[:36], known)
bench

# %% [markdown]
# **Move a slider**: the scores follow. Blur is in pixels, noise in grey levels, JPEG has a quality
# (100: no JPEG at all); contrast and colour are factors, 1 as it was and 0 none. The slider below
# the pictures goes through what has been measured so far: no damage, and each of the five.
#
# *The same*, *better* and *worse* are what the score says, not we. (It compares 36 flowers with the
# very same 36, so luck has no part in it. The ± is how far it might be off with *other* flowers.
# Diversity has no better or worse: 1 is as varied as nature.)
#
# All but diversity see the noise of 8: KID and FID jump, IS falls, and one flower in six gets a
# wrong name. All five notice that the colour is gone, and IS even calls it *better*. (The two that
# do not mind come below.)
#
# The last three scores look at single pictures, with nothing beside them (here at the four that you
# see): papers call that *no-reference* or *blind* image quality. They need a package
# and files that do not belong to the course, and **may not be used commercially**. Tick the box; if
# something is missing, it says which command gets it. The lesson does not need them.
#
# To see more at a glance, here are recognition, KID, IS and diversity under all five damages, each
# from none (0) to a lot (4): blur of 0.5, 1, 2 and 3 pixels; noise of 4, 8, 16 and 32 levels; JPEG
# of quality 90, 70, 40 and 10; contrast 0.7, 0.5, 0.3 and 0.15; colour 0.75, 0.5, 0.25 and 0.
#
# > **Predict.** One of these four scores calls JPEG an *improvement*. Which, and why?

# %%
from flowerdiff.plots import curves
from flowerdiff.widgets import SWEEP, Damage, damaged

strengths = torch.arange(5)
names = {"recognition": 3, "KID": 0, "IS": 2, "diversity": 4}
panels = {name: {} for name in names}
for damage, levels in SWEEP.items():
    rows = [bench.panel(damaged(new.images[:36], Damage(**{damage: x}))) for x in levels]
    for name, place in names.items():
        panels[name][damage] = strengths, torch.tensor([row[place].value for row in rows])

curves(
    panels,
    caption="Four scores over the strength of five damages. Recognition falls with noise from the "
    "first, with the others late: at strength 4 blur leaves 0.4 of it, noise 0.7, and contrast "
    "all. KID jumps to 0.3 with the weakest noise, and rises more slowly with blur, JPEG and "
    "contrast; colour it notices only when all of it is gone. IS rises from 4 to 6 with JPEG. "
    "Diversity rises to 1.5 with JPEG.",
    xlabel="strength",
    size=(2.7, 2.8),
)

# %% [markdown]
# And the two that look at single pictures, recorded once (`tools/measure_evaluation.py`):

# %%
import json

from flowerdiff.course import course_file

results = course_file("docs/results/evaluation")
recorded = json.loads((results / "photographs.json").read_text())
by_score = recorded["quality_of_garden_flowers"]
panels = {
    name: {damage: (strengths, torch.tensor(levels)[:, 1]) for damage, levels in rows.items()}
    for name, rows in {"BRISQUE": by_score["BRISQUE"], **by_score}.items()
}
curves(
    panels,
    caption="BRISQUE and NIQE over the strength of the damages; low is good. Both rise with blur, "
    "from 38 to 66 and from 12 to 17. The weakest noise makes both better, NIQE from 12 to 8, and "
    "so does a JPEG of middling quality. With stronger noise BRISQUE rises to 63; NIQE stays "
    "below 12. Neither sees that colour goes.",
    xlabel="strength",
)

# %% [markdown]
# Each has its own idea of a good picture:
#
# | score | sees | does not see |
# |---|---|---|
# | KID, FID | noise most of all, blur, JPEG | *what* is wrong; KID: that most colour is gone |
# | IS | JPEG, strong blur, noise | pale pictures; whether a change is good: it likes JPEG |
# | recognition | what hides the species *from the net* | anything else: contrast 0.15 is fine |
# | diversity | flowers that are all alike | *why* they differ: JPEG spoils each in its own way |
# | BRISQUE | blur, strong noise | colour, shape, flowers; it likes a little noise or JPEG |
# | NIQE | blur, pale pictures | the same; it likes *all* of this noise better than none |
#
# No score is *wrong*. Each answers its own question, and none of the questions is "is it a good
# flower?". Note two things for later:
#
# - **Noise of 4 grey levels, which you hardly see, costs more KID than a blur of 2 pixels, which
#   everybody sees.** Probably since nets of this kind look at texture more than we do (Geirhos et
#   al. 2018), and our drawn flowers have no grain of their own, as photographs have.
# - **NIQE** compares with the statistics of good photographs, **BRISQUE** with what people said of
#   damaged ones. NIQE gives our flowers 12, where good large photographs have 3 or 4. Part of that
#   may be that they are drawn, but only part: even *photographs* get 11 at 32 pixels
#   (`docs/results/study`). It cuts a picture into blocks of 96 pixels. Smaller pictures are
#   enlarged to 192 before it looks, which makes four blocks, and four are few (lesson 07). So far
#   from home, what it says means little.

# %% [markdown]
# ## 2 · Before any score: the range
#
# Inside, our pictures are floats from −1 to 1. Metrics want pixels: whole numbers from 0 to 255, or
# floats from 0 to 1. So there is one line between your sampler and every score, and the
# paper's code does not have it.

# %% [markdown]
# ### Exercise 1 · From floats to pixels
#
# *easy · 5 minutes.* `x` is what a sampler gave you: floats around [−1, 1], some of them a little
# beyond. Make pixels of them, `torch.uint8`, −1 black and 1 white. (What helps: `.clamp(a, b)`,
# `.round()`, `.to(torch.uint8)`.)

# %%
from flowerdiff.checks.evaluation import check_to_pixels


def to_pixels(x):
    """Floats around [-1, 1] to pixels, uint8, of the same shape."""
    # solution
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    # end of solution


check_to_pixels(to_pixels)

# %% [markdown]
# The library's `to_uint8` is that line, and the library's metrics take *nothing else* but uint8.
#
# The code of the paper that this course follows gave its floats, from about −1 to 1, to metrics
# that expect [0, 1]. Those for FID and IS make pixels by `(x * 255).byte()`. A byte has no −127: it
# **wraps around**.
#
# > **Predict.** −1 stands for black. What becomes of it in `(x * 255).byte()`? What of −0.5, of 0,
# > and of 1? What will a flower look like?

# %%
from flowerdiff.pixels import from_uint8, to_uint8
from flowerdiff.study.audit import wrapped

for value in (-1.0, -0.5, -0.25, 0.0, 0.5, 1.0):
    x = torch.tensor(value)
    print(f"{value:5.2f} should be {to_uint8(x):3d} and becomes {wrapped(x):3d}")

six = new.images[:6]
picture(
    [*six, *wrapped(from_uint8(six))],
    "Two rows of six flowers. Above as they were drawn. Below as they were measured: light parts "
    "darker than they were, dark parts light, in poisonous colours: a purple flower with a green "
    "seam, red and green backgrounds.",
    labels=["what was drawn"] * 6 + ["what was measured"] * 6,
)

# %% [markdown]
# Light values, above 0, come out too dark, but in order. What is below 0 wraps: a value just below
# the middle becomes *white*, and the darkest comes out nearly black again. Where a petal gets
# darker, each of its three colours jumps when it crosses the middle. No metric complains: these are
# proper pixels.
#
# What does that do to FID? We measure three sets that you know, each in the right range and
# wrapped: 36 new flowers, and the same blurred, and with noise.
#
# > **Predict.** FID will be larger for wrapped pictures. Will it still tell the good ones from the
# > bad ones?

# %%
import warnings

from flowerdiff.metrics import fid, kid

warnings.simplefilter("ignore", UserWarning)  # that 36 images are too few for FID; section 3

sets = {"new flowers": Damage(), "blurred": Damage(blur=1.0), "noisy": Damage(noise=8.0)}
print("                 FID                    KID")
print("             right  wrapped      right  wrapped")
for name, damage in sets.items():
    images = damaged(new.images[:36], damage)
    both = [extractor(pixels) for pixels in (images, wrapped(from_uint8(images)))]
    fids = "  ".join(f"{fid(seen, known.features).value:7.0f}" for seen in both)
    kids = "  ".join(f"{kid(seen, known.features).value:7.3f}" for seen in both)
    print(f"{name:11s} {fids}    {kids}")

on_photographs = recorded["wrapped"]
print(f"\n{on_photographs['n']} photographs against as many others:")
for name in ("right", "wrapped"):
    print(
        f"{name:8s} FID {on_photographs[name]['fid']:5.1f}   KID {on_photographs[name]['kid']:.4f}"
    )

# %% [markdown]
# The order survives here. But look at the first line: *perfect* flowers, wrapped, get a worse FID
# than blurred ones in the right range. With photographs it is the same: from a KID of 0, which is
# what real ones should have, to 0.11. Everything that such a table says is said on top of an offset
# that has nothing to do with the model, so it cannot be compared with any other table. (Differences
# within it may survive or not: blur costs as much KID in either range, but not as much FID.)
#
# How would you notice? **Look at what the metric gets**, once, as a picture. And measure something
# of which you know the answer: put *real* pictures where your samples go in, as the floats that a
# sampler gives, against other real ones.

# %% [markdown]
# ## 3 · FID
#
# Two sets of pictures, seen by the net: two clouds of points in 1,280 dimensions. How far apart are
# they? The **Fréchet Inception Distance** says: take each cloud for a Gaussian, with its mean
# $\mu$ and its covariance $\Sigma$ (of the features, not of the pixels), and use the square of the
# distance between two Gaussians that is named after Fréchet (it is also called 2-Wasserstein):
#
# $$ \mathrm{FID} = \lVert \mu_1 - \mu_2 \rVert^2
#    + \mathrm{tr}\,\Sigma_1 + \mathrm{tr}\,\Sigma_2
#    - 2\,\mathrm{tr}\,(\Sigma_1 \Sigma_2)^{1/2}. $$
#
# The first term is how far the means are apart. The rest is 0 if the covariances are equal. (In one
# dimension, with $\Sigma = \sigma^2$, it is $(\sigma_1 - \sigma_2)^2$: try.) $\mathrm{tr}$ is the
# **trace**, the sum of the diagonal. And the trace of a matrix's root is the sum of the **roots of
# its eigenvalues**. (Inception is the net whose features published FIDs are of. Ours is a smaller
# one, so our numbers do not compare with theirs.)

# %% [markdown]
# ### Exercise 2 · The Fréchet distance
#
# *medium · 10 minutes.* The means are vectors (D,), the covariances matrices (D, D). Return one
# number. (`torch.linalg.eigvals(M).real.clamp(min=0)` are the eigenvalues, without what rounding
# adds to them; `M.trace()`; `A @ B` is the product of two matrices.)

# %%
from flowerdiff.checks.evaluation import check_frechet


def frechet(mean_1, cov_1, mean_2, cov_2):
    """The squared Fréchet distance of two Gaussians, one number."""
    # solution
    eigenvalues = torch.linalg.eigvals(cov_1 @ cov_2).real.clamp(min=0)
    away = (mean_1 - mean_2).square().sum()
    return away + cov_1.trace() + cov_2.trace() - 2 * eigenvalues.sqrt().sum()
    # end of solution


check_frechet(frechet)

# %% [markdown]
# By hand and by the library, on points of which we know everything: 64 dimensions, both sets drawn
# from the *same* Gaussian. The distance of a Gaussian from itself is 0.
#
# > **Predict.** What will FID say of 100 points against 100, 500 against 500, 2,000 against 2,000:
# > 0, about 0 and sometimes below, or more than 0?

# %%
from flowerdiff.metrics import Features


def points(n, seed):
    x = torch.randn(n, 64, generator=torch.Generator().manual_seed(seed))
    return Features(x, "64 random numbers")


def by_hand(x, y):
    """The formula, term by term; both (n, 64)."""
    cov_x, cov_y = x.T.cov(), y.T.cov()
    roots = torch.linalg.eigvals(cov_x @ cov_y).real.clamp(min=0).sqrt()
    return (x.mean(0) - y.mean(0)).square().sum() + cov_x.trace() + cov_y.trace() - 2 * roots.sum()


for n in (100, 500, 2000):
    one, two = points(n, seed=1), points(n, seed=2)
    score = fid(one, two)
    mine = by_hand(one.values.double(), two.values.double()).item()
    torch.testing.assert_close(mine, score.value, rtol=1e-4, atol=1e-4)
    print(score)

# %% [markdown]
# Far more than 0: 23 for 100 points, and still 1 for 2,000. FID is **biased**: it is too high, the
# more so the fewer the points, and never by luck below 0. Why? The covariance has 64 · 65 / 2 =
# 2,080 different numbers, and 100 points are too few to know them. Each of the two estimates is
# wrong in its own way, and being wrong in different ways *is* a distance. (And there is *no
# interval*: the usual ones leave points out, or draw some twice. Fewer different points have
# another bias, so such an interval would lie in the wrong place.)
#
# Our net has 1,280 features, hence 819,840 covariances; Inception's 2,048 make two million.
#
# > **Predict.** Flowers now: new garden flowers against known ones, both real, so the true distance
# > is 0. And the new ones a little blurred. From which n on will FID be sure that blurred ones are
# > worse?

# %%
a_little = Damage(blur=0.6)
blurred = Measured(
    damaged(new.images, a_little), new.labels, extractor(damaged(new.images, a_little))
)
counts = (20, 45, 90, 180)


def over_n(score, measured, draws=5):
    """The score of n against n, `draws` times, n drawn anew from all 360: (counts, draws)."""
    found = []
    for n in counts:
        orders = [torch.randperm(360, generator=rng)[:n] for _ in range(2 * draws)]
        pairs = zip(orders[::2], orders[1::2], strict=True)
        found.append([score(measured.features[i], known.features[j]).value for i, j in pairs])
    return torch.tensor(counts), torch.tensor(found)


def recorded_over_n(score, name):
    """The same of photographs: (counts, 2 draws)."""
    rows = recorded[name]
    return torch.tensor([r["n"] for r in rows]), torch.tensor([r[score][:2] for r in rows])


# %%
curves(
    {
        "FID, garden flowers": {"real": over_n(fid, new), "blurred": over_n(fid, blurred)},
        "FID, photographs": {
            "real": recorded_over_n("fid", "photographs"),
            "blurred": recorded_over_n("fid", "blurred"),
        },
    },
    caption="FID over n, real and blurred. Garden flowers: both begin above 200 at n = 20, still "
    "overlap at 45, and are clearly apart from n = 90 on; at 180 they are at about 40 and 80. "
    "Photographs: both begin at 250 at n = 53 and fall together; real ones are still at 18 at "
    "n = 3,200.",
    xlabel="n",
)

# %%
for row in recorded["photographs"]:
    other = [r["fid"] for r in recorded["blurred"] if r["n"] == row["n"]]
    print(
        f"n = {row['n']:5,}: real {min(row['fid']):5.1f} to {max(row['fid']):5.1f}",
        *(f"  blurred {min(f):5.1f} to {max(f):5.1f}" for f in other),
    )

# %% [markdown]
# Read the lines of the photographs slowly:
#
# - The true distance of the real ones is 0, and FID says **some 255 at n = 53**. That is the
#   **floor**: what perfect pictures get *at this n*. An FID without its floor says nothing. (It is
#   no lower bound: with few points FID prefers too *little* variety. Above, 100 points are nearer
#   to 100 others if those are first multiplied by 0.8.)
# - At n = 53 the blurred ones range from 237 to 275, and the sharp ones from 242 to 267. One draw
#   each, and you might well report that blur makes photographs better.
# - From 424 on the two are apart. (So FID works: it needs more pictures than you would like. But do
#   not read off the last lines how little is luck there: at 1,600 and 3,200 the draws share
#   many of their photographs.)
# - The sharp ones at n = 848 get 58, the blurred ones at n = 1,600 get 44. **FIDs of different n do
#   not compare**, not even with the same net.
#
# The paper has FIDs of 53 pictures: 317, 310, 331, 321, 310 and 332 for six values of $w$. Those
# are Inception's features and not ours, and 53 against all photographs, so the size does not
# compare. But our five draws of nothing but *real photographs* already range over 25.
#
# The library's scores know what they are of, and refuse:

# %%
few, many = fid(new.features[:90], known.features[:90]), fid(blurred.features, known.features)
print(few, many, sep="\n")
try:
    print("is the first better?", few < many)
except TypeError as refusal:
    print("TypeError:", refusal)

# %% [markdown]
# ## 4 · KID
#
# Another way to ask whether two sets are alike, without Gaussians. We need a number that says how
# alike *two pictures* are, from their features $a$ and $b$ in $D$ dimensions: the **kernel**
#
# $$ k(a, b) = \left( \frac{a \cdot b}{D} + 1 \right)^3 $$
#
# $$ \mathrm{KID} = \underbrace{\frac{1}{n(n-1)} \sum_{i \ne j} k(x_i, x_j)}_{\text{within }x}
#    + \underbrace{\frac{1}{m(m-1)} \sum_{i \ne j} k(y_i, y_j)}_{\text{within }y}
#    - \underbrace{\frac{2}{nm} \sum_{i,j} k(x_i, y_j)}_{\text{between}} $$
#
# This is the **Kernel Inception Distance** of $n$ pictures with the features $x_i$ and $m$ with the
# features $y_j$. If both sets are from one source, two pictures of different sets are on average as
# alike as two of one set, and KID is 0. If not, it is above 0, as far as this kernel can see: the
# cube compares means, covariances and skewness (how lopsided the clouds are) of *these* features.
# (Such a distance is called a **maximum mean discrepancy**, MMD; KID is its square.)
#
# Mind the $i \ne j$. A picture is very much like itself; those pairs would make each set look more
# like itself than it is. Without them KID is **unbiased**: one draw may be too high or too low, but
# the mean over many draws is right, for 20 pictures as for 20,000. (So it can be negative. Do not
# clip it.)

# %% [markdown]
# ### Exercise 3 · KID
#
# *medium · 10 minutes.* `x` (n, D) and `y` (m, D) are features. Return KID, one number.
# (`x @ y.T` has all products $x_i \cdot y_j$; `k.sum() - k.trace()` is a sum without the diagonal.)

# %%
from flowerdiff.checks.evaluation import check_kid


def my_kid(x, y):
    """KID of two sets of features, one number."""

    # solution
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    n, m = len(x), len(y)
    within_x = (kernel(x, x).sum() - kernel(x, x).trace()) / (n * (n - 1))
    within_y = (kernel(y, y).sum() - kernel(y, y).trace()) / (m * (m - 1))
    return within_x + within_y - 2 * kernel(x, y).mean()
    # end of solution


check_kid(my_kid)

# %% [markdown]
# By hand and by the library, for all 360. The library's number comes with a 95 % **interval**, by
# the **jackknife**: leave out one picture after the other, and see how much the score moves.
#
# > **Predict.** From 90 flowers on, FID could tell blurred from sharp. Will KID be sure at 360?

# %%


def kernel(a, b):
    return (a @ b.T / a.shape[1] + 1) ** 3


x, y = new.features.values.double(), known.features.values.double()
xx, yy = kernel(x, x), kernel(y, y)
pairs = len(x) * (len(x) - 1)
by_hand = (xx.sum() - xx.trace()) / pairs + (yy.sum() - yy.trace()) / pairs
by_hand = by_hand - 2 * kernel(x, y).mean()
torch.testing.assert_close(by_hand.item(), kid(new.features, known.features).value)
for name, bed in (("real", new), ("blurred", blurred)):
    print(f"{name:8s}", kid(bed.features, known.features))

# %% [markdown]
# Yes: the interval of the real ones contains 0, that of the blurred ones does not, and they do not
# overlap.
#
# > **Predict.** How will the curves over n look: falling like FID's?

# %%
curves(
    {
        "KID, garden flowers": {"real": over_n(kid, new), "blurred": over_n(kid, blurred)},
        "KID, photographs": {
            "real": recorded_over_n("kid", "photographs"),
            "blurred": recorded_over_n("kid", "blurred"),
        },
    },
    caption="KID over n. The lines do not fall: they scatter, and come together as n grows, the "
    "real ones at 0, the blurred ones at about 0.02, for garden flowers and for photographs. At "
    "n = 20 garden flowers range from -0.02 to 0.11.",
    xlabel="n",
)

# %% [markdown]
# They do not fall, they *come together*, around the right value (at 180 a little too closely: the
# draws share flowers). One KID of few pictures can be far off, 0.11 for real flowers at n = 20. But
# it is not always off to the same side, and its interval says how far. And of the recorded
# photographs it has every blurred draw above every sharp one from 53 on, FID from 424. That is why
# this course prefers KID.
#
# A trap is left. KID is unbiased if the pictures are **drawn independently**, as ours were: each of
# a random species. Often people draw *the same number of each class*, because it looks fair.
#
# > **Predict.** 36 new, real flowers, exactly two of each species. Their KID should be about 0.
# > Will it be?

# %%
two_of_each = torch.stack([draw_flower(k, 2_000_000 + i) for k in range(18) for i in range(2)])
print(kid(extractor(two_of_each), known.features))

# %% [markdown]
# Below 0, and the interval is on its side: "significantly better than real". In such a set a
# picture has only *one* partner of its own species among 35, less than 1 in 18: the set looks less
# like itself than it should. The cure is the same as for FID: measure the **floor in just the same
# way**, with real pictures that have as many of each class. Then both have the same error, and you
# can compare them.

# %% [markdown]
# ## 5 · The Inception Score
#
# KID and FID need real pictures. The **Inception Score** does not; it asks the net for its
# *answer*. For picture $i$ that is a probability $p_i(c)$ for each of the classes $c$. Good
# pictures, so the idea, are **clear**: the net is sure of each. And they are **varied**: over all
# pictures, all classes come up. With the mean $\bar p$ of all $p_i$, both together are
#
# $$ \mathrm{IS} = \exp\left( \frac{1}{n} \sum_i \mathrm{KL}(p_i \,\Vert\, \bar p) \right), \qquad
#    \mathrm{KL}(p \,\Vert\, q) = \sum_c p(c) \log \frac{p(c)}{q(c)}. $$
#
# The **divergence** KL says how much the answer for this picture differs from the mean answer
# ($\log$ is the natural logarithm). IS is 1 if all answers are alike, and at most the number of
# classes.

# %% [markdown]
# ### Exercise 4 · The Inception Score
#
# *medium · 8 minutes.* `p` (n, C) holds the net's probabilities: a row for each picture, which sums
# to 1. Return the score, one number.

# %%
from flowerdiff.checks.evaluation import check_inception_score


def my_inception_score(p):
    """exp of the mean divergence, one number."""
    # solution
    divergences = (p * (p / p.mean(0)).log()).sum(1)
    return divergences.mean().exp()
    # end of solution


check_inception_score(my_inception_score)

# %% [markdown]
# "Classes" are those of ImageNet, a thousand things. Hardly any of them is a flower: a daisy, an
# orchid, rapeseed.
#
# > **Predict.** One garden flower of each species, and the net *must* give each one of its thousand
# > names. Which will it choose?

# %%
from timm.data import ImageNetInfo

from flowerdiff.metrics import efficientnet_lite0_logits, inception_score

classes = ImageNetInfo()
answer = efficientnet_lite0_logits()
one_of_each = torch.stack([draw_flower(k, 5) for k in range(18)])
guesses = answer(one_of_each).values.softmax(1).max(1)
picture(
    list(one_of_each),
    "Eighteen garden flowers, and below each what the net takes it for: three daisies, five hair "
    "slides, five pinwheels, two balloons, a snail, a sea urchin, a plunger.",
    labels=[classes.index_to_description(int(i)).split(",")[0] for i in guesses.indices],
    columns=9,
    zoom=1,
)

# %% [markdown]
# Hair slides and pinwheels. One cannot blame it. But a score that is made of *these* answers says
# how many different wrong names our flowers get.
#
# > **Predict.** The 18 species of the garden: is their IS nearer to 18, or to 1? And that of
# > thousands of photographs of 102 species?

# %%
logits = answer(new.images)
p = logits.values.double().softmax(1)
by_hand = (p * (p / p.mean(0)).log()).sum(1).mean().exp().item()
torch.testing.assert_close(by_hand, inception_score(logits).value)
print(inception_score(logits))
print("photographs:", *(f"n = {n:,}: {value:.1f};" for n, value, _, _ in recorded["is"]))
print("their names:", *(f"{name} {share:.0%}," for name, share in recorded["guesses"]), "...")

# %% [markdown]
# 6 for 102 species of real photographs. A third of them are called "daisy"; but even so it would be
# 14 or more, were the net *sure* of its names: with shares $s$, IS would be $\exp(-\sum s \log s)$.
# (No name left out has a larger share than the last one above.) It is not: hardly one of its
# thousand fits. A model that drew all 102 perfectly would get no more. And the first section's
# JPEGs got 6.4 with 18 species: either the answers became more different or the net became surer,
# and IS takes both for quality.
#
# IS depends on n, too, the other way round from FID: a few pictures cannot show many classes, so it
# is too low. It never compares with real pictures. On flowers, leave it.

# %% [markdown]
# ## 6 · Recognition and diversity
#
# If a net's classes are the wrong ones, teach it the right ones. The course's **recogniser** is the
# simplest one that there is, a linear classifier on the features, and it has learned from *real*
# flowers and their species. **Recognition** is how often it names the label that was asked for. It
# errs on real flowers as well, so a model's recognition is put beside that of new real ones.
#
# A model that draws one perfect rose, always the same, has a recognition of 1. So we also ask for
# **diversity**: the mean distance between two pictures of one species, divided by that of real
# pictures of this species; and the mean of that over all species. 1 is as varied as nature.

# %% [markdown]
# ### Exercise 5 · Diversity
#
# *medium · 10 minutes.* `x` (n, D) and `real` (m, D) are features, `labels` (n,) and `real_labels`
# (m,) the species, from 0 on, each of them in both sets twice or more. Return one number.
# (`torch.pdist(x)` has the distances of all pairs of rows, each pair once; `x[labels == 3]` are the
# pictures of species 3; `labels.unique()` are all species.)

# %%
from flowerdiff.checks.evaluation import check_diversity


def my_diversity(x, labels, real, real_labels):
    """Mean distance within a species, in units of that of real ones; mean over the species."""
    # solution
    ratios = [
        torch.pdist(x[labels == k]).mean() / torch.pdist(real[real_labels == k]).mean()
        for k in labels.unique()
    ]
    return torch.stack(ratios).mean()
    # end of solution


check_diversity(my_diversity)

# %% [markdown]
# The library's `diversity` is the same number, counted here by hand:

# %%
from flowerdiff.metrics import diversity

by_hand = [
    torch.pdist(blurred.features.values[new.labels == k].double()).mean()
    / torch.pdist(known.features.values[known.labels == k].double()).mean()
    for k in range(len(SPECIES))
]
score = diversity(blurred.features, new.labels, known.features, known.labels)
torch.testing.assert_close(torch.stack(by_hand).mean().item(), score.value)
print(score)

# %% [markdown]
# Recognition and diversity together are a fair description of what guidance does (lesson 05). Here
# are the numbers that `tools/measure_guidance.py` recorded for the course's own model, and for
# photographs that it has never seen: each $w$ is a point, and the thin lines are 95 % intervals.
#
# > **Predict.** Where would a perfect model be? In which corner will $w = -1$ be, and which way
# > does the line go as $w$ grows?

# %%
from flowerdiff.plots import trade_off

guidance = json.loads((results.parent / "guidance.json").read_text())
both = {s["name"]: (s["recognition"], s["diversity"]) for s in guidance["settings"]}
real = guidance["real"]
series = {
    "guided all the way, w =": {k.removeprefix("w = "): both[k] for k in both if "," not in k},
    "w = 4, not in the first third": {"": both["w = 4, all but the first third"]},
    "photographs": {"": (real["recognition"], real["diversity"])},
}
trade_off(
    series,
    "Diversity over recognition. From w = -1, at the upper left, the line falls to the right over "
    "w = 0, 0.5 and 1 to w = 2; w = 4 and 8 turn back to the left, and lie no higher. Guided in "
    "all but the first third of the walk, w = 4 lies above the line. Photographs are far above it, "
    "between w = 0.5 and w = 1.",
    "recognition",
    "diversity",
)

# %% [markdown]
# A perfect model would be where the photographs are. This one lives on a line: every bit of
# recognition is paid for in diversity. From $w = 1$ on it is recognised more often than
# photographs. That is no triumph: its roses are typical roses, and variety is gone. (KID, which
# weighs both, is lowest at 1 and 2; lesson 05.) Such a line is called a
# **frontier**, and two models are best compared by their frontiers, not by one point of each. "Ours
# is recognised more often" may only mean that somebody chose another $w$.
#
# Three readings of the picture:
#
# - 8 is not better than 2 in *either* respect: nobody should choose it.
# - Between −1 and 2 no $w$ is best. What do you need the flowers for?
# - Guiding in all but the first third is *beyond* the line: as often recognised as $w = 1$, with
#   more diversity. Do not judge by whether the bars overlap: a difference has an interval of its
#   own, whose half-width is the root of the sum of the squares of the two half-widths: here 0.030 ±
#   0.036. (That is for two independent sets. These have the same noise and the same classes, so it
#   is probably narrower.) So it may be luck (and it is the best of four ways that we
#   tried). And by KID it is *worse* than $w = 1$, 0.049 to 0.035. Another score, another answer.
#
# (Papers say *fidelity* and *diversity*, and often measure them as **precision**, how many samples
# lie among the real features, and **recall**, how many real ones lie among the samples.)

# %% [markdown]
# ## 7 · Copies
#
# Somebody sends you 64 samples each of three nets, A, B and C. All three were to learn the four
# species of lesson 03 from 240 flowers of 32 pixels. (A and B were recorded by
# `tools/record_garden_samples.py`. What C is, you will find out.)

# %%
import numpy as np
from PIL import Image

KINDS = ["sunwheel", "embercup", "skyfive", "moontrumpet"]


def garden_of_four(n, first_seed):
    """n flowers of lesson 03, one of each species in turn, and their features."""
    images = [draw_flower(KINDS[i % 4], first_seed + i // 4, 32) for i in range(n)]
    return measured(torch.stack(images))


def measured(images):
    return Measured(images, torch.arange(len(images)) % 4, extractor(images))


def drawn(name):
    """64 recorded samples, which lie row by row in a picture."""
    sheet = torch.from_numpy(np.array(Image.open(results / f"{name}.png"))).permute(2, 0, 1)
    rows = sheet.reshape(3, 4, 32, 16, 32).permute(1, 3, 0, 2, 4)
    return measured(rows.reshape(64, 3, 32, 32))


train, fresh = garden_of_four(240, 0), garden_of_four(64, 1_000_000)
nets = {"A": drawn("early"), "B": drawn("late")}

# %%
from flowerdiff.checks.evaluation import what_c_sends

nets["C"] = measured(what_c_sends(train.images))
picture(
    [image for net in nets.values() for image in net.images[:8]],
    "Eight samples each of three nets. A: four kinds of blots in the right colours. B: flowers, "
    "with soft petals and wobbly outlines. C: crisp flowers with fine petals.",
    labels=[name for name in nets for _ in range(8)],
    columns=8,
)

# %% [markdown]
# > **Predict.** You get the usual table, with new real flowers in the last line. Which net will win
# > which column? Can a net be *better* than real flowers?

# %%
from flowerdiff.metrics import recognition, train_recogniser

recogniser = train_recogniser(train.features, train.labels)
for name, net in {**nets, "real": fresh}.items():
    far = kid(net.features, train.features)
    right = recognition(recogniser, net.features, net.labels)
    varied = diversity(net.features, net.labels, train.features, train.labels)
    print(
        f"{name:5s} KID {far.value:6.3f} ± {far.interval[1] - far.value:.3f}   "
        f"FID {fid(net.features, train.features).value:4.0f}   "
        f"recognition {right.value:.2f}   diversity {varied.value:.2f}"
    )

# %% [markdown]
# C wins everything; its diversity is the nearest to 1, too. Its KID is that of real flowers. (Below
# 0 in both lines: as many of each species again, the trap of section 4; but the floor has the same
# error, so they compare.) Its FID is even *lower* than that of real flowers. One draw each, and no
# interval: that proves nothing. But **better than real wants an explanation**: luck, a set that is
# more even than chance, too little variety; or copies.
#
# (And B's flowers are more *varied* than real ones: their outlines wobble in ways that no petal
# does. Diversity does not ask whether a difference is a good one.)
#
# All these scores compare with the *training* flowers. A net that copies them gets the best marks.
# The test is to look, for each sample, at the **training image nearest to it**.

# %% [markdown]
# ### Exercise 6 · Who is a copy?
#
# *medium · 10 minutes.* All three are features: `samples` (n, D), `train` (m, D), and `new` (k, D),
# real flowers that the model has never seen. A sample is a **suspect** if it is nearer to its
# nearest training image than every new flower is to its own. Return True or False for each sample,
# (n,). (`torch.cdist(a, b)` has all distances, a row for each of `a`; `.amin(1)`.)

# %%
from flowerdiff.checks.evaluation import check_suspects


def suspects(samples, train, new):
    """Which samples may be copies, bool (n,)."""
    # solution
    nearest_new = torch.cdist(new, train).amin(1)
    return torch.cdist(samples, train).amin(1) < nearest_new.min()
    # end of solution


check_suspects(suspects)

# %% [markdown]
# The library's `memorisation` does that, and two things more: it also looks among the **mirror
# images** of the training images, and it compares pixels: less than 10 grey levels of difference is
# the same picture.
#
# > **Predict.** 64 samples of each net. How many suspects do A, B and C have?

# %%
from flowerdiff.metrics import memorisation

mirrored = extractor(train.images.flip(-1))
found = {name: memorisation(net, train, mirrored, fresh) for name, net in nets.items()}
seen_before = torch.cat([train.features.values, mirrored.values])  # (480, 1280)
to_c, to_new = (torch.cdist(bed.features.values, seen_before).amin(1) for bed in (nets["C"], fresh))
assert (to_c < to_new.min()).nonzero()[:, 0].equal(found["C"].suspects.sort().values)
for name, net in found.items():
    print(f"{name}: {net}")
unaware = memorisation(nets["C"], train, mirrored[:0], fresh)  # as if nothing were mirrored
print(f"C, without mirror images: {unaware}")

# %%
from flowerdiff.metrics.copies import picture as training_image

shown, labels = [], []
for name in ("B", "C"):
    net, near = nets[name], found[name].samples
    for kind in range(4):  # the nearest of each species
        i = min(range(kind, 64, 4), key=lambda i: near.distance[i])
        nearest = training_image(train.images, near.index[i], near.mirrored[i])
        shown += [net.images[i], nearest]
        labels += [f"{name}, {near.difference[i]:.0f} levels", "nearest"]
picture(
    shown,
    "Samples of B and C, each beside the training image nearest to it. B's are other flowers of "
    "the same species, 23 to 36 grey levels away. C's are the same pictures, 4 or 5 levels away.",
    labels,
    columns=8,
)

# %% [markdown]
# **C is no net.** Somebody took 64 training images, mirrored them, and added a little contrast. Its
# row in the table is the row of a perfect cheat: the FID was a hint at most, and only this test has
# found it out. Real models do it too, without any cheating: trained for too long on too few
# pictures, they learn them by heart.
# (With four pictures that is even a test of whether training works: lesson 03.)
#
# Four things make it a good test, and a fifth is its limit:
#
# - **A yardstick.** Flowers resemble flowers; that B's samples are at some distance from a training
#   image means nothing until you know that new real ones are as near. (`memorisation` says how many
#   suspects chance alone would make, and how likely so many are.)
# - **Mirror images.** Most models are trained with random flips, so look for those, too. Without
#   them, pixel by pixel *none* of C's samples is a training image: see the last line. (The net's
#   features still suspect half of them: to it, a flower and its mirror image are much alike.)
# - **New flowers that are new.** Oxford-102 has some photographs *twice*. If one of such a pair is
#   "new", the smallest distance is 0, and nobody is ever a suspect. `memorisation` leaves them out.
# - **Your eyes** have the last word, on the nearest pairs.
# - **What it cannot see**: a copied *part*; a copy that is shifted or recoloured so far that the
#   net calls it another flower; one that is only a little *blurred*, for the net looks at texture,
#   and a soft flower is far from every sharp one; and what is rarer than one in your n. And it may
#   accuse the innocent: a dull, average flower is near to many.
#
# (The course's own model: of 2,040 samples none is a training photograph, and none is a suspect.
# `flowerdiff evaluate` measured it, and the model's card says so. None of 2,040 means: of
# copies that it can see, at most about one in 700, with 95 % certainty, which is three in n.)

# %% [markdown]
# ## 8 · Looking at pictures
#
# In the end people look. That is a measurement, too, and as easy to get wrong: you know which
# pictures are yours, you remember the good ones, and you see what you hope for. A fair look is
#
# - **of pictures that nobody chose**: seeds 0, 1, 2, …, decided before you look; and never only the
#   best;
# - **blind**: you do not know which is which, and left and right are drawn by lot;
# - **long enough**, and *how* long is decided before;
# - and it ends in a number **with an interval**.
#
# Here is such a test: ten rounds, in each four real flowers and four others. Nothing is said until
# the end. The last of the three contests is *real against real*: there is nothing to find. It is
# the floor of this section.
#
# > **Predict.** How many of ten will you get right in each of the three? And how many must it be,
# > before you believe that you can tell them apart?

# %%
from flowerdiff.widgets import blind_test

others = torch.stack([draw_flower(KINDS[i % 4], 2_000_000 + i // 4, 32) for i in range(64)])
test = blind_test(
    {
        "samples of net B": (fresh.images, nets["B"].images),
        "samples of net C": (fresh.images, nets["C"].images),
        "other real flowers": (fresh.images, others),
    }
)
test

# %% [markdown]
# Click on the real ones; from the second round on `←` and `→` do the same. After ten rounds you see
# what you got, and which ones were real. *Start again* begins anew with the same pictures (after
# the first time it is no longer blind: choose another contest, or `blind_test(..., seed=1)`).
#
# B's soft petals give it away. Against C there is next to nothing to see: those *are* flowers of
# the garden, with 6 % more contrast. **A blind test finds bad pictures, and no copies.** Did you
# find a trick on the way ("the petals are too soft")? It is worth more than the number: it says
# what to mend.
#
# The verdict has two numbers. The **interval** (Wilson's) says which rates of success go together
# with your result; if 50 % is in it, you may have been guessing. The other is the chance to do as
# well by luck alone:

# %% [markdown]
# ### Exercise 7 · Luck
#
# *easy · 7 minutes.* Somebody who cannot tell has to guess, and is right in half of the rounds on
# average. What is the chance to get `right` of `rounds` rounds right by guessing, **or more**?
# (`math.comb(n, k)` is the number of ways to be right in k of n rounds; all ways together are
# $2^n$.)

# %%
import math

from flowerdiff.checks.evaluation import check_chance


def chance(right, rounds):
    """The chance of as many right answers or more, by guessing."""
    # solution
    ways = sum(math.comb(rounds, k) for k in range(right, rounds + 1))
    return ways / 2**rounds
    # end of solution


check_chance(chance)

# %% [markdown]
# `luck` by the library, which is what the widget shows; and then the question that should come
# *before* the test: how many rounds does it take? Let a result convince us if luck alone would do
# as well in less than 5 % of tries.
#
# > **Predict.** Say you really can tell, a little: 7 times in 10 on average. How often will ten
# > rounds convince you? And a hundred?

# %%
from flowerdiff.widgets.blind import luck

print(luck(7, 10), luck(9, 10), sep="\n")


def at_least(right, rounds, rate=0.5):
    """The chance of as many right answers or more, if you are right at this rate."""
    ways = range(right, rounds + 1)
    return sum(math.comb(rounds, k) * rate**k * (1 - rate) ** (rounds - k) for k in ways)


for rounds in (10, 20, 50, 100):
    needed = next(k for k in range(rounds + 1) if at_least(k, rounds) < 0.05)
    print(
        f"{rounds:3d} rounds: {needed} right convince; who is right 7 times in 10 gets there in "
        f"{at_least(needed, rounds, 0.7):.0%} of tries"
    )

# %% [markdown]
# Ten rounds convince once in seven times. How often a test convinces if there *is* something to
# find is called its **power**. So "I could not tell them apart" after ten rounds says little about
# the pictures: *no proof* of a difference is not proof of none. Fifty rounds would probably have
# found it. (At the very edge chance and interval may disagree, as for 59 of 100: the one looks at
# one side, the other at both.)

# %% [markdown]
# ## 9 · Before you believe a table
#
# Yours or anybody's. (Lesson 07 takes this list to the paper.)
#
# 1. **What did the metric get?** Show one batch of it, as a picture.
# 2. **Which features?** Another net, another scale.
# 3. **How many pictures**, and of how many classes each?
# 4. **Where is the floor?** Real pictures in the place of the samples, the same n, the same code.
# 5. **Where is the interval?** And what if you draw other seeds, or train once more?
# 6. **What can the score not see?** Colours, copies, or that it is no flower at all.
# 7. **Are there copies?** The nearest training images, mirror images too.
# 8. **Was it chosen?** The best of ten settings, or of ten pictures, looks better than it is.
# 9. **Is it the setting or the model?** Compare frontiers.
# 10. **Have you looked?** At pictures that nobody chose, blind.

# %% [markdown]
# ## What you have solved

# %%
from flowerdiff.checks.evaluation import summary

summary()

# %% [markdown]
# ## Common mistakes
#
# - **floats in [−1, 1] given to a metric that expects [0, 1].** *You see:* poisonous colours, if
#   anybody looks; else a KID of 0.1 between real and real. *The rule:* one function makes pixels,
#   and metrics take nothing else.
# - **FID of fifty pictures.** *You see:* values in the hundreds, which luck moves as much as a
#   small change of the model does. *The rule:* more pictures than features, or KID.
# - **FIDs of different n in one table.** *You see:* the model with more samples wins. *The rule:*
#   equal n, and the floor at this n.
# - **KID without an interval, or clipped at 0.** *You see:* a ranking that turns over with another
#   seed. *The rule:* give the interval, and let it be negative.
# - **as many of each class here, at random there.** *You see:* scores below the floor. *The rule:*
#   the floor in just the same way.
# - **the Inception Score of flowers.** *You see:* a number below 7. *The rule:* leave it, or use a
#   classifier that knows your classes.
# - **recognition alone.** *You see:* "the larger $w$, the better". *The rule:* always with
#   diversity.
# - **no test for copies, or one without mirror images or a yardstick.** *You see:* a model that is
#   better than real. *The rule:* that wants an explanation; look at the nearest pairs.
# - **"we chose representative samples".** *You see:* nothing, that is the trouble. *The rule:* the
#   first seeds.
#
# ## Key points
#
# - A score answers **its own question**. Know what it sees by spoiling pictures on purpose.
# - **FID** is too high, the more so the fewer the pictures. **KID** is right on average, and its
#   interval says how far one number can be trusted.
# - Every score needs a **floor**: real pictures, the same number, the same code.
# - **Better than real** is a symptom.
# - One number is a point; a model is a **frontier**.
# - To look at pictures is a measurement: unchosen, blind, long enough, with an interval.
#
# ## Where to go on
#
# - **07 The paper**: its tables, with this lesson's list in hand.
# - `docs/metrics.md` and `flowerdiff evaluate`: all of this for your own model, in one command.
# - T. Salimans and others, *Improved Techniques for Training GANs*, 2016
#   ([arXiv:1606.03498](https://arxiv.org/abs/1606.03498)): the Inception Score.
# - M. Heusel and others, *GANs Trained by a Two Time-Scale Update Rule*, 2017
#   ([arXiv:1706.08500](https://arxiv.org/abs/1706.08500)): FID.
# - M. Bińkowski and others, *Demystifying MMD GANs*, 2018
#   ([arXiv:1801.01401](https://arxiv.org/abs/1801.01401)): KID, and FID's bias. M. Chong, D.
#   Forsyth, 2020 ([arXiv:1911.07023](https://arxiv.org/abs/1911.07023)): the bias depends on the
#   model, too.
# - T. Kynkäänniemi and others, *Improved Precision and Recall Metric*, 2019
#   ([arXiv:1904.06991](https://arxiv.org/abs/1904.06991)).
# - S. Barratt, R. Sharma, *A Note on the Inception Score*, 2018
#   ([arXiv:1801.01973](https://arxiv.org/abs/1801.01973)): all that is wrong with it.
# - T. Kynkäänniemi and others, *The Role of ImageNet Classes in Fréchet Inception Distance*, 2022
#   ([arXiv:2203.06026](https://arxiv.org/abs/2203.06026)).
# - G. Parmar, R. Zhang, J.-Y. Zhu, *On Aliased Resizing and Surprising Subtleties in GAN
#   Evaluation*, 2022 ([arXiv:2104.11222](https://arxiv.org/abs/2104.11222)): JPEG and resizing.
# - G. Stein and others, *Exposing Flaws of Generative Model Evaluation Metrics*, 2023
#   ([arXiv:2306.04675](https://arxiv.org/abs/2306.04675)): which scores agree with people.
# - N. Carlini and others, *Extracting Training Data from Diffusion Models*, 2023
#   ([arXiv:2301.13188](https://arxiv.org/abs/2301.13188)): copies; G. Somepalli and others, 2023
#   ([arXiv:2212.03860](https://arxiv.org/abs/2212.03860)): copied parts.
# - A. Mittal and others, 2012 (BRISQUE) and 2013 (NIQE); L. Kang and others, 2014 (CNN-IQA).
# - R. Geirhos and others, *ImageNet-trained CNNs are biased towards texture*, 2018
#   ([arXiv:1811.12231](https://arxiv.org/abs/1811.12231)).
# - `flowerdiff/metrics/` in this course.
