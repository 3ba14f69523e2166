"""What every test may use."""

import pytest

from caribou.local import LocalCloud


@pytest.fixture(scope="session")
def local_cloud(tmp_path_factory):
    """One local cloud for all tests of a session, with three regions bootstrapped.

    Tests share it: use names of your own, or `local_cloud.as_account(...)`. It ends with the session, and with
    this process however that ends.
    """
    state = tmp_path_factory.mktemp("local-cloud")
    with LocalCloud.start(state, regions=("us-east-1", "us-west-2", "ca-central-1")) as cloud:
        yield cloud
