"""What a registry tells of an image without a pull: the digest that a tag means, and which tags there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import urljoin

import docker
import docker.errors
import requests
from requests.auth import HTTPBasicAuth
from requests.utils import parse_dict_header

from docker_access.client import failure_text
from docker_access.logins import LoginError, login
from settings.references import Reference
from tooling.images import version
from tooling.images.errors import ImageError, UnreachableError
from tooling.machine.progress import say

DIGEST_SECONDS: Final = 20
"""How long a registry may take for one digest."""
SECONDS: Final = (5, 20)
"""How long a registry may take to be reached from this machine, and for one answer."""
_MOST_PAGES: Final = 50
_DOCKER_HUB: Final = "registry-1.docker.io"
_NUMBERED: Final = re.compile(r"(v?)(\d+(?:\.\d+)*)(.*)")
_Auth = Callable[[requests.PreparedRequest], requests.PreparedRequest]


def digest(client: docker.DockerClient, tagged: Reference) -> str:
    """The digest that a tag means; Docker asks.

    Raises:
        ImageError: The registry does not tell; the text begins with its name.

    Source: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Distribution
    """
    try:
        # types-docker has no types for it
        found: dict[str, Any] = client.api.inspect_distribution(  # type: ignore[no-untyped-call]
            str(tagged), auth_config=_login(tagged.registry)
        )
    except (docker.errors.APIError, requests.RequestException) as error:
        answer = (error.explanation if isinstance(error, docker.errors.APIError) else None) or failure_text(error)
        raise ImageError(f"{tagged.registry} gives no digest for it ({answer})") from None
    return str(found["Descriptor"]["digest"])


def tags(reference: Reference) -> list[str]:
    """The tags of an image's repository. Docker has no request for them, so this machine asks.

    Raises:
        ImageError: The registry does not tell; the text begins with its name.

    Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags
    """
    host, path = reference.registry, reference.repository.removeprefix(f"{reference.registry}/")
    if host == "docker.io":
        host, path = _DOCKER_HUB, path if "/" in path else f"library/{path}"
    # As Docker does.
    scheme = "http" if host.partition(":")[0] in {"localhost", "127.0.0.1"} else "https"
    url = f"{scheme}://{host}/v2/{path}/tags/list?n=1000"
    found: list[str] = []
    try:
        with requests.Session() as session:
            auth: _Auth = _as_anybody
            for _ in range(_MOST_PAGES):
                answer = session.get(url, auth=auth, timeout=SECONDS)
                if answer.status_code == requests.codes.unauthorized and auth is _as_anybody:
                    auth = _authorization(session, answer.headers.get("WWW-Authenticate", ""), reference.registry, path)
                    answer = session.get(url, auth=auth, timeout=SECONDS)
                answer.raise_for_status()
                found += answer.json().get("tags") or []
                if "next" not in answer.links:
                    break
                url = urljoin(url, answer.links["next"]["url"])
    except (requests.ConnectionError, requests.Timeout) as error:
        raise UnreachableError(f"{reference.registry} does not answer ({failure_text(error)})") from None
    except (requests.RequestException, KeyError) as error:
        raise ImageError(f"{reference.registry} does not list its tags ({failure_text(error)})") from None
    return found


def newer(tag: str, there: Iterable[str]) -> list[str]:
    """Tags written as this one is, with greater numbers, the greatest last; none where it begins with no number.

    ``8.1.12-alpine`` is newer than ``8.1.10-alpine``; ``8.1.12``, ``9-alpine`` and ``9.0.0-rc1-alpine`` are others.
    """
    form, numbers = _form(tag)
    found = {_form(one)[1]: one for one in there if numbers and _form(one)[0] == form}
    return [one for key, one in sorted(found.items()) if key > numbers]


def _form(tag: str) -> tuple[tuple[str, int, str], tuple[int, ...]]:
    match = _NUMBERED.fullmatch(tag)
    if match is None:
        return ("", 0, tag), ()
    return (match[1], match[2].count("."), match[3]), version.key(match[2])


def _login(registry: str) -> dict[str, Any]:
    try:
        return login(registry)
    except LoginError as error:
        say(f"{error}; asking {registry} without a login")
        return {}


def _as_anybody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """No authorization; where none is named, requests takes what ``~/.netrc`` has."""
    return request


def _authorization(session: requests.Session, challenge: str, registry: str, path: str) -> _Auth:
    """What a registry wants to see, bought with the login there is.

    Source: https://distribution.github.io/distribution/spec/auth/token/
    """
    known = {name.lower(): str(value) for name, value in _login(registry).items()}
    basic: _Auth = _as_anybody
    if known.get("password"):
        basic = HTTPBasicAuth(known.get("username", ""), known["password"])
    kind, _, terms = challenge.partition(" ")
    if kind.lower() != "bearer":
        return basic
    stated: dict[str, str] = parse_dict_header(terms)  # type: ignore[no-untyped-call]
    asked = {"scope": f"repository:{path}:pull", **stated}
    answer = session.get(asked.pop("realm"), params=asked, auth=basic, timeout=SECONDS)
    answer.raise_for_status()
    given = answer.json()
    token = given.get("token") or given["access_token"]

    def bearer(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return bearer
