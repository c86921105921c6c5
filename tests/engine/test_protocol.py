"""Nothing that a program can ask for by the SDK is silently ignored: it is honoured, or refused by name.

Every option of the SDK that is installed is classified here; a new one fails these tests.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pulumi
import pytest

from tests.engine.small_program import BASE, CLI_DOES, HEAD, OTHER, Timed, World
from tooling.engine.__main__ import main
from tooling.engine.provider import ProviderError

pytestmark = pytest.mark.usefixtures("without_leftovers")


def parent(world: World) -> None:
    world.up(BASE + 'Thing("x", {}, O(parent=base))')
    assert world.state("x")["urn"].endswith("::fake:index:Thing$fake:index:Thing::x")


def depends_on(world: World) -> None:
    world.up(BASE + 'Thing("x", {}, O(depends_on=[base]))')
    assert world.did() == ["create base", "create x"]
    assert world.state("x")["dependencies"] == [world.state("base")["urn"]]


def protect(world: World) -> None:
    world.up(BASE + 'Thing("x", {}, O(protect=True))')
    assert "x (fake:index:Thing) would be, but is protected" in world.up(BASE, fails=True)


def delete_before_replace(world: World) -> None:
    for last, first in ((True, "delete x-2"), (False, "create x")):
        program = BASE + f'Thing("x", {{"name": "%s"}}, O(depends_on=[base], delete_before_replace={last}))'
        world.up(program % "one")
        world.up(program % "two")
        assert world.did()[0] == first
        world.up("")
        world.provider = Timed()


def ignore_changes(world: World) -> None:
    for size in (1, 2):
        world.up(f'Thing("x", {{"size": {size}}}, O(ignore_changes=["size"]))')
    assert world.did() == []
    assert world.provider.world["x-1"]["size"] == 1


def version(world: World) -> None:
    world.up('Thing("x", {}, O(version="1.2.3"))')
    assert "::default_1_2_3::" in world.state("x")["provider"]
    assert "docker:index/network:Network n: the option version=4.5.0 (5.2.0 is known of docker)" in world.refuses(
        'pulumi.CustomResource("docker:index/network:Network", "n", {}, O(version="4.5.0"))'
    )


def aliases(world: World) -> None:
    world.up(BASE + 'Thing("old", {}, O(parent=base))')
    world.up(BASE + 'Thing("new", {}, O(aliases=[pulumi.Alias(name="old", parent=base)]))')
    assert world.did() == []


def additional_secret_outputs(world: World) -> None:
    world.up('Thing("x", {}, O(additional_secret_outputs=["address"]))')
    assert "ciphertext" in world.state("x")["outputs"]["address"]


def id_(world: World) -> None:
    world.up(BASE)
    world.up(BASE + 'pulumi.export("a", Thing("x", {}, O(id="base-1")).address)')
    assert world.state("x")["external"] is True
    assert world.state("web-dev")["outputs"] == {"a": "at base-1"}


def custom_timeouts(world: World) -> None:
    for size in (1, 2):
        world.up(f'T = pulumi.CustomTimeouts("5m", "90s")\nThing("x", {{"size": {size}}}, O(custom_timeouts=T))')
        assert f"{'create' if size == 1 else 'update'} within {300 if size == 1 else 90}" in world.provider.calls
    assert world.state("x")["customTimeouts"] == {"create": 300, "update": 90}


def transformations(world: World) -> None:
    world.up('Thing("x", {}, O(transformations=[grow]))')
    assert world.provider.world["x-1"]["size"] == 7


def replace_on_changes(world: World) -> None:
    for size in (1, 2):
        world.up(f'Thing("x", {{"size": {size}}}, O(replace_on_changes=["size"]))')
    assert world.did() == ["create x", "delete x-1"]


def retain_on_delete(world: World) -> None:
    world.up('Thing("x", {}, O(retain_on_delete=True))')
    world.up("")
    assert world.did() == []
    assert world.provider.world


def deleted_with(world: World) -> None:
    world.up(BASE + 'Thing("x", {}, O(deleted_with=base))')
    world.up("")
    assert world.did() == ["delete base-1"]


def replace_with(world: World) -> None:
    tail = 'Thing("x", {}, O(replace_with=[base]))'
    world.up(BASE + tail)
    world.up(OTHER + tail)
    assert sorted(world.did()) == ["create base", "create x", "delete base-1", "delete x-2"]


def refused(program: str, *words: str) -> Callable[[World], None]:
    def check(world: World) -> None:
        said = world.refuses(program)
        assert f"{''.join(words)}: {CLI_DOES}" in said

    return check


def option(text: str, shown: str) -> Callable[[World], None]:
    return refused(f'Thing("x", {{}}, O({text}))', "fake:index:Thing x: the option ", shown)


OPTIONS: dict[str, Callable[[World], None]] = {
    "parent": parent,
    "depends_on": depends_on,
    "protect": protect,
    "provider": refused(
        'Thing("x", {}, O(provider=pulumi.ProviderResource("fake", "p", {})))',
        "an explicit provider (pulumi:providers:fake p)",
    ),
    "providers": refused(
        'pulumi.ComponentResource("a:b:C", "c", {}, O(providers=[pulumi.ProviderResource("fake", "p", {})]))',
        "an explicit provider (pulumi:providers:fake p)",
    ),
    "delete_before_replace": delete_before_replace,
    "ignore_changes": ignore_changes,
    "version": version,
    "aliases": aliases,
    "additional_secret_outputs": additional_secret_outputs,
    "id": id_,
    "import_": option('import_="i-1"', "import_=i-1"),
    "custom_timeouts": custom_timeouts,
    "transformations": transformations,
    "transforms": option("transforms=[lambda a: None]", "transforms=a function"),
    "hooks": refused(
        'Thing("x", {}, O(hooks=pulumi.ResourceHookBinding(after_create=[pulumi.ResourceHook("h", print)])))',
        "The program asks for RegisterResourceHook h",
    ),
    "urn": refused(
        'Thing("x", {}, O(urn="urn:pulumi:dev::web::fake:index:Thing::base"))',
        "pulumi:pulumi:getResource: the provider 'pulumi'",
    ),
    "replace_on_changes": replace_on_changes,
    "replacement_trigger": option('replacement_trigger={"a": 1}', "replacement_trigger={'a': 1}"),
    "plugin_download_url": option('plugin_download_url="github://x"', "plugin_download_url=github://x"),
    "retain_on_delete": retain_on_delete,
    "deleted_with": deleted_with,
    "replace_with": replace_with,
    "hide_diffs": option('hide_diffs=["size"]', "hide_diffs=['size']"),
    "env_var_mappings": option('env_var_mappings={"A": "B"}', "env_var_mappings={'A': 'B'}"),
    "state_migrations": option("state_migrations=[lambda a: None]", "state_migrations=a function"),
}


def parameters(of: type) -> set[str]:
    return set(inspect.signature(of).parameters)


def test_every_resource_option_is_classified() -> None:
    assert set(OPTIONS) == parameters(pulumi.ResourceOptions)
    assert parameters(pulumi.CustomTimeouts) == {"create", "update", "delete", "read"}
    assert parameters(pulumi.InvokeOutputOptions) == set(INVOKE_OPTIONS)
    assert parameters(pulumi.Alias) == set(ALIASES)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_resource_option_is_honoured_or_refused(world: World, name: str) -> None:
    OPTIONS[name](world)


@pytest.mark.parametrize("kind", ["delete", "read"])
def test_a_timeout_that_no_provider_here_keeps_is_refused(world: World, kind: str) -> None:
    option(f'custom_timeouts=pulumi.CustomTimeouts({kind}="5m")', f"custom_timeouts.{kind}=5m")(world)


ALIASES = {
    "name": ('Thing("old", {})', 'pulumi.Alias(name="old")'),
    "type_": ('pulumi.CustomResource("fake:old:Thing", "x", {})', 'pulumi.Alias(type_="fake:old:Thing")'),
    "parent": ('Thing("x", {}, O(parent=base))', "pulumi.Alias(parent=base)"),
    "stack": (
        'Thing("old", {})',
        'pulumi.Alias(name="old", stack="dev")',
    ),
    "project": (
        'Thing("old", {})',
        'pulumi.Alias(name="old", project="web")',
    ),
}


@pytest.mark.parametrize("part", ALIASES)
def test_each_part_of_an_alias_counts(world: World, part: str) -> None:
    before, alias = ALIASES[part]
    world.up(BASE + before)
    world.up(BASE + f'Thing("x", {{}}, O(aliases=[{alias}]))')
    assert world.did() == []
    if part in {"stack", "project"}:
        world.up(BASE + f'Thing("y", {{}}, O(aliases=[{alias.replace("dev", "z").replace("web", "z")}]))')
        assert "create y" in world.did()


ASK = 'pulumi.export("a", pulumi.runtime.invoke_output("fake:index:get", {"of": %s}, pulumi.InvokeOutputOptions(%s)))'


def answered(of: str, options: str) -> Callable[[World], None]:
    def check(world: World) -> None:
        world.up(BASE + ASK % (of, options))
        assert world.state("web-dev")["outputs"]["a"]["token"] == "fake:index:get"

    return check


def versioned(world: World) -> None:
    refused(
        'pulumi.runtime.invoke("docker:index/getNetwork:getNetwork", {}, pulumi.InvokeOptions(version="4.5.0"))',
        "docker:index/getNetwork:getNetwork: the option version=4.5.0 (5.2.0 is known of docker)",
    )(world)


INVOKE_OPTIONS: dict[str, Callable[[World], None]] = {
    "parent": answered("1", "parent=base"),
    "provider": refused(
        ASK % ("1", 'provider=pulumi.ProviderResource("fake", "p", {})'),
        "an explicit provider (pulumi:providers:fake p)",
    ),
    "version": versioned,
    "plugin_download_url": refused(
        ASK % ("1", 'plugin_download_url="github://x"'), "fake:index:get: the option plugin_download_url=github://x"
    ),
    "depends_on": answered("base.address", "depends_on=[base]"),
}


@pytest.mark.parametrize("name", INVOKE_OPTIONS)
def test_an_option_of_a_data_source_is_honoured_or_refused(world: World, name: str) -> None:
    INVOKE_OPTIONS[name](world)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("pulumi.runtime.register_resource_transform(print)", "The program asks for RegisterStackTransform"),
        ("pulumi.runtime.register_invoke_transform(print)", "The program asks for RegisterStackInvokeTransform"),
        ('pulumi.ErrorHook("h", print)', "The program asks for RegisterErrorHook h"),
        ('pulumi.StackReference("o/web/prod")', "pulumi:pulumi:StackReference o/web/prod: the provider 'pulumi'"),
        ('pulumi.runtime.call("fake:index:do", {}, base)', "The program asks for Call fake:index:do"),
        ('pulumi.require_pulumi_version(">=3")', "The program requires a version of the Pulumi CLI (>=3)"),
        (
            'pulumi.runtime.exists_resource(None, "fake:index:Thing", "i-1", {}, O())',
            "The program asks for ExistsResource fake:index:Thing i-1",
        ),
        ('pulumi.runtime.invoke("aws:index:get", {})', "aws:index:get: the provider 'aws'"),
        ('pulumi.ComponentResource("a:b:C", "c", {"a": 1}, None, True)', "a:b:C c: the option remote=True"),
        ('pulumi.export("f", pulumi.FileAsset("x"))', "an asset as a property"),
        ('Thing("x", {"f": pulumi.FileArchive("x")})', "fake:index:Thing x: an archive as a property"),
        ('Thing("x", {}, O(replacement_trigger=pulumi.Output.secret("hush")))', "replacement_trigger='[secret]'"),
    ],
)
def test_what_else_a_program_can_ask_for_is_refused(world: World, program: str, words: str) -> None:
    said = world.refuses(program)
    assert f"{words}: {CLI_DOES}" in said
    assert "hush" not in said
    assert "Traceback" not in said


def test_a_transformation_of_the_whole_stack_is_done_by_the_sdk(world: World) -> None:
    world.up("pulumi.runtime.register_stack_transformation(grow)\n" + BASE)
    assert world.provider.world["base-1"]["size"] == 7


def test_a_resource_read_by_an_id_that_a_preview_does_not_know_is_unknown_in_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    (world.directory / "__main__.py").write_text(
        HEAD + BASE + 'pulumi.export("a", Thing("x", {}, O(id=base.id)).address)'
    )
    assert main(["preview", "--cwd", str(world.directory)]) == 0
    assert "+ a: [unknown]" in capsys.readouterr().out
    assert main(["up", "--cwd", str(world.directory)]) == 0
    assert world.state("web-dev")["outputs"] == {"a": "at base-1"}


def test_a_resource_read_by_an_id_that_failed_to_come_is_not_asked_for(world: World) -> None:
    def fail() -> None:
        raise ProviderError("no room; make some.")

    world.provider.on["create base"] = fail
    said = world.up(BASE + 'Thing("x", {}, O(id=base.id))', fails=True)
    assert "no room; make some." in said
    assert "nothing with the id" not in said


def test_a_resource_that_is_no_longer_managed_but_another_one_read_is_deleted(world: World) -> None:
    world.provider.world["theirs"] = {"size": 1}
    world.up('Thing("x", {"name": "x"})')
    world.up('Thing("x", {}, O(id="theirs"))')
    assert world.did() == ["delete x-1"]
    assert list(world.provider.world) == ["theirs"]


GROUP = """\
class Group(pulumi.ComponentResource):
    def __init__(self, opts):
        super().__init__("a:b:Group", "group", {}, opts)
        Thing("kept", {}, O(parent=self))
        Thing("gone", {}, O(parent=self, retain_on_delete=False))


"""


def test_what_a_component_hands_down_holds_for_its_children(world: World) -> None:
    world.up(GROUP + "Group(O(retain_on_delete=True))")
    world.up("")
    assert [call.split("-")[0] for call in world.did()] == ["delete gone"]
    world.up(BASE + GROUP + "Group(O(deleted_with=base))")
    world.up("")
    assert [call.split("-")[0] for call in world.did()] == ["delete base"]
