"""Settings of the admin panel that the stack file says: which they are, that they are written, what is seen of it."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from docker.errors import NotFound

from components import panel_settings
from components.open_webui import panel
from components.open_webui.environment import SAID_VARIABLES
from components.open_webui.panel import Place, value_at, with_value
from components.panel_settings import PanelSettingsError, PanelSettingsProvider
from docker_access.commands import Ran
from verification.inside import schema

SOURCE = """
import os
from elsewhere import WEBUI_AUTH

ENABLE_SIGNUP = False if not WEBUI_AUTH else os.getenv('ENABLE_SIGNUP', 'True').lower() == 'true'

OPENAI_API_KEY = os.getenv('OPENAI_API_KEY', '')
OPENAI_API_KEYS = os.getenv('OPENAI_API_KEYS', '')
OPENAI_API_KEYS = OPENAI_API_KEYS if OPENAI_API_KEYS != '' else OPENAI_API_KEY
RAG_API_KEY = os.getenv('RAG_API_KEY', OPENAI_API_KEY)
BATCH = os.getenv('BATCH') or os.getenv('OLD_BATCH', '1')

A_CONFIGS = {}
given = os.environ.get('A_CONFIGS', '')
if given:
    try:
        parsed = json.loads(given)
        A_CONFIGS = parsed
    except ValueError:
        pass
B_CONFIGS = {}
given_b = os.environ['B_CONFIGS']
if given_b:
    parsed = json.loads(given_b)
    B_CONFIGS = parsed

banners = []
try:
    banners = json.loads(os.environ.get('WEBUI_BANNERS', '[]'))
except ValueError:
    banners = []
WEBUI_BANNERS = banners

MAY_DELETE = os.environ.get('USER_PERMISSIONS_CHAT_DELETE', 'True') == 'True'
MAY_EDIT = os.environ.get('USER_PERMISSIONS_CHAT_EDIT', 'True') == 'True'
DEFAULT_PERMISSIONS = {'chat': {'delete': MAY_DELETE, 'edit': MAY_EDIT}, 'share': False}
PERMISSIONS = DEFAULT_PERMISSIONS

VECTOR_DB = os.getenv('VECTOR_DB', 'chroma')

DEFAULT_CONFIG = {
    'ui.enable_signup': ENABLE_SIGNUP,
    'openai.api_keys': OPENAI_API_KEYS,
    'rag.api_key': RAG_API_KEY,
    'rag.batch': BATCH,
    'a.configs': A_CONFIGS,
    'b.configs': B_CONFIGS,
    'ui.banners': WEBUI_BANNERS,
    'ui.i18n': {},
    'user.permissions': PERMISSIONS,
}
"""
"""How Open WebUI 0.12 writes it: every shape that is there. tests/integration/test_stand_in.py asks the real one."""


@pytest.fixture
def panel_fill(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, which finds ``panel`` beside it where it runs."""
    monkeypatch.setitem(sys.modules, "panel", panel)
    return importlib.import_module("components.open_webui.panel_fill")


@pytest.mark.parametrize(
    ("variable", "found"),
    [
        ("ENABLE_SIGNUP", [("ui.enable_signup",)]),
        ("OPENAI_API_KEYS", [("openai.api_keys",)]),
        ("OPENAI_API_KEY", [("openai.api_keys",)]),
        ("RAG_API_KEY", [("rag.api_key",)]),
        ("OLD_BATCH", [("rag.batch",)]),
        ("A_CONFIGS", [("a.configs",)]),
        ("B_CONFIGS", [("b.configs",)]),
        ("WEBUI_BANNERS", [("ui.banners",)]),
        ("USER_PERMISSIONS_CHAT_DELETE", [("user.permissions", "chat", "delete")]),
        ("VECTOR_DB", []),
        ("UNKNOWN", []),
    ],
)
def test_a_variable_says_the_setting_that_gets_its_value_from_it(
    panel_fill: ModuleType, variable: str, found: list[Place]
) -> None:
    assert panel_fill.places(SOURCE, [variable]) == {place: [variable] for place in found}


def test_a_configuration_of_another_shape_has_no_such_settings(panel_fill: ModuleType) -> None:
    assert panel_fill.places("X = 1", ["ENABLE_SIGNUP"]) == {}


def test_a_value_within_a_value_is_read_and_written_and_the_rest_stays() -> None:
    values = {"user.permissions": {"chat": {"delete": True, "edit": True}}}
    assert value_at(values, ("user.permissions", "chat", "delete")) is True
    assert value_at(values, ("ui.banners", "x")) is None
    assert with_value(values, ("user.permissions", "chat", "delete"), False) == {
        "user.permissions": {"chat": {"delete": False, "edit": True}}
    }
    assert with_value({"a": 1}, ("a", "b"), 2) == {"a": {"b": 2}}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder whose database has the table of settings."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with closing(sqlite3.connect(tmp_path / "webui.db")) as database:
        database.execute("CREATE TABLE config (key TEXT PRIMARY KEY, value JSON NOT NULL, updated_at BIGINT)")
    save(tmp_path, {"ui.enable_signup": True, "user.permissions": {"chat": {"delete": True}}, "rag.top_k": 3})
    return tmp_path


def save(data: Path, settings: dict[str, Any]) -> None:
    """Do as the admin panel."""
    with closing(sqlite3.connect(data / "webui.db")) as database:
        for key, value in settings.items():
            database.execute("INSERT OR REPLACE INTO config VALUES (?, ?, 1)", (key, json.dumps(value)))
        database.commit()


def saved(data: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(data / "webui.db")) as database:
        return {key: json.loads(str(value)) for key, value in database.execute("SELECT key, value FROM config")}


def run(verb: str) -> str:
    """What the program prints, run as in a container: as one text."""
    program = Path(str(panel.__file__)).read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", program, verb], env=os.environ, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_what_the_panel_has_otherwise_is_named_and_written_again(data: Path) -> None:
    said = {("ui.enable_signup",): False, ("user.permissions", "chat", "delete"): False, ("webui.url",): "https://a.b"}
    panel.remember(said, {place: ["PATH"] for place in said})

    assert json.loads(run("compare")) == ["ui.enable_signup", "user.permissions.chat.delete", "webui.url"]
    run("write")
    assert json.loads(run("compare")) == []
    assert saved(data) == {
        "ui.enable_signup": False, "user.permissions": {"chat": {"delete": False}}, "rag.top_k": 3,
        "webui.url": "https://a.b",
    }  # fmt: skip
    save(data, {"ui.enable_signup": True, "rag.top_k": 5})
    assert json.loads(run("compare")) == ["ui.enable_signup"]


def test_what_a_variable_said_that_is_gone_since_is_the_panels(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panel.remember({("ui.enable_signup",): False}, {("ui.enable_signup",): ["ENABLE_SIGNUP"]})
    assert json.loads(run("compare")) == []
    monkeypatch.setenv("ENABLE_SIGNUP", "false")
    assert json.loads(run("compare")) == ["ui.enable_signup"]
    assert data.exists()


def test_where_the_stack_file_says_nothing_the_panel_has_nothing_otherwise(data: Path) -> None:
    assert json.loads(run("compare")) == []
    run("write")
    assert saved(data)["ui.enable_signup"] is True


def test_the_verification_reads_what_is_remembered_alike(data: Path) -> None:
    said = {("ui.enable_signup",): False, ("user.permissions", "chat", "delete"): True, ("rag.top_k",): 4}
    panel.remember(said, {place: ["DATA_DIR"] for place in said})
    seen = schema.panel({"DATA_DIR": str(data)})
    assert (seen["said"], seen["otherwise"]) == (3, ["ui.enable_signup", "rag.top_k"])
    assert json.loads(run("compare")) == seen["otherwise"]


def test_what_is_remembered_only_its_owner_reads_for_it_holds_keys(data: Path) -> None:
    panel.remember({("openai.api_keys",): ["sk-1"]}, {("openai.api_keys",): ["OPENAI_API_KEYS"]})
    assert stat.S_IMODE((data / panel.REMEMBERED).stat().st_mode) == 0o600
    assert [file.name for file in data.iterdir() if "partial" in file.name] == []
    assert "sk-1" not in run("compare")


class Ui:
    """A value as pydantic makes it."""

    def model_dump(self, *, mode: str) -> dict[str, str]:
        return {"made": mode}


def test_the_one_shot_fills_the_table_and_writes_what_the_stack_file_says(
    panel_fill: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package, source = SimpleNamespace(), tmp_path / "config.py"
    source.write_text(SOURCE, encoding="utf-8")
    said = ["ENABLE_SIGNUP", "WEBUI_BANNERS", "USER_PERMISSIONS_CHAT_DELETE", "VECTOR_DB"]
    monkeypatch.setenv(SAID_VARIABLES, " ".join(said))
    for name in said:
        monkeypatch.setenv(name, "")

    async def seed() -> None:
        save(data, {"seeded": 1})

    config = SimpleNamespace(
        __file__=str(source),
        seed_registered_defaults=seed,
        DEFAULT_CONFIG={
            "ui.enable_signup": False, "ui.banners": [Ui()], "user.permissions": {"chat": {"delete": False}},
        },
    )  # fmt: skip
    kept = SimpleNamespace(Config=SimpleNamespace(persistent_enabled_for=lambda _key: True))
    package.config = config
    for name, module in (("open_webui", package), ("open_webui.config", config), ("open_webui.models.config", kept)):
        monkeypatch.setitem(sys.modules, name, module)

    asyncio.run(panel_fill.fill())

    assert saved(data) == {
        "seeded": 1, "ui.enable_signup": False, "ui.banners": [{"made": "json"}],
        "user.permissions": {"chat": {"delete": False}}, "rag.top_k": 3,
    }  # fmt: skip
    kept.Config.persistent_enabled_for = lambda _key: False
    asyncio.run(panel_fill.fill())
    assert panel.remembered() == {}


# --- the resource -----------------------------------------------------------------------------------------------------

PROPS: dict[str, Any] = {"container_id": "c1", "command": ["sh"], "said": ["WEBUI_URL"], "otherwise_in_panel": []}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were run in a container; each answers as :data:`ANSWER` says."""
    commands: list[list[str]] = []

    def run_inside(_client: object, container: str, command: list[str]) -> Ran:
        commands.append([container, command[0], *command[-1:]])
        answer = ANSWER["ran"]
        if isinstance(answer, Exception):
            raise answer
        return Ran(*answer)

    monkeypatch.setattr(panel_settings, "api_client", lambda *_: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(panel_settings, "run_inside", run_inside)
    monkeypatch.setitem(ANSWER, "ran", (0, "[]", ""))
    return commands


ANSWER: dict[str, Any] = {"ran": (0, "[]", "")}


def test_a_refresh_asks_what_the_panel_has_otherwise(ran: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ANSWER, "ran", (0, '["ui.enable_signup"]', ""))
    read = PanelSettingsProvider().read("panel", PROPS)
    assert read.outs == {**PROPS, "otherwise_in_panel": ["ui.enable_signup"]}
    assert ran == [["c1", "sh", "compare"]]
    assert PanelSettingsProvider().diff("panel", read.outs or {}, PROPS).changes


@pytest.mark.parametrize("answer", [NotFound("no such container"), (1, "", "no database"), (0, "Traceback", "")])
def test_where_it_cannot_be_asked_nothing_is_otherwise(
    ran: list[list[str]], answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ANSWER, "ran", answer)
    read = PanelSettingsProvider().read("panel", PROPS)
    assert read.outs == PROPS
    assert ran
    assert not PanelSettingsProvider().diff("panel", read.outs or {}, PROPS).changes


def test_an_update_writes_them_only_where_the_panel_has_some_otherwise(ran: list[list[str]]) -> None:
    assert PanelSettingsProvider().create(PROPS).outs == PROPS
    PanelSettingsProvider().update("panel", {**PROPS, "container_id": "c0"}, PROPS)
    assert ran == []
    PanelSettingsProvider().update("panel", {**PROPS, "otherwise_in_panel": ["ui.enable_signup"]}, PROPS)
    assert ran == [["c1", "sh", "write"]]


def test_an_update_that_cannot_write_them_fails_with_what_was_said(
    ran: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ANSWER, "ran", (1, "", "database is locked"))
    with pytest.raises(PanelSettingsError, match=r"could not write the settings \(exit code 1\):\ndatabase is locked"):
        PanelSettingsProvider().update("panel", {**PROPS, "otherwise_in_panel": ["a"]}, PROPS)
    assert ran
