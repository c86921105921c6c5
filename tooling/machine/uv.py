"""uv, the installer of Python packages: found on PATH or installed once, with the machine's pip settings.

Standard library only: it runs before there is a virtual environment. ``python3 -m tooling.machine.uv ...`` runs it.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from docker_access.surroundings import home
from tooling.machine.host import apt_install, run
from tooling.machine.progress import say

LOCK: Final = Path(__file__).with_name("uv.txt")
"""The version of uv that is installed where none is on PATH, with the hashes of its files; pip takes no other."""

CACHE: Final = Path(__file__).resolve().parents[2] / ".cache"

_LOCKED: Final = ("--require-hashes", "--requirement", str(LOCK))


class UvError(Exception):
    """uv cannot be had; the text is for the user: what, the value seen, the way out."""


def uv() -> Path:
    """Path of uv: the one on PATH, else one installed into ``.cache/uv`` through pip.

    Raises:
        UvError: Neither ``python3 -m venv`` nor pip works here and they cannot be installed.
    """
    return found() or _install()


def found() -> Path | None:
    """Path of uv where it is here; nothing is installed."""
    on_path = shutil.which("uv")
    return Path(on_path) if on_path else _installed()


def _installed() -> Path | None:
    for path in (CACHE / "uv/bin/uv", CACHE / "uv/lib/bin/uv"):
        if path.exists():
            return path
    return None


def _install() -> Path:
    version = re.findall(r"^uv==(\S+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)[0]
    say(f"uv: installing {version} into .cache/uv (none on PATH)")
    folder = CACHE / "uv"
    tried: list[str] = []
    for attempt in (_by_venv, _by_pip, _by_venv_after_apt):
        tried.append(attempt(folder))
        path = _installed()
        if path is not None:
            return path
        shutil.rmtree(folder, ignore_errors=True)
    raise UvError(
        f"uv {version} could not be installed:\n  " + "\n  ".join(tried) + "\nInstall uv so that it is on PATH, "
        "or the packages python3-venv and python3-pip, and check that pip reaches a package index."
    )


def _by_venv(folder: Path) -> str:
    made = run([sys.executable, "-m", "venv", str(folder)])
    return made or run([str(folder / "bin/python"), "-m", "pip", "install", "--quiet", *_LOCKED])


def _by_pip(folder: Path) -> str:
    target = str(folder / "lib")
    return run([sys.executable, "-m", "pip", "install", "--quiet", "--target", target, *_LOCKED])


def _by_venv_after_apt(folder: Path) -> str:
    say("uv: python3 has neither venv nor pip; installing python3-venv")
    return apt_install("python3-venv") or _by_venv(folder)


def environment(current: Mapping[str, str]) -> dict[str, str]:
    """``current`` with pip's settings in uv's variables; those already set win.

    A machine that reaches its package index only by pip's configuration is thereby reached by uv as well.
    Sources: https://pip.pypa.io/en/stable/topics/configuration/
    https://docs.astral.sh/uv/reference/environment/
    """
    settings = pip_settings(current)
    links = [link for link in settings.get("find-links", "").split() if "://" in link or Path(link).exists()]
    proxy = settings.get("proxy", "")
    translated = {
        "UV_DEFAULT_INDEX": settings.get("index-url", ""),
        "UV_INDEX": " ".join(settings.get("extra-index-url", "").split()),
        "UV_FIND_LINKS": ",".join(links),
        "UV_INSECURE_HOST": " ".join(settings.get("trusted-host", "").split()),
        "UV_HTTP_TIMEOUT": settings.get("default-timeout", "") or settings.get("timeout", ""),
        "UV_NO_INDEX": "1" if settings.get("no-index", "").lower() in {"1", "true", "yes", "on"} else "",
        "SSL_CERT_FILE": settings.get("cert", ""),
        "HTTPS_PROXY": proxy,
        "HTTP_PROXY": proxy,
        "UV_SYSTEM_CERTS": "1",
        "UV_CACHE_DIR": "" if current.get("UV_CACHE_DIR") else _cache(current),
    }
    return {**{name: value for name, value in translated.items() if value}, **current}


def _home(current: Mapping[str, str]) -> Path:
    return Path(current["HOME"]) if current.get("HOME") else home()


def _cache(current: Mapping[str, str]) -> str:
    """A folder for uv to keep downloads in, where its own place for them cannot be written; else empty."""
    usual = Path(current.get("XDG_CACHE_HOME") or _home(current) / ".cache") / "uv"
    try:
        usual.mkdir(parents=True, exist_ok=True)
        usable = os.access(usual, os.W_OK | os.X_OK)
    except OSError:
        usable = False
    return "" if usable else str(CACHE / "uv-cache")


def pip_settings(current: Mapping[str, str]) -> dict[str, str]:
    """Pip's settings by option name: ``[global]`` of the most general file first, ``PIP_*`` variables last."""
    at_home = _home(current)
    config_home = Path(current.get("XDG_CONFIG_HOME") or at_home / ".config")
    machine, named = ("/etc/xdg/pip/pip.conf", "/etc/pip.conf"), current.get("PIP_CONFIG_FILE", "")
    files = [*machine, str(at_home / ".pip/pip.conf"), str(config_home / "pip/pip.conf"), named]
    parsers = []
    for file in [] if named == os.devnull else files:
        parser = configparser.RawConfigParser(strict=False)
        with suppress(OSError, configparser.Error):
            parser.read(file, encoding="utf-8")
            parsers.append(parser)
    settings = {
        key.replace("_", "-"): value
        for section in ("global", "install")
        for parser in parsers
        if parser.has_section(section)
        for key, value in parser.items(section)
    }
    for name, value in current.items():
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE":
            settings[name[4:].lower().replace("_", "-")] = value
    return settings


if __name__ == "__main__":
    try:
        program = uv()
    except UvError as failure:
        sys.exit(f"error: {failure}")
    os.execve(program, [str(program), *sys.argv[1:]], environment(os.environ))  # noqa: S606 - becomes uv
