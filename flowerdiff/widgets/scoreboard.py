"""Several scores of the same pictures at once, and how they stand in a table of plain text."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from flowerdiff.metrics import (
    Extractor,
    Features,
    Measured,
    MissingExtra,
    MissingWeights,
    Recogniser,
    Score,
    diversity,
    efficientnet_lite0,
    efficientnet_lite0_logits,
    fid,
    inception_score,
    kid,
    recognition,
    train_recogniser,
)
from flowerdiff.metrics.quality import QUALITIES
from flowerdiff.metrics.report import BETTER
from flowerdiff.metrics.weights import FILES

CLOSE = {"KID": 0.005}  # a smaller change is none; for other scores, a smaller share of the score:
SHARE = 0.02
DIGITS = {"KID": 3, "FID": 0, "BRISQUE": 1}  # behind the point; of the others two
HEAD = f"{'as they were':>21} → now"


@dataclass(frozen=True)
class Panel:
    """Five scores of N pictures. Call it with the pictures; the labels are always the same."""

    known: Measured  # the real flowers that they are compared with
    labels: Tensor  # (N,), what the pictures should show
    extractor: Extractor
    classifier: Callable[[Tensor], Tensor]  # features (N, D) -> logits (N, classes), for the IS
    recogniser: Recogniser = field(init=False)

    def __post_init__(self):
        learned = train_recogniser(self.known.features, self.known.labels)
        object.__setattr__(self, "recogniser", learned)

    def __call__(self, images: Tensor) -> list[Score]:
        """KID, FID, IS, recognition and diversity of uint8 images (N, 3, H, W)."""
        seen, known = self.extractor(images), self.known
        logits = self.classifier(seen.values)
        classes = Features(logits, f"logits after {seen.extractor}", logits=True)
        with warnings.catch_warnings(action="ignore"):  # that so few are few, which the lesson says
            return [
                kid(seen, known.features),
                fid(seen, known.features),
                inception_score(classes),
                recognition(self.recogniser, seen, self.labels),
                diversity(seen, self.labels, known.features, known.labels),
            ]


def offline_panel(known: Measured, labels: Tensor) -> Panel:
    """A panel over EfficientNet-Lite0, whose features `known` must hold. Raises MissingExtra."""
    last_layer = efficientnet_lite0_logits().net.get_classifier()
    return Panel(known, labels, efficientnet_lite0(), last_layer)


def no_reference_judges() -> dict[str, Callable[[Tensor], Score] | str]:
    """NIQE, BRISQUE and CNN-IQA by name; instead of one that is not ready, what it takes."""
    return {FILES[name].use: _ready(name) for name in QUALITIES}


def _ready(name: str) -> Callable[[Tensor], Score] | str:
    try:
        judge = QUALITIES[name]()
    except MissingExtra as error:
        return str(error).removeprefix("this ")
    except MissingWeights:
        return f"needs a file of {FILES[name].size}: flowerdiff weights get {name}"

    def measure(images: Tensor) -> Score:
        with warnings.catch_warnings(action="ignore"):  # that small images are enlarged
            return judge(images)

    return measure


def scoreboard(was: Sequence[Score], now: Sequence[Score]) -> str:
    """A line for each score, before and after the same pictures were spoilt."""
    return "\n".join([HEAD, *(_line(*pair) for pair in zip(was, now, strict=True))])


def verdict(was: Score, now: Score) -> str:
    """What the score says of the change: better, worse or the same; "" if more is not better."""
    change = now.value - was.value
    if abs(change) < CLOSE.get(was.name, SHARE * abs(was.value)):
        return "the same"
    if was.name not in BETTER:
        return ""
    return "better" if (change > 0) == (BETTER[was.name] == "↑") else "worse"


def brief(score: Score) -> str:
    """The value, and half of its interval."""
    if score.interval is None:
        return _number(score)
    half = (score.interval[1] - score.interval[0]) / 2
    return f"{_number(score)} ± {half:.{DIGITS.get(score.name, 2)}f}"


def _number(score: Score) -> str:
    return f"{score.value:.{DIGITS.get(score.name, 2)}f}".replace("-", "−")


def _line(was: Score, now: Score) -> str:
    name = was.name.removesuffix(" top-1")
    columns = f"{name:<12}{BETTER.get(was.name, ''):<2}{_number(was):>7} → {brief(now):<16}"
    return (columns + verdict(was, now)).rstrip()
