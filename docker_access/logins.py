"""Logins for registries, as `docker login` keeps them, and what is wrong with one.

The SDK reads them too, but waits for a credential helper without end, and names neither the helper nor the file.
"""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any, Final

from docker import auth
from docker.errors import DockerException
from docker.utils.config import find_config_file

HELPER_SECONDS: Final = 20
"""How long a credential helper may take for one login; some ask a person for a password."""

_NO_LOGIN: Final = "credentials not found in native keychain"
"""Every helper's message for a registry without a login.

Source: https://github.com/docker/docker-credential-helpers/blob/master/credentials/error.go
"""
_REFUSAL: Final = re.compile(
    r"unauthorized|denied|authentication required|incorrect username|no basic auth|invalid token|\b40[13]\b",
    re.IGNORECASE,
)


class LoginError(DockerException):
    """A login cannot be read; the text names the file, and the helper where there is one."""


def login(registry: str) -> dict[str, Any]:
    """The login for a registry, as the SDK's ``auth_config`` takes it; empty where there is none.

    The registry is given by its host; Docker Hub is ``docker.io``.

    Raises:
        LoginError: There may be a login, and it cannot be read.
    """
    registry = auth.resolve_index_name(registry)
    try:
        known = auth.load_config()
    except (DockerException, ValueError) as error:
        raise unreadable(error) from error
    if helper := known.get_credential_store(registry):
        found = _ask(f"docker-credential-{helper}", registry)
        if found.get("Username") == auth.TOKEN_USERNAME:
            return {"ServerAddress": registry, "IdentityToken": found["Secret"]}
        if found.get("Username") or found.get("Secret"):
            return {"ServerAddress": registry, "Username": found.get("Username"), "Password": found.get("Secret")}
    return auth.AuthConfig({"auths": known.auths}).resolve_authconfig(registry) or {}


def _ask(helper: str, registry: str) -> dict[str, Any]:
    """The answer of a credential helper: https://docs.docker.com/reference/cli/docker/login/#credential-helper-protocol."""
    server = auth.INDEX_URL if registry == auth.INDEX_NAME else registry
    try:
        asked = subprocess.run(
            [helper, "get"], input=server, capture_output=True, encoding="utf-8", errors="replace", check=False,
            timeout=HELPER_SECONDS,
        )  # fmt: skip
        if asked.returncode == 0:
            return dict(json.loads(asked.stdout))
        message = (asked.stdout + asked.stderr).strip()
    except FileNotFoundError:
        message = "it is not on PATH"
    except subprocess.TimeoutExpired:
        message = f"no answer within {HELPER_SECONDS} s"
    except (OSError, ValueError) as error:
        message = str(error)
    if _NO_LOGIN in message:
        return {}
    last = (message.splitlines() or ["it says nothing"])[-1]
    raise LoginError(
        f"the credential helper {helper}, which {_file()} names for {registry}, does not work ({last}). "
        "Repair it, or take its name out of that file"
    )


def _file() -> str:
    return str(find_config_file())


def unreadable(error: Exception) -> LoginError:
    """The error for a file of logins that the SDK cannot read, with the way out."""
    return LoginError(
        f"a login in {_file()} cannot be read ({error}). Take it out of that file, then `docker login` again"
    )


def is_refusal(message: str) -> bool:
    """Whether a registry refused the user, by Docker's message about a pull."""
    return bool(_REFUSAL.search(message))


def refused(registry: str, message: str) -> str:
    """The problem and the way out where a registry refuses the login that there is."""
    host = "" if registry == auth.INDEX_NAME else f" {registry}"
    return (
        f"{registry} refuses the login that {_file()} has for it ({message}). Log in again "
        f"(`docker login{host}`), or out (`docker logout{host}`)"
    )
