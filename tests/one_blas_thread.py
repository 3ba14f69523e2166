"""A plugin of pytest's: one thread for numpy, as in the workflows' manifests, set before anything has loaded numpy.

Two threads wait for each other ten times as long on a busy machine; two processes of tests on two cores want one.
It stands in pyproject.toml's options, since another plugin (pytest-randomly) loads numpy before any conftest.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
