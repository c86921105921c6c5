"""``make pin`` against a registry on this machine that answers, and one that does not."""

import re
from pathlib import Path

import pytest

from docker_access import labels
from tests.integration.deployment import Deployment
from tests.integration.registry import registry

pytestmark = pytest.mark.docker

DIGEST = r"sha256:[0-9a-f]{64}"


@pytest.fixture
def stack(tmp_path: Path) -> Deployment:
    """A stack that is never deployed."""
    return Deployment(tmp_path, "embedded")


def test_the_digests_a_registry_tells_are_written_behind_the_tags(stack: Deployment) -> None:
    with registry() as server:
        images = {
            "openWebuiImage": server.put("open-webui", "v0.12.4", {labels.IMAGE_VERSION: "0.12.4"}),
            "valkeyImage": server.put("valkey", "8.0.1", {}),
        }
        stack.configure(images)
        commented = stack.stack_file.read_text(encoding="utf-8").replace("valkey:8.0.1\n", "valkey:8.0.1  # tried\n")
        stack.stack_file.write_text(f"# Ours.\n{commented}", encoding="utf-8")
        output = stack.succeed("pin")
        told = {key: image for key, image in images.items() if f"{key}: {image}@" in output}
        assert told == images
        written = stack.stack_file.read_text(encoding="utf-8")
        for key, image in images.items():
            (digest,) = re.findall(rf'open-webui:{key}: "{image}@({DIGEST})"', written)
            repository = image.removeprefix(f"{server.host}/").partition(":")[0]
            assert f"/v2/{repository}/manifests/{digest}" in server.content
        assert written.startswith("# Ours.\n")
        assert '"  # tried\n' in written
        assert stack.succeed("pin").count("pinned already: ") == len(images)
        assert stack.stack_file.read_text(encoding="utf-8") == written


def test_without_a_registry_nothing_is_written_and_every_image_has_its_reason(stack: Deployment) -> None:
    with registry() as server:
        gone = server.host
    stack.configure({"openWebuiImage": f"{gone}/open-webui:v0.12.4", "valkeyImage": f"{gone}/valkey:8.0.1"})
    before = stack.stack_file.read_bytes()
    output = stack.fail("pin")
    for image in ("open-webui:v0.12.4", "valkey:8.0.1"):
        assert re.search(rf"not pinned: {gone}/{image}: .*connection refused", output)
    assert "error: no image of stack" in output
    assert stack.stack_file.read_bytes() == before
