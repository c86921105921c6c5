"""A second Docker daemon, as on another machine: in namespaces of its own, reached through ssh and through TLS.

Its network is its own, so nothing that is published there answers on this machine's 127.0.0.1. Its processes are its
own too: they end with the daemon, whatever happens to the test. The first daemon is not touched.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread

import docker
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.packages import path_of

START_SECONDS = 60
STOP_SECONDS = 30

# Brings up the loopback of its network namespace, moves into another root file system where one is named, and keeps the
# daemon running as the first process there: SIGHUP has it start another one, SIGTERM ends both. Each is told which
# process it is for systemd's protocol of listening sockets.
# Source: https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
KEEP_DOCKERD = """
import fcntl, os, signal, socket, struct, subprocess, sys
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
listener, root, shared, *command = sys.argv[1:]
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
if root:
    def mount(*words):
        subprocess.run(["mount", *words], check=True)
    mount("--bind", root, root)
    mount("-t", "proc", "proc", f"{root}/proc")
    mount("-t", "sysfs", "sysfs", f"{root}/sys")  # one that shows this network
    mount("--rbind", "/sys/fs/cgroup", f"{root}/sys/fs/cgroup")
    mount("--rbind", "/dev", f"{root}/dev")
    mount("-t", "tmpfs", "tmpfs", f"{root}/run")
    # At the same place as outside: folders of tests are mounted into containers.
    os.makedirs(root + shared, exist_ok=True)
    mount("--rbind", shared, root + shared)
    mount("-o", "remount,bind,ro", root)
    os.chdir(root)
    subprocess.run(["pivot_root", ".", "mnt"], check=True)
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    subprocess.run(["umount", "--lazy", "/mnt"], check=True)
if listener:
    os.dup2(int(listener), 3)
last = 0
def end(number, _):
    global last
    last = number
    os.kill(daemon, signal.SIGTERM)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGHUP, end)
while last != signal.SIGTERM:
    last, daemon = signal.SIGTERM, os.fork()
    if not daemon:
        if listener:
            os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
        os.execvp(command[0], command)
    while os.wait()[0] != daemon:
        pass
"""


@dataclass(frozen=True)
class SecondDocker:
    """The daemon while it runs.

    Attributes:
        directory: Everything it has on disk.
        process: Host's id of the first process there, which keeps the daemon running.
        unix: ``unix://`` address, for a test that looks at it from the side.
        tls: ``tcp://`` address, of one that has it.
        ssh: ``ssh://`` address, of one that has it.
    """

    directory: Path
    process: int
    unix: str
    tls: str = ""
    ssh: str = ""

    @property
    def over_ssh(self) -> dict[str, str]:
        """Environment of a command that reaches it through ssh."""
        return {"DOCKER_HOST": self.ssh, "PATH": f"{self.directory / 'bin'}:{os.environ['PATH']}"}

    @property
    def over_tls(self) -> dict[str, str]:
        """Environment of a command that reaches it through TLS; a bundle of other CAs must not come in between."""
        bundle = self.directory / "other-cas.pem"
        bundle.touch()
        certificates = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(self.directory / "tls")}
        return {"DOCKER_HOST": self.tls, **certificates, "REQUESTS_CA_BUNDLE": str(bundle)}

    def restart(self) -> None:
        """Have the daemon end as by `systemctl restart docker`, and wait until another one answers."""
        file = self.directory / "pid"
        before = file.read_text(encoding="ascii")
        os.kill(self.process, signal.SIGHUP)
        wait_for(lambda: file.exists() and file.read_text(encoding="ascii") != before, STOP_SECONDS)
        wait_for(lambda: answers(self.unix), START_SECONDS)

    def configure_ssh(self, client: str = "", server: str = "") -> None:
        """Write the configuration of both ends of ssh again, with lines that come before the usual ones."""
        write_ssh(self.directory, self.unix, int(self.ssh.rpartition(":")[2]), client, server)


@contextmanager
def second_docker(*images: str) -> Iterator[SecondDocker]:
    """A second daemon with some images of the first one's; afterwards it is gone with all it had.

    Args:
        images: References of images that the first daemon has.
    """
    with ExitStack() as stack:
        # Paths of sockets may have 107 characters.
        directory = Path(tempfile.mkdtemp(prefix="second-docker-"))
        stack.callback(remove, directory)
        tls = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        write_certificates(directory / "tls")
        certificates = {"tlscacert": "ca.pem", "tlscert": "cert.pem", "tlskey": "key.pem"}
        secured = {"tlsverify": True, **{key: f"{directory}/tls/{file}" for key, file in certificates.items()}}
        daemon = stack.enter_context(in_namespaces(directory, secured, listener=tls))
        ssh = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        made = replace(
            daemon,
            tls=f"tcp://127.0.0.1:{tls.getsockname()[1]}",
            ssh=f"ssh://root@127.0.0.1:{ssh.getsockname()[1]}",
        )
        write_keys(directory)
        made.configure_ssh()
        stack.enter_context(sshd(ssh, directory, daemon.process))
        carry(images, made.unix)
        yield made


@contextmanager
def in_namespaces(
    directory: Path, settings: Mapping[str, object], *, listener: socket.socket | None = None, root: Path | None = None
) -> Iterator[SecondDocker]:
    """A daemon in namespaces of its own.

    Args:
        directory: Where it has all that it writes.
        settings: Its ``daemon.json``; the first daemon's is none of its business.
        listener: A socket that it listens on too.
        root: The root file system it runs in; this machine's where there is none.
    """
    own = {"data-root": "data", "exec-root": "exec", "pidfile": "pid"}
    hosts = [f"unix://{directory}/docker.sock", *(["fd://"] if listener else [])]
    config = {**{key: f"{directory}/{place}" for key, place in own.items()}, "hosts": hosts, **settings}
    (directory / "daemon.json").write_text(json.dumps(config))
    found = shutil.which("dockerd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    command = [
        # It ends with who started it, even if that is killed; and what it started ends with it.
        "setpriv", "--pdeathsig", "KILL",
        "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
        sys.executable, "-c", KEEP_DOCKERD,
        str(listener.fileno()) if listener else "", str(root or ""), tempfile.gettempdir(),
        "dockerd" if root else found or "dockerd", "--config-file", f"{directory}/daemon.json",
    ]  # fmt: skip
    log, address = directory / "dockerd.log", f"unix://{directory}/docker.sock"
    with (
        log.open("wb") as sink,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True,
            pass_fds=[listener.fileno()] if listener else [],
        ) as outer,
    ):  # fmt: skip
        try:
            wait_for(lambda: outer.poll() is not None or answers(address), START_SECONDS)
            assert outer.poll() is None, log.read_text()
            children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text(encoding="ascii").split()
            yield SecondDocker(directory=directory, process=int(children[0]), unix=address)
        finally:
            end(outer, address)


def end(outer: subprocess.Popen[bytes], address: str) -> None:
    """Remove its containers, and have the daemon end: by itself, so that it clears up, or killed."""
    with suppress(docker.errors.DockerException, requests.RequestException):
        client = docker.DockerClient(base_url=address, version="auto", timeout=STOP_SECONDS)
        try:
            for container in client.containers.list(all=True):
                container.remove(force=True, v=True)
        finally:
            client.close()
    if outer.poll() is None:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text(encoding="ascii").split()
    else:
        children = []
    for child in children:
        os.kill(int(child), 15)
    try:
        outer.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        outer.kill()


def answers(address: str) -> bool:
    """Whether a daemon answers."""
    done = subprocess.run(["docker", "--host", address, "version"], capture_output=True, check=False)
    return done.returncode == 0


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.2)


def carry(images: Sequence[str], address: str) -> None:
    """Copy images of the first daemon to another."""
    if not images:
        return
    with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saving:
        subprocess.run(["docker", "--host", address, "load", "--quiet"], stdin=saving.stdout, check=True)
    assert saving.returncode == 0


def remove(directory: Path) -> None:
    """Remove what the daemon left, which may take it a moment to let go."""
    for _ in range(20):
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            return
        time.sleep(0.5)


# --- ssh --------------------------------------------------------------------------------------------------------------


@contextmanager
def sshd(listener: socket.socket, directory: Path, process: int) -> Iterator[None]:
    """A server that stands where the daemon stands: one process a connection, in the daemon's network."""
    Path("/run/sshd").mkdir(exist_ok=True)  # it changes its root to there
    command = [
        "nsenter", f"--net=/proc/{process}/ns/net",
        path_of("sshd"), "-i", "-e", "-f", str(directory / "sshd_config"),
    ]  # fmt: skip
    children: list[subprocess.Popen[bytes]] = []

    def serve() -> None:
        with (directory / "sshd.log").open("ab") as log, suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    ends = connection.fileno()
                    children[:] = [child for child in children if child.poll() is None]
                    children.append(subprocess.Popen(command, stdin=ends, stdout=ends, stderr=log))

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(STOP_SECONDS)
        for child in children:
            child.terminate()
        for child in children:
            child.wait(STOP_SECONDS)


def write_keys(directory: Path) -> None:
    """Keys of the server and of the one user it lets in, and an ``ssh`` that reads the configuration here.

    The real one looks at the user's own alone, and that is where its home is for the system, whatever HOME says.
    """
    ssh = directory / "bin/ssh"
    ssh.parent.mkdir()
    ssh.write_text(f'#!/bin/sh\nexec {path_of("ssh")} -F {directory}/ssh_config "$@"\n')
    ssh.chmod(0o755)
    for name in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)], check=True)


def write_ssh(directory: Path, docker_host: str, port: int, client: str = "", server: str = "") -> None:
    """Configuration of both ends."""
    known = f"[127.0.0.1]:{port} {(directory / 'host_key.pub').read_text()}"
    files = {
        "known_hosts": known,
        "ssh_config": (
            # One connection for all, as Docker's documentation recommends: each of its own costs a key exchange.
            f"{client}\nControlMaster auto\nControlPath {directory}/%C\nControlPersist 60\n"
            f"IdentityFile {directory}/user_key\nIdentitiesOnly yes\n"
            f"UserKnownHostsFile {directory}/known_hosts\nGlobalKnownHostsFile /dev/null\n"
        ),
        "sshd_config": (
            f"{server}\nHostKey {directory}/host_key\nAuthorizedKeysFile {directory}/user_key.pub\n"
            "StrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            f"PermitRootLogin prohibit-password\nMaxStartups 50\nSetEnv DOCKER_HOST={docker_host}\n"
        ),
    }
    for name, text in files.items():
        (directory / name).write_text(text)


# --- TLS --------------------------------------------------------------------------------------------------------------


def write_certificates(directory: Path) -> None:
    """A CA, and one certificate under it that stands for the daemon and for who asks it."""
    directory.mkdir()
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("second CA", "second Docker")]
    now = dt.datetime.now(dt.UTC)

    def certificate(index: int) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(names[index]).issuer_name(names[0])
        builder = builder.public_key(keys[index].public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        # OpenSSL's strict mode, Python's default from 3.13 on, asks for each of these.
        mine = x509.SubjectKeyIdentifier.from_public_key(keys[index].public_key())
        issuers = x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key())
        return builder.add_extension(mine, critical=False).add_extension(issuers, critical=False)

    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    ca = certificate(0).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    ca = ca.add_extension(usage, critical=True)
    own = certificate(1).add_extension(x509.ExtendedKeyUsage(both), critical=False)
    own = own.add_extension(x509.SubjectAlternativeName([here]), critical=False)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (directory / "ca.pem").write_bytes(ca.sign(keys[0], hashes.SHA256()).public_bytes(pem))
    (directory / "cert.pem").write_bytes(own.sign(keys[0], hashes.SHA256()).public_bytes(pem))
    (directory / "key.pem").write_bytes(keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
