"""The program: settings, then a topology of components, then the proof, then outputs. Composition only."""

import pulumi

from preflight import end_quietly_when_interrupted, preflight
from settings import Settings
from topologies import deploy
from verification.resource import Verification, VerificationArgs

end_quietly_when_interrupted()
settings = Settings.from_config()
preflight(settings)
deployed = deploy(settings)

pulumi.export("url", settings.url)
pulumi.export("app_containers", list(deployed.apps))
pulumi.export("valkey_container", deployed.valkey)
pulumi.export("migration_container", deployed.migration)
if deployed.admin_password:
    pulumi.export("admin_password", deployed.admin_password)
# Both for `make verify`. Sealed, because people look at the outputs and this is no reading for them.
pulumi.export("expected", pulumi.Output.secret(dict(deployed.expected)))
pulumi.export("subject", pulumi.Output.secret(deployed.subject))
if settings.verification == "off":
    pulumi.export("verification", "off")
else:
    verification = Verification(
        "verification",
        VerificationArgs(
            **deployed.subject,
            url=settings.url,
            expected=deployed.expected,
            wait_timeout_seconds=settings.verification_timeout_seconds,
            always=settings.verification == "always",
            triggers=dict(deployed.triggers),
        ),
        opts=pulumi.ResourceOptions(depends_on=list(deployed.depends_on)),
    )
    pulumi.export("verification", verification.report)
    pulumi.export("open_webui_version", verification.open_webui_version)
    pulumi.export("valkey_version", verification.valkey_version)
    pulumi.export("images", verification.images)
