"""Hosts the façade as a package: ``pulumi package add`` starts this, and makes an SDK from its schema in any language.

Source: https://www.pulumi.com/docs/iac/guides/building-extending/components/build-a-component/
"""

from __future__ import annotations

import json
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.provider import main
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.server import ComponentInitError

from plugin.open_webui_stack import CHECKOUT, PACKAGE, TYPE, OpenWebUIStack, declared

if TYPE_CHECKING:
    from pulumi.provider import ConstructResult


class Package(ComponentProvider):
    """The package. Its arguments are described by the settings, whose names they have."""

    def __init__(self) -> None:
        project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        super().__init__([OpenWebUIStack], PACKAGE, version=project["version"])
        schema = json.loads(self.schema or "")
        for key, argument in schema["resources"][TYPE]["inputProperties"].items():
            argument["description"] = declared()[key]["description"]
        self.schema = json.dumps(schema)

    def construct(
        self, name: str, resource_type: str, inputs: Any, options: pulumi.ResourceOptions | None = None
    ) -> ConstructResult:
        """Make the component.

        Raises:
            pulumi.InputPropertiesError: An argument or this Docker host will not do; Pulumi shows the text alone.
        """
        try:
            return super().construct(name, resource_type, inputs, options)
        except ComponentInitError as error:
            if isinstance(error.inner, pulumi.RunError):
                # Without a list, an empty one, the SDK fails to send the text.
                raise pulumi.InputPropertiesError(str(error.inner), []) from None
            raise


if __name__ == "__main__":
    main(Package(), sys.argv[1:])
