"""The images the project deploys are as the official ones, and an image that is not is found out, item by item."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import docker
import pytest

from docker_access import labels
from tooling.images import contract, examination
from tooling.images.reference import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.docker

PREFIX: Final = f"it-contract-{os.getpid()}"
ROLES: Final = ("open-webui", "valkey", "postgres", "gateway")


@pytest.mark.parametrize("role", ROLES)
def test_an_image_keeps_the_official_ones_contract(
    client: docker.DockerClient, references: Mapping[str, str], role: str
) -> None:
    report = contract.check(client, references[role])
    assert not report.broken, "\n".join(report.lines())
    assert report.checked > 40


@dataclass(frozen=True, kw_only=True)
class Undone:
    """What is taken back of an image, all at once, and what must be found of each.

    Attributes:
        role: The image's.
        script: What a shell does to its files.
        changes: Instructions of a Dockerfile.
        config: Parts of its configuration.
        cases: Containers of the contract that are run.
        patience: Seconds for a container to answer or to end, where it is known that it will not.
        found: A piece of each line that must be found.
    """

    role: str
    script: str = "true"
    changes: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    cases: tuple[str, ...] = ()
    patience: int = examination.READY_SECONDS
    found: tuple[str, ...]


ROOT_SERVER: Final = "started by root"
PYTHON, START, BOOT = (
    "Python",
    "start.sh with a python3 that tells how it is called",
    "Open WebUI as it starts by itself",
)
DATABASE, FREE_DATABASE = "a new database, started by root", "a new database without a password"
CADDY: Final = "Caddy as it starts by itself"
ENTRYPOINT: Final = "/usr/local/bin/docker-entrypoint.sh"

UNDONE: Final = {
    **{f"{role}-as-it-is": Undone(role=role, found=()) for role in ROLES},
    "open-webui-among-the-packages": Undone(
        role="open-webui",
        script="ln -s /app/backend/open_webui $(echo /usr/local/lib/python3*/*-packages)/open_webui",
        cases=(PYTHON,),
        found=(
            "Open WebUI among the packages that every Python program finds",
            "open_webui is not found from another folder",
            "open_webui is not found by a script that lies elsewhere",
        ),
    ),
    "open-webui-found-by-a-variable": Undone(
        role="open-webui",
        changes=("ENV PYTHONPATH=/app/backend",),
        cases=(PYTHON,),
        found=(
            "further variables: 'PYTHONPATH'",
            "open_webui is not found from another folder",
            "open_webui is not found by a script that lies elsewhere",
        ),
    ),
    "open-webui-installed-as-a-package-is": Undone(
        role="open-webui",
        script="""
            cd /app && rm package.json
            mv build backend/open_webui/frontend && mv CHANGELOG.md backend/open_webui/CHANGELOG.md
        """,
        cases=(PYTHON,),
        found=(
            "/app/build: 'absent'",
            "/app/build/index.html: 'absent'",
            "/app/build/static/favicon.png: 'absent'",
            "/app/package.json: 'absent'",
            "/app/CHANGELOG.md: 'absent'",
            "/app/backend/open_webui/frontend: 'directory",
            "/app/backend/open_webui/CHANGELOG.md: 'file",
            "version, frontend, data and assets are where Open WebUI looks",
        ),
    ),
    "open-webui-configured-otherwise": Undone(
        role="open-webui",
        changes=(
            "USER 1000:1000",
            "WORKDIR /app",
            'CMD ["uvicorn"]',
            "EXPOSE 80",
            "VOLUME /app/backend/data",
            "HEALTHCHECK NONE",
            "ENV DATA_DIR=/app/backend/data",
            "ENV FROM_INIT_PY=true",
            "ENV RAG_EMBEDDING_ENGINE=openai",
            "ENV HF_HUB_OFFLINE=1",
            "ENV OFFLINE_MODE=true",
            "ENV USE_SLIM_DOCKER=true",
            "ENV DOCKER=false",
            "ENV WEBUI_SECRET_KEY=known",
        ),
        config={"StopSignal": "SIGINT"},
        found=(
            "User: '1000:1000'",
            "WorkingDir: '/app'",
            "Cmd: ",
            "ExposedPorts: ",
            "Volumes: ",
            "Healthcheck: ",
            "StopSignal: 'SIGINT'",
            "further variables: 'DATA_DIR, FROM_INIT_PY, HF_HUB_OFFLINE, OFFLINE_MODE, RAG_EMBEDDING_ENGINE'",
            "variable USE_SLIM_DOCKER: 'true'",
            "variable DOCKER: 'false'",
            "variable WEBUI_SECRET_KEY: 'known'",
        ),
    ),
    "open-webui-with-other-files": Undone(
        role="open-webui",
        script="""
            chmod 1777 /app/backend/data && chown 1000 /app/backend/data/cache && rm -r /app/backend/data/cache/tiktoken
            chmod g-w /app/backend/open_webui/static && chmod o+w /app/build && touch /app/backend/.webui_secret_key
            python3 -m compileall -q /app/backend/open_webui/env.py
            python3 -m compileall -q $(python3 -c 'import fastapi; print(fastapi.__path__[0])')/routing.py
            rm -f "$(command -v jq)" "$(command -v curl)" "$(command -v pip)" /root/.cache/chroma/telemetry_user_id
        """,
        found=(
            "/app/backend/data: 'directory 0:0 1777'",
            "/app/backend/data/cache: 'directory 1000:0 0755'",
            "/app/backend/data/cache/tiktoken: 'absent'",
            "/app/backend/open_webui/static: 'directory 0:0 0755'",
            "/app/build: 'directory 0:0 0757'",
            "/app/backend/.webui_secret_key: 'file",
            "bytecode of Open WebUI: '/app/backend/open_webui/__pycache__/env",
            "bytecode of what is installed and nothing imports in the build",
            "any bytecode where nothing is imported in the build",
            "program jq",
            "program curl",
            "program pip",
            "/root/.cache/chroma/telemetry_user_id: 'absent'",
        ),
    ),
    "start.sh-without-arguments": Undone(
        role="open-webui", script="""sed -i 's/ "$@"//' /app/backend/start.sh""", cases=(START,), found=(START,)
    ),
    "start.sh-without-who-may-forward": Undone(
        role="open-webui",
        script="sed -i 's/${FORWARDED_ALLOW_IPS:-[*]}/*/' /app/backend/start.sh",
        cases=(START,),
        found=(START,),
    ),
    "start.sh-without-deflate": Undone(
        role="open-webui",
        script="sed -i 's/${UVICORN_WS_PER_MESSAGE_DEFLATE:-true}/true/' /app/backend/start.sh",
        cases=(START,),
        found=(START,),
    ),
    "start.sh-without-the-file-of-the-key": Undone(
        role="open-webui",
        script="sed -i 's/${WEBUI_SECRET_KEY_FILE:-/${NONE:-/' /app/backend/start.sh",
        cases=(START,),
        found=(START,),
    ),
    "start.sh-without-the-old-name-of-the-key": Undone(
        role="open-webui",
        script="sed -i 's/${WEBUI_JWT_SECRET_KEY:-}/${NONE:-}/' /app/backend/start.sh",
        cases=(START,),
        found=(START,),
    ),
    "start.sh-that-stays-a-shell": Undone(
        role="open-webui", script="sed -i 's/^exec env/env/' /app/backend/start.sh", cases=(BOOT,), found=(BOOT,)
    ),
    "valkey-configured-otherwise": Undone(
        role="valkey",
        changes=(
            "USER 999",
            "WORKDIR /",
            'CMD ["valkey-server", "--save", ""]',
            "EXPOSE 1",
            "ENV VALKEY_VERSION=1.0.0",
        ),
        config={"Entrypoint": ["sh"], "StopSignal": "SIGINT", "Healthcheck": {"Test": ["CMD", "true"]}},
        found=(
            "User: '999'",
            "WorkingDir: '/'",
            "Cmd: ",
            "ExposedPorts: ",
            "Entrypoint: ",
            "StopSignal: ",
            "Healthcheck: ",
            "variable VALKEY_VERSION: '1.0.0'",
        ),
    ),
    "valkey-with-other-files": Undone(
        role="valkey",
        script="""
            sed -i 's/^valkey:x:999:/valkey:x:998:/' /etc/passwd && mkdir /etc/valkey && chmod 700 /tmp
            rm -f "$(command -v redis-cli)" "$(command -v valkey-check-rdb)" /usr/local/bin/redis-cli
        """,
        found=(
            "user valkey: '998:1000'",
            "a configuration that the server or somebody could take for its own",
            "/tmp: 'directory 0:0 0700'",
            "program redis-cli",
            "program redis-check-rdb",
        ),
    ),
    "valkey-in-protected-mode": Undone(
        role="valkey",
        script=f"sed -i 's/--protected-mode no/--port 6379/' {ENTRYPOINT}",
        cases=(ROOT_SERVER,),
        found=("protected mode is off",),
    ),
    "valkey-that-stays-root": Undone(
        role="valkey", script=f"sed -i '/setpriv/d' {ENTRYPOINT}", cases=(ROOT_SERVER,), found=("it runs as 999:1000",)
    ),
    "valkey-whose-files-everybody-reads": Undone(
        role="valkey",
        script=f"sed -i 's/umask 0077/umask 0022/' {ENTRYPOINT}",
        cases=(ROOT_SERVER,),
        found=("nobody else's to read",),
    ),
    "valkey-without-its-entry-points-ways": Undone(
        role="valkey",
        script=f"printf '#!/bin/sh\\nexec valkey-server --protected-mode no\\n' > {ENTRYPOINT}",
        cases=("options alone", "a configuration file alone", "another command", "data of another user"),
        patience=5,
        found=("options alone: ", "a configuration file alone: ", "another command: ", "data of another user: "),
    ),
    "postgres-configured-otherwise": Undone(
        role="postgres",
        changes=("ENV LANG=C", "ENV PGDATA=/data", "ENV POSTGRES_HOST_AUTH_METHOD=trust", 'CMD ["sh"]', "VOLUME /data"),
        config={"StopSignal": "SIGTERM"},
        found=(
            "variable LANG: 'C'",
            "variable PGDATA: '/data'",
            "further variables: 'POSTGRES_HOST_AUTH_METHOD'",
            "Cmd: ",
            "Volumes: ",
            "StopSignal: 'SIGTERM'",
        ),
    ),
    "postgres-with-other-files": Undone(
        role="postgres",
        script="""
            chmod 00755 /run/postgresql /var/lib/postgresql && touch /docker-entrypoint-initdb.d/theirs.sql
            sed -i 's/^postgres:x:999:/postgres:x:70:/' /etc/passwd && rm "$(command -v gosu)" "$(command -v zstd)"
            rm /usr/lib/postgresql/*/lib/vector.so /usr/share/postgresql/*/postgresql.conf.sample
        """,
        found=(
            "/var/run/postgresql: 'directory 999:999 0755'",
            "/var/lib/postgresql: 'directory 999:999 0755'",
            "a script for new databases: '/docker-entrypoint-initdb.d/theirs.sql'",
            "user postgres: '70:999'",
            "program gosu",
            "program zstd",
            "/lib/vector.so: 'absent'",
            "/postgresql.conf.sample: 'absent'",
        ),
    ),
    "postgres-with-a-wider-socket-folder": Undone(
        role="postgres",
        script=f"sed -i 's/3775/3777/' {ENTRYPOINT}",
        cases=(DATABASE,),
        found=("the folder of its socket: '999:999 3777'",),
    ),
    "postgres-that-asks-for-no-password": Undone(
        role="postgres",
        script=f"sed -i 's/host all all all %s/host all all all trust/; s/^ *fail \"the database.*/true/' {ENTRYPOINT}",
        cases=(DATABASE, FREE_DATABASE),
        found=("how passwords over the network are asked for", f"{FREE_DATABASE}: it is refused"),
    ),
    "postgres-that-runs-no-scripts-and-hears-itself-only": Undone(
        role="postgres",
        script=f"""
            sed -i 's/run_init_file "$file"/true/' {ENTRYPOINT}
            sed -i "s/listen_addresses = '[*]'/listen_addresses = '127.0.0.1'/" \\
                /usr/share/postgresql/postgresql.conf.sample
        """,
        cases=(DATABASE,),
        found=("each kind of script has made its table", "it listens on every address"),
    ),
    "caddy-without-its-capability": Undone(
        role="gateway",
        script="cp /usr/bin/caddy /tmp/c && mv /tmp/c /usr/bin/caddy",
        cases=("without the right to bind low ports",),
        found=("/usr/bin/caddy: 'file 0:0 0755'", "it cannot be started at all"),
    ),
    "caddy-with-another-capability": Undone(
        role="gateway",
        script="setcap cap_net_bind_service,cap_net_raw+ep /usr/bin/caddy",
        found=("/usr/bin/caddy: 'file 0:0 0755 0x",),
    ),
    "caddy-whose-capability-is-not-effective": Undone(
        role="gateway",
        script="setcap cap_net_bind_service+p /usr/bin/caddy",
        found=("/usr/bin/caddy: 'file 0:0 0755 cap_net_bind_service=p'",),
    ),
    "caddy-configured-otherwise": Undone(
        role="gateway",
        changes=(
            "USER 1000",
            "WORKDIR /",
            'CMD ["caddy", "version"]',
            "EXPOSE 1",
            "VOLUME /data",
            "ENV XDG_DATA_HOME=/d",
            "ENV CADDY_VERSION=v1.0.0",
            "ENV CADDY_ADMIN=off",
            'ENTRYPOINT ["caddy"]',
        ),
        found=(
            "User: '1000'",
            "WorkingDir: '/'",
            "Cmd: ",
            "ExposedPorts: ",
            "Volumes: ",
            "variable XDG_DATA_HOME: '/d'",
            "variable CADDY_VERSION: 'v1.0.0'",
            "further variables: 'CADDY_ADMIN'",
            "Entrypoint: ",
        ),
    ),
    "caddy-with-other-files": Undone(
        role="gateway",
        script="""
            chmod 0755 /config/caddy && chown 1000 /data/caddy && rm /etc/mime.types /etc/ssl/certs/ca-certificates.crt
            rm -f /usr/bin/nc /bin/nc /usr/bin/wget /bin/wget && chmod 0755 /var/tmp
        """,
        found=(
            "/config/caddy: 'directory 0:0 0755'",
            "/data/caddy: 'directory 1000:0 1777'",
            "/etc/mime.types: 'absent'",
            "/etc/ssl/certs/ca-certificates.crt: 'absent'",
            "program nc",
            "program wget",
            "/var/tmp: 'directory 0:0 0755'",
        ),
    ),
    "caddy-that-serves-something-else": Undone(
        role="gateway",
        script="printf ':80 {\\n respond there\\n}\\n' > /etc/caddy/Caddyfile",
        cases=(CADDY,),
        found=("it serves the page of /usr/share/caddy",),
    ),
}


UNCOMPILE = "find / -xdev -name __pycache__ -type d -prune -exec rm -rf {} +\n"


@pytest.fixture
def derived(
    client: docker.DockerClient, references: Mapping[str, str], request: pytest.FixtureRequest
) -> Iterator[tuple[str, Undone]]:
    """An image of the stack with something undone: the files by a shell in it, the rest when it is committed."""
    undone: Undone = UNDONE[request.param]
    reference = references[undone.role]
    # What the container is started with would be the image's: the image's own is told again.
    own = client.images.get(reference).attrs["Config"]
    own["Entrypoint"] = own["Entrypoint"] or []
    # One that was compiled for its speed is brought back to what is official first; a label cannot be taken off.
    compiled = (own["Labels"] or {}).get(labels.LOCAL_BYTECODE)
    own["Labels"] = {**(own["Labels"] or {}), **({labels.LOCAL_BYTECODE: ""} if compiled else {})}
    script = (UNCOMPILE if compiled else "") + undone.script
    name = parse(reference)
    repository = f"{PREFIX}/{name.name}"
    container = client.containers.run(reference, ["-c", script], entrypoint="sh", detach=True, network_mode="none")
    try:
        assert container.wait(timeout=120)["StatusCode"] == 0, container.logs().decode()
        container.commit(repository, name.tag, conf={**own, **undone.config}, changes=list(undone.changes))
    finally:
        container.remove(force=True, v=True)
    yield f"{repository}:{name.tag}", undone
    client.images.remove(f"{repository}:{name.tag}", force=True)


SHORT: Final = ("configured-otherwise", "without-its-capability")
"""Ends of the names of those that `make test` undoes too: one of each image, and what one looks for in files."""


@pytest.mark.parametrize(
    "derived",
    [pytest.param(name, marks=[] if name.endswith(SHORT) else pytest.mark.nightly) for name in UNDONE],
    indirect=True,
)
def test_what_is_undone_of_an_image_is_found_and_nothing_else(
    client: docker.DockerClient, derived: tuple[str, Undone], monkeypatch: pytest.MonkeyPatch
) -> None:
    reference, undone = derived
    monkeypatch.setattr(examination, "READY_SECONDS", undone.patience)
    monkeypatch.setattr(examination, "EXIT_SECONDS", min(undone.patience, examination.EXIT_SECONDS))
    report = contract.check(client, reference, cases=undone.cases)
    broken = [finding.line() for finding in report.broken]
    missing = [piece for piece in undone.found if not any(piece in line for line in broken)]
    assert not missing, "\n".join(broken)
    beside = [line for line in broken if not any(piece in line for piece in undone.found)]
    assert not beside
