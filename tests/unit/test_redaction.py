"""Secrets are taken out of a text by their values, however they were kept."""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from docker_access.redaction import redact, redacted, values, values_within

FILE = """\
WEBUI_SECRET_KEY=0123456789abcdef
OPENAI_API_KEYS='sk-first-one;sk-second-one'
export QUOTED='it'"'"'s a phrase'
DATABASE_URL=postgresql://openwebui:p%40ss-word@postgres:5432/openwebui
tool: yaml-secret
WEBUI_ADMIN_EMAIL=admin@example.com
ENABLE_SIGNUP=false
SHORT_PASSWORD='hunter'
OAUTH_CLIENT_ID=open-webui
"""


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("hush-hush", "hush-hush"),
        (" hush-hush\n", "hush-hush"),
        (FILE, "0123456789abcdef"),
        (FILE, "sk-first-one"),
        (FILE, "sk-second-one"),
        (FILE, "it's a phrase"),
        (FILE, "p%40ss-word"),
        (FILE, "p@ss-word"),
        (FILE, "yaml-secret"),
        (FILE, "hunter"),
        ("postgresql://me:sh0rt@host/db", "sh0rt"),
        ("redis://:with@in-it@host:6379/0", "with@in-it"),
        ("correct horse battery staple", "correct horse battery staple"),
        ("sk-first-one; sk-second-one", "sk-second-one"),
        ('{"a": {"b": ["deep-secret"]}}', "deep-secret"),
        ("-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----", "MIGHAgEAMBMGByqGSM49"),
    ],
)
def test_a_secret_is_known_by_each_value_in_it(secret: str, shown: str) -> None:
    assert redact(f"it said <{shown}>", values(secret)) == "it said <[secret]>"


@pytest.mark.parametrize("word", ["open-webui", "admin@example.com", "false", "ENABLE_SIGNUP", "openwebui", "postgres"])
def test_what_is_beside_a_secret_is_none(word: str) -> None:
    assert redact(f"it said <{word}>", values(FILE)) == f"it said <{word}>"


@pytest.mark.parametrize(
    ("marked", "found"),
    [
        (["sk-first-one", "sk-second-one"], {"sk-first-one", "sk-second-one"}),
        (["API_TOKEN=hush-hush", "WEBSOCKET_MANAGER=redis-like"], {"hush-hush"}),
        (["URL=redis://me:hush-hush@host"], {"hush-hush"}),
        (["URL=redis://me:a@host"], set()),
        (["OAUTH_CLIENT_ID=somebody", "WEBUI_AUTH_COOKIE_SAME_SITE=strict", "RAG_TOKENIZER_MODEL=of-tokens"], set()),
        (["OAUTH_TOKEN=hush-hush", "X_API_AUTH=me:hush", "SMTP_PWD=hushed"], {"hush-hush", "me:hush", "hushed"}),
        ({"apiKey": "hush-hush", "key": "somebody-else"}, {"hush-hush"}),
        ({"valkey": "open-webui-valkey", "valkey_password": "hush-hush"}, {"hush-hush"}),
        ({"user": "somebody-else", "password": "hush-hush"}, {"hush-hush"}),
        ({"keys": {"api_keys": ["hush-hush"]}, "names": ["open-webui-1"]}, {"hush-hush"}),
        ([{"file": "/run/secrets/x", "content": "A=hush-hush\n"}], {"A=hush-hush", "hush-hush"}),
        (5, set()),
        ("abc", set()),
        ("true", set()),
    ],
)
def test_of_a_value_of_which_some_is_secret_the_secrets_are_found(marked: object, found: set[str]) -> None:
    assert values_within(marked) == found


def test_the_longest_goes_first_so_that_no_end_of_one_is_left() -> None:
    assert redact("hush-hush-hush", {"hush", "hush-hush-hush"}) == "[secret]"


WRITTEN = [
    json.dumps, repr, quote, quote_plus, lambda text: quote(text, safe=""),
    lambda text: b64encode(text.encode()).decode(), lambda text: urlsafe_b64encode(b"a:" + text.encode()).decode(),
    lambda text: b64encode(f"ab:{text}:c".encode()).decode(),
]  # fmt: skip


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("secret", ["hush hush/hush?", 'it\'s "so" \\ & ünd>>>???'])
def test_a_secret_is_found_however_it_is_written(secret: str, written: Callable[[str], str]) -> None:
    found = redact(f"it said {written(secret)}, and more", values(secret))
    assert "[secret]" in found
    # Of base64, what other characters have a part in is left at either end.
    assert len(found) <= len("it said [secret], and more") + 10


def test_a_document_keeps_its_form() -> None:
    found = redacted({"a": ["hush-hush", 1, None], "b": {"c": "say hush-hush"}}, {"hush-hush"})
    assert found == {"a": ["[secret]", 1, None], "b": {"c": "say [secret]"}}
