"""The reader of what a program asks of Valkey, on programs made up here."""

from pathlib import Path

import pytest

from tests.redis_calls import calls, lock_release


def read(tmp_path: Path, line: str, file: str = "main.py") -> set[str]:
    place = tmp_path / "open_webui" / file
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"# redis\n{line}\n", encoding="utf-8")
    return {command for command, _ in calls(tmp_path / "open_webui")}


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        ("await request.app.state.redis.hget(KEY, 'a')", {"hget"}),
        ("self._redis.delete(key)", {"del"}),
        ("redis.incr(key)", {"incrby"}),
        ("REDIS.lock('name')", {"set", "get", "evalsha", "script|load"}),
        ("pipe = redis.pipeline()", {"multi", "exec"}),
        ("pipe = redis.pipeline(transaction=False)", set()),
        ("pipe.rpush(key, value)", {"rpush"}),
        ("await pubsub.subscribe(CHANNEL)", {"subscribe"}),
        ("""await redis.eval("local n = redis.call('hincrby', KEYS[1], 'n', 1)", 1, key)""", {"eval", "hincrby"}),
        ("""SCRIPT = '''return redis.pcall("strlen", KEYS[1])'''""", {"strlen"}),
        ("environment.get('REDIS_URL')", set()),
        ("redis = get_redis_connection(url)", set()),
    ],
)
def test_calls_are_followed_to_the_commands_they_send(tmp_path: Path, line: str, commands: set[str]) -> None:
    assert read(tmp_path, line) == commands


def test_what_has_a_server_of_its_own_is_left_out(tmp_path: Path) -> None:
    assert not read(tmp_path, "redis.flushall()", "retrieval/vector/dbs/valkey.py")


def test_the_place_of_a_call_is_told(tmp_path: Path) -> None:
    read(tmp_path, "redis.get(key)")
    assert list(calls(tmp_path / "open_webui")) == [("get", "open_webui/main.py:2")]


def test_a_lock_is_given_up_by_the_library_s_own_script() -> None:
    import redis  # noqa: PLC0415 - its place alone

    assert {command for command, _ in lock_release(Path(redis.__file__).parent)} == {"get", "del"}
