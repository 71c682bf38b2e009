"""How good are generated flowers? Numbers that carry what they were measured with.

    extractor = efficientnet_lite0()                # or inception(), or Extractor("my net", net)
    real, drawn = extractor(train.images), extractor(to_uint8(samples))
    kid(drawn, real)        # KID 0.364 [0.350, 0.378] (n = 510 against 6,552, EfficientNet-Lite0 …)
    niqe()(images)          # NIQE 5.21 [5.02, 5.4] (n = 106, pyiqa, 256 x 256 px)

Images come in as uint8, which only `to_uint8` makes of floats: a wrong value range cannot get in.
Scores of different kinds or features do not compare, nor FIDs of different n, nor NIQE, BRISQUE
and CNN-IQA of different image sizes.

For any number of images, `RunningFID`, `RunningKID`, `RunningIS` and `RunningQuality` take batch
after batch (`update`, `compute`) in memory that does not grow. Files of weights that are not part
of flowerdiff are in `weights`: a metric never downloads one, `flowerdiff weights get NAME` does.
"""

from flowerdiff.metrics.copies import Memorisation, Nearest, memorisation, nearest
from flowerdiff.metrics.denoising import denoising_error
from flowerdiff.metrics.distribution import RunningFID, RunningKID, fid, kid
from flowerdiff.metrics.features import (
    Extractor,
    Features,
    Measured,
    MissingExtra,
    require_extra,
)
from flowerdiff.metrics.flowers import Recogniser, diversity, recognition, train_recogniser
from flowerdiff.metrics.inception_score import RunningIS, inception_score
from flowerdiff.metrics.nets import (
    efficientnet_lite0,
    efficientnet_lite0_logits,
    inception,
    inception_logits,
)
from flowerdiff.metrics.quality import Quality, RunningQuality, brisque, cnn_iqa, niqe
from flowerdiff.metrics.report import (
    Row,
    copies_found,
    denoised,
    judge,
    measure,
    nearest_pairs,
    table,
)
from flowerdiff.metrics.score import Score
from flowerdiff.metrics.weights import BadWeights, MissingWeights

__all__ = [
    "BadWeights", "Extractor", "Features", "Measured", "Memorisation", "MissingExtra",
    "MissingWeights", "Nearest", "Quality", "Recogniser", "Row", "RunningFID", "RunningIS",
    "RunningKID", "RunningQuality", "Score", "brisque", "cnn_iqa", "copies_found", "denoised",
    "denoising_error", "diversity", "efficientnet_lite0", "efficientnet_lite0_logits", "fid",
    "inception", "inception_logits", "inception_score", "judge", "kid", "measure", "memorisation",
    "nearest", "nearest_pairs", "niqe", "recognition", "require_extra", "table", "train_recogniser",
]  # fmt: skip
