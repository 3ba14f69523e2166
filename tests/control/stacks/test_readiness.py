"""To which regions an account can deploy, as each region says it when all are asked at once."""

import time
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

from caribou.control.aws import Aws
from caribou.control.stacks.readiness import Readiness, readiness_of
from caribou.model.errors import OperationFailedError
from caribou.model.regions import KNOWN_REGIONS

HOME, WEST, CANADA = "us-east-1", "us-west-2", "ca-central-1"


class Regions:
    """In place of Systems Manager: bootstrapped, but for regions that answer otherwise."""

    def __init__(self, **others):
        self.others, self.asked = others, []

    def ssm(self, region):
        """The region's client; a region that is asked stands in `asked`."""

        def get_parameter(Name):  # noqa: N803 - as boto3 has it
            self.asked.append((region, Name))
            if (error := self.others.get(region.replace("-", "_"))) is not None:
                raise error

        return SimpleNamespace(get_parameter=get_parameter)


@pytest.fixture
def answers(monkeypatch):
    """`answers(region=error)`: what regions say."""

    def made(**others):
        regions = Regions(**others)
        monkeypatch.setattr(Aws, "ssm", regions.ssm)
        return regions

    return made


def refusal(code):
    """An error of AWS's."""
    return ClientError({"Error": {"Code": code, "Message": "oh"}}, "GetParameter")


def asked(regions=(HOME, WEST, CANADA)):
    """What is known of some regions."""
    with Aws() as aws:
        return readiness_of(aws, regions, HOME, "ours")


def test_regions_when_all_are_bootstrapped_then_nothing_is_said_of_them(answers):
    """Each is asked once, home too, by the qualifier of the project."""
    regions = answers()
    assert asked((WEST,)) == Readiness()
    assert sorted(regions.asked) == [(r, "/cdk-bootstrap/ours/version") for r in (HOME, WEST)]


def test_regions_when_some_can_not_be_deployed_to_then_each_is_with_its_reason(answers):
    """One that is silent is not known, and so is one that fails, or that alone denies the question."""
    answers(
        us_west_2=refusal("ParameterNotFound"),
        ca_central_1=refusal("UnrecognizedClientException"),
        eu_west_1=ConnectTimeoutError(endpoint_url="https://ssm"),
        eu_west_2=refusal("InternalServerError"),
        eu_west_3=refusal("AccessDeniedException"),
    )
    found = asked((WEST, CANADA, "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1"))
    assert (found.not_bootstrapped, found.not_enabled, found.hidden) == ((WEST,), (CANADA,), ())
    assert found.not_known == {"eu-west-1": "no answer", "eu-west-2": "it failed", "eu-west-3": "access denied"}


def test_regions_when_home_denies_the_question_too_then_it_is_we_who_may_not_ask(answers):
    """They may be deployed to, for all that is known."""
    answers(us_east_1=refusal("AccessDenied"), us_west_2=refusal("AccessDenied"))
    assert asked((HOME, WEST)) == Readiness(hidden=(HOME, WEST))


def test_regions_when_home_fails_then_the_error_says_so(answers):
    """An expired token, say: the others would not help."""
    answers(us_east_1=refusal("ExpiredTokenException"))
    with pytest.raises(OperationFailedError, match=r"bootstrapped in us-east-1 failed.*ExpiredToken"):
        asked()


def test_regions_when_all_are_asked_then_it_takes_as_long_as_the_slowest_one(answers, monkeypatch):
    """They are asked at the same time."""
    answers()
    most, now = [0], [0]

    def get_parameter(Name):  # noqa: N803, ARG001
        now[0] += 1
        most[0] = max(most[0], now[0])
        time.sleep(0.02)
        now[0] -= 1

    monkeypatch.setattr(Aws, "ssm", lambda *_: SimpleNamespace(get_parameter=get_parameter))
    assert asked(KNOWN_REGIONS) == Readiness()
    assert most[0] > len(KNOWN_REGIONS) / 2


def test_hasty_clients_when_a_region_was_silent_then_the_patient_ones_do_not_wait_for_it(monkeypatch):
    """Both remember which are silent; and the hasty ones give up within seconds."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of a test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of a test")
    with Aws() as aws, aws.hasty() as hasty:
        hasty._note(WEST, ConnectTimeoutError(endpoint_url="https://ssm"))
        with pytest.raises(Exception, match="did not answer a moment ago"):
            aws._pass_by(WEST)
        config = hasty.ssm(CANADA).meta.config
    assert config.connect_timeout + config.read_timeout <= 4


def test_region_when_its_endpoint_can_not_be_reached_then_it_is_not_known(answers):
    """From a network that is closed to it, say."""
    answers(us_west_2=EndpointConnectionError(endpoint_url="https://ssm.us-west-2.amazonaws.com"))
    assert asked().not_known == {WEST: "no answer"}
