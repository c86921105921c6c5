"""How the components are put together: ``single``, the tutorial's setup, or ``replicated``, a team's."""

from __future__ import annotations

from dataclasses import replace

import pulumi

from components.building.state_labels import label_with_state
from components.docker_host import DockerHost
from settings import Settings
from topologies import replicated, single
from topologies.deployed import NO_SECRETS, Deployed, Secrets
from verification.resource import Verification


def deploy(settings: Settings, opts: pulumi.ResourceOptions | None = None, secrets: Secrets = NO_SECRETS) -> Deployed:
    """Declare the Docker host that the stack lives on, and on it the components of the stack's topology.

    All of them have the options. The secrets are outputs in place of texts in the settings.
    """
    host = DockerHost("docker-host", labels=settings.labels, opts=opts)
    own = pulumi.ResourceOptions(transformations=[label_with_state(host.marks)])
    labelled = pulumi.ResourceOptions.merge(opts, own)
    topology = replicated.deploy if settings.replicated else single.deploy
    return topology(settings, labelled, secrets)


def prove(settings: Settings, deployed: Deployed, opts: pulumi.ResourceOptions | None = None) -> Verification | None:
    """Declare the verification of what was deployed; None where the settings turn it off."""
    if settings.verification == "off":
        return None
    args = replace(
        deployed.verification,
        url=settings.public_url,
        wait_timeout_seconds=settings.verification_timeout_seconds,
        always=settings.verification == "always",
    )
    return Verification(
        "verification",
        args,
        pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(deployed.depends_on))),
    )
