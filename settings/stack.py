"""The settings of one stack, and what follows from them: names, addresses, limits, containers, volumes, images."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Final

from components import accounts, limits
from components.embedding import embedding
from components.limits import Contradiction, Limits
from docker_access import labels
from settings import names as names_of
from settings import values
from settings.models import FIELDS, Given
from settings.names import Names
from settings.references import is_slim
from settings.values import origin

OLLAMA_ON_HOST: Final = f"http://{values.HOST_NAME}:11434"


class StackSettings(Given):
    """Everything that can be set for a stack, by the names of the fields in :mod:`settings.models`."""

    project: str
    stack: str

    def is_default(self, key: str) -> bool:
        """Whether a key has the value that it has where the stack file says nothing of it."""
        name, _ = FIELDS[key]
        return bool(getattr(self, name) == getattr(_defaults(type(self)), name))

    @property
    def replicated(self) -> bool:
        """Whether the topology is ``replicated``."""
        return self.topology == "replicated"

    @property
    def labels(self) -> dict[str, str]:
        """Docker labels that mark an object as this stack's."""
        return {labels.PROJECT: self.project, labels.STACK: self.stack}

    @property
    def names(self) -> Names:
        """Names of the Docker objects."""
        tutorial = self.tutorial_names and not self.replicated
        names = Names.of_tutorial() if tutorial else Names.of_stack(self.project, self.stack, self.topology)
        given = {"network": self.network_name, "open_webui_volume": self.adopted_volume}
        return replace(names, **{name: value for name, value in given.items() if value})

    @property
    def public_url(self) -> str:
        """What people open, as a browser writes it, without a slash at its end."""
        if self.replicated and self.given_public_url:
            return self.given_public_url
        address = ipaddress.ip_address(self.ui_bind_address)
        if address.is_unspecified:
            address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")  # noqa: PLR2004 - IPv4
        host = str(address) if address.version == 4 else f"[{address}]"  # noqa: PLR2004 - IPv4
        scheme = "https" if self.replicated and self.tls != "off" else "http"
        url = f"{scheme}://{host}:{self.ui_port}"
        # Only what a browser calls the origin can be compared with what it sends.
        return origin(url) if self.replicated else url

    @property
    def cors_allow_origin(self) -> str:
        """CORS_ALLOW_ORIGIN, origins with ``;`` between them."""
        return self.given_cors_allow_origin or self.public_url

    @property
    def edge_subnet(self) -> str:
        """IPv4 network of gateway and replicas; empty in ``single``, where Docker chooses."""
        return (self.given_edge_subnet or names_of.edge_subnet(self.project, self.stack)) if self.replicated else ""

    @property
    def limits(self) -> dict[str, Limits]:
        """What each container may use, by its role."""
        of_topology = limits.DEFAULTS if self.replicated else limits.DEFAULTS_OF_SINGLE
        given = self.given_limits.by_role
        return {
            role: replace(default, **given.get(role, {}))
            for role, default in of_topology.items()
            if not (role == "valkey" and self.replicated and self.valkey_url)
        }

    def contradictions(self, role: str, of_role: Limits) -> Iterator[Contradiction]:
        """Which limits of a container with this role cannot work with the settings."""
        return limits.contradictions(
            role,
            of_role,
            max_clients=self.valkey_max_clients,
            max_connections=self.postgres_max_connections,
            replicas_max=self.replicas_max if self.replicated else 1,
            slim=is_slim(self.open_webui_image),
            unlimited=not self.replicated,
        )

    @property
    def admin(self) -> accounts.Admin | None:
        """The administrator's account, or None."""
        if not self.admin_email:
            return None
        return accounts.Admin(email=self.admin_email, name=self.admin_name, password=self.admin_password or None)

    @property
    def oidc(self) -> accounts.Oidc | None:
        """Sign-in through an OpenID Connect provider, or None."""
        if self.given_oidc is None:
            return None
        return accounts.Oidc(**self.given_oidc.model_dump(exclude={"client_secret"}))

    @property
    def oidc_client_secret(self) -> str:
        """OAUTH_CLIENT_SECRET; empty without ``oidc``."""
        return self.given_oidc.client_secret if self.given_oidc else ""

    @property
    def variables(self) -> dict[str, str]:
        """Further variables for Open WebUI: those that are given, and what follows from ``ollama``."""
        if not self.ollama:
            return dict(self.extra_environment)
        if self.ollama == values.OLLAMA_OFF:
            return {**self.extra_environment, "ENABLE_OLLAMA_API": "false"}
        url = OLLAMA_ON_HOST if self.ollama == values.OLLAMA_HERE else self.ollama
        return {**self.extra_environment, "ENABLE_OLLAMA_API": "true", "OLLAMA_BASE_URLS": url}

    @property
    def hosts(self) -> dict[str, str]:
        """Further host names that Open WebUI's containers resolve."""
        here = {values.HOST_NAME: values.HOST_GATEWAY} if self.ollama == values.OLLAMA_HERE else {}
        return {**here, **self.extra_hosts}

    @property
    def identity_headers(self) -> dict[str, str]:
        """Headers by which a proxy tells Open WebUI who somebody is, by the variable that names each."""
        return {
            name: value
            for name, value in self.extra_environment.items()
            if name.startswith("WEBUI_AUTH_TRUSTED_") and value
        }

    @property
    def embedding(self) -> str:
        """What makes vectors of documents, as :func:`components.embedding.embedding` names it."""
        return embedding(self.extra_environment)

    @property
    def app_containers(self) -> list[str]:
        """Names of the containers that serve Open WebUI."""
        name = self.names.open_webui
        return [f"{name}-{number}" for number in range(1, self.replicas + 1)] if self.replicated else [name]

    @property
    def containers(self) -> list[str]:
        """Names of all containers, in the order in which they are needed."""
        names = self.names
        if not self.replicated:
            return [names.valkey, names.migration, names.open_webui]
        valkey = [] if self.valkey_url else [names.valkey_files, names.valkey]
        database = [names.postgres, names.postgres_setup, names.migration]
        gateway = [names.gateway_files, names.gateway]
        return [*valkey, *database, names.open_webui_files, *self.app_containers, *gateway]

    @property
    def volumes(self) -> list[str]:
        """Names of the volumes that hold data."""
        names = self.names
        if not self.replicated:
            return [names.valkey_volume, names.open_webui_volume]
        valkey = [] if self.valkey_url else [names.valkey_volume]
        return [*valkey, names.postgres_volume, names.open_webui_volume, names.gateway_volume]

    def is_external(self, volume: str) -> bool:
        """Whether a data volume exists already and is only used."""
        return self.volumes_external or volume == self.adopted_volume

    @property
    def networks(self) -> list[str]:
        """Names of the networks."""
        return [self.names.network, *([self.names.data_network] if self.replicated else [])]

    @property
    def images(self) -> dict[str, str]:
        """Image references by the role of the containers made from them."""
        needed = {"open-webui": self.open_webui_image}
        if not self.valkey_url:
            needed["valkey"] = self.valkey_image
        if self.replicated:
            needed |= {"postgres": self.postgres_image, "gateway": self.gateway_image}
        return needed


@cache
def _defaults(model: type[StackSettings]) -> StackSettings:
    return model.model_validate({"project": "", "stack": ""})
