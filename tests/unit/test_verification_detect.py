"""What is found among the containers, over a Docker made of recorded answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from components.building.files import SECRETS_PATH
from components.gateway import CA_FILE as GATEWAY_CA
from components.gateway import CADDYFILE
from components.gateway.caddyfile import ACME_ROOT_FILE, HTTPS_PORT
from components.open_webui.containers import ACCOUNT_FILE, ENVIRONMENT_FILE, preparing
from components.valkey.acl import APP_ACCOUNT, VERIFY_ACCOUNT
from components.valkey.command import CA_FILE
from docker_access import labels
from tests.unit.test_verification_checks import evidence
from topologies.deployed import Deployed
from verification import __main__ as command_line
from verification.ask import own_stack
from verification.ask.detect import Found, detect
from verification.ask.docker_view import CouldNotAsk, Executed
from verification.checks import judge
from verification.evidence.container import Container
from verification.inside.runner import source
from verification.report.terminal import report
from verification.resource import VerificationArgs
from verification.subject import Isolation, Subject, subject_of

OPEN_WEBUI = "ghcr.io/open-webui/open-webui:main"
VALKEY = "docker.io/valkey/valkey:8.0.1-alpine"


def container(name: str, image: str, networks: dict[str, Any], **more: Any) -> Container:
    """What Docker tells of a container; ``networks`` holds the aliases on each, or its address."""
    attached = {
        network: {"IPAddress": known, "Aliases": None} if isinstance(known, str) else {"Aliases": known}
        for network, known in networks.items()
    }
    variables = more.pop("environment", {})
    published = {
        f"{port}/tcp": [{"HostIp": address, "HostPort": str(outside)}]
        for port, (address, outside) in more.pop("published", {}).items()
    }
    return Container(
        name=name,
        inspect={
            "State": {"Status": more.pop("status", "running"), "ExitCode": more.pop("exit_code", 0)},
            "Config": {
                "Image": image,
                "Cmd": more.pop("command", None),
                "Labels": more.pop("marks", {}),
                "Env": [f"{key}={value}" for key, value in variables.items()],
            },
            "HostConfig": {"RestartPolicy": {"Name": more.pop("restart", "no")}, "PortBindings": published} | more,
            "NetworkSettings": {"Networks": attached, "Ports": published},
        },
    )


def app(name: str = "open-webui", url: str = "redis://redis-valkey:6379/1", **more: Any) -> Container:
    variables = {"WEBSOCKET_MANAGER": "redis", "WEBSOCKET_REDIS_URL": url} | more.pop("environment", {})
    networks = more.pop("networks", {"net": []})
    return container(name, more.pop("image", OPEN_WEBUI), networks, environment=variables, **more)


def redis(name: str = "redis-valkey", **more: Any) -> Container:
    return container(name, more.pop("image", VALKEY), more.pop("networks", {"net": []}), **more)


@dataclass
class Docker:
    """Containers, files in them, and what the app's process is found to have."""

    containers: list[Container]
    files: dict[str, str] = field(default_factory=dict)
    process: dict[str, str] | str = field(default_factory=dict)

    def names(self) -> list[str]:
        return [item.name for item in self.containers]

    def container(self, name: str) -> Container:
        return next((item for item in self.containers if item.name == name), Container(name=name))

    def read_file(self, name: str, path: str) -> str | None:
        return self.files.get(f"{name}:{path}")

    def execute(
        self, name: str, command: list[str], *, seconds: float, environment: Mapping[str, str] | None = None
    ) -> Executed:
        assert command[2] == source("app_valkey_urls")
        return Executed(output=self.process if isinstance(self.process, str) else json.dumps(self.process))

    def close(self) -> None:
        pass


def found(*containers: Container, apps: tuple[str, ...] = (), **docker: Any) -> list[Found]:
    return detect(Docker([*containers], **docker), apps, connects=lambda _host, _port: True)


def subjects(*containers: Container, **docker: Any) -> list[Subject]:
    return [item.subject for item in found(*containers, **docker)]


# --- an app and its Valkey --------------------------------------------------------------------------------------------


def test_the_tutorials_pair_is_found_by_the_name_in_the_url() -> None:
    assert subjects(app(published={8080: ("0.0.0.0", 3000)}), redis()) == [  # noqa: S104 - what Docker tells
        Subject(apps=("open-webui",), valkey="redis-valkey", url="http://127.0.0.1:3000")
    ]


def compose(project: str, **more: str) -> dict[str, str]:
    return {"com.docker.compose.project": project} | more


def test_a_compose_service_is_found_by_its_name_on_the_projects_network() -> None:
    web = app(
        "chat-open-webui-1", "redis://redis:6379/1", networks={"chat_default": ["open-webui"]}, marks=compose("chat")
    )
    other = redis("shop-redis-1", networks={"shop_default": ["redis"]}, marks=compose("shop"))
    own = redis("chat-redis-1", networks={"chat_default": ["chat-redis-1", "redis"]}, marks=compose("chat"))

    (one,) = found(other, own, web)

    assert (one.subject.valkey, one.deployer) == ("chat-redis-1", "compose project chat")
    assert str(one) == "chat-open-webui-1 with Valkey chat-redis-1 (compose project chat)"


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("redis://172.20.0.2:6379/1", {}),
        ("redis://cache:6379/1", {"ExtraHosts": ["cache:172.20.0.2", "nonsense"]}),
        ("redis://cache:6379/1", {"Links": ["/redis-valkey:/open-webui/cache"]}),
    ],
)
def test_on_the_default_network_it_is_found_by_address_or_link(url: str, more: dict[str, Any]) -> None:
    bridge = {"bridge": "172.20.0.2"}

    assert subjects(app(url=url, networks={"bridge": ""}, **more), redis(networks=bridge))[0].valkey == "redis-valkey"


def test_a_container_of_the_urls_name_is_meant_even_where_the_name_cannot_resolve() -> None:
    assert subjects(app(networks={"bridge": ""}), redis(networks={"bridge": "172.20.0.2"}))[0].valkey == "redis-valkey"
    assert subjects(app(), redis(networks={"other": []}))[0].valkey == "redis-valkey"


@pytest.mark.parametrize("url", ["redis://127.0.0.1:6379/1", "redis://localhost:6379/1", "", "not a url"])
def test_where_the_url_names_none_the_only_valkey_beside_the_app_is_meant(url: str) -> None:
    stranger = redis("stranger", networks={"other": []})

    assert subjects(app(url=url), redis(), stranger)[0].valkey == "redis-valkey"
    assert subjects(app(url=url), redis(), redis("second"))[0].valkey == ""


def test_a_valkey_that_is_no_container_here_is_said_to_be_elsewhere() -> None:
    (one,) = found(app(url="redis://:secret@cache.example.org:6379/1"), redis())

    assert one.subject.valkey == ""
    assert str(one) == "open-webui with Valkey at cache.example.org"


def test_of_two_that_answer_to_one_name_the_one_of_the_same_project_is_meant() -> None:
    web = app("web", "redis://redis:6379/1", networks={"shared": []}, marks=compose("chat"))
    other = redis("a-redis", networks={"shared": ["redis"]})
    own = redis("z-redis", networks={"shared": ["redis"]}, marks=compose("chat"))

    assert subjects(web, other, own)[0].valkey == "z-redis"


def test_where_the_environment_is_in_a_file_the_apps_own_process_is_asked() -> None:
    web = container("web", OPEN_WEBUI, {"net": []})

    assert subjects(web, redis(), process={"REDIS_URL": "redis://u:***@redis-valkey:6379/0"})[0].valkey
    assert subjects(web, redis(networks={"other": []}), process="python3: not found")[0].valkey == ""


def test_on_the_hosts_network_the_loopback_leads_to_what_is_published() -> None:
    web = app(url="redis://127.0.0.1:6380/1", networks={"host": ""})
    published = redis(published={6379: ("127.0.0.1", 6380)})
    other = redis("other", published={6379: ("127.0.0.1", 6381)})

    (subject,) = subjects(web, published, other)

    assert (subject.valkey, subject.url) == ("redis-valkey", "http://127.0.0.1:8080")
    assert subjects(app(url="redis://127.0.0.1:none", networks={"host": ""}), published)[0].valkey == ""


# --- which containers are one deployment ------------------------------------------------------------------------------


def test_apps_made_by_hand_on_one_valkey_are_replicas() -> None:
    assert [item.apps for item in subjects(app("web-1"), app("web-2"), redis())] == [("web-1", "web-2")]


def test_apps_on_different_valkeys_or_of_different_projects_are_deployments_of_their_own() -> None:
    made = subjects(
        app("a"), app("b", "redis://second:6379/1"), app("c", marks=compose("chat")), redis(), redis("second")
    )

    assert [(item.apps, item.valkey) for item in made] == [
        (("a",), "redis-valkey"),
        (("b",), "second"),
        (("c",), "redis-valkey"),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"image": "example.org/mirror/open-webui@sha256:0"},
        {"image": "sha256:0", "marks": {"org.opencontainers.image.title": "Open WebUI"}},
        {"image": "mine:1"},
    ],
)
def test_open_webui_is_known_by_its_image_or_its_variables(changes: dict[str, Any]) -> None:
    assert subjects(app(**changes), redis())[0].apps == ("open-webui",)


def test_neither_one_off_jobs_nor_neighbours_are_taken_for_it() -> None:
    job = app("job", marks=compose("chat", **{"com.docker.compose.oneoff": "True"}))
    pipelines = container("pipelines", "ghcr.io/open-webui/pipelines:main", {"net": []})

    assert subjects(job, pipelines, redis(), app())[0].apps == ("open-webui",)


def test_what_an_upgrade_by_hand_has_left_behind_is_no_replica() -> None:
    assert subjects(app(), app("open-webui-old", status="exited", restart="always"), redis())[0].apps == ("open-webui",)


def test_a_replica_that_has_ended_is_one_still_and_a_job_that_is_done_is_none() -> None:
    kept = app("web-2", marks=compose("chat"), status="exited", restart="always")
    failed = app("web-3", marks=compose("chat"), status="exited", exit_code=3)
    done = app("job", marks=compose("chat"), status="exited")

    made = subjects(app("web-1", marks=compose("chat")), kept, failed, done, redis())

    assert made[0].apps == ("web-1", "web-2", "web-3")


def test_where_nothing_runs_what_there_is_is_found() -> None:
    assert subjects(app(status="exited"), redis())[0].apps == ("open-webui",)


def test_named_apps_are_replicas_of_one_another_whatever_they_are() -> None:
    mine = app("mine", image="mine:1", environment={"WEBSOCKET_MANAGER": ""}, status="exited")

    assert [item.apps for item in subjects(mine, app(), redis(), apps=("mine", "open-webui"))] == [
        ("mine", "open-webui")
    ]


def test_where_there_is_none_the_containers_are_named() -> None:
    with pytest.raises(CouldNotAsk, match=r"(?s)no Open WebUI was found among the containers: redis-valkey.*--app"):
        found(redis())


# --- where people open it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "daemon", "url"),
    [
        ({"published": {8080: ("127.0.0.1", 3000)}}, "unix:///run/docker.sock", "http://127.0.0.1:3000"),
        ({"published": {8080: ("::", 3000)}}, "", "http://127.0.0.1:3000"),
        ({"published": {8080: ("fd00::1", 3000)}}, "", "http://[fd00::1]:3000"),
        ({"published": {8080: ("", 3000)}}, "tcp://docker.example.org:2376", "http://docker.example.org:3000"),
        ({"published": {9000: ("", 3000)}, "environment": {"PORT": "9000"}}, "", "http://127.0.0.1:3000"),
        ({"published": {9999: ("", 3000)}}, "", ""),
    ],
)
def test_the_url_is_the_published_port(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], daemon: str, url: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", daemon)

    assert subjects(app(**more), redis())[0].url == url


def test_a_port_that_does_not_answer_from_here_is_left_out_and_said_to_be() -> None:
    docker = Docker([app(published={8080: ("", 3000)}), redis()])

    (one,) = detect(docker, connects=lambda _host, _port: False)

    assert one.subject.url == ""
    assert str(one).endswith("; http://127.0.0.1:3000 is left out: nothing answers there from here")


def test_postgres_is_found_by_the_host_of_the_database() -> None:
    web = app(environment={"DATABASE_URL": "postgresql://user:secret@db:5432/chat"})

    assert subjects(web, redis(), container("postgres", "postgres:17", {"net": ["db"]}))[0].postgres == "postgres"


# --- a stack of this project's ----------------------------------------------------------------------------------------


def ours(role: str, stack: str = "prod") -> dict[str, str]:
    return {labels.PROJECT: "open-webui", labels.STACK: stack, labels.ROLE: role}


def replicated(stack: str = "prod") -> list[Container]:
    inner: dict[str, Any] = {f"{stack}-data": ["redis"]}
    both: dict[str, Any] = {f"{stack}-edge": [], f"{stack}-data": []}
    url = {"WEBUI_URL": "https://chat.example.org"}
    kept = {"restart": "unless-stopped"}
    return [
        *(
            container(f"{stack}-{n}", OPEN_WEBUI, both, environment=url, marks=ours("open-webui", stack), **kept)
            for n in (1, 2)
        ),
        container(
            f"{stack}-gateway",
            "caddy:2",
            {f"{stack}-edge": []},
            marks=ours("gateway", stack),
            published={8443: ("127.0.0.1", 3443), 8080: ("127.0.0.1", 3080)},
        ),
        container(
            f"{stack}-migration",
            OPEN_WEBUI,
            both,
            marks=ours("migration", stack),
            status="exited",
            command=preparing(variables=[ENVIRONMENT_FILE, ACCOUNT_FILE]),
        ),
        container(f"{stack}-postgres", "pgvector:17", inner, marks=ours("postgres", stack)),
        container(f"{stack}-valkey", VALKEY, inner, marks=ours("valkey", stack)),
        container(f"{stack}-files", VALKEY, {}, marks=ours("files", stack), status="created"),
    ]


FILES = {
    "prod-valkey:/run/secrets/verify": "its password",
    "prod-valkey:/run/secrets/valkey-ca.pem": "PEM",
    "prod-gateway:/etc/caddy/Caddyfile": "https://chat.example.org:8443 {\n    tls internal\n",
}
PROCESS = {"WEBSOCKET_REDIS_URL": "rediss://openwebui:***@redis:6379/1?ssl_ca_certs=/run/secrets/valkey-ca.pem"}


def test_a_stack_of_ours_is_found_as_its_own_outputs_describe_it() -> None:
    verified = VerificationArgs(
        apps=["prod-1", "prod-2"], migration="prod-migration", valkey="prod-valkey", postgres="prod-postgres",
        gateway="prod-gateway", door={"address": "127.0.0.1", "port": 3443, "tls": True}, ca=GATEWAY_CA,
        valkey_login={
            "user": VERIFY_ACCOUNT, "password_file": f"{SECRETS_PATH}/{VERIFY_ACCOUNT}",
            "ca_file": f"{SECRETS_PATH}/{CA_FILE}",
        },
        isolation={"edge": "prod-edge", "private": ["prod-postgres", "prod-valkey"]}, app_user=APP_ACCOUNT,
        account={"container": "prod-migration", "path": ACCOUNT_FILE},
    )  # fmt: skip
    described = Deployed(verification=verified, depends_on=[]).subject

    (one,) = found(*replicated(), files=FILES, process=PROCESS)
    (named,) = found(*replicated(), apps=("prod-1", "prod-2"), files=FILES, process=PROCESS)

    assert named == one
    assert one.subject == subject_of({**described, "url": "https://chat.example.org"}, wait_seconds=60)
    assert str(one) == (
        "prod-1, prod-2 with Valkey prod-valkey, postgres prod-postgres, gateway prod-gateway "
        "at https://chat.example.org (open-webui, stack prod)"
    )


def test_the_gateways_files_are_where_the_component_puts_them() -> None:
    assert (CADDYFILE, GATEWAY_CA) == (own_stack.CADDYFILE, own_stack.GATEWAY_CA)
    assert ACME_ROOT_FILE == own_stack.ACME_ROOT
    assert f"{HTTPS_PORT}/tcp" == own_stack.HTTPS_PORT


def test_a_stack_without_tls_and_accounts_has_neither() -> None:
    stack = [item for item in replicated() if item.name not in {"prod-gateway", "prod-valkey"}]
    front = container(
        "prod-gateway", "caddy:2", {"prod-edge": []}, marks=ours("gateway"), published={8080: ("127.0.0.1", 3080)}
    )

    (subject,) = subjects(*stack, front, process={"WEBSOCKET_REDIS_URL": "redis://cache.example.org/1"})

    assert (subject.valkey, subject.valkey_login, subject.app_user, subject.ca) == ("", None, "", "")
    assert subject.isolation == Isolation(edge="prod-edge", private=("prod-postgres",))
    assert subject.door
    assert (subject.door.port, subject.door.tls) == (3080, False)


def test_stacks_of_ours_are_told_apart() -> None:
    assert [item.deployer for item in found(*replicated("a"), *replicated("b"), process=PROCESS)] == [
        "open-webui, stack a",
        "open-webui, stack b",
    ]


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Subject]:
    """What the command line goes on to verify."""
    subjects: list[Subject] = []
    docker = Docker([app(), app("second", "redis://elsewhere.example.org/1"), redis()])

    def verify(subject: Subject, *_: Any, **__: Any) -> Any:
        subjects.append(subject)
        return report(evidence(), judge(evidence()), 0.9)

    monkeypatch.setattr(command_line, "verify", verify)
    monkeypatch.setattr(command_line, "DockerView", lambda: docker)
    return subjects


@pytest.mark.parametrize(
    ("line", "subject"),
    [
        ("--app open-webui", Subject(apps=("open-webui",), valkey="redis-valkey")),
        ("--valkey redis-valkey", Subject(apps=("open-webui",), valkey="redis-valkey")),
        ("--app open-webui --valkey-elsewhere", Subject(apps=("open-webui",))),
        ("--app open-webui --valkey-url redis://v", Subject(apps=("open-webui",), valkey_url="redis://v")),
        ("--app open-webui --url http://chat --timeout 3",
         Subject(apps=("open-webui",), valkey="redis-valkey", url="http://chat", wait_seconds=3)),
    ],
)  # fmt: skip
def test_what_is_not_named_is_looked_for(asked: list[Subject], line: str, subject: Subject) -> None:
    assert command_line.main(line.split()) == 0
    assert asked == [replace(subject, idle=None)]


def test_several_deployments_are_listed_with_a_command_line_for_each(
    asked: list[Subject], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.main([]) == 2
    assert asked == []
    assert capsys.readouterr().err.splitlines()[1:] == [
        "  python -m verification --app open-webui    # open-webui with Valkey redis-valkey",
        "  python -m verification --app second    # second with Valkey at elsewhere.example.org",
    ]


@pytest.mark.parametrize("name", ["--app", "--valkey"])
def test_a_container_that_does_not_exist_is_told_among_those_there_are(
    asked: list[Subject], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert command_line.main([name, "nobody", "--json"]) == 2
    assert asked == []

    told = json.loads(capsys.readouterr().out)
    assert told["checks"][0]["cause"] == "container-missing"
    assert "there is no container named 'nobody'; there are: open-webui, second, redis-valkey" in told["summary"]
