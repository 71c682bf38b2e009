"""`python -m flowerdiff`, for `accelerate launch -m flowerdiff` and `torchrun -m flowerdiff`."""

import sys

from flowerdiff.cli import main

sys.exit(main())
