"""Extract, transform, validate: from raw log lines to published partitions.

It knows nothing of Luigi; every step is a function that can be called and tested alone.
"""

import os

# numpy's import starts threads for linear algebra; we do none, and while they wait they spin.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
