from typing import Any

import pytest

from tests.bench.compose import CONTAINER, compose_file
from tests.bench.growth import Growth, slope
from tests.bench.report import Results, document, updated
from tests.bench.side_by_side import BARS, CLI, COMPOSE, DESTROY, ENGINE, FROM_NOTHING, PREVIEW, UNCHANGED, SideBySide

DATABASE = "urn:pulumi:dev::web::docker:index/container:Container::database"
MIGRATION = "urn:pulumi:dev::web::docker:index/container:Container::migration"


def container(name: str, **host: Any) -> dict[str, Any]:
    """What ``docker inspect`` shows of a container, as far as it is read."""
    return {
        "Id": "0123456789abcdef",
        "Name": f"/{name}",
        "Config": {"Image": "image:1", "Cmd": ["run", "$HOME"], "Env": ["A=$1"], "StopTimeout": 20},
        "HostConfig": {
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
            "LogConfig": {"Type": "json-file", "Config": {}},
            **host,
        },
        "Mounts": [{"Type": "volume", "Name": f"{name}-data", "Destination": "/data", "RW": True}],
        "NetworkSettings": {"Networks": {"edge": {"Aliases": ["0123456789ab", name]}}},
    }


def resource(urn: str, name: str, *after: str, **inputs: Any) -> dict[str, Any]:
    return {"urn": urn, "type": CONTAINER, "inputs": {"name": name, **inputs}, "dependencies": list(after)}


def test_compose_is_asked_for_what_docker_shows_in_the_order_of_the_stack() -> None:
    healthcheck = {"Test": ["CMD", "true"], "Interval": 1_000_000_000, "Retries": 3}
    database = container("database", RestartPolicy={"Name": "on-failure", "MaximumRetryCount": 3})
    database["Config"]["Healthcheck"] = healthcheck
    app = container("app", PortBindings={"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "3000"}]})
    file = compose_file(
        [database, container("migration"), app],
        [{"Name": "edge", "Driver": "bridge", "Internal": False}],
        [
            resource(DATABASE, "database", wait=True),
            resource(MIGRATION, "migration", attach=True),
            resource("urn:app", "app", DATABASE, MIGRATION, "urn:of:a:volume"),
        ],
    )

    assert file["services"]["app"]["depends_on"] == {
        "database": {"condition": "service_healthy"},
        "migration": {"condition": "service_completed_successfully"},
    }
    assert file["services"]["app"]["ports"] == ["127.0.0.1:3000:8080/tcp"]
    assert file["services"]["app"]["command"] == ["run", "$$HOME"]
    assert file["services"]["app"]["environment"] == ["A=$$1"]
    assert file["services"]["app"]["networks"] == {"edge": {"aliases": ["app"]}}
    assert file["services"]["database"]["restart"] == "on-failure:3"
    assert file["services"]["database"]["healthcheck"] == {
        "test": ["CMD", "true"], "retries": 3, "interval": "1000000000ns",
    }  # fmt: skip
    assert file["services"]["database"]["volumes"] == ["database-data:/data:rw"]
    assert set(file["volumes"]) == {"database-data", "migration-data", "app-data"}
    assert file["networks"] == {"edge": {"driver": "bridge", "internal": False}}


def test_a_compose_file_is_not_written_where_it_could_not_say_all() -> None:
    with pytest.raises(ValueError, match="files are put into app"):
        compose_file([container("app")], [], [resource("urn:app", "app", uploads=[{"file": "/a"}])])


def measured() -> SideBySide:
    return SideBySide(
        seconds={
            (ENGINE, FROM_NOTHING): [9, 10, 30],
            (COMPOSE, FROM_NOTHING): [12.5, 12.5, 12.5],
            (ENGINE, UNCHANGED): [1, 1, 1],
            (ENGINE, PREVIEW): [1, 1, 1],
            (ENGINE, DESTROY): [2, 2, 2],
        },
        absent=[CLI],
        versions={COMPOSE: "2.29.7"},
    )


def test_ratios_are_of_medians_and_there_is_none_with_what_is_absent() -> None:
    found = {(bar.what, bar.other): measured().ratio(bar) for bar in BARS}
    assert found[FROM_NOTHING, COMPOSE] == pytest.approx(0.8)
    assert found[PREVIEW, CLI] is None


def test_growth_is_what_each_further_container_costs() -> None:
    assert slope({1: 1.1, 4: 1.4, 16: 2.6, 64: 7.4}) == pytest.approx(0.1)


def test_a_section_measured_by_itself_leaves_the_others_as_they_are() -> None:
    whole = "# Benchmarks\n\n|  |  |\n|---|---|\n\n## Events\n\ntext\n\n| 1 |\n|---|\n\n## The proof\n\nold\n"
    results = Results(
        facts={"date": "2026-11-23", "commit": "abc"},
        side_by_side=measured(),
        growth=Growth(embedded={1: 1, 4: 1.06}, compose={}),
    )

    text = updated(whole, results)

    assert text.startswith(whole)
    assert "docker compose 2.29.7; Pulumi CLI is not on this machine." in text
    assert "| from nothing | 10.00 |  | 12.50 |  |" in text
    assert "| from nothing | docker compose, from nothing | 0.80 | 1.00 |" in text
    assert "| preview | Pulumi CLI, preview | not measured | 0.50 |" in text
    assert "| embedded engine | 1.00 | 1.06 |  |  | 20 ms |" in text
    assert "Measured by itself: date 2026-11-23, commit abc." in text
    assert updated(text, results) == text, "measured again, it stands in its place"
    assert "Against docker compose" not in document(Results(facts={}))
