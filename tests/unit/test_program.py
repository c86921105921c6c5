"""What the program registers, over Pulumi's mocks: invariants of every resource, and the effect of each setting."""

import json
from pathlib import Path
from typing import Any

import pytest

from docker_access import labels
from tests.unit.recorder import (
    ADMIN_PASSWORD,
    CERTIFICATE,
    CLIENT_SECRET,
    CONTAINER,
    DOCKER_HOST,
    EXTRA_VALUE,
    MARKS,
    NETWORK,
    PIDS_LIMIT,
    SECRET,
    VALKEY_PASSWORD,
    VARIANTS,
    VOLUME,
    Recorder,
    config_of,
    in_the_open,
    is_sealed,
    label,
    opened,
    run_program,
    secret_of,
    variant,
)
from tooling.engine.docker_provider.container import _BEHAVIOUR, _IN_PLACE, TABLE

REPLICATED = [name for name in VARIANTS if config_of(*VARIANTS[name])["open-webui:topology"] == "replicated"]
EVERYBODYS_SECRETS = ("5ec7e7", CLIENT_SECRET, ADMIN_PASSWORD, VALKEY_PASSWORD, "extra-5ecret")
"""What every secret value in a run contains: the mocks' own begin with the first one."""

ONE_SHOTS = {"open-webui-migration", "postgres-setup"}


@pytest.fixture(params=VARIANTS)
def program(request: pytest.FixtureRequest) -> Recorder:
    return variant(request.param)


@pytest.fixture(params=REPLICATED)
def replicated(request: pytest.FixtureRequest) -> Recorder:
    return variant(request.param)


@pytest.fixture
def dev() -> Recorder:
    return variant("dev")


@pytest.fixture
def staging() -> Recorder:
    return variant("staging")


def holds_a_secret(value: Any) -> bool:
    text = json.dumps(value)
    return any(secret in text for secret in EVERYBODYS_SECRETS)


def networks(container: dict[str, Any]) -> list[str]:
    return [joined["name"] for joined in container.get("networksAdvanced", [])]


def script(recorder: Recorder) -> str:
    """The variables that replicas read from a file."""
    return recorder.uploads("open-webui-files")["/run/secrets/open-webui.env"]


# Every container of every stack


def test_every_container_may_gain_no_privilege(program: Recorder) -> None:
    for name, container in program.containers.items():
        assert container["capabilities"]["drops"] == ["ALL"], name
        assert container["securityOpts"] == ["no-new-privileges:true"], name
        assert not container.get("privileged"), name


def test_every_capability_that_is_kept_is_kept_on_purpose(program: Recorder) -> None:
    open_valkey = {} if program.replicated else {"valkey-container": ["CAP_DAC_OVERRIDE", "CAP_SETGID", "CAP_SETUID"]}
    gateway = {"gateway-container": ["CAP_NET_BIND_SERVICE"]}
    migration = {"open-webui-migration": ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_SETGID", "CAP_SETUID"]}
    kept = {
        name: made["capabilities"]["adds"]
        for name, made in program.containers.items()
        if "adds" in made["capabilities"]
    }
    assert kept == (gateway | migration if program.replicated else open_valkey)


def test_every_container_rotates_its_log(program: Recorder) -> None:
    for name, container in program.containers.items():
        assert container["logDriver"] == "json-file", name
        assert set(container["logOpts"]) == {"max-size", "max-file"}, name


def test_every_container_has_time_to_stop_whoever_stops_it(program: Recorder) -> None:
    for name, container in program.containers.items():
        assert container["destroyGraceSeconds"] == container["stopTimeout"] >= 10, name


def test_every_container_carries_the_marks_of_its_stack_its_role_and_its_image(program: Recorder) -> None:
    for name, container in program.containers.items():
        assert label(container, labels.PROJECT) == "open-webui", name
        assert label(container, labels.STACK) in {"dev", "team", "staging", "prod"}, name
        assert label(container, labels.ROLE), name
        assert label(container, labels.IMAGE_ID) == f"sha256:{container['image']}", name


def test_every_volume_and_network_of_our_own_carries_the_marks_of_its_stack(program: Recorder) -> None:
    for name, made in {**program.of_type(VOLUME), **program.of_type(NETWORK)}.items():
        assert label(made, labels.PROJECT) == "open-webui", name
        assert label(made, labels.STACK), name


def test_everything_that_is_made_carries_the_marks_of_the_state_it_is_made_from(program: Recorder) -> None:
    for name, made in {**program.containers, **program.of_type(VOLUME), **program.of_type(NETWORK)}.items():
        assert {mark: label(made, mark) for mark in MARKS} == MARKS, name


def test_no_volume_or_network_is_replaced_for_a_mark(program: Recorder) -> None:
    for name in {**program.of_type(VOLUME), **program.of_type(NETWORK)}:
        assert "labels" in program.requests[name].ignoreChanges, name


def test_what_serves_is_restarted_by_docker_and_nothing_else_is(program: Recorder) -> None:
    for name, container in program.containers.items():
        serves = name not in ONE_SHOTS and not name.endswith("-files")
        assert container["restart"] == ("unless-stopped" if serves else "no"), name
        assert container["mustRun"] is serves, name


def test_the_program_waits_for_what_runs_once_and_takes_its_log(program: Recorder) -> None:
    for name in ONE_SHOTS & program.containers.keys():
        assert program.containers[name]["attach"] is program.containers[name]["logs"] is True, name


def test_a_migration_has_no_time_limit_of_ours(program: Recorder) -> None:
    for name in program.containers:
        limit = program.requests[name].customTimeouts.create
        assert limit == ("720h" if name in ONE_SHOTS else ""), name


def test_a_container_never_shares_its_name_or_its_data_with_the_one_that_replaces_it(program: Recorder) -> None:
    for name in program.containers:
        assert program.requests[name].deleteBeforeReplace, name


def test_what_cannot_change_on_a_container_that_exists_replaces_it(program: Recorder) -> None:
    changes = {*_IN_PLACE, *_BEHAVIOUR, *(name for name, known in TABLE.items() if known.replaces)}
    for name, container in program.containers.items():
        assert container.keys() - changes <= set(program.requests[name].replaceOnChanges), name


def test_a_container_on_no_network_is_cut_off_and_not_on_dockers_default_one(program: Recorder) -> None:
    for name, container in program.containers.items():
        assert bool(networks(container)) is (container.get("networkMode") != "none"), name


def test_every_container_is_replaced_when_a_network_it_joined_is(program: Recorder) -> None:
    for name, container in program.containers.items():
        if networks(container):
            assert len(label(container, labels.NETWORK_ID).split(",")) == len(networks(container)), name


def test_a_secret_stands_open_nowhere(program: Recorder) -> None:
    for resource in program.resources:
        assert not holds_a_secret(in_the_open(resource.inputs)), resource.name


def test_every_secret_is_asked_to_be_one_in_state_too(program: Recorder) -> None:
    for name in program.of_type(SECRET):
        assert list(program.requests[name].additionalSecretOutputs) == ["value"], name
    for name in program.of_type(CERTIFICATE):
        assert list(program.requests[name].additionalSecretOutputs) == ["key_pem"], name


def test_nothing_of_a_container_is_hidden_but_what_holds_secrets_so_that_its_diff_can_be_read(
    program: Recorder,
) -> None:
    for name, container in program.of_type(CONTAINER).items():
        hidden = {key for key, value in container.items() if is_sealed(value)}
        assert hidden <= ({"uploads"} if program.replicated else {"envs"}), name


def test_every_resource_has_a_component_as_its_parent(program: Recorder) -> None:
    for resource in program.resources:
        top_level = resource.typ.startswith(
            ("openwebui:components:", "pulumi:pulumi:", "pulumi-python:dynamic/verif", DOCKER_HOST)
        )
        parent = program.requests[resource.name].parent
        assert top_level or "openwebui:components:" in parent, f"{resource.name} has the parent {parent}"


def test_every_component_registers_its_outputs(program: Recorder) -> None:
    components = [resource for resource in program.resources if resource.typ.startswith("openwebui:components:")]
    assert components
    for component in components:
        assert any(urn.endswith(f"{component.typ}::{component.name}") for urn in program.registered_outputs)


def test_the_proof_comes_after_everything_that_serves(program: Recorder) -> None:
    assert program.long_running.keys() <= program.depends_on("verification")


def test_the_proof_knows_what_everything_that_serves_was_asked_to_be(program: Recorder) -> None:
    verification = program.inputs("verification")
    assert verification["expected"].keys() == {container["name"] for container in program.long_running.values()}
    assert set(verification["triggers"].values()) == {f"{name}-id" for name in program.long_running}


def test_what_was_asked_of_docker_is_what_the_proof_expects(program: Recorder) -> None:
    for container in program.long_running.values():
        expected = program.inputs("verification")["expected"][container["name"]]
        assert expected["Config.Image"] == container["image"]
        assert expected["HostConfig.CapAdd"] == container["capabilities"].get("adds", [])
        assert expected["HostConfig.ReadonlyRootfs"] == container.get("readOnly", False)
        assert expected["HostConfig.RestartPolicy.Name"] == container["restart"]
        assert expected["NetworkSettings.Networks"] == networks(container)
        assert expected.get("Config.User") == container.get("user")
        assert expected.get("HostConfig.Memory", 0) == container.get("memory", 0) * 1024 * 1024
        assert len(expected["HostConfig.PortBindings"]) == len(container.get("ports", []))
        hosts = {f"{host['host']}:{host['ip']}" for host in container.get("hosts", [])}
        assert set(expected["HostConfig.ExtraHosts"]) == hosts
        assert expected.get("Config.Cmd") == container.get("command")
        variables = {path: value for path, value in expected.items() if path.startswith("Config.Env[")}
        shown = dict(line.split("=", 1) for line in container.get("envs", []))
        assert variables == {f"Config.Env[{name}]": shown[name] for name in map(_within, variables)}


def _within(path: str) -> str:
    return path.removeprefix("Config.Env[").removesuffix("]")


def test_type_tokens_never_change_because_a_changed_one_destroys_what_it_named(dev: Recorder) -> None:
    assert tokens(dev) == [
        ("docker-host", DOCKER_HOST),
        ("network", "openwebui:components:Network"),
        ("network-bridge", "docker:index/network:Network"),
        ("open-webui", "openwebui:components:OpenWebUI"),
        ("open-webui-container", "docker:index/container:Container"),
        ("open-webui-data", "docker:index/volume:Volume"),
        ("open-webui-image", "docker:index/remoteImage:RemoteImage"),
        ("open-webui-migration", "docker:index/container:Container"),
        ("open-webui-schema", "pulumi-python:dynamic/openwebui:Schema"),
        ("open-webui-secret-key", "pulumi-python:dynamic/openwebui:Secret"),
        ("valkey", "openwebui:components:Valkey"),
        ("valkey-container", "docker:index/container:Container"),
        ("valkey-data", "docker:index/volume:Volume"),
        ("valkey-image", "docker:index/remoteImage:RemoteImage"),
        ("verification", "pulumi-python:dynamic/verification:Verification"),
    ]


def test_type_tokens_of_replicas_never_change_either() -> None:
    assert tokens(variant("prod")) == [
        ("data", "openwebui:components:Network"),
        ("data-bridge", "docker:index/network:Network"),
        ("docker-host", DOCKER_HOST),
        ("edge", "openwebui:components:Network"),
        ("edge-bridge", "docker:index/network:Network"),
        ("gateway", "openwebui:components:Gateway"),
        ("gateway-container", "docker:index/container:Container"),
        ("gateway-container-pids", "pulumi-python:dynamic/openwebui:PidsLimit"),
        ("gateway-data", "docker:index/volume:Volume"),
        ("gateway-files", "docker:index/container:Container"),
        ("gateway-files-volume", "docker:index/volume:Volume"),
        ("gateway-image", "docker:index/remoteImage:RemoteImage"),
        ("gateway-reload", "pulumi-python:dynamic/openwebui:Reload"),
        ("open-webui", "openwebui:components:OpenWebUI"),
        ("open-webui-1", "docker:index/container:Container"),
        ("open-webui-1-pids", "pulumi-python:dynamic/openwebui:PidsLimit"),
        ("open-webui-2", "docker:index/container:Container"),
        ("open-webui-2-pids", "pulumi-python:dynamic/openwebui:PidsLimit"),
        ("open-webui-admin-password", "pulumi-python:dynamic/openwebui:Secret"),
        ("open-webui-data", "docker:index/volume:Volume"),
        ("open-webui-files", "docker:index/container:Container"),
        ("open-webui-files-volume", "docker:index/volume:Volume"),
        ("open-webui-image", "docker:index/remoteImage:RemoteImage"),
        ("open-webui-migration", "docker:index/container:Container"),
        ("open-webui-panel", "pulumi-python:dynamic/openwebui:PanelSettings"),
        ("open-webui-schema", "pulumi-python:dynamic/openwebui:Schema"),
        ("open-webui-secret-key", "pulumi-python:dynamic/openwebui:Secret"),
        ("postgres", "openwebui:components:Postgres"),
        ("postgres-container", "docker:index/container:Container"),
        ("postgres-container-pids", "pulumi-python:dynamic/openwebui:PidsLimit"),
        ("postgres-data", "docker:index/volume:Volume"),
        ("postgres-image", "docker:index/remoteImage:RemoteImage"),
        ("postgres-password", "pulumi-python:dynamic/openwebui:Secret"),
        ("postgres-setup", "docker:index/container:Container"),
        ("postgres-socket", "docker:index/volume:Volume"),
        ("valkey", "openwebui:components:Valkey"),
        ("valkey-container", "docker:index/container:Container"),
        ("valkey-container-pids", "pulumi-python:dynamic/openwebui:PidsLimit"),
        ("valkey-data", "docker:index/volume:Volume"),
        ("valkey-files", "docker:index/container:Container"),
        ("valkey-files-volume", "docker:index/volume:Volume"),
        ("valkey-health", "pulumi-python:dynamic/openwebui:Secret"),
        ("valkey-image", "docker:index/remoteImage:RemoteImage"),
        ("valkey-openwebui", "pulumi-python:dynamic/openwebui:Secret"),
        ("valkey-verify", "pulumi-python:dynamic/openwebui:Secret"),
        ("verification", "pulumi-python:dynamic/verification:Verification"),
    ]
    with_tls = set(tokens(variant("valkeyTls"))) - set(tokens(variant("staging")))
    assert with_tls == {("valkey-certificate", "pulumi-python:dynamic/openwebui:Certificate")}


def tokens(recorder: Recorder) -> list[tuple[str, str]]:
    return sorted((resource.name, resource.typ) for resource in recorder.resources)


def test_only_data_volumes_outlive_the_stack(program: Recorder) -> None:
    kept = {name for name in program.of_type(VOLUME) if program.requests[name].retainOnDelete}
    data = {"valkey-data", "postgres-data", "open-webui-data", "gateway-data"}
    assert kept == data & program.of_type(VOLUME).keys()


def test_data_on_destroy_delete_keeps_nothing() -> None:
    recorder = run_program("staging", {"dataOnDestroy": "delete"})
    assert not [name for name in recorder.of_type(VOLUME) if recorder.requests[name].retainOnDelete]


# A single stack


def test_nothing_but_the_ui_is_published_and_that_on_this_host_only(dev: Recorder) -> None:
    assert {name: made["ports"] for name, made in dev.containers.items() if "ports" in made} == {
        "open-webui-container": [{"internal": 8080, "external": 3000, "ip": "127.0.0.1"}]
    }


def test_the_debug_port_publishes_valkey_on_loopback() -> None:
    recorder = run_program("dev", {"valkeyDebugPort": 6379})
    assert recorder.inputs("valkey-container")["ports"] == [{"internal": 6379, "external": 6379, "ip": "127.0.0.1"}]


def test_both_urls_name_the_same_valkey_and_different_databases(dev: Recorder) -> None:
    variables = dev.inputs("open-webui-container")["envs"]
    assert "WEBSOCKET_REDIS_URL=redis://redis:6379/1" in variables
    assert "REDIS_URL=redis://redis:6379/0" in variables
    assert dev.inputs("valkey-container")["networksAdvanced"][0]["aliases"] == ["redis"]


def test_application_and_migration_share_the_secret_key_and_the_volume(dev: Recorder) -> None:
    app, migration = dev.inputs("open-webui-container"), dev.inputs("open-webui-migration")
    line = f"WEBUI_SECRET_KEY={secret_of('open-webui-secret-key')}"
    assert line in app["envs"]
    assert line in migration["envs"]
    assert app["volumes"] == migration["volumes"]


def test_variables_that_hold_a_secret_are_sealed_as_a_whole(dev: Recorder) -> None:
    for name in ("open-webui-container", "open-webui-migration"):
        assert is_sealed(dev.named(name).inputs["envs"])


def test_an_external_network_and_external_volumes_are_used_and_not_created() -> None:
    recorder = variant("external network and volumes")
    assert not recorder.of_type(NETWORK)
    assert not recorder.of_type(VOLUME)
    assert networks(recorder.inputs("valkey-container")) == ["openwebui-network"]
    assert recorder.inputs("valkey-container")["volumes"][0]["volumeName"] == "redis-data"


def test_verification_off_deploys_without_the_proof_and_says_so() -> None:
    recorder = run_program("dev", {"verification": "off"})
    assert "verification" not in {resource.name for resource in recorder.resources}
    assert recorder.exports["verification"] == "off"


# Migrations, in both topologies


def test_the_application_never_migrates_and_the_one_shot_does(program: Recorder) -> None:
    for container in program.of_role("open-webui").values():
        assert "ENABLE_DB_MIGRATIONS=false" in container["envs"]
    assert "ENABLE_DB_MIGRATIONS=true" in program.inputs("open-webui-migration")["envs"]


def test_the_application_is_stopped_before_the_migration_is_replaced_or_what_it_agrees_on(program: Recorder) -> None:
    """What Pulumi replaces stops first whatever has a property from it that cannot change in place, as the image."""
    for name in program.of_role("open-webui"):
        gates = {urn.rpartition("::")[2] for urn in program.requests[name].propertyDependencies["image"].urns}
        assert {"open-webui-schema", "open-webui-migration"} <= gates, name


def test_a_migration_that_is_re_created_changes_nothing_of_the_application(program: Recorder) -> None:
    for name, container in program.of_role("open-webui").items():
        assert "open-webui-migration-id" not in str(container), name
        assert label(container, labels.SCHEMA_ID) == "open-webui-schema-id", name


def test_the_migration_runs_after_whoever_agrees_on_something_else_is_stopped(program: Recorder) -> None:
    assert "open-webui-schema" in program.depends_on("open-webui-migration")


def test_replicas_agree_on_image_database_settings_and_files(replicated: Recorder) -> None:
    schema, replica = replicated.inputs("open-webui-schema"), next(iter(replicated.of_role("open-webui").values()))
    assert {name: value for name, value in schema.items() if name != "__provider"} == {
        "image": label(replica, labels.IMAGE_ID),
        "database": "postgres-container-id",
        "environment": label(replica, labels.ENVIRONMENT_SHA256),
        "files": label(replica, labels.FILES_SHA256),
    }


def test_the_application_starts_after_valkey_and_what_migrates(program: Recorder) -> None:
    valkey = program.of_role("valkey").keys()
    for name in program.of_role("open-webui"):
        assert {"open-webui-migration", *valkey} <= program.depends_on(name)


# A replicated stack


def test_whatever_serves_replicated_is_no_root_and_cannot_write_its_root(replicated: Recorder) -> None:
    for name, container in replicated.long_running.items():
        uid, gid = container["user"].split(":")
        assert int(uid) > 0, name
        assert int(gid) > 0, name
        assert container["readOnly"] is True, name


def test_the_migration_alone_begins_as_root_because_it_owns_the_data_folder(replicated: Recorder) -> None:
    roots = [name for name, made in replicated.containers.items() if made.get("user", "").startswith("0")]
    assert roots == ["open-webui-migration"]
    migrate = replicated.uploads("open-webui-migration")["/migration/migrate.py"]
    assert migrate.index("\ngive_up_root()") < migrate.index("\nimport open_webui")


def test_a_container_without_a_user_is_never_started(replicated: Recorder) -> None:
    for name, container in replicated.containers.items():
        assert "user" in container or container["start"] is False, name


def test_whatever_serves_replicated_is_limited(replicated: Recorder) -> None:
    for name, container in replicated.long_running.items():
        assert container["memory"] >= 64, name
        assert container["memorySwap"] == 2 * container["memory"], name
        assert float(container["cpus"]) > 0, name
        (nofile,) = container["ulimits"]
        assert nofile["name"] == "nofile", name
        assert nofile["soft"] == nofile["hard"] >= 1024, name
        pids = replicated.inputs(f"{name}-pids")
        assert pids["container_id"] == f"{name}-id", name
        assert pids["limit"] >= 32, name


def test_no_limit_of_processes_is_on_anything_else(replicated: Recorder) -> None:
    assert replicated.of_type(PIDS_LIMIT).keys() == {f"{name}-pids" for name in replicated.long_running}


def test_the_gateway_alone_publishes_ports(replicated: Recorder) -> None:
    assert {name for name, made in replicated.containers.items() if "ports" in made} == {"gateway-container"}


def test_valkey_and_postgres_are_on_an_internal_network_only(replicated: Recorder) -> None:
    assert replicated.inputs("data-bridge")["internal"] is True
    assert "internal" not in replicated.inputs("edge-bridge")
    data = [replicated.inputs("data-bridge")["name"]]
    for container in {**replicated.of_role("valkey"), **replicated.of_role("postgres")}.values():
        assert networks(container) == data


def test_the_gateway_is_on_the_edge_only_at_the_address_the_replicas_trust(replicated: Recorder) -> None:
    (joined,) = replicated.inputs("gateway-container")["networksAdvanced"]
    assert joined["name"] == replicated.inputs("edge-bridge")["name"]
    for container in replicated.of_role("open-webui").values():
        assert container["command"][-2:] == ["--forwarded-allow-ips", joined["ipv4Address"]]


def test_replicas_and_their_migration_are_on_both_networks(replicated: Recorder) -> None:
    both = [replicated.inputs("edge-bridge")["name"], replicated.inputs("data-bridge")["name"]]
    for container in [*replicated.of_role("open-webui").values(), replicated.inputs("open-webui-migration")]:
        assert networks(container) == both


def test_docker_inspect_shows_no_secret_of_a_replicated_stack(replicated: Recorder) -> None:
    for name, container in replicated.containers.items():
        shown = {key: value for key, value in container.items() if key != "uploads"}
        assert not holds_a_secret(shown), name


def test_neither_does_what_the_proof_is_told(program: Recorder) -> None:
    assert not holds_a_secret(program.inputs("verification"))


def test_files_are_readable_and_not_writable_for_who_gets_into_the_container(replicated: Recorder) -> None:
    for name, container in replicated.containers.items():
        for file in container.get("uploads", []):
            assert file["permissions"] == "0444", name


def test_files_lie_where_the_container_that_reads_them_mounts_the_same_volume(replicated: Recorder) -> None:
    for name, container in replicated.of_role("files").items():
        (mount,) = container["volumes"]
        assert all(path.startswith(f"{mount['containerPath']}/") for path in replicated.uploads(name)), name
        assert [other for other, made in replicated.long_running.items() if mount in made["volumes"]], name


def test_files_are_there_before_who_reads_them_starts(replicated: Recorder) -> None:
    filled_by = {made["volumes"][0]["volumeName"]: name for name, made in replicated.of_role("files").items()}
    for name, container in replicated.containers.items():
        if label(container, labels.ROLE) != "files":
            read = {
                filled_by[mount["volumeName"]] for mount in container["volumes"] if mount["volumeName"] in filled_by
            }
            assert read <= replicated.depends_on(name), name


def test_whoever_reads_secrets_at_its_start_is_replaced_when_they_change(replicated: Recorder) -> None:
    for name, container in replicated.containers.items():
        mounts = {mount["containerPath"] for mount in container["volumes"]}
        if "/run/secrets" in mounts and label(container, labels.ROLE) != "files":
            assert len(label(container, labels.FILES_SHA256)) == 64, name


def test_replicas_differ_in_nothing_but_their_name(replicated: Recorder) -> None:
    first, *others = replicated.of_role("open-webui").values()
    assert others
    for other in others:
        assert {**other, "name": ""} == {**first, "name": ""}


def test_one_more_replica_leaves_every_other_container_as_it_is(staging: Recorder) -> None:
    """Sockets, transactions and subscriptions of those that run go on; the gateway reads its file again."""
    three = variant("three replicas")
    before = {resource.name: resource.inputs for resource in staging.resources}
    after = {resource.name: resource.inputs for resource in three.resources}
    assert after.keys() - before.keys() == {"open-webui-3", "open-webui-3-pids"}
    assert {name for name in before if before[name] != after[name]} == {
        "gateway-files",
        "gateway-reload",
        "verification",
    }


def test_the_gateway_spreads_people_over_all_replicas(replicated: Recorder) -> None:
    upstreams = sorted(f"{made['name']}:8080" for made in replicated.of_role("open-webui").values())
    assert f"reverse_proxy {' '.join(upstreams)} {{" in replicated.uploads("gateway-files")["/etc/caddy/Caddyfile"]


def test_the_gateway_reloads_after_its_file_and_the_replicas(replicated: Recorder) -> None:
    assert {"gateway-files", *replicated.of_role("open-webui")} <= replicated.depends_on("gateway-reload")
    assert "gateway-reload" in replicated.depends_on("verification")


def test_the_database_is_prepared_and_migrated_again_for_a_new_server(replicated: Recorder) -> None:
    setup, migration = replicated.inputs("postgres-setup"), replicated.inputs("open-webui-migration")
    assert label(setup, labels.DATABASE_ID) == "postgres-container-id"
    assert label(migration, labels.DATABASE_ID) == "postgres-container-id"


def test_a_changed_environment_is_reason_enough_to_stop_all_replicas_for_a_migration(replicated: Recorder) -> None:
    of_replicas = {label(made, labels.ENVIRONMENT_SHA256) for made in replicated.of_role("open-webui").values()}
    assert of_replicas == {label(replicated.inputs("open-webui-migration"), labels.REPLICAS_SHA256)}


def test_no_replica_starts_before_the_database_is_prepared(replicated: Recorder) -> None:
    for name in replicated.of_role("open-webui"):
        assert {"postgres-setup", "open-webui-migration"} <= replicated.depends_on(name)


def test_only_the_setup_reaches_the_superusers_socket(replicated: Recorder) -> None:
    socket = [
        name
        for name, made in replicated.containers.items()
        if "/var/run/postgresql" in {mount["containerPath"] for mount in made["volumes"]}
    ]
    assert sorted(socket) == ["postgres-container", "postgres-setup"]


def test_replicas_know_their_database_and_their_valkey_by_password(staging: Recorder) -> None:
    postgres, valkey = secret_of("postgres-password"), secret_of("valkey-openwebui")
    assert f"DATABASE_URL=postgresql://openwebui:{postgres}@postgres:5432/openwebui\n" in script(staging)
    assert f"WEBSOCKET_REDIS_URL=redis://openwebui:{valkey}@redis:6379/1\n" in script(staging)
    assert f"\nREDIS_URL=redis://openwebui:{valkey}@redis:6379/0\n" in script(staging)
    assert f"WEBUI_SECRET_KEY={secret_of('open-webui-secret-key')}\n" in script(staging)
    assert f"PASSWORD '{postgres}'" in staging.uploads("postgres-setup")["/setup/setup.sql"]


def test_valkey_tls_gives_valkey_its_certificate_and_replicas_the_authority() -> None:
    recorder = variant("valkeyTls")
    authority = secret_of("valkey-certificate ca_pem")
    files = recorder.uploads("valkey-files")
    assert files["/run/secrets/valkey-ca.pem"] == authority
    assert files["/run/secrets/cert.pem"] == secret_of("valkey-certificate cert_pem")
    assert files["/run/secrets/key.pem"] == secret_of("valkey-certificate key_pem")
    assert recorder.uploads("open-webui-files")["/run/secrets/valkey-ca.pem"] == authority
    # The certificate is for the name that the address has.
    assert recorder.inputs("valkey-certificate")["host"] == "redis"
    address = f"rediss://openwebui:{secret_of('valkey-openwebui')}@redis:6379"
    assert f"{address}/1?ssl_ca_certs=/run/secrets/valkey-ca.pem" in script(recorder)
    assert f"{address}/0?ssl_ca_certs=/run/secrets/valkey-ca.pem" in script(recorder)
    assert recorder.inputs("verification")["valkey_login"]["ca_file"] == "/run/secrets/valkey-ca.pem"


def test_the_gateway_takes_from_all_but_the_trusted_proxies_the_headers_that_say_who_somebody_is() -> None:
    recorder = variant("extraEnvironment")
    (text,) = recorder.uploads("gateway-files").values()
    # What is on this host comes to the gateway from its bridge.
    bridge = recorder.inputs("edge-bridge")["ipamConfigs"][0]["subnet"].removesuffix("0/24") + "1"
    assert f"@strangers not remote_ip {bridge} 192.0.2.0/28\n" in text
    assert "request_header @strangers -x-EMAIL\n" in text


def test_what_a_container_writes_that_runs_once_is_a_secret_and_that_it_ran_is_none(program: Recorder) -> None:
    for name, made in program.containers.items():
        once = made["restart"] == "no" and made.get("start") is not False
        assert ("containerLogs" in program.requests[name].additionalSecretOutputs) is once
    for name in ("open-webui-container", "open-webui-1"):
        if name in program.containers:
            assert not holds_a_secret(program.of_type(CONTAINER)[name]["labels"])


def test_open_webui_s_account_in_valkey_has_the_rights_that_are_set_besides_its_own() -> None:
    own, more = (
        next(
            line
            for line in variant(name).uploads("valkey-files")["/run/secrets/users.acl"].splitlines()
            if line.startswith("user openwebui ")
        )
        for name in ("staging", "valkeyTls")
    )
    assert more == f"{own} +lpop ~other:*"


def test_the_private_key_of_valkey_reaches_valkey_alone() -> None:
    key = secret_of("valkey-certificate key_pem")
    recorder = variant("valkeyTls")
    assert [name for name, made in recorder.containers.items() if key in json.dumps(made)] == ["valkey-files"]


def test_an_external_valkey_makes_none_of_our_own() -> None:
    recorder = variant("valkeyUrl")
    assert not [resource.name for resource in recorder.resources if resource.name.startswith("valkey")]
    assert f"\nREDIS_URL=rediss://me:{VALKEY_PASSWORD}@valkey.example.com:6379/0\n" in script(recorder)
    assert f"WEBSOCKET_REDIS_URL=rediss://me:{VALKEY_PASSWORD}@valkey.example.com:6379/1\n" in script(recorder)
    verification = recorder.inputs("verification")
    assert not [name for name in ("valkey", "valkey_login", "app_user") if verification.get(name)]
    assert verification["isolation"]["private"] == ["open-webui-staging-postgres"]


def test_sign_in_by_a_provider_keeps_the_clients_secret_in_the_file() -> None:
    recorder = variant("oidc")
    assert f"OAUTH_CLIENT_SECRET={CLIENT_SECRET}\n" in script(recorder)
    assert "OAUTH_CLIENT_ID=open-webui" in recorder.inputs("open-webui-1")["envs"]


def test_extra_variables_are_in_the_file_and_quoted() -> None:
    assert "OPENAI_API_KEY='extra-5ecret '\"'\"'quoted'\"'\"' $HOME'\n" in script(variant("extraEnvironment"))


def test_no_extra_host_takes_a_name_by_which_a_stack_knows_its_own(program: Recorder) -> None:
    joins = [joined for made in program.containers.values() for joined in made.get("networksAdvanced", [])]
    aliases = {alias for joined in joins for alias in joined.get("aliases", [])}
    assert aliases == {
        name
        for name, there in {"redis": "valkey-container", "postgres": "postgres-container"}.items()
        if there in program.containers
    }


OUTSIDE = ["a single stack that reaches out", "replicas that reach out"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_extra_hosts_are_known_to_open_webui_and_its_migration_and_to_nothing_else(name: str) -> None:
    known = {
        made: {host["host"]: host["ip"] for host in inputs["hosts"]}
        for made, inputs in variant(name).containers.items()
        if inputs.get("hosts")
    }
    recorder = variant(name)
    assert known.keys() == {*recorder.of_role("open-webui"), *recorder.of_role("migration")}
    assert all(hosts == {"models.lan": "192.0.2.7", "host.docker.internal": "host-gateway"} for hosts in known.values())


@pytest.mark.parametrize("name", OUTSIDE)
def test_private_authorities_join_the_public_ones_before_open_webui_starts(name: str) -> None:
    recorder = variant(name)
    own = Path("tests/unit/golden/private-ca.txt").read_text(encoding="utf-8")
    holders = {made for made in recorder.containers if own in recorder.uploads(made).values()}
    everybody = {*recorder.of_role("open-webui"), *recorder.of_role("migration")}
    assert holders == ({"open-webui-files"} if recorder.replicated else everybody)
    for made in everybody:
        envs, command = recorder.containers[made]["envs"], recorder.containers[made]["command"]
        assert {f"{variable}=/tmp/ca-bundle.pem" for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")} <= {*envs}
        assert 'cat "$(python3 -m certifi)" /run/secrets/private-ca.pem > /tmp/ca-bundle.pem && exec' in command[2]


def test_a_single_stack_that_trusts_others_besides_starts_as_its_image_does() -> None:
    assert variant("a single stack that reaches out").inputs("open-webui-container")["command"][4:] == [
        "bash",
        "start.sh",
    ]
    assert "command" not in variant("dev").inputs("open-webui-container")


def test_extra_variables_of_a_single_stack_are_sealed_and_take_the_place_of_defaults() -> None:
    recorder = variant("a single stack that reaches out")
    for name in ("open-webui-container", "open-webui-migration"):
        envs = recorder.inputs(name)["envs"]
        assert f"OPENAI_API_KEY={EXTRA_VALUE}" in envs
        assert [line for line in envs if line.startswith("RAG_EMBEDDING_ENGINE=")] == ["RAG_EMBEDDING_ENGINE=ollama"]


def test_the_first_accounts_password_is_the_migrations_alone() -> None:
    recorder = variant("adminPassword")
    holders = [name for name, made in recorder.containers.items() if ADMIN_PASSWORD in json.dumps(made)]
    assert holders == ["open-webui-migration"]
    assert "open-webui-admin-password" not in recorder.of_type(SECRET)


def test_where_a_proxy_in_front_ends_tls_the_proof_knocks_without() -> None:
    terminated = {"tls": "off", "acknowledged": ["tls-terminated-elsewhere"]}
    assert run_program("prod", terminated).inputs("verification")["door"]["tls"] is False


def test_a_generated_password_is_an_output_and_a_secret() -> None:
    prod = variant("prod")
    account = prod.uploads("open-webui-migration")["/migration/account.env"]
    assert f"WEBUI_ADMIN_PASSWORD={secret_of('open-webui-admin-password')}\n" in account
    assert "admin_password" in prod.exports
    assert "admin_password" not in variant("staging").exports


def test_without_an_account_no_empty_file_is_uploaded(staging: Recorder) -> None:
    """Docker's plugin refuses one."""
    programs = ["migrate", "panel", "panel_fill"]
    assert list(staging.uploads("open-webui-migration")) == [f"/migration/{name}.py" for name in programs]
    assert "account.env" not in " ".join(staging.inputs("open-webui-migration")["command"])


def test_external_volumes_are_those_with_data() -> None:
    recorder = variant("volumesExternal")
    assert {"valkey-data", "postgres-data", "open-webui-data"}.isdisjoint(recorder.of_type(VOLUME))
    mounted = {mount["volumeName"] for made in recorder.containers.values() for mount in made["volumes"]}
    assert {f"open-webui-staging-{name}" for name in ("valkey-data", "postgres-data", "data")} <= mounted


def test_an_adopted_volume_is_open_webuis_alone_and_is_mounted_by_its_name() -> None:
    recorder = variant("openWebuiVolume")
    assert set(recorder.of_type(VOLUME)) == {"valkey-data"}
    for role in ("open-webui-container", "open-webui-migration"):
        assert [mount["volumeName"] for mount in recorder.inputs(role)["volumes"]] == ["chat_open-webui"]


def test_a_rotated_secret_has_another_generation_and_no_other_changes(staging: Recorder) -> None:
    rotated = variant("rotated")
    changed = {name for name, inputs in rotated.of_type(SECRET).items() if inputs.get("generation")}
    assert changed == {"open-webui-secret-key"}
    assert rotated.inputs("valkey-certificate")["generation"] == "2026-11"
    assert not [name for name, inputs in staging.of_type(SECRET).items() if "generation" in inputs]


def test_every_secret_that_can_be_rotated_is_by_its_name() -> None:
    names = {
        "secret-key": "open-webui-secret-key",
        "valkey-openwebui": "valkey-openwebui",
        "valkey-verify": "valkey-verify",
        "valkey-health": "valkey-health",
        "postgres-password": "postgres-password",
    }
    recorder = run_program("staging", {"rotated": {name: f"2026-{name}" for name in names}})
    for name, resource in names.items():
        assert recorder.inputs(resource)["generation"] == f"2026-{name}"


def test_the_proof_is_told_where_to_knock_and_whom_to_ask() -> None:
    told = variant("prod").inputs("verification")
    assert told["url"] == "https://localhost:3443"
    assert told["door"] == {"address": "127.0.0.1", "port": 3443, "tls": True}
    assert told["ca"] == "/var/tmp/caddy/pki/authorities/local/root.crt"
    assert told["apps"] == ["open-webui-prod-1", "open-webui-prod-2"]
    assert told["valkey_login"] == {"user": "verify", "password_file": "/run/secrets/verify", "ca_file": ""}
    assert told["app_user"] == "openwebui"
    private = ["open-webui-prod-postgres", "open-webui-prod-valkey"]
    assert told["isolation"] == {"edge": "open-webui-prod-edge", "private": private}


def test_make_verify_is_handed_the_same_subject(program: Recorder) -> None:
    assert {"expected", "subject", "url"} <= program.exports.keys()


def test_containers_are_the_ones_the_settings_name(staging: Recorder) -> None:
    names = {opened(inputs)["name"] for inputs in staging.of_type(CONTAINER).values()}
    suffixes = (
        "-1", "-2", "-files", "-gateway", "-gateway-files", "-migration", "-postgres", "-postgres-setup", "-valkey",
        "-valkey-files",
    )  # fmt: skip
    assert names == {f"open-webui-staging{suffix}" for suffix in suffixes}
