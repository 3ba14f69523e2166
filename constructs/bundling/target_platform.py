"""What a bundle is built for: Lambda's processor and Python, or this machine, where a local cloud runs functions."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
_MANYLINUX = {"3.11": "manylinux2014"}
"""Python 3.11 runs on Amazon Linux 2 (glibc 2.26) in Lambda, later ones on Amazon Linux 2023 (glibc 2.34)."""
_GONE = {
    12: "asynchat asyncore distutils imp smtpd",
    13: "aifc audioop cgi cgitb chunk crypt imghdr lib2to3 mailcap msilib nis nntplib ossaudiodev pipes sndhdr spwd "
    "sunau telnetlib uu xdrlib",
}
"""Modules that the standard library has lost, by the minor version of the first Python without them."""
_NEW = {14: "annotationlib compression"}
"""Modules that it has gained since 3.11, in the same way."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What dependencies are installed for: Lambda's architecture and Python, or this machine (a local cloud)."""

    architecture: str
    python_version: str
    host: bool

    @classmethod
    def of_target(cls, architecture: str, python_version: str, environment: Mapping[str, str] = os.environ) -> Platform:
        """Lambda's platform, or this machine's if `AWS_ENDPOINT_URL` names a loopback address."""
        host = _is_loopback(environment.get("AWS_ENDPOINT_URL", ""))
        return cls(architecture, python_version, host=host)

    @property
    def name(self) -> str:
        """A name that differs wherever installed files may."""
        if self.host:
            return f"host-{sys.platform}-{os.uname().machine}-{sys.version_info.major}.{sys.version_info.minor}"
        return f"{self._lambda_platform}-{self.python_version}"

    @property
    def standard_library(self) -> frozenset[str]:
        """The names of the standard library's modules in the Python that functions run on."""
        minor = sys.version_info.minor if self.host else int(self.python_version.partition(".")[2])
        gone = {name for since, names in _GONE.items() for name in names.split() if since <= minor}
        later = {name for since, names in _NEW.items() for name in names.split() if since > minor}
        known = {name for names in (*_GONE.values(), *_NEW.values()) for name in names.split()}
        return frozenset((sys.stdlib_module_names | known) - gone - later)

    @property
    def _lambda_platform(self) -> str:
        return f"{_MACHINES[self.architecture]}-{_MANYLINUX.get(self.python_version, 'manylinux_2_28')}"

    def arguments(self) -> list[str]:
        """Arguments of `uv pip` that choose the platform; Lambda gets wheels only, since nothing is built for it."""
        if self.host:
            return []
        platform = ["--python-platform", self._lambda_platform, "--python-version", self.python_version]
        return [*platform, "--only-binary", ":all:"]


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        if host == "localhost":
            return True
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
