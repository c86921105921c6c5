"""Secrets are taken out of a text by their values, however they were kept."""

import pytest

from redaction import redact, redacted, values, values_within

FILE = """\
WEBUI_SECRET_KEY=0123456789abcdef
OPENAI_API_KEYS='sk-first-one;sk-second-one'
export QUOTED='it'"'"'s a phrase'
DATABASE_URL=postgresql://openwebui:p%40ss-word@postgres:5432/openwebui
tool: yaml-secret
WEBUI_ADMIN_EMAIL=admin@example.com
ENABLE_SIGNUP=false
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
        ("correct horse battery staple", "correct horse battery staple"),
        ("sk-first-one; sk-second-one", "sk-second-one"),
        ('{"a": {"b": ["deep-secret"]}}', "deep-secret"),
        ("-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----", "MIGHAgEAMBMGByqGSM49"),
    ],
)
def test_a_secret_is_known_by_each_value_in_it(secret: str, shown: str) -> None:
    assert redact(f"it said <{shown}>", values(secret)) == "it said <[secret]>"


@pytest.mark.parametrize("word", ["admin@example.com", "false", "ENABLE_SIGNUP", "openwebui", "postgres"])
def test_what_is_beside_a_secret_is_none(word: str) -> None:
    assert redact(f"it said <{word}>", values(FILE)) == f"it said <{word}>"


@pytest.mark.parametrize(
    ("marked", "found"),
    [
        (["sk-first-one", "sk-second-one"], {"sk-first-one", "sk-second-one"}),
        (["API_TOKEN=hush-hush", "WEBSOCKET_MANAGER=redis-like"], {"hush-hush"}),
        (["URL=redis://me:hush-hush@host"], {"hush-hush"}),
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


def test_a_document_keeps_its_form() -> None:
    found = redacted({"a": ["hush-hush", 1, None], "b": {"c": "say hush-hush"}}, {"hush-hush"})
    assert found == {"a": ["[secret]", 1, None], "b": {"c": "say [secret]"}}
