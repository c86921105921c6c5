"""Deployments made by hand with plain Docker, for tests of the verification: sound ones, to break in one place each."""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import docker
import docker.errors

from components.authority import generate
from components.valkey.acl import ACCOUNTS, APP_ACCOUNT, accounts_file
from docker_access.client import docker_client
from docker_access.commands import run_inside
from tests import stand_in
from tests.integration.deployment import remove_container
from tests.lease import free_port
from tests.once import Once
from tooling.images.ensure import ensure
from verification.report.terminal import Report
from verification.run import verify
from verification.subject import Isolation, Login, PublishedPort, Subject

APP_IMAGE = "ghcr.io/open-webui/open-webui:main"
STAND_IN = stand_in.NAME
VALKEY_IMAGE = "docker.io/valkey/valkey:8.0.1-alpine"
POSTGRES_IMAGE = "docker.io/pgvector/pgvector:0.8.7-pg17"
CADDY_IMAGE = "docker.io/library/caddy:2.11.7-alpine"
BUILD_SECONDS = 900

_Lab = TypeVar("_Lab", "Pair", "Accounts", "Replicas")

PASSWORD = "correct-horse-4711"
ADMIN = "admin@example.org"
ADMIN_PASSWORD = "battery-staple-4712"
SECRET_KEY = "0123456789abcdef" * 4
SECOND = 1_000_000_000
PATHS = ("/health", "/ready")
BOOT_SECONDS = 120
"""How long an app may take to answer on a machine that does other things meanwhile."""

PAIR_URL = "http://chat.test"
"""What a pair's app takes for its address; a test connects it elsewhere."""
PING_SECONDS = 10
"""How often a pair's app pings a silent websocket: its own 25 s would be waited for."""

URL = "https://chat.test:8443"
ADMIN = "admin"
"""Account of Valkey's with which tests change the others; no stack of this project has one."""
CA = "/var/tmp/caddy/pki/authorities/local/root.crt"
LOCKED_VALKEY = [
    "valkey-server", "--aclfile", "/run/secrets/users.acl", "--port", "0", "--tls-port", "6379",
    "--tls-cert-file", "/run/secrets/cert.pem", "--tls-key-file", "/run/secrets/key.pem",
    "--tls-ca-cert-file", "/run/secrets/ca.pem", "--tls-auth-clients", "no",
]  # fmt: skip


def ensure_images(*references: str) -> None:
    """Pull or build what this machine does not have: a module's tests may be the first to run."""
    with closing(docker_client(BUILD_SECONDS)) as client:
        for reference in references:
            if reference == STAND_IN:
                stand_in.ensure_stand_in()
            else:
                ensure(client, reference)


def silent(_line: str) -> None:
    """Where no progress is shown."""


def own_health(client: docker.DockerClient, app: str) -> dict[str, str]:
    """What Open WebUI says of itself, by path: a status, or ``none`` where it gives no answer within 10 s."""
    ask = "curl -s -m 10 -o /dev/null -w %{http_code} http://127.0.0.1:${PORT:-8080}"

    def answer(path: str) -> str:
        try:
            said = run_inside(client.api, app, ["timeout", "12", "sh", "-c", ask + path]).output
        except docker.errors.APIError:  # paused, exited or gone
            said = ""
        return said if said.isdecimal() and said != "000" else "none"

    with ThreadPoolExecutor() as pool:
        return dict(zip(PATHS, pool.map(answer, PATHS), strict=True))


class Pair:
    """One Valkey with a password, and apps of its own.

    Attributes:
        image: What apps are made from where nothing else is said: a stand-in for Open WebUI, or Open WebUI.
    """

    def __init__(self, client: docker.DockerClient, image: str = STAND_IN) -> None:
        ensure_images(STAND_IN, image, VALKEY_IMAGE)
        self.client, self.image = client, image
        self.prefix = f"vt-{secrets.token_hex(3)}"
        self.names: list[str] = []
        self.network = client.networks.create(f"{self.prefix}-net")
        command = ["valkey-server", "--requirepass", PASSWORD]
        try:
            self.valkey = self.run("valkey", VALKEY_IMAGE, {"REDISCLI_AUTH": PASSWORD}, command)
        except docker.errors.APIError:
            Pair.remove(self)
            raise

    @cached_property
    def app(self) -> str:
        """The sound app, once it answers."""
        name = self.start_app("app")
        self.wait_for_boot(name)
        return name

    def url(self, database: int) -> str:
        """Valkey's URL, as it is right."""
        return f"redis://:{PASSWORD}@{self.valkey}:6379/{database}"

    def subject(self, *apps: str, **more: Any) -> Subject:
        """What to verify: the sound app, or others."""
        return Subject(apps=apps or (self.app,), valkey=self.valkey, wait_seconds=BOOT_SECONDS, **more)

    def verified(self, *apps: str, **more: Any) -> Report:
        return verify(self.subject(*apps, **more), silent)

    def run(
        self, role: str, image: str, environment: Mapping[str, str], command: list[str] | None = None, **more: Any
    ) -> str:
        """Start a container; it is removed with the pair."""
        name = f"{self.prefix}-{role}"
        self.names.append(name)
        options = {"network": self.network.name} | more
        self.client.containers.run(image, command, name=name, environment=dict(environment), detach=True, **options)
        return name

    def start_app(self, role: str, changes: Mapping[str, str | None] | None = None, **options: Any) -> str:
        """Start an app that differs in some variables (None leaves one out) or in Docker's options."""
        environment: dict[str, str | None] = {
            "ENABLE_WEBSOCKET_SUPPORT": "true",
            "WEBSOCKET_MANAGER": "redis",
            "WEBSOCKET_REDIS_URL": self.url(1),
            "REDIS_URL": self.url(0),
            "GLOBAL_LOG_LEVEL": "INFO",
            "WEBUI_SECRET_KEY": SECRET_KEY,
            "CORS_ALLOW_ORIGIN": PAIR_URL,
            "WEBSOCKET_SERVER_PING_INTERVAL": str(PING_SECONDS),
            **(changes or {}),
        }
        # As the image's own, but often: after a pause Docker calls a container unhealthy until the next one.
        test = ["CMD-SHELL", "curl -fsS -o /dev/null http://127.0.0.1:8080/health"]
        healthcheck = {"test": test, "interval": SECOND, "start_period": BOOT_SECONDS * SECOND}
        set_ones = {name: value for name, value in environment.items() if value is not None}
        image = options.pop("image", self.image)
        return self.run(role, image, set_ones, **{"healthcheck": healthcheck} | options)

    @contextmanager
    def another_app(self, role: str, changes: Mapping[str, str | None] | None = None, **options: Any) -> Iterator[str]:
        """An app as :meth:`start_app` makes it, while it is needed; given once it answers."""
        with self.removed_after(self.start_app(role, changes, **options)) as name:
            self.wait_for_boot(name)
            yield name

    @contextmanager
    def removed_after(self, name: str) -> Iterator[str]:
        """A container of one test's own."""
        try:
            yield name
        finally:
            self.names.remove(name)
            remove_container(self.client, name)

    def wait_for_boot(self, app: str) -> None:
        """Return once Docker calls the app healthy, or it has ended."""
        end = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < end:
            state = self.container(app).attrs["State"]
            if state["Status"] != "running" or state.get("Health", {}).get("Status") == "healthy":
                return
            time.sleep(0.25)

    def wait_for_answer(self, app: str) -> None:
        """Return once something answers at its port, whatever that is: for one that Docker never calls healthy."""
        end = time.monotonic() + BOOT_SECONDS
        ask = ["curl", "-s", "-o", "/dev/null", "http://127.0.0.1:8080/"]
        while self.container(app).exec_run(ask).exit_code:
            assert time.monotonic() < end, self.container(app).logs(tail=20).decode()
            time.sleep(0.25)

    def wait_for_port(self, address: str, port: int) -> None:
        """Return once something takes connections there."""
        end = time.monotonic() + BOOT_SECONDS
        while True:
            with suppress(OSError), socket.create_connection((address, port), timeout=1):
                return
            assert time.monotonic() < end, f"nobody takes connections at {address}:{port}"
            time.sleep(0.1)

    def valkey_cli(self, *words: str) -> str:
        """Ask Valkey with the account of everybody."""
        return run_inside(self.client.api, self.valkey, ["valkey-cli", *words]).output

    def container(self, name: str) -> Any:
        return self.client.containers.get(name)

    def address(self, name: str) -> str:
        """A container's address on the pair's network."""
        return str(self.container(name).attrs["NetworkSettings"]["Networks"][self.network.name]["IPAddress"])

    def remove(self) -> None:
        for name in self.names:
            remove_container(self.client, name)
        self.network.remove()


class Accounts(Pair):
    """Apps with an administrator, on one data volume: the sound one, which migrates it, and others beside it."""

    def __init__(self, client: docker.DockerClient) -> None:
        super().__init__(client, APP_IMAGE)  # what stands in for it has no accounts
        self.volume = client.volumes.create(f"{self.prefix}-data").name

    def start_app(self, role: str, changes: Mapping[str, str | None] | None = None, **options: Any) -> str:
        """Start an app that differs in some variables or in Docker's options; ``volumes={}`` gives it its own data."""
        account = {"WEBUI_ADMIN_EMAIL": ADMIN, "WEBUI_ADMIN_PASSWORD": ADMIN_PASSWORD}
        # Two that migrate at once corrupt the schema.
        migrating = {"ENABLE_DB_MIGRATIONS": "true" if role == "app" or "volumes" in options else "false"}
        data = {"volumes": {self.volume: {"bind": "/app/backend/data"}}}
        return super().start_app(role, {**account, **migrating, **(changes or {})}, **data | options)

    @contextmanager
    def beside(self, changes: Mapping[str, str | None] | None = None, **options: Any) -> Iterator[str]:
        """A second replica beside the sound one, while it is needed."""
        assert self.app  # it migrates the database
        with self.another_app("other", changes, **options) as name:
            yield name

    def in_database(self, statement: str) -> Any:
        """Rows that a statement gives in the apps' database."""
        source = (
            "import json, sqlite3, sys; database = sqlite3.connect('/app/backend/data/webui.db', timeout=30); "
            "print(json.dumps(database.execute(sys.argv[1]).fetchall())); database.commit()"
        )
        ran = run_inside(self.client.api, self.app, ["python3", "-c", source, statement])
        assert ran.exit_code == 0, ran
        return json.loads(ran.output)

    @property
    def chats(self) -> list[str]:
        """Titles of all chats."""
        return [row[0] for row in self.in_database("SELECT title FROM chat")]

    @contextmanager
    def refusing(self, operation: str) -> Iterator[None]:
        """The database refuses an operation on chats, for a while."""
        self.in_database(f"CREATE TRIGGER refuse BEFORE {operation} ON chat BEGIN SELECT RAISE(ABORT, 'refused'); END")
        try:
            yield
        finally:
            self.in_database("DROP TRIGGER refuse")

    def remove(self) -> None:
        super().remove()
        self.client.volumes.get(self.volume).remove()


class Replicas:
    """Two replicas, Valkey, Postgres and Caddy, as a stack of this project makes them.

    Attributes:
        image: What replicas are made from.
    """

    def __init__(self, client: docker.DockerClient, directory: Path, image: str = STAND_IN) -> None:
        self.client, self.image = client, image
        self.prefix = f"vr-{secrets.token_hex(3)}"
        self.passwords = {account: secrets.token_hex(16) for account in (*ACCOUNTS, ADMIN)}
        self.port = free_port()
        self.directory = directory
        self.edge = client.networks.create(f"{self.prefix}-edge")
        self.data = client.networks.create(f"{self.prefix}-data", internal=True)
        self.valkey = self.name("valkey")
        self.apps = (self.name("1"), self.name("2"))
        self.gateway = self.name("gateway")
        self.postgres = self.name("postgres")

    def name(self, role: str) -> str:
        return f"{self.prefix}-{role}"

    def start(self) -> None:
        ensure_images(self.image, VALKEY_IMAGE, POSTGRES_IMAGE, CADDY_IMAGE)
        tls = {f"{name.removesuffix('_pem')}.pem": text for name, text in generate(self.valkey).items()}
        admin = f"user {ADMIN} on >{self.passwords[ADMIN]} ~* &* +@all\n"
        self.run("valkey", VALKEY_IMAGE, self.data, LOCKED_VALKEY,
            {"users.acl": accounts_file(self.passwords) + admin, "verify": self.passwords["verify"], **tls},
            user="999:999", tmpfs={"/data": "uid=999"},
        )  # fmt: skip
        self.ca = tls["ca.pem"]
        for app in self.apps:
            self.app(app)
        self.run("postgres", POSTGRES_IMAGE, self.data, None, {}, environment={"POSTGRES_PASSWORD": "unused"})
        self.caddy()

    def app(self, name: str, **changes: str) -> None:
        account = f"{APP_ACCOUNT}:{self.passwords[APP_ACCOUNT]}"
        url = f"rediss://{account}@{self.valkey}:6379/%d?ssl_ca_certs=/run/secrets/ca.pem"
        variables = {
            "WEBSOCKET_REDIS_URL": url % 1,
            "REDIS_URL": url % 0,
            "WEBUI_SECRET_KEY": SECRET_KEY,
        }
        environment = {
            "ENABLE_WEBSOCKET_SUPPORT": "true", "WEBSOCKET_MANAGER": "redis", "CORS_ALLOW_ORIGIN": URL,
            "DATA_DIR": "/tmp/data", "STATIC_DIR": "/tmp/static", "HOME": "/tmp", "REDIS_KEY_PREFIX": "open-webui",
        } | changes  # fmt: skip
        role = name.removeprefix(f"{self.prefix}-")
        script = "mkdir -p /tmp/data /tmp/static; set -a; . /run/secrets/env; set +a; "
        serve = 'exec python3 -m uvicorn open_webui.main:app --host 0.0.0.0 --port 8080 --forwarded-allow-ips "*"'
        self.run(role, self.image, self.edge, ["sh", "-c", script + serve],
            {"env": "".join(f"{key}='{value}'\n" for key, value in variables.items()), "ca.pem": self.ca},
            environment=environment, user="1000:1000", tmpfs={"/tmp": "uid=1000,mode=1777"}, init=True,
            healthcheck={
                "test": ["CMD", "curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:8080/ready"],
                "interval": 2 * SECOND, "start_period": 60 * SECOND,
            },
        )  # fmt: skip
        self.data.connect(name)

    def caddy(self) -> None:
        upstreams = " ".join(f"{app}:8080" for app in self.apps)
        configuration = f"""{{
            admin off
            skip_install_trust
            storage file_system /var/tmp/caddy
            auto_https disable_redirects
            https_port 8443
        }}
        {URL} {{
            tls internal
            reverse_proxy {upstreams} {{
                health_uri /health
                health_interval 1s
            }}
        }}"""
        self.run("gateway", CADDY_IMAGE, self.edge, ["caddy", "run", "--config", "/run/secrets/Caddyfile"],
            {"Caddyfile": configuration}, user="1000:1000", ports={"8443/tcp": ("127.0.0.1", self.port)},
            tmpfs={"/tmp": "", "/config": "uid=1000"}, volumes={self.name("gateway-data"): {"bind": "/var/tmp"}},
            # A file capability of the image's Caddy, which does not start where it cannot have it.
            cap_add=["NET_BIND_SERVICE"],
        )  # fmt: skip

    def run(self, role: str, image: str, network: Any, command: list[str] | None, files: dict[str, str],
        *, volumes: dict[str, Any] | None = None, **more: Any,
    ) -> None:  # fmt: skip
        directory = self.directory / role
        directory.mkdir(exist_ok=True)
        for file, text in files.items():
            (directory / file).write_text(text, encoding="utf-8")
            (directory / file).chmod(0o444)
        mounts = (volumes or {}) | {str(directory): {"bind": "/run/secrets", "mode": "ro"}}
        locked: dict[str, Any] = (
            {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]} if files else {}
        )
        self.client.containers.run(
            image, command, name=self.name(role), network=network.name, detach=True, volumes=mounts, **locked, **more
        )

    def wait_until_ready(self) -> None:
        """Return once every app calls itself ready."""
        end = time.monotonic() + BOOT_SECONDS
        while {own_health(self.client, app)["/ready"] for app in self.apps} != {"200"} and time.monotonic() < end:
            time.sleep(0.25)

    @contextmanager
    def gateway_with(self, directives: str) -> Iterator[None]:
        """The gateway with further directives for its reverse proxy, for a while."""
        file = self.directory / "gateway/Caddyfile"
        good = file.read_text(encoding="utf-8")
        file.chmod(0o644)
        try:
            file.write_text(good.replace("health_uri", f"{directives}\nhealth_uri"), encoding="utf-8")
            self.get(self.gateway).restart(timeout=1)
            yield
        finally:
            file.write_text(good, encoding="utf-8")
            self.get(self.gateway).restart(timeout=1)

    def valkey_cli(self, account: str, *words: str) -> str:
        """Ask Valkey with an account."""
        command = ["valkey-cli", "--tls", "--cacert", "/run/secrets/ca.pem", "--user", account, *words]
        password = {"REDISCLI_AUTH": self.passwords[account]}
        return run_inside(self.client.api, self.valkey, command, environment=password).output

    def get(self, name: str) -> Any:
        return self.client.containers.get(name)

    @property
    def subject(self) -> Subject:
        return Subject(
            apps=self.apps,
            valkey=self.valkey,
            postgres=self.postgres,
            gateway=self.gateway,
            url=URL,
            door=PublishedPort(address="127.0.0.1", port=self.port),
            ca=CA,
            valkey_login=Login(user="verify", password_file="/run/secrets/verify", ca_file="/run/secrets/ca.pem"),
            isolation=Isolation(edge=f"{self.prefix}-edge", private=(self.valkey, self.postgres)),
            app_user=APP_ACCOUNT,
            expected={
                self.gateway: {"HostConfig.ReadonlyRootfs": True},
                self.postgres: {"HostConfig.Privileged": False},
            },
            wait_seconds=BOOT_SECONDS,
        )

    def remove(self) -> None:
        for name in (*self.apps, self.valkey, self.gateway, self.postgres):
            remove_container(self.client, name)
        with suppress(docker.errors.NotFound):
            self.client.volumes.get(self.name("gateway-data")).remove()
        self.edge.remove()
        self.data.remove()


class Labs:
    """The deployments that faults are injected into, each made when it is first needed.

    Attributes:
        client: Docker.
        directory: Where files for containers may be written.
        image: What their apps are made from: a stand-in for Open WebUI, or Open WebUI.
    """

    def __init__(self, client: docker.DockerClient, directory: Path, image: str = STAND_IN) -> None:
        self.client, self.directory, self.image = client, directory, image
        self._made = ExitStack()
        self._once = Once()

    @property
    def pair(self) -> Pair:
        """Valkey and one sound app."""
        found: Pair = self._once.get("pair", lambda: self._kept(Pair(self.client, self.image)))
        return found

    @property
    def variants(self) -> Pair:
        """Valkey alone, for apps that differ: nobody else listens on it."""
        found: Pair = self._once.get("variants", lambda: self._kept(Pair(self.client, self.image)))
        return found

    @property
    def accounts(self) -> Accounts:
        """Valkey and one sound app that has an administrator."""
        found: Accounts = self._once.get("accounts", lambda: self._kept(Accounts(self.client)))
        return found

    @property
    def replicas(self) -> Replicas:
        """Two sound replicas behind a gateway, proved by every check that is not about something they have not."""

        def start() -> Replicas:
            made = self._kept(Replicas(self.client, self.directory, self.image))
            made.start()
            report = verify(made.subject, silent)  # waits until everything is up
            assert report["verdict"] == "proved", report["summary"]
            unasked = {row["id"] for row in report["checks"] if row["class"] == "unknown"}
            unknown = {"account", "idle-socket", "models", "log-line"}
            assert unasked - {"migration"} == unknown  # it reads Open WebUI's own schema
            return made

        found: Replicas = self._once.get("replicas", start)
        return found

    def _kept(self, made: _Lab) -> _Lab:
        self._made.callback(made.remove)
        return made

    def remove(self) -> None:
        """Remove every deployment that was made."""
        self._made.close()
