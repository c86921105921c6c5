"""The program: settings, then a topology of components, then the proof, then outputs. Composition only."""

import pulumi

from preflight import end_quietly_when_interrupted, preflight
from settings import Settings
from topologies import deploy, prove

end_quietly_when_interrupted()
settings = Settings.from_config()
preflight(settings)
deployed = deploy(settings)
verification = prove(settings, deployed)

pulumi.export("url", settings.public_url)
pulumi.export("app_containers", settings.app_containers)
pulumi.export("valkey_container", deployed.verification.valkey)
pulumi.export("migration_container", deployed.verification.migration)
if deployed.admin_password:
    pulumi.export("admin_password", deployed.admin_password)
# Both are for `make verify`. Nobody needs to read them among the outputs, so they are secrets, which are not shown.
pulumi.export("expected", pulumi.Output.secret(dict(deployed.verification.expected)))
pulumi.export("subject", pulumi.Output.secret(deployed.subject))
if verification:
    pulumi.export("verification", verification.report)
    pulumi.export("open_webui_version", verification.open_webui_version)
    pulumi.export("valkey_version", verification.valkey_version)
    pulumi.export("images", verification.images)
else:
    pulumi.export("verification", "off")
