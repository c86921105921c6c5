"""What is asked of Docker to make an image of a root file system, with a stand-in for it."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import docker.errors
import pytest

from tooling.images.build import _import, _set_stop_signal
from tooling.images.reference import parse


def refusal(said: str) -> docker.errors.APIError:
    return docker.errors.APIError(said)


@pytest.mark.parametrize("failure", [None, refusal("conflict: image has dependent child images")])
def test_what_an_image_with_a_stop_signal_is_made_of_does_not_stay_beside_it(failure: Exception | None) -> None:
    """In the containerd store it would be listed as <none>; to the graph driver it is the hidden parent, and stays."""
    client: Any = Mock()
    client.images.remove.side_effect = failure
    _set_stop_signal(client, "sha256:imported", "SIGINT", parse("a.example/pgvector:0.8.0-pg17"))
    names = [name for name, _, _ in client.mock_calls]
    made = client.containers.create.return_value
    made.commit.assert_called_once_with("a.example/pgvector", "0.8.0-pg17", conf={"StopSignal": "SIGINT"})
    assert names.index("containers.create().remove") < names.index("images.remove")
    client.images.remove.assert_called_once_with("sha256:imported")


@pytest.mark.parametrize("message", ['{"error":"no space"}', '{"errorDetail":{"message":"no space"}}'])
def test_an_import_that_docker_gives_up_is_an_error(message: str) -> None:
    client: Any = Mock()
    client.api.import_image.return_value = f'{{"status":"Importing"}}\n{message}\n'
    with pytest.raises(docker.errors.APIError, match="no space"):
        _import(client, iter([b""]), [])
