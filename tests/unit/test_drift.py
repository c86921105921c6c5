"""What differs is listed with what fixes it; what does not is not, and no secret is in the list."""

import json
from typing import Any

import pytest
from pulumi.dynamic import ReadResult

from components.panel_settings import PanelSettingsProvider
from tooling.drift.compare import Difference, differences, missing_one_shots
from tooling.drift.observed import Observed, settings_otherwise
from tooling.drift.recorded import Container, Join, Recorded, changeable, recorded
from tooling.drift.report import as_json, as_text, fix_line
from tooling.pulumi_files.checkpoint import Checkpoint, PendingOperation, Resource
from tooling.pulumi_files.values import Secret

ID = "1" * 64
OTHER_ID = "2" * 64
PREFIX = "urn:pulumi:team::open-webui"
KEY = "0123456789abcdef-secret"


def resource(kind: str, name: str, *, id_: str, inputs: dict[str, Any], **more: Any) -> Resource:
    return Resource(urn=f"{PREFIX}::{kind}::{name}", type=kind, custom=True, id=id_, inputs=inputs, **more)


def checkpoint(*more: Resource, **further: Any) -> Checkpoint:
    """The state of a small stack."""
    expected = {"app": {"HostConfig.CapDrop": ["ALL"], "Config.Env[PORT]": "80", "NetworkSettings.Networks": ["net"]}}
    inputs = {
        "name": "app",
        "mustRun": True,
        "memory": 256,
        "memorySwap": 512,
        "cpus": "1.5",
        "restart": "unless-stopped",
        "envs": Secret(["PORT=80", f"KEY={KEY}"]),
        "networksAdvanced": [{"name": "net", "aliases": ["web"]}],
    }
    return Checkpoint(
        resources=[
            Resource(
                urn=f"{PREFIX}::pulumi:pulumi:Stack::s",
                type="pulumi:pulumi:Stack",
                custom=False,
                outputs={"expected": Secret(expected)},
            ),
            resource("docker:index/network:Network", "net", id_="n1", inputs={"name": "net", "internal": True}),
            resource("docker:index/volume:Volume", "data", id_="data", inputs={"name": "data"}),
            resource(
                "docker:index/remoteImage:RemoteImage",
                "image",
                id_="sha256:1image:1",
                inputs={"name": "image:1"},
                outputs={"imageId": "sha256:1"},
            ),
            resource("docker:index/container:Container", "app", id_=ID, inputs=inputs),
            *more,
        ],
        **further,
    )


def inspected(**changes: Any) -> dict[str, Any]:
    """What Docker shows of its container."""
    found: dict[str, Any] = {
        "Id": ID,
        "Name": "/app",
        "Image": "sha256:1",
        "State": {"Status": "running", "ExitCode": 0},
        "Config": {"Env": ["PATH=/bin", f"KEY={KEY}", "PORT=80"]},
        "HostConfig": {
            "CapDrop": ["ALL"],
            "Memory": 256 * 2**20,
            "MemorySwap": 512 * 2**20,
            "NanoCpus": 1_500_000_000,
            "PidsLimit": None,
            "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
        },
        "NetworkSettings": {"Networks": {"net": {"Aliases": ["web", ID[:12]], "NetworkID": "n1", "IPAMConfig": None}}},
    }
    for path, value in changes.items():
        *parts, last = path.split("__")
        place = found
        for part in parts:
            place = place[part]
        place[last] = value
    return found


def observed(container: dict[str, Any] | None = None, **changes: Any) -> Observed:
    real = inspected() if container is None else container
    whole: dict[str, Any] = {
        "containers": {"app": real},
        "networks": {"net": {"Id": "n1", "Containers": {ID: {"Name": "app"}}}},
        "volumes": frozenset({"data"}),
        "images": {"image:1": "sha256:1"},
        "image_environments": {"sha256:1": frozenset({"PATH=/bin"})},
    }
    return Observed(**{**whole, **changes})


def found(seen: Observed, known: Recorded | None = None) -> list[Difference]:
    return differences(known or recorded(checkpoint()), seen)


def test_what_is_as_it_was_made_has_no_difference() -> None:
    known = recorded(checkpoint())

    assert differences(known, observed()) == []
    assert as_text([], known, "team") == (
        "no drift: stack team is as the last update left it (1 container, 1 network, 1 volume, 1 image)"
    )
    assert json.loads(as_json([], "team")) == {
        "stack": "team",
        "verdict": "clean",
        "differences": [],
        "gone_one_shots": [],
        "fix": "",
    }


@pytest.mark.parametrize(
    ("seen", "line", "way_out"),
    [
        (
            observed({}, networks={"net": {"Id": "n1"}}),
            "container app: gone",
            "make up STACK=team",
        ),
        (
            observed(inspected(State={"Status": "exited", "ExitCode": 137})),
            "container app, state: exited, exit code 137 (deployed: running)",
            "make up STACK=team",
        ),
        (
            observed(inspected(State={"Status": "paused", "ExitCode": 0})),
            "container app, state: paused (deployed: running)",
            "docker unpause app",
        ),
        (
            observed(inspected(HostConfig__Memory=512 * 2**20)),
            "container app, memory limit: 512 MiB (deployed: 256 MiB)",
            "make up STACK=team",
        ),
        (
            observed(inspected(HostConfig__NanoCpus=0)),
            "container app, CPU limit: none (deployed: 1.5)",
            "make up STACK=team",
        ),
        (
            observed(inspected(HostConfig__RestartPolicy={"Name": "always"})),
            "container app, restart policy: always (deployed: unless-stopped)",
            "make up STACK=team",
        ),
        (
            observed(inspected(HostConfig__PidsLimit=30)),
            "container app, limit of processes: 30 (deployed: none)",
            "docker update --pids-limit -1 app",
        ),
        (
            observed(inspected(HostConfig__CapDrop=None)),
            "container app, HostConfig.CapDrop: none (deployed: ALL)",
            "docker stop app && docker rm --volumes app && make up STACK=team",
        ),
        (
            observed(inspected(Name="/app_old")),
            "container app, name: app_old (deployed: app)",
            "docker rename app_old app",
        ),
        (
            observed(inspected(NetworkSettings__Networks={**inspected()["NetworkSettings"]["Networks"], "more": {}})),
            "container app, network more: joined (deployed: not joined)",
            "docker network disconnect more app",
        ),
        (
            observed(inspected(NetworkSettings__Networks={})),
            "container app, network net: not joined (deployed: joined)",
            "docker network connect --alias web net app",
        ),
        (
            observed(inspected(NetworkSettings__Networks__net={"Aliases": None})),
            "container app, network net: no such alias (deployed: alias web)",
            "docker network disconnect net app && docker network connect --alias web net app",
        ),
        (
            observed(inspected(NetworkSettings__Networks={}), networks={}),
            "network net: gone",
            "make up STACK=team",
        ),
        (
            observed(networks={"net": {"Id": "n2", "Containers": {ID: {"Name": "app"}, "x": {"Name": "guest"}}}}),
            "network net: made again by somebody else (its id is n2, deployed: n1)",
            (
                "docker network disconnect net guest && docker stop app && docker rm --volumes app && "
                "docker network rm net && make up STACK=team"
            ),
        ),
        (
            observed(networks={"net": {"Id": "n1", "Containers": {"x": {"Name": "guest"}}}}),
            "network net: unexpected member guest",
            "docker network disconnect net guest",
        ),
        (observed(volumes=frozenset()), "volume data: gone", "make up STACK=team"),
        (observed(images={"image:1": ""}), "image image:1: gone", "make up STACK=team"),
        (
            observed(images={"image:1": "sha256:2"}),
            "image image:1, content: sha256:2 (deployed: sha256:1)",
            "make up STACK=team",
        ),
        (
            observed(strays=("app-2",)),
            "container app-2: has this stack's labels, and its state does not know it",
            "docker stop app-2 && docker rm --volumes app-2",
        ),
        (
            observed(stray_networks=("old",)),
            "network old: has this stack's labels, and its state does not know it",
            "docker network rm old",
        ),
    ],
)
def test_each_kind_of_drift_is_a_line_with_what_fixes_it(seen: Observed, line: str, way_out: str) -> None:
    text = as_text(found(seen), recorded(checkpoint()), "team")

    assert f"  {line}\n" in text
    assert text.splitlines()[-1] == f"fix: {way_out}"


def test_a_container_made_by_hand_is_told_by_its_id_and_by_all_in_which_it_differs() -> None:
    by_hand = inspected(
        Id=OTHER_ID,
        Config={"Env": ["PATH=/bin", "KEY=hand-made", "DEBUG=hush"]},
        HostConfig__CapDrop=None,
    )

    there = observed(by_hand, networks={"net": {"Id": "n1"}})
    seen = {one.property: (one.expected, one.seen) for one in found(there)}

    assert seen == {
        "id": (ID[:12], OTHER_ID[:12]),
        "HostConfig.CapDrop": (["ALL"], None),
        "variable DEBUG": ("not set", "set"),
        "variable KEY": ("as deployed", "changed"),
        "variable PORT": ("as deployed", "not set"),
    }
    assert fix_line(found(there), "team") == "docker stop app && docker rm app && make up STACK=team"


def test_no_secret_is_in_the_list() -> None:
    known = Recorded(
        containers=(
            Container(
                name="app",
                id=ID,
                runs=True,
                properties={"Config.Cmd": ["serve"]},
                environment={"KEY": KEY},
                files={"/run/secrets/key": KEY},
            ),
        )
    )
    real = inspected(Config={"Env": ["KEY=of-somebody"], "Cmd": ["serve", "--password", "of-somebody"]})
    seen = found(observed(real, files={("app", "/run/secrets/key"): "of-somebody"}, networks={}), known)

    printed = as_text(seen, known, "team") + as_json(seen, "team") + repr(known)

    assert {"Config.Cmd", "variable KEY", "file /run/secrets/key"} <= {one.property for one in seen}
    assert KEY not in printed
    assert "of-somebody" not in printed


def test_a_changed_file_has_its_readers_made_again() -> None:
    files = Container(name="conf", id="f", runs=False, properties={}, files={"/etc/caddy/Caddyfile": "right"})
    reader = Container(name="app", id=ID, runs=True, properties={"HostConfig.Binds": ["conf:/etc/caddy:rw"]})
    created = {"Id": "f", "Name": "/conf", "State": {"Status": "created", "ExitCode": 0}, "HostConfig": {}}
    real = inspected(HostConfig={"Binds": ["conf:/etc/caddy:rw"]}, NetworkSettings={}, Config={})
    known = Recorded(containers=(files, reader))
    containers = {"conf": created, "app": real}

    right = Observed(containers=containers, files={("conf", "/etc/caddy/Caddyfile"): "right"})
    wrong = Observed(containers=containers, files={("conf", "/etc/caddy/Caddyfile"): "wrong"})

    assert differences(known, right) == []
    assert [(one.name, one.property) for one in differences(known, wrong)] == [("conf", "file /etc/caddy/Caddyfile")]
    assert fix_line(differences(known, wrong), "team") == (
        "docker stop conf app && docker rm --volumes conf app && make up STACK=team"
    )


def test_a_fixed_address_that_is_another_is_told() -> None:
    known = Container(
        name="app",
        id=ID,
        runs=True,
        properties={},
        networks={"net": Join(address="10.0.0.2")},
        environment={"KEY": KEY},
    )
    real = inspected(Config={"Env": [f"KEY={KEY}"]})
    seen = differences(Recorded(containers=(known,)), observed(real))

    assert [(one.expected, one.seen) for one in seen] == [("address 10.0.0.2", "address left to Docker")]
    assert fix_line(seen, "team") == "docker network disconnect net app && docker network connect --ip 10.0.0.2 net app"


def test_what_ran_once_is_to_have_ended_well() -> None:
    migration = Recorded(containers=(Container(name="app", id=ID, runs=False, properties={}),))

    def states(status: str, code: int) -> list[str]:
        real = inspected(State={"Status": status, "ExitCode": code}, Config={}, NetworkSettings={})
        return [one.seen for one in differences(migration, observed(real))]

    assert states("exited", 0) == states("created", 0) == []
    assert states("exited", 1) == ["exit code 1"]


@pytest.mark.parametrize(("runs", "gone"), [(False, ["app"]), (True, [])])
def test_what_had_done_its_work_and_is_gone_is_a_note_and_no_drift(*, runs: bool, gone: list[str]) -> None:
    known = Recorded(containers=(Container(name="app", id=ID, runs=runs, properties={}),))

    assert missing_one_shots(known, Observed()) == gone
    assert bool(differences(known, Observed())) is runs
    text, document = as_text([], known, "team", ["app"]), json.loads(as_json([], "team", ["app"]))
    assert text.splitlines()[0].startswith("no drift: ")
    assert text.splitlines()[1].startswith("note: gone, as after `docker system prune`: app.")
    assert document["verdict"] == "clean"
    assert document["gone_one_shots"] == ["app"]


def test_one_line_fixes_everything_and_says_nothing_twice() -> None:
    real = inspected(HostConfig__PidsLimit=30, HostConfig__CapDrop=None, HostConfig__Memory=0)

    assert fix_line(found(observed(real, volumes=frozenset())), "team") == (
        "docker stop app && docker rm --volumes app && make up STACK=team"
    )


def test_lost_volumes_are_told_before_they_are_made_again_empty() -> None:
    text = as_text(found(observed(volumes=frozenset())), recorded(checkpoint()), "team")

    assert "gone: data. What an update makes in their place is empty" in text


def test_a_setting_that_was_changed_in_the_admin_panel_is_written_again_by_an_update() -> None:
    asked: list[dict[str, Any]] = []
    panel = resource(
        "pulumi-python:dynamic/openwebui:PanelSettings", "panel", id_="panel", inputs={}, outputs={"container_id": ID}
    )

    def read(_self: object, id_: str, props: dict[str, Any]) -> ReadResult:
        asked.append(props)
        return ReadResult(id_, {**props, "otherwise_in_panel": ["ui.x"]})

    known = recorded(checkpoint(panel))
    assert known.panel == {"container_id": ID}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PanelSettingsProvider, "read", read)
        assert settings_otherwise(known.panel) == ("ui.x",)
        assert settings_otherwise({}) == ()
    assert asked == [{"container_id": ID}]
    (found,) = differences(Recorded(), Observed(otherwise=("ui.x",)))
    assert as_text([found], known, "team").splitlines()[1:] == [
        "  setting ui.x, value: changed in the admin panel (deployed: as the stack file says)",
        "fix: make up STACK=team",
    ]


def test_an_interrupted_update_is_a_difference() -> None:
    half = resource("docker:index/container:Container", "half", id_="", inputs={"name": "half"})
    known = recorded(checkpoint(operations=[PendingOperation(type="creating", resource=half)]))

    assert "  half: an update of it was interrupted" in as_text(found(observed(), known), known, "team")


def test_what_waits_for_its_deletion_is_not_looked_for() -> None:
    old = resource("docker:index/container:Container", "old", id_="old", inputs={"name": "old"}, delete=True)

    assert [one.name for one in recorded(checkpoint(old)).containers] == ["app"]


def test_no_limit_stays_none_once_docker_writes_it_as_minus_one() -> None:
    assert found(observed(inspected(HostConfig__PidsLimit=-1))) == []


def test_what_can_be_changed_in_place_is_compared_even_if_nothing_was_asked_for() -> None:
    assert set(changeable({}).values()) == {0, "", "no"}
