"""The local cloud as an object: start it, attach to one that runs, bootstrap regions, stop it.

with LocalCloud.start(Path(".caribou-local")) as cloud:
    subprocess.run([*cdk_command(), "deploy", "--all"], env=cdk_env(cloud.env()), check=True)
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from caribou.local import aws, processes, tools
from caribou.local.launcher import DISTANCES, LOCKED
from caribou.model.errors import InvalidInputError, OperationFailedError
from caribou.model.regions import KNOWN_REGIONS

Distances = Mapping[str, Mapping[str, float]]
"""Seconds of a round trip, from region to region."""

DEFAULT_REGIONS = (aws.DEFAULT_REGION, "us-west-2")
DEFAULT_ACCOUNT = "000000000000"
HOST = "127.0.0.1"
_ACCOUNT_DIGITS = 12
_START_LIMIT_S = 600.0
"""For a server that lives and never answers: one that ends is noticed at once, a busy machine is waited for."""
_STOP_LIMIT_S = 10.0
_POLL_S = 0.05
_LAUNCHER = Path(__file__).resolve().with_name("launcher.py")
_SERVER_SETTINGS = {
    "BIND_HOST": HOST,
    "LAMBDA_EXECUTOR": "local",
    "LAMBDA_WARM_TTL_SECONDS": "30",
    "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.2",  # 60 s on AWS
    "LAMBDA_ASYNC_RETRY_MAX_SECONDS": "2",
    "SFTP_ENABLED": "0",
    "IOT_MTLS_ENABLED": "0",  # it listens on a port of its own
    "DOCKER_HOST": "unix:///nonexistent",  # MiniStack would look for containers to remove
}
_ENFORCING = {"AUTH": "true", "USE_SSL": "1"}
_HARMLESS = ("AWS_CA_BUNDLE", "AWS_DEFAULT_OUTPUT", "AWS_MAX_ATTEMPTS", "AWS_PAGER", "AWS_RETRY_MODE")
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ")
_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Passed on too, but to a server with TLS: its functions trust its certificate only where none is named."""
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@dataclass
class LocalCloud:
    """A running local cloud. As a context manager it is stopped at the end, unless it was started with `keep`.

    `state` is the folder of its logs and temporary files, `account` the AWS account of whoever uses `env()`,
    `secret` the secret access key without which it answers nobody, `pid` the server's, which leads its process group,
    `certificate` the file of the one that clients must trust, if it speaks TLS, `distances` whether regions are apart.
    """

    state: Path
    endpoint: str
    account: str
    secret: str = field(repr=False)
    pid: int
    keep: bool = False
    certificate: Path | None = None
    distances: bool = False
    _leash: int | None = field(default=None, repr=False)
    _clients: dict[tuple[str, str, str], Any] = field(default_factory=dict, repr=False)

    @classmethod
    def start(
        cls,
        state: Path,
        *,
        keep: bool = False,
        regions: Sequence[str] = DEFAULT_REGIONS,
        account: str = DEFAULT_ACCOUNT,
        settings: Mapping[str, str] | None = None,
        enforce_iam: bool = False,
        distances: Distances | None = None,
        qualifier: str = aws.DEFAULT_QUALIFIER,
    ) -> LocalCloud:
        """Start an empty local cloud and bootstrap regions with a qualifier; returns when it is ready.

        Without `keep` the server ends with this process, however that ends. `settings` are further environment
        variables of the server, which its functions see too. With `enforce_iam` nobody may do what no policy allows,
        but for the account's root, whose credentials `env()` has; it needs TLS, and `openssl` on the path. With
        `distances` calls of functions take as long as TCP would between regions that far apart. Raises
        InvalidInputError for an account that is not 12 digits, a region that is not known or has no distance, or a
        state folder whose cloud is running; OperationFailedError otherwise.
        """
        _check(account, regions)
        settings = {**(_ENFORCING if enforce_iam else {}), **(settings or {}), **_far(distances)}
        cloud = cls._launched(state.absolute(), keep=keep, account=account, settings=settings)
        try:
            _wait_until_healthy(cloud)
            cloud.bootstrap(regions, qualifier)
        except BaseException:
            cloud.stop()
            raise
        return cloud

    @classmethod
    def attach(cls, state: Path) -> LocalCloud | None:
        """The cloud that runs with this state folder, or None. Leaving it as a context manager does not stop it."""
        state = state.absolute()
        if not processes.is_locked(state / "server.lock"):
            return None
        try:
            return cls._of(state, keep=True)
        except (OSError, ValueError, KeyError):
            return None  # another process is just starting it

    @classmethod
    def _launched(cls, state: Path, *, keep: bool, account: str, settings: Mapping[str, str]) -> LocalCloud:
        python = str(tools.ministack_python())
        _make_folder(state)
        command = [python, "-I", str(_LAUNCHER), str(state), account, *([] if keep else ["--leashed"])]
        environment = _server_env(state, account, settings)
        with _leash(needed=not keep) as (stdin, leash):
            done = subprocess.run(
                command, stdin=stdin, capture_output=True, text=True, env=environment, cwd=state, check=False
            )
            if done.returncode == LOCKED:
                raise InvalidInputError(
                    "a local cloud runs with this state already",
                    where=str(state),
                    fix="use it, end it with `caribou local down`, or name another folder with --state",
                )
            if done.returncode != 0:
                raise OperationFailedError(f"The local cloud did not start in {state}: {done.stderr.strip()}")
            return cls._of(state, keep=keep, leash=leash)

    @classmethod
    def _of(cls, state: Path, *, keep: bool, leash: int | None = None) -> LocalCloud:
        server = json.loads((state / "server.json").read_text())
        certificate = server.get("certificate")
        endpoint = f"{'https' if certificate else 'http'}://{HOST}:{server['port']}"
        trusted = Path(certificate) if certificate else None
        apart = bool(server.get("distances"))
        return cls(state, endpoint, server["account"], server["secret"], server["pid"], keep, trusted, apart, leash)

    @property
    def log(self) -> Path:
        """The server's log, in which the functions' output stands too."""
        return self.state / "logs" / "server.log"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self.keep:
            self.stop()

    def is_running(self) -> bool:
        """Whether the server's process lives."""
        return processes.is_locked(self.state / "server.lock")

    def is_healthy(self) -> bool:
        """Whether the server answers."""
        return aws.answers(self.endpoint, self.certificate)

    def as_account(self, account: str) -> LocalCloud:
        """The same cloud seen from another AWS account (12 digits), which has resources of its own."""
        _check(account, ())
        return replace(self, account=account, keep=True, _leash=None)

    def env(self, region: str = aws.DEFAULT_REGION) -> dict[str, str]:
        """A full environment for subprocesses: this process's, with its AWS settings replaced by the local cloud's."""
        kept = {name: value for name, value in os.environ.items() if not gets_in_the_way(name)}
        return {**kept, **self.variables(region)}

    def variables(self, region: str = aws.DEFAULT_REGION) -> dict[str, str]:
        """The environment variables that point the AWS CLI, boto3 and `cdk` at this cloud."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.account,  # the emulator takes twelve digits as the account
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_HOME": str(self.state / "cdk"),
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "CDK_VALIDATION": "false",
            **_trust(self.certificate),
            **_no_proxy(os.environ),
        }

    @contextmanager
    def environment(self) -> Iterator[None]:
        """Within it, this process talks to the cloud, as a shell after `caribou local env` does."""
        before = dict(os.environ)
        for name in [name for name in os.environ if gets_in_the_way(name)]:
            del os.environ[name]
        os.environ.update(self.variables())
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def client(self, service: str, region: str = aws.DEFAULT_REGION) -> Any:  # noqa: ANN401 - a boto3 client
        """A boto3 client of this cloud, whatever this process's AWS settings are. `stop` closes it."""
        key = (self.account, service, region)
        if key not in self._clients:
            session: Any = aws.session(self.account, self.secret, region)
            self._clients[key] = session.client(service, **self._reach)
        return self._clients[key]

    def bootstrapped(
        self, regions: Sequence[str] = KNOWN_REGIONS, qualifier: str = aws.DEFAULT_QUALIFIER
    ) -> tuple[str, ...]:
        """Those of the regions to which `cdk deploy` can deploy, with a qualifier."""
        session = aws.session(self.account, self.secret, aws.DEFAULT_REGION)
        return aws.bootstrapped(session, self._reach, regions, qualifier)

    @property
    def _reach(self) -> dict[str, Any]:
        """What a client must know to reach this cloud."""
        return {"endpoint_url": self.endpoint, "verify": None if self.certificate is None else str(self.certificate)}

    def bootstrap(self, regions: Sequence[str], qualifier: str = aws.DEFAULT_QUALIFIER) -> None:
        """Make `cdk deploy` possible in the regions, with a qualifier; those where it is already are left alone.

        Raises OperationFailedError, which names the log.
        """
        _check(self.account, regions)
        done = self.bootstrapped(regions, qualifier)
        if missing := [region for region in dict.fromkeys(regions) if region not in done]:
            self._cdk_bootstrap(missing, qualifier)

    def _cdk_bootstrap(self, regions: Sequence[str], qualifier: str) -> None:
        log = self.state / "logs" / "bootstrap.log"
        targets = [f"aws://{self.account}/{region}" for region in regions]
        own = ["--qualifier", qualifier, "--toolkit-stack-name", f"CDKToolkit-{qualifier}"]
        own = [] if qualifier == aws.DEFAULT_QUALIFIER else own  # each in a stack of its own, or one replaces the other
        command = [*tools.cdk_command(), "bootstrap", *own, *targets]
        with log.open("ab") as output:
            done = subprocess.run(
                command, cwd=self.state, env=tools.cdk_env(self.env()), stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, check=False,
            )  # fmt: skip
        if done.returncode != 0:
            raise OperationFailedError(f"cdk bootstrap {' '.join(targets)} failed. Its log, {log}, ends: {_tail(log)}")

    def stop(self) -> None:
        """End the server and every function's process, and wait for that; does nothing if it has ended."""
        while self._clients:
            self._clients.popitem()[1].close()
        if self._is_mine():
            processes.end_group(self.pid, self._is_mine, limit_s=_STOP_LIMIT_S)
        if self._leash is not None:
            os.close(self._leash)
            self._leash = None
        if not self.is_running():
            shutil.rmtree(self.state / "tmp", ignore_errors=True)

    def _is_mine(self) -> bool:
        """Whether the server that holds the lock is this object's, not one that was started after it."""
        current = LocalCloud.attach(self.state)
        return current is not None and current.pid == self.pid


def _wait_until_healthy(cloud: LocalCloud) -> None:
    give_up = time.monotonic() + _START_LIMIT_S
    while not cloud.is_healthy():
        if not cloud.is_running() or time.monotonic() > give_up:
            raise OperationFailedError(
                f"The local cloud did not become healthy. Its log, {cloud.log}, ends: {_tail(cloud.log)}"
            )
        time.sleep(_POLL_S)


def gets_in_the_way(name: str) -> bool:
    """Whether the environment variable could lead past the local cloud: credentials, profiles, services' endpoints."""
    return name.startswith("AWS_") and name not in _HARMLESS


def _check(account: str, regions: Sequence[str]) -> None:
    if not (len(account) == _ACCOUNT_DIGITS and account.isdecimal() and account.isascii()):
        raise InvalidInputError("is not an AWS account", where="account", found=account, fix="use 12 digits")
    for region in regions:
        if region not in KNOWN_REGIONS:
            raise InvalidInputError(
                "is not a region that Caribou knows",
                where="region",
                found=region,
                fix=f"use {', '.join(KNOWN_REGIONS)}",
            )


def _far(distances: Distances | None) -> dict[str, str]:
    """The launcher's variable. Raises InvalidInputError unless every known region has a distance to every other.

    So that regions which are bootstrapped later are covered, too.
    """
    if distances is None:
        return {}
    for region, to in product(KNOWN_REGIONS, repeat=2):
        seconds = distances.get(region, {}).get(to)
        if seconds is None or not 0 <= seconds < math.inf:
            raise InvalidInputError(
                f"has no distance to {to}", where=region, found=seconds, fix="give the seconds of a round trip"
            )
    return {DISTANCES: json.dumps({region: dict(distances[region]) for region in KNOWN_REGIONS})}


def _server_env(state: Path, account: str, settings: Mapping[str, str]) -> dict[str, str]:
    """What the server, and with it every function, sees: little of this process, and none of its secrets."""
    names = (*_PASSED_ON, *_PROXIES, *(() if settings.get("USE_SSL") == "1" else _CERTIFICATES))
    passed_on = {name: os.environ[name] for name in names if name in os.environ}
    return {
        **passed_on,
        **_no_proxy(os.environ),
        "HOME": str(state / "tmp"),
        "TMPDIR": str(state / "tmp"),
        "MINISTACK_ACCOUNT_ID": account,
        "AWS_SECRET_ACCESS_KEY": _secret(state),  # which the emulator hands on to functions
        **_SERVER_SETTINGS,
        **settings,
    }


def _no_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """Loopback never goes through a proxy; nothing is set where there is none."""
    if not any(name in environment for name in _PROXIES):
        return {}
    hosts = [environment.get("no_proxy") or environment.get("NO_PROXY") or "", HOST, "localhost"]
    value = ",".join(filter(None, hosts))
    return {"NO_PROXY": value, "no_proxy": value}


def _trust(certificate: Path | None) -> dict[str, str]:
    """What makes the AWS CLI, boto3 and `cdk` trust the server's certificate."""
    if certificate is None:
        return {}
    return {"AWS_CA_BUNDLE": str(certificate), "NODE_EXTRA_CA_CERTS": str(certificate)}


def _secret(state: Path) -> str:
    """The secret of a state folder: that of its last server, so that exported variables stay right, or a new one."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((state / "server.json").read_text())["secret"])
    return secrets.token_hex(20)


def _make_folder(state: Path) -> None:
    """Make the state folder, which is for this user only: what lies in it opens the local cloud."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        if state.stat().st_uid != os.geteuid():
            raise InvalidInputError(
                "belongs to another user, who could read the secret", where=str(state), fix="name another with --state"
            )
        state.chmod(0o700)
    except OSError as error:
        raise InvalidInputError(
            "is no folder that can be made, and be ours alone",
            where=str(state),
            found=error.strerror,
            fix="name another with --state",
        ) from error


def _tail(log: Path, lines: int = 5) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    return ""


@contextmanager
def _leash(*, needed: bool) -> Iterator[tuple[int, int | None]]:
    """The server's standard input, and the other end of that pipe to hold, if it is to end with this process.

    The held end stays open unless the start fails.
    """
    if not needed:
        yield subprocess.DEVNULL, None
        return
    stdin, held = os.pipe()
    try:
        yield stdin, held
    except BaseException:
        os.close(held)
        raise
    finally:
        os.close(stdin)
