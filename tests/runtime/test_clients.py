"""What failures of calls mean, at home and elsewhere, and whose settings our clients follow."""

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError, SSLError

from caribou.model.errors import UnreachableError
from caribou.model.run_settings import GOES_HOME_WITHIN_S
from caribou.runtime import clients as made
from caribou.runtime import sweeper
from caribou.runtime.clients import Clients

HOME, AWAY = "us-east-1", "us-west-2"


def _answer(code, status):
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Publish")


def _raised(region, error, home=HOME):
    with pytest.raises((UnreachableError, ClientError)) as raised, Clients(home_region=home).reaching(region):
        raise error
    return raised.type


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken", "KMS.DisabledException", "KMSThrottling", "SlowDown"])
def test_region_when_nowhere_is_home_then_what_refuses_us_is_an_error_to_show(code):
    """As for the tools of a person, who can mend it; what is busy is so everywhere. All codes: test_wire.py."""
    expected = UnreachableError if code in ("KMSThrottling", "SlowDown") else ClientError
    assert _raised(AWAY, _answer(code, 400), home=None) is expected


@pytest.mark.parametrize(
    "error",
    [
        ConnectTimeoutError(endpoint_url="u"),
        ReadTimeoutError(endpoint_url="u"),
        EndpointConnectionError(endpoint_url="u"),
        SSLError(endpoint_url="u", error="e"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_region_when_it_is_silent_then_it_is_not_asked_again_for_a_while(monkeypatch, error):
    """Twenty-five sends into a silent region would take longer than most functions have; home is always asked."""
    now, clients = [100.0], Clients(home_region=HOME)
    monkeypatch.setattr(made.time, "monotonic", lambda: now[0])
    asked = []

    def ask(region, error=None):
        with clients.reaching(region):
            asked.append(region)
            if error:
                raise error

    for region in (AWAY, HOME):
        with pytest.raises(UnreachableError):
            ask(region, error)
    for _ in range(24):
        with pytest.raises(UnreachableError, match="a moment ago"):
            ask(AWAY)
    ask(HOME)
    assert asked == [AWAY, HOME, HOME]
    now[0] += 31
    ask(AWAY)
    assert asked[-1] == AWAY


def test_region_when_a_sweep_begins_then_it_is_asked_again():
    """An operator's order, a moment after a sweep that found a region silent, is no part of that sweep."""
    clients = Clients(home_region=HOME)
    with pytest.raises(UnreachableError), clients.reaching(AWAY):
        raise ConnectTimeoutError(endpoint_url="x")
    clients.ask_all_again()
    with clients.reaching(AWAY):
        pass


def test_region_when_it_is_silent_then_there_is_time_to_go_home():
    """Botocore's `max_attempts` counts retries, so the attempts are said in total."""
    config = made._CONFIG
    assert config.retries == {"mode": "standard", "total_max_attempts": 2}
    assert 2 * config.read_timeout + 1 < GOES_HOME_WITHIN_S
    assert sweeper._CLIENTS.retries["total_max_attempts"] == 1


@pytest.fixture
def users_environment(monkeypatch):
    """What a manifest may set for user code's own clients."""
    elsewhere = "http://127.0.0.1:9"
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy"):
        monkeypatch.setenv(name, elsewhere)
    monkeypatch.setenv("AWS_PROFILE", "of-the-user")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/of/the/user")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "role")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the function")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


@pytest.mark.usefixtures("users_environment")
def test_clients_of_a_function_when_its_environment_leads_elsewhere_then_they_do_not_follow():
    """Payloads and state of a run are no business of the user's own object store, profile or proxy."""
    clients = Clients.deployed(HOME)
    for client in (clients.s3(AWAY), clients.dynamodb(AWAY)):
        assert client.meta.endpoint_url.endswith("us-west-2.amazonaws.com")
        assert client.meta.config.proxies == {}


@pytest.mark.usefixtures("users_environment")
def test_clients_of_a_function_when_on_the_local_cloud_then_they_go_there(monkeypatch):
    """Its address stands where no manifest may write."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert Clients.deployed(HOME).s3(AWAY).meta.endpoint_url == "http://127.0.0.1:4566"
