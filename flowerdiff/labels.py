"""Names of flowers: Oxford's 102 in Oxford's order, and finding a class by what a person types."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Sequence

# Oxford-102 (Nilsback and Zisserman, 2008) numbers its classes from 1: class k is OXFORD[k - 1].
# The spelling is the data set's own ("lotus lotus" included), so that names match other tools'.
_OXFORD = """
    pink primrose, hard-leaved pocket orchid, canterbury bells, sweet pea, english marigold,
    tiger lily, moon orchid, bird of paradise, monkshood, globe thistle, snapdragon, colt's foot,
    king protea, spear thistle, yellow iris, globe-flower, purple coneflower, peruvian lily,
    balloon flower, giant white arum lily, fire lily, pincushion flower, fritillary, red ginger,
    grape hyacinth, corn poppy, prince of wales feathers, stemless gentian, artichoke,
    sweet william, carnation, garden phlox, love in the mist, mexican aster, alpine sea holly,
    ruby-lipped cattleya, cape flower, great masterwort, siam tulip, lenten rose, barbeton daisy,
    daffodil, sword lily, poinsettia, bolero deep blue, wallflower, marigold, buttercup,
    oxeye daisy, common dandelion, petunia, wild pansy, primula, sunflower, pelargonium,
    bishop of llandaff, gaura, geranium, orange dahlia, pink-yellow dahlia, cautleya spicata,
    japanese anemone, black-eyed susan, silverbush, californian poppy, osteospermum,
    spring crocus, bearded iris, windflower, tree poppy, gazania, azalea, water lily, rose,
    thorn apple, morning glory, passion flower, lotus lotus, toad lily, anthurium, frangipani,
    clematis, hibiscus, columbine, desert-rose, tree mallow, magnolia, cyclamen, watercress,
    canna lily, hippeastrum, bee balm, ball moss, foxglove, bougainvillea, camellia, mallow,
    mexican petunia, bromelia, blanket flower, trumpet creeper, blackberry lily
"""
OXFORD: tuple[str, ...] = tuple(name.strip() for name in _OXFORD.split(","))


def find_label(name: str | int, class_names: Sequence[str]) -> int:
    """The label, 0 .. len(class_names) - 1, of a class given by its name or its number.

    Case, surrounding space, and "-" or "_" for a space do not matter; a number may come as text
    ("53", from a command line). Raises ValueError that suggests names, or states the range.
    """
    if isinstance(name, str):
        keys = [_key(known) for known in class_names]
        key = _key(name)
        if key in keys:
            return keys.index(key)
        if not key.isdecimal():
            parts = [k for k in keys if key and key in k]  # "dahlia": orange dahlia, ...
            near = parts[:3] or difflib.get_close_matches(key, keys, n=3, cutoff=0.6)
            if near:
                hint = "did you mean " + " or ".join(class_names[keys.index(k)] for k in near) + "?"
            else:
                hint = f"class_names lists all {len(keys)}, from {class_names[0]} on"
            raise ValueError(f"no class is called {name!r}; {hint}")
    label = int(name) if isinstance(name, str) else operator.index(name)
    if not 0 <= label < len(class_names):
        raise ValueError(f"there is no class {label}: they go from 0 to {len(class_names) - 1}")
    return label


def _key(name: str) -> str:
    return " ".join(name.casefold().replace("-", " ").replace("_", " ").split())
