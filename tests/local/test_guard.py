"""Who may speak to the local cloud: raw requests, as a web page or another user of the machine sends them."""

import http.client
import json
import os
import stat

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from waiting import BACKSTOP_S

from caribou.local import LocalCloud
from caribou.model.errors import InvalidInputError

pytestmark = pytest.mark.local_cloud

IDENTITY = "Action=GetCallerIdentity&Version=2011-06-15"
LISTS = {"sts": "get_caller_identity", "s3": "list_buckets", "dynamodb": "list_tables", "lambda": "list_functions"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NEW_FUNCTION = json.dumps(
    {"FunctionName": "from-a-page", "Runtime": "python3.13", "Role": "r", "Handler": "app.handler"}
)


def sent(cloud, method, path, body=None, **headers):
    """The status, headers and body of the answer to a raw request."""
    host, _, port = cloud.endpoint.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=BACKSTOP_S)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        with connection.getresponse() as response:
            return response.status, dict(response.headers), response.read().decode()
    finally:
        connection.close()


def signed(cloud, secret=None, **headers):
    """The answer to a signed GetCallerIdentity, with more headers beside the signed ones."""
    request = AWSRequest("POST", f"{cloud.endpoint}/", FORM, IDENTITY)
    SigV4Auth(Credentials(cloud.account, secret or cloud.secret), "sts", "us-east-1").add_auth(request)
    return sent(cloud, "POST", "/", IDENTITY, **{**dict(request.headers), **headers})


def test_request_when_it_is_signed_with_the_secret_then_it_is_answered_without_cors(local_cloud):
    """As every SDK does."""
    status, headers, body = signed(local_cloud)
    assert (status, local_cloud.account in body) == (200, True)
    assert not [name for name in headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost@evil.example"},
    ],
    ids=lambda headers: "".join(headers.values()),
)
def test_request_when_a_page_or_a_foreign_name_leads_here_then_it_is_refused_though_it_is_signed(local_cloud, headers):
    """Rebound names, and pages that got hold of a signed request."""
    status, answered, body = signed(local_cloud, **headers)
    assert (status, "AccessDenied" in body) == (403, True)
    assert not [name for name in answered if name.lower().startswith("access-control-")]


def test_preflight_when_a_page_asks_then_nothing_is_allowed(local_cloud):
    """No CORS."""
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    status, headers, _ = sent(local_cloud, "OPTIONS", "/", **asked)
    assert status == 403
    assert not [name for name in headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/2015-03-31/functions", NEW_FUNCTION),
        ("POST", "/", IDENTITY),
        ("GET", f"/?{IDENTITY}", None),
        ("PUT", "/a-bucket", None),
        ("POST", "/_ministack/reset", None),
        ("GET", "/_ministack/sqs/messages", None),
    ],
)
def test_request_when_it_is_not_signed_then_nothing_is_done(local_cloud, method, path, body):
    """A text/plain POST needs no preflight; an old browser's link has neither Origin nor Sec-Fetch-Site."""
    status, _, said = sent(local_cloud, method, path, body, Content_Type="text/plain")
    assert (status, "the request is not signed" in said) == (403, True)
    names = [one["FunctionName"] for one in local_cloud.client("lambda").list_functions()["Functions"]]
    assert "from-a-page" not in names


def test_request_when_the_signature_is_anothers_then_the_message_says_where_the_secret_is(local_cloud):
    """Another user knows the port and the account, not the secret; nor does an old shell."""
    status, _, body = signed(local_cloud, secret="test")
    assert (status, "SignatureDoesNotMatch" in body, "caribou local env" in body) == (403, True, True)
    for service, call in LISTS.items():
        session = boto3.Session(local_cloud.account, "test", region_name="us-east-1")
        client = session.client(service, endpoint_url=local_cloud.endpoint)
        with pytest.raises(ClientError, match=r"SignatureDoesNotMatch.*caribou local env"):
            getattr(client, call)()
        client.close()


def test_request_when_its_access_key_was_never_given_out_then_it_is_refused(local_cloud):
    """Only accounts, and what the emulator gave out itself."""
    client = boto3.client(
        "sts", "us-east-1", endpoint_url=local_cloud.endpoint, aws_access_key_id="test", aws_secret_access_key="test"
    )
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        client.get_caller_identity()
    client.close()


def test_request_when_it_is_of_a_session_a_user_or_a_link_then_it_is_answered(local_cloud):
    """What the emulator gave out is as good as on AWS: roles that are assumed, users' keys, presigned links."""
    role = f"arn:aws:iam::{local_cloud.account}:role/any"
    given = local_cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    users = local_cloud.client("iam")
    users.create_user(UserName="guarded")
    key = users.create_access_key(UserName="guarded")["AccessKey"]
    for one in (given, key):
        session = boto3.Session(one["AccessKeyId"], one["SecretAccessKey"], one.get("SessionToken"), "us-east-1")
        client = session.client("sqs", endpoint_url=local_cloud.endpoint)
        client.list_queues()
        client.close()
    s3 = local_cloud.client("s3")
    s3.create_bucket(Bucket="guarded")
    s3.put_object(Bucket="guarded", Key="a b/ü+c", Body=b"here")
    keys = {"aws_access_key_id": local_cloud.account, "aws_secret_access_key": local_cloud.secret}
    version_4 = Config(signature_version="s3v4")
    signer = boto3.client("s3", "us-east-1", endpoint_url=local_cloud.endpoint, config=version_4, **keys)
    link = signer.generate_presigned_url("get_object", {"Bucket": "guarded", "Key": "a b/ü+c"})
    signer.close()
    assert sent(local_cloud, "GET", link.removeprefix(local_cloud.endpoint))[::2] == (200, "here")
    assert sent(local_cloud, "GET", link.removeprefix(local_cloud.endpoint)[:-4] + "0000")[0] == 403


def test_health_when_anyone_asks_then_it_is_answered_but_not_to_pages(local_cloud):
    """It says nothing but that it is there."""
    assert sent(local_cloud, "GET", "/_ministack/health")[0] == 200
    assert sent(local_cloud, "GET", "/_ministack/health", Origin="https://evil.example")[0] == 403


def test_folder_when_a_cloud_is_in_it_then_it_is_this_users_alone_and_keeps_its_secret(tmp_path):
    """The log has what functions print; the next server takes the same secret, and another folder another one."""
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    with LocalCloud.start(state, regions=()) as first:
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        for path in (state / "server.json", first.log):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert first.secret not in repr(first)
        assert first.secret in LocalCloud.attach(state).variables().values()
    with LocalCloud.start(state, regions=()) as second, LocalCloud.start(tmp_path / "other", regions=()) as other:
        assert (second.secret, len(second.secret)) == (first.secret, 40)
        assert other.secret != second.secret


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_folder_when_it_is_another_users_then_it_is_refused(tmp_path):
    """Who owns the folder can read what is put there."""
    os.chown(tmp_path, 12345, 12345)
    with pytest.raises(InvalidInputError, match="belongs to another user"):
        LocalCloud.start(tmp_path, regions=())
    os.chown(tmp_path, 0, 0)
