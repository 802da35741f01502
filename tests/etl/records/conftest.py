"""What tests of records share: how they read some."""

import sys
from pathlib import Path

sys.path += [str(Path(__file__).parent)]  # tests are no package
