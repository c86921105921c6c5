"""Image references are read as Docker reads them, and by the settings as by what pulls and builds."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from settings.references import Reference, floats, parse_pinned
from settings.values import Invalid
from tests.properties import TRIED
from tests.unit.test_settings_properties import edits, nearly
from tooling.images.errors import ImageError
from tooling.images.reference import parse

DIGEST = "sha256:" + "0123456789abcdef" * 4
GOOD = (
    "valkey", "valkey/valkey:8", f"ghcr.io/open-webui/open-webui@{DIGEST}", f"a.example:5000/b/c_d/e--f:v1@{DIGEST}",
    "localhost/x.y:1", "localhost:5000/x", "[2001:db8::1]:5000/x:1", "A.Example/x:LATEST", "host:5000/a/b",
)  # fmt: skip

PART = st.from_regex(r"[a-z0-9]{1,8}((_|__|-{1,3})[a-z0-9]{1,4}){0,2}", fullmatch=True)
LABEL = st.from_regex(r"[A-Za-z0-9]{1,3}(-[A-Za-z0-9]{1,3})?", fullmatch=True)
HOSTS = st.one_of(
    st.just("localhost"),
    st.lists(LABEL, min_size=2, max_size=3).map(".".join),
    st.builds("{}:{}".format, LABEL, st.integers(1, 65535)),
)


@TRIED
@given(
    host=st.none() | HOSTS,
    path=st.lists(PART, min_size=1, max_size=3).map("/".join),
    tag=st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    digest=st.sampled_from(["", DIGEST]),
)
def test_a_reference_is_made_of_its_parts(host: str | None, path: str, tag: str | None, digest: str) -> None:
    repository = f"{host}/{path}" if host else path
    text = repository + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    found = parse(text)
    assert found == Reference(repository=repository, tag=tag or "latest", digest=digest, registry=host or "docker.io")
    assert found.name == path.rpartition("/")[2]


def as_docker(text: str) -> bool:
    """Whether Docker takes a reference: its grammar, read one character after the other.

    Source: https://github.com/distribution/reference/blob/v0.6.0/reference.go and normalize.go
    """
    rest, at, digest = text.partition("@")
    if at and not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        return False
    repository, colon, tag = rest.rpartition(":") if ":" in rest.rpartition("/")[2] else (rest, "", "")
    if colon and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", tag):
        return False
    first, slash, path = repository.partition("/")
    label = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    host = rf"(?:{label}(?:\.{label})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
    is_host = slash and (set(".:") & set(first) or first == "localhost") and re.fullmatch(host, first)
    name = path if is_host else repository
    parts = name.split("/")
    if not all(re.fullmatch(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", part) for part in parts):
        return False
    whole = repository if is_host else f"docker.io/{name if slash else f'library/{name}'}"
    return len(whole) <= 255 and not re.fullmatch(r"[0-9a-f]{64}", name)


def taken(text: str) -> bool:
    try:
        assert str(parse(text)) in {text, f"{text}:latest"} or parse(text).digest
    except ImageError:
        return False
    return True


def test_what_is_nearly_a_reference_is_one_where_docker_says_so() -> None:
    wrong = [one for good in GOOD for one in edits(good) if taken(one) is not as_docker(one)]
    assert not wrong, f"{len(wrong)}: {wrong[:20]}"


@TRIED
@given(st.text(alphabet="aA0.-_:/@[]%é\n", max_size=12) | nearly(*GOOD))
def test_any_text_is_a_reference_where_docker_says_so(text: str) -> None:
    assert taken(text) is as_docker(text)


def test_the_settings_take_what_can_be_pulled_and_names_one_image() -> None:
    for text in [one for good in GOOD for one in edits(good)]:
        try:
            parse_pinned(text)
        except Invalid:
            assert not taken(text) or not re.search(r"[:@][^/]*$", text), text
        else:
            assert taken(text), text
            assert floats(text) in {True, False}
