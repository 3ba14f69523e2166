"""A plugin of pytest's: one thread for numpy, as in the workflows' manifests, set before anything has loaded numpy.

On a busy machine two threads wait for each other ten times as long; two processes of tests on two cores have it fastest.
It stands in pyproject.toml's options, since another plugin (pytest-randomly) loads numpy before any conftest.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
