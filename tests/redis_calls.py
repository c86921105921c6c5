"""What an installed Open WebUI asks of Valkey, read from its source and its libraries'.

It runs in an image and needs nothing else. Printed is an object, command to the place that calls it first. Methods of a
client, a pipeline, a subscription or a lock are followed to the commands they send, and Lua scripts to those they call.
"""

import ast
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("open_webui", "socketio", "starsessions")
ELSEWHERE = ("retrieval/vector/", "utils/telemetry/")
"""Parts of Open WebUI that have a server of their own, or only watch the calls of others."""
HANDLE = re.compile(r"redis|pipe\b|pubsub|self\._connection", re.IGNORECASE)
"""What an expression says that holds a client, a pipeline or a subscription."""
LUA = re.compile(r"""redis\.p?call\(\s*['"](\w+)['"]""")
SENT = {
    "delete": ["del"],
    "execute_command": [],  # PUBLISH, and on a cluster alone
    "incr": ["incrby"],
    "lock": ["set", "get", "evalsha", "script|load"],
    "pipeline": ["multi", "exec"],
}
"""What the methods of redis-py send that are not called as the command is."""
SILENT = frozenset({"aclose", "close", "execute", "from_url", "get_message", "initialize", "keys", "listen", "pubsub"})
"""Methods that send nothing themselves, or are of something else than a client."""
CONNECTING = ("select", "ping", "client|setinfo")
"""What redis-py sends on every connection, besides AUTH and HELLO, which nobody can be denied."""


def calls(root: Path) -> Iterator[tuple[str, str]]:
    """Commands with the place that sends them, in one package."""
    for file in sorted(root.rglob("*.py")):
        name = str(file.relative_to(root.parent))
        if name.split("/", 1)[1].startswith(ELSEWHERE) or "redis" not in (text := file.read_text("utf-8")).lower():
            continue
        for node in ast.walk(ast.parse(text)):
            for command in commands_of(node):
                yield command, f"{name}:{getattr(node, 'lineno', 0)}"


def commands_of(node: ast.AST) -> list[str]:
    """What one expression sends."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return LUA.findall(node.value)
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return []
    method, handle = node.func.attr, ast.unparse(node.func.value)
    if not HANDLE.search(handle) or method in SILENT or method not in methods():
        return []
    alone = any(word.arg == "transaction" and ast.unparse(word.value) == "False" for word in node.keywords)
    return [] if method == "pipeline" and alone else SENT.get(method, [method])


def methods() -> frozenset[str]:
    """What redis-py's clients and subscriptions can be asked."""
    if not _METHODS:
        from redis import asyncio as redis  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

        _METHODS.update(dir(redis.Redis), dir(redis.client.PubSub))
    return frozenset(_METHODS)


_METHODS: set[str] = set()


def lock_release(root: Path) -> Iterator[tuple[str, str]]:
    """What redis-py's lock calls when it is given up; Open WebUI extends none."""
    text = (root / "asyncio/lock.py").read_text("utf-8")
    script = re.search(r'LUA_RELEASE_SCRIPT = """(.*?)"""', text, re.DOTALL)
    for command in LUA.findall(script[1] if script else ""):
        yield command, "redis/asyncio/lock.py"


def place_of(package: str) -> Path:
    """Folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed here")
    return Path(spec.origin).parent


def main() -> dict[str, str]:
    """Commands by name, with the first place that sends each."""
    found = dict.fromkeys(CONNECTING, "redis/asyncio/connection.py")
    for package in PACKAGES:
        for command, place in calls(place_of(package)):
            found.setdefault(command, place)
    for command, place in lock_release(place_of("redis")):
        found.setdefault(command, place)
    return dict(sorted(found.items()))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main()) + "\n")
