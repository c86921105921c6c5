"""Hosts the façade as a package: ``pulumi package add`` starts this, and makes an SDK from its schema in any language.

Source: https://www.pulumi.com/docs/iac/guides/building-extending/components/build-a-component/
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pulumi
import yaml
from pulumi.provider import ConstructResult, main
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.server import ComponentInitError

from plugin.open_webui_stack import PACKAGE, TYPE, OpenWebUIStack, configuration

CHECKOUT: Final = Path(__file__).resolve().parents[1]


def declared() -> dict[str, dict[str, Any]]:
    """The settings by their keys, as ``Pulumi.yaml`` declares them."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((CHECKOUT / "Pulumi.yaml").read_text(encoding="utf-8"))["config"]
    return found


class Package(ComponentProvider):
    """The package. ``Pulumi.yaml`` describes its arguments, which have the names of the settings."""

    def __init__(self) -> None:
        project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        super().__init__([OpenWebUIStack], PACKAGE, version=project["version"])
        schema, settings = json.loads(self.schema or ""), declared()
        for key, argument in schema["resources"][TYPE]["inputProperties"].items():
            argument["description"] = settings[key]["description"]
        self.schema = json.dumps(schema)

    def construct(
        self, name: str, resource_type: str, inputs: Any, options: pulumi.ResourceOptions | None = None
    ) -> ConstructResult:
        """Make the component.

        Raises:
            pulumi.InputPropertiesError: An argument or this Docker host will not do; Pulumi shows the text alone.
        """
        try:
            # Before the SDK reads the numbers: it fails on an output with the words of Python.
            configuration(inputs)
            return super().construct(name, resource_type, inputs, options)
        except pulumi.RunError as refusal:
            raise _refused(refusal) from None
        except ComponentInitError as error:
            if isinstance(error.inner, pulumi.RunError):
                raise _refused(error.inner) from None
            raise


def _refused(refusal: pulumi.RunError) -> pulumi.InputPropertiesError:
    # Without a list, an empty one, the SDK fails to send the text.
    return pulumi.InputPropertiesError(str(refusal), [])


if __name__ == "__main__":
    main(Package(), sys.argv[1:])
