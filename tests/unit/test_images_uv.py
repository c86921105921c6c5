"""pip's settings of this machine, carried over to uv."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tooling.machine.uv import CACHE, environment

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def variables(home: Path, **own: str) -> dict[str, str]:
    # PIP_CONFIG_FILE comes last among the files, so what this machine has in /etc does not matter here.
    return environment({"HOME": str(home), **own})


def configure(home: Path, text: str) -> str:
    file = home / "pip.conf"
    file.write_text(text)
    return str(file)


def test_a_pip_configuration_file_is_carried_over(tmp_path: Path) -> None:
    text = """\
[global]
index-url = https://index.example/simple
extra-index-url =
    https://one.example/simple
    https://two.example/simple
trusted-host = index.example
cert = /etc/ssl/ours.pem
proxy = http://proxy.example:3128
[install]
timeout = 90
"""
    found = variables(tmp_path, PIP_CONFIG_FILE=configure(tmp_path, text))
    assert found["UV_DEFAULT_INDEX"] == "https://index.example/simple"
    assert found["UV_INDEX"] == "https://one.example/simple https://two.example/simple"
    assert found["UV_INSECURE_HOST"] == "index.example"
    assert found["SSL_CERT_FILE"] == "/etc/ssl/ours.pem"
    assert found["HTTPS_PROXY"] == "http://proxy.example:3128"
    assert found["UV_HTTP_TIMEOUT"] == "90"


def test_pips_variables_win_over_its_files_and_uvs_own_over_both(tmp_path: Path) -> None:
    file = configure(tmp_path, "[global]\nindex-url = https://file.example/simple\n")
    found = variables(tmp_path, PIP_CONFIG_FILE=file, PIP_INDEX_URL="https://variable.example/simple")
    assert found["UV_DEFAULT_INDEX"] == "https://variable.example/simple"
    found = variables(tmp_path, PIP_CONFIG_FILE=file, UV_DEFAULT_INDEX="https://uv.example/simple")
    assert found["UV_DEFAULT_INDEX"] == "https://uv.example/simple"


def test_a_folder_of_wheels_that_is_not_there_is_left_out_as_pip_does(tmp_path: Path) -> None:
    links = f"/no/such/folder {tmp_path} https://wheels.example/"
    assert variables(tmp_path, PIP_FIND_LINKS=links)["UV_FIND_LINKS"] == f"{tmp_path},https://wheels.example/"


def test_a_broken_configuration_file_is_passed_over(tmp_path: Path) -> None:
    found = variables(tmp_path, PIP_CONFIG_FILE=configure(tmp_path, "no section\n"), PIP_CERT="/c.pem")
    assert found["SSL_CERT_FILE"] == "/c.pem"


def test_what_a_file_says_of_installing_wins_over_what_a_later_one_says_of_everything(tmp_path: Path) -> None:
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip/pip.conf").write_text("[install]\ntimeout = 90\n")
    assert (
        variables(tmp_path, PIP_CONFIG_FILE=configure(tmp_path, "[global]\ntimeout = 5\n"))["UV_HTTP_TIMEOUT"] == "90"
    )


def test_no_file_counts_where_none_is_to(tmp_path: Path) -> None:
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip/pip.conf").write_text("[global]\ntimeout = 90\n")
    assert "UV_HTTP_TIMEOUT" not in variables(tmp_path, PIP_CONFIG_FILE="/dev/null")


def test_downloads_are_kept_in_the_project_where_the_home_takes_no_file(tmp_path: Path) -> None:
    assert "UV_CACHE_DIR" not in variables(tmp_path)
    no_folder = tmp_path / "a file"
    no_folder.touch()
    assert variables(no_folder)["UV_CACHE_DIR"] == str(CACHE / "uv-cache")
    assert "UV_CACHE_DIR" not in variables(no_folder, XDG_CACHE_HOME=str(tmp_path))
    assert variables(no_folder, UV_CACHE_DIR="/elsewhere")["UV_CACHE_DIR"] == "/elsewhere"


def test_who_has_no_home_at_all_installs_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tooling.machine.uv.home", lambda: tmp_path / "a file/home")
    (tmp_path / "a file").touch()
    assert environment({})["UV_CACHE_DIR"] == str(CACHE / "uv-cache")
