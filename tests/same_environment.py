"""A plugin of pytest's: the environment in which tests run, made alike on every machine before anything is imported.

It stands in pyproject.toml's options, since another plugin (pytest-randomly) loads numpy before any conftest.
"""

import os
import signal

OF_A_TERMINAL = frozenset({"NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES"})
"""How wide somebody's window is, and whether there are colours in it."""
OF_A_PROJECT = ("AWS_", "CDK_", "CARIBOU_STAGE")
"""What leads somebody's shell to a cloud, and to a stage."""

for name in [name for name in os.environ if name in OF_A_TERMINAL or name.startswith(OF_A_PROJECT)]:
    del os.environ[name]

# A shell's job in the background ignores Ctrl-C, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# As in the workflows' manifests. Two threads wait for each other ten times as long on a busy machine; two processes of
# tests on two cores want one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# A machine of AWS's would give its own credentials to tests that have none.
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
# An index that stumbles is asked again, for half a minute or so.
os.environ.setdefault("UV_HTTP_RETRIES", "6")
