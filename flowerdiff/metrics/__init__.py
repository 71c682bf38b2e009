"""How good are generated flowers? Numbers that carry what they were measured with.

    extractor = efficientnet_lite0()                # or Extractor("my net", net)
    real, drawn = extractor(train.images), extractor(to_uint8(samples))
    kid(drawn, real)        # KID 0.364 [0.350, 0.378] (n = 510 against 6,552, EfficientNet-Lite0 …)

Images come in as uint8, which only `to_uint8` makes of floats: a wrong value range cannot get in.
Every score is over features, and scores over different features do not compare.
"""

from flowerdiff.metrics.copies import Memorisation, Nearest, memorisation, nearest
from flowerdiff.metrics.distribution import fid, kid
from flowerdiff.metrics.features import (
    Extractor,
    Features,
    Measured,
    MissingExtra,
    efficientnet_lite0,
    require_extra,
)
from flowerdiff.metrics.flowers import Recogniser, diversity, recognition, train_recogniser
from flowerdiff.metrics.report import Row, copies_found, measure, nearest_pairs, table
from flowerdiff.metrics.score import Score

__all__ = [
    "Extractor", "Features", "Measured", "Memorisation", "MissingExtra", "Nearest", "Recogniser",
    "Row", "Score", "copies_found", "diversity", "efficientnet_lite0", "fid", "kid", "measure",
    "memorisation", "nearest", "nearest_pairs", "recognition", "require_extra", "table",
    "train_recogniser",
]  # fmt: skip
