"""Seconds from the start of the process (its argument, monotonic clock) until torch is imported."""
import sys
import time

import torch  # noqa: F401

print("start_require", time.monotonic() - float(sys.argv[1]))
