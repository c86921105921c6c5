"""Whatever a stack file says, what is written from it for Caddy and Valkey has the same shape."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from components.building.volume import DataVolume
from components.gateway.args import GatewayArgs
from components.gateway.caddyfile import caddyfile
from components.valkey.acl import ACCOUNTS, RIGHTS, accounts_file
from settings.field_types import PlainEmail
from settings.values import https_url, origin
from tests.properties import TRIED
from tests.unit.test_settings_properties import nearly

PLAIN = GatewayArgs(
    image="caddy:2",
    container_name="gateway",
    data=DataVolume(name="data"),
    network=Mock(),
    upstreams=["app-1", "app-2"],
    public_url="https://chat.example.com:3443",
    tls="acme",
    acme_email="admin@example.com",
    acme_directory="https://ca.example.com/directory",
    http_port=80,
)
TOKEN = re.compile(r"""\s*(#[^\n]*|"(?:[^"\\]|\\.)*"|`[^`]*`|<<\w+|(?:\\.|[^\s])+|\n)""")


def tokens(text: str) -> list[list[str]]:
    """The words of each line that has any, as Caddy's lexer takes them apart: a quote or # counts where a word begins.

    Source: https://github.com/caddyserver/caddy/blob/master/caddyconfig/caddyfile/lexer.go
    """
    lines = [[word for word in TOKEN.findall(line) if word[0] != "#"] for line in text.split("\n")]
    return [line for line in lines if line]


def shape(args: GatewayArgs) -> list[list[str]]:
    """What the file says, with words of our own in place of what the arguments say."""
    host = re.sub(r"^https?://|:\d+$", "", args.public_url)
    given_words = {
        args.public_url: "URL", host: "HOST", host.strip("[]"): "HOST", args.acme_email: "EMAIL",
        args.acme_directory: "CA", **{f"{name}:{args.upstream_port}": "APP" for name in args.upstreams},
    }  # fmt: skip
    known = {word: ours for word, ours in given_words.items() if word}

    def named(word: str) -> str:
        scheme, _, rest = word.partition("://")
        site = rest.removesuffix(":8443")
        whole = word.removesuffix("{uri}")
        return known.get(word) or known.get(whole) or (f"{scheme} {known[site]}" if site in known else word)

    return [[named(word) for word in line] for line in tokens(caddyfile(args))]


def accepted(value: str, parse: Callable[[str], str], else_: str) -> str:
    try:
        return parse(value) or else_
    except ValueError:
        return else_


URLS = nearly("https://chat.example.com:3443", "https://[2001:db8::1]", "https://localhost")
EMAILS = nearly("admin@example.com", "Ann.O'Neill+x@mail.example.com")
DIRECTORIES = nearly("https://ca.example.com/directory", "https://[2001:db8::1]:8443/a?b=c#d")


@TRIED
@given(url=URLS, email=EMAILS, directory=DIRECTORIES)
def test_what_the_settings_accept_is_a_word_of_the_caddyfile(url: str, email: str, directory: str) -> None:
    args = replace(
        PLAIN,
        public_url=accepted(url, origin, PLAIN.public_url),
        acme_email=accepted(email, TypeAdapter(PlainEmail).validate_python, PLAIN.acme_email),
        acme_directory=accepted(directory, https_url, PLAIN.acme_directory),
    )
    # Which host and port browsers are told to come by https to is not the same for all of them.
    assert [line for line in shape(args) if "?Strict-Transport-Security" not in line] == shape(PLAIN)


@TRIED
@given(url=URLS, email=EMAILS, directory=DIRECTORIES, upstream=nearly("app-1"))
def test_any_other_program_has_its_words_taken_as_they_are_or_refused(
    url: str, email: str, directory: str, upstream: str
) -> None:
    plain = replace(PLAIN, acme_email=email and "a@b.c", acme_directory=directory and "https://a.b")
    args = replace(PLAIN, public_url=url, acme_email=email, acme_directory=directory, upstreams=[upstream, "app-2"])
    try:
        written = caddyfile(args)
    except ValueError:
        return
    assert [len(line) for line in tokens(written)] == [len(line) for line in tokens(caddyfile(plain))]


@pytest.mark.parametrize("word", ["{$HOME}", '"a', "`a", "a b", "a\nadmin :2019", "#a", "<<a", "a\\"])
def test_a_word_that_means_something_to_caddy_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a Caddyfile"):
        caddyfile(replace(PLAIN, acme_email=word))


@TRIED
@given(st.fixed_dictionaries({account: st.text() for account in ACCOUNTS}))
def test_whatever_the_passwords_are_each_account_has_one_line_with_its_rights_and_none_shows_one(
    passwords: dict[str, str],
) -> None:
    lines = accounts_file(passwords).splitlines()
    assert lines[0] == "user default off resetpass resetkeys resetchannels -@all"
    words = [line.split(" ") for line in lines[1:]]
    assert [line[:3] for line in words] == [["user", account, "on"] for account in ACCOUNTS]
    for account, line in zip(ACCOUNTS, words, strict=True):
        assert line[3] == f"#{hashlib.sha256(passwords[account].encode()).hexdigest()}"
        assert line[4:] == ["resetkeys", "resetchannels", *RIGHTS[account].split(" ")]
        assert not [word for word in line if word == "nopass" or word.startswith(">")]
