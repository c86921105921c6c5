"""The workflows: least rights, pinned actions, no update cancelled; and their scripts, run against stand-ins."""

import json
import os
import re
import stat
import subprocess
import sys
import tomllib
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.documents import PROJECT
from tooling.preview_report.comment import LONGEST, found, shortened

GITHUB = PROJECT / ".github"
WORKFLOWS = {path.stem: path for path in sorted(GITHUB.glob("workflows/*.yml"))}
FILES = [*WORKFLOWS.values(), *sorted(GITHUB.glob("actions/*/action.yml"))]
PREVIEWS = Path(__file__).parent / "previews"


@cache
def parsed(path: Path) -> dict[str, Any]:
    document: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    # YAML 1.1 reads the key `on` as true.
    return {"on" if key is True else key: value for key, value in document.items()}


def jobs() -> list[tuple[str, str, dict[str, Any]]]:
    return [(flow, name, job) for flow, path in WORKFLOWS.items() for name, job in parsed(path)["jobs"].items()]


def steps() -> list[dict[str, Any]]:
    return [
        *(step for _, _, job in jobs() for step in job.get("steps", [])),
        *(step for path in GITHUB.glob("actions/*/action.yml") for step in parsed(path)["runs"]["steps"]),
    ]


def test_each_change_is_linted_and_tested_and_each_night_all_of_it() -> None:
    workflow = parsed(WORKFLOWS["ci"])
    assert workflow["on"].keys() == {"pull_request", "push", "schedule", "workflow_dispatch"}
    runs = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in workflow["jobs"].items()}
    assert runs == {
        "lint": ["make lint", ".github/hooks.sh"],
        "unit": ["make unit", "make unit-pythons"],
        "containers": ["make test", "make test-all"],
    }
    change, night = (step["if"] for step in workflow["jobs"]["containers"]["steps"] if "run" in step)
    assert "!= 'schedule'" in change
    assert "== 'schedule'" in night


def test_the_hooks_look_for_secrets_and_leave_python_to_the_project_s_own_tools() -> None:
    (local,) = parsed(PROJECT / ".pre-commit-config.yaml")["repos"]
    hooks = {hook["id"]: hook for hook in local["hooks"]}
    assert hooks.keys() == {"ruff", "ruff-format", "mypy", "actionlint", "shellcheck", "gitleaks", "gitleaks-commits"}
    own = {name for name, hook in hooks.items() if hook["language"] == "system"}
    assert own == {"ruff", "ruff-format", "mypy"}
    assert f"SKIP={','.join(sorted(own, key=list(hooks).index))}\n" in (GITHUB / "hooks.sh").read_text(encoding="utf-8")
    for name in hooks.keys() - own:
        (pin,) = hooks[name]["additional_dependencies"]
        assert re.search(r"(@v|==)\d+\.\d+\.\d", pin), "pinned to a version"


def test_ciphertext_in_a_stack_file_is_no_secret_to_the_hook() -> None:
    allowed = tomllib.loads((PROJECT / ".gitleaks.toml").read_text(encoding="utf-8"))["allowlists"]
    line = "    secure: v1:kZ4n5TqJ0d6Hn0pS:q1w2e3r4t5"
    assert any(re.search(pattern, line) for one in allowed for pattern in one.get("regexes", []))


def test_there_are_a_preview_a_deployment_and_a_look_at_drift() -> None:
    assert parsed(WORKFLOWS["preview"])["on"] == {"pull_request": {"branches": ["main"]}}
    assert parsed(WORKFLOWS["deploy"])["on"] == {"push": {"branches": ["main"]}}
    assert parsed(WORKFLOWS["drift"])["on"].keys() == {"schedule", "workflow_dispatch"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_foreign_action_is_pinned_by_commit_and_says_its_version(path: Path) -> None:
    for line in re.findall(r"uses: (.+)", path.read_text(encoding="utf-8")):
        assert line.startswith("./.github/") or re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), (
            line
        )


def test_an_action_is_pinned_to_the_same_commit_everywhere() -> None:
    pins = {
        tuple(re.split("[@ ]", line)[:2]) for path in FILES for line in re.findall(r"uses: (\w.+)", path.read_text())
    }
    assert len({action for action, _ in pins}) == len(pins)


def test_own_actions_and_workflows_exist() -> None:
    used = [*(step.get("uses", "") for step in steps()), *(job.get("uses", "") for _, _, job in jobs())]
    for one in used:
        if one.startswith("./"):
            assert (PROJECT / one).is_file() or (PROJECT / one / "action.yml").is_file(), one


def test_no_workflow_has_rights_and_each_job_has_the_least() -> None:
    for path in WORKFLOWS.values():
        assert parsed(path)["permissions"] == {}, path.name
    for workflow, name, job in jobs():
        more = {"pull-requests": "write"} if name == "comment" else {}
        assert job["permissions"] == {"contents": "read", **more}, f"{workflow}: {name}"


def test_the_token_of_the_checkout_is_not_left_for_what_runs_after_it() -> None:
    checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_a_fork_gets_no_secrets() -> None:
    assert not any("pull_request_target" in path.read_text(encoding="utf-8") for path in WORKFLOWS.values())
    assert "secrets." not in WORKFLOWS["preview"].read_text(encoding="utf-8")
    comment = parsed(WORKFLOWS["preview"])["jobs"]["comment"]
    assert "github.event.pull_request.head.repo.full_name == github.repository" in comment["if"]


def test_the_program_of_a_pull_request_runs_without_a_secret_and_without_a_token() -> None:
    jobs = parsed(WORKFLOWS["preview"])["jobs"]
    assert "environment" not in jobs["preview"]
    assert "token" not in json.dumps(jobs["preview"]).replace("persist-credentials", "").lower()
    assert "DOCKER_HOST" not in json.dumps(jobs["preview"])
    (checkout,) = [step for step in jobs["comment"]["steps"] if "uses" in step]
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"


def test_a_preview_of_what_is_deployed_waits_for_whoever_answers_for_it() -> None:
    workflow = parsed(WORKFLOWS["preview-deployed"])
    assert workflow["on"].keys() == {"workflow_dispatch"}
    assert workflow["jobs"]["preview"]["environment"] == "preview"
    # A pull request may change between the reading and the running.
    assert workflow["jobs"]["preview"]["steps"][0]["with"]["ref"] == "${{ inputs.commit }}"


@pytest.mark.parametrize("workflow", ["preview", "preview-deployed"])
def test_each_stack_that_is_previewed_has_its_report_commented_on(workflow: str) -> None:
    job = parsed(WORKFLOWS[workflow])["jobs"]["preview"]
    stacks = job["strategy"]["matrix"]["stack"]
    assert job["outputs"] == {stack: f"${{{{ steps.preview.outputs.{stack} }}}}" for stack in stacks}


def test_a_running_update_is_never_cancelled_and_one_runs_at_a_time() -> None:
    job = parsed(WORKFLOWS["deploy-stack"])["jobs"]["up"]
    assert job["concurrency"] == {"group": "deploy-${{ inputs.stack }}", "cancel-in-progress": False}
    cancelled = [workflow for workflow, _, job in jobs() if job.get("concurrency", {}).get("cancel-in-progress")]
    assert cancelled == ["preview"]
    whole = {name for name, path in WORKFLOWS.items() if "concurrency" in parsed(path)}
    assert whole == {"ci"}, "which deploys nothing that outlives it"


def test_prod_follows_staging_and_each_has_an_environment_that_may_ask_for_approval() -> None:
    deployments = parsed(WORKFLOWS["deploy"])["jobs"]
    assert deployments["prod"]["needs"] == "staging"
    assert [job["with"]["stack"] for job in deployments.values()] == ["staging", "prod"]
    assert parsed(WORKFLOWS["deploy-stack"])["jobs"]["up"]["environment"] == "${{ inputs.stack }}"


def test_every_stack_named_is_one_there_is() -> None:
    for _, name, job in jobs():
        named = [
            *job.get("strategy", {}).get("matrix", {}).get("stack", []),
            *([job["with"]["stack"]] if "with" in job else []),
        ]
        assert all((PROJECT / f"stacks/Pulumi.{stack}.yaml").is_file() for stack in named), name


def test_no_script_holds_an_expression_that_somebody_else_fills() -> None:
    assert [step["run"] for step in steps() if "${{" in step.get("run", "")] == []


def test_secrets_reach_only_the_steps_that_need_them() -> None:
    for _, name, job in jobs():
        assert "secrets." not in json.dumps(job.get("env", {})), name
        for step in job.get("steps", []):
            if "secrets." in json.dumps(step):
                assert "run" in step or step["uses"] == "./.github/actions/prepare", step


def test_every_job_ends_some_day() -> None:
    assert all("timeout-minutes" in job or "uses" in job for _, _, job in jobs())


def test_every_script_and_target_that_is_run_exists() -> None:
    targets = re.findall(r"(?m)^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"))
    for script in (step["run"] for step in steps() if "run" in step):
        tool, first = script.split()[:2] if " " in script else (script, "")
        if tool == "make":
            assert first in targets, script
        else:
            assert os.access(PROJECT / script, os.X_OK), script


def test_every_module_that_the_project_s_own_ci_imports_exists() -> None:
    imported = re.findall(r"from ([\w.]+) import (\w+)", (PROJECT / ".ci/run").read_text(encoding="utf-8"))
    assert ("tooling.pulumi_cli.usable", "obstacle_to_cli") in imported
    assert all(hasattr(import_module(module), name) for module, name in imported)


def test_the_cli_is_the_one_the_tests_ran_with_and_python_the_oldest_supported() -> None:
    prepared = {
        step["uses"].partition("@")[0]: step["with"]
        for step in steps()
        if "with" in step and "@" in step.get("uses", "")
    }
    assert prepared["pulumi/actions"] == {"pulumi-version": "3.260.0"}
    assert prepared["actions/setup-python"] == {"python-version": "3.11"}


# The scripts -------------------------------------------------------------------------------------------------------

STAND_IN = """\
#!/bin/sh
"exec" "$PYTHON" "$0" "$@"  # two strings, to Python; the kernel takes no path with a space
import json, os, pathlib, sys
here = pathlib.Path(os.environ["HOME"])
words = sys.argv[1:]
name = pathlib.Path(sys.argv[0]).name
body = json.load(sys.stdin)["body"] if "--input" in words else ""
with (here / "calls").open("a") as calls:
    calls.write(json.dumps([name, *words, body]) + chr(10))
print((here / f"{name}.out").read_text(), end="")
sys.exit(int((here / f"{name}.code").read_text()) if "--jq" not in words else 0)
"""


class Runner:
    """A machine of GitHub's: pulumi and gh answer what they are told to."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "bin").mkdir()
        (home / ".venv").symlink_to(sys.prefix)
        (home / "Pulumi.yaml").write_text("name: open-webui\nruntime: python\nstackConfigDir: stacks\n")
        (home / "stacks").mkdir()
        for name in ("dev", "staging", "prod"):
            (home / f"stacks/Pulumi.{name}.yaml").write_text("")
        for name in ("pulumi", "gh"):
            tool = home / "bin" / name
            tool.write_text(STAND_IN)
            tool.chmod(0o755)
            self.answers(name, "", 0)

    def answers(self, name: str, text: str, code: int = 0) -> None:
        (self.home / f"{name}.out").write_text(text, encoding="utf-8")
        (self.home / f"{name}.code").write_text(str(code))

    @property
    def calls(self) -> list[list[str]]:
        """Names, words and comments, in their order."""
        written = self.home / "calls"
        return [json.loads(line) for line in written.read_text().splitlines()] if written.exists() else []

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        own = {
            "HOME": str(self.home), "PYTHON": sys.executable,
            "PATH": f"{self.home / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(PROJECT),
            "GITHUB_REPOSITORY": "team/chat", "GITHUB_STEP_SUMMARY": str(self.home / "summary.md"),
            "GITHUB_OUTPUT": str(self.home / "output"), "STACK": "dev", "PULL_REQUEST": "7",
        }  # fmt: skip
        return subprocess.run(
            ["bash", str(GITHUB / script)], cwd=self.home, env={**own, **variables}, capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def preview(case: str) -> str:
    return (PREVIEWS / f"{case}.pulumi.json").read_text(encoding="utf-8")


def report(case: str) -> str:
    return (PREVIEWS / f"{case}.md").read_text(encoding="utf-8")


def comment(runner: Runner, **reports: str) -> subprocess.CompletedProcess[str]:
    return runner.run("comment.sh", REPORTS=json.dumps(reports))


@pytest.mark.parametrize(("case", "code"), [("port", 0), ("refused", 1), ("another-host", 2)])
def test_a_preview_is_in_the_summary_and_in_the_output_of_its_stack_and_ends_as_it_ended(
    runner: Runner, case: str, code: int
) -> None:
    runner.answers("pulumi", preview(case), 1 if code else 0)
    done = runner.run("preview.sh")
    assert done.returncode == code, done.stderr
    assert runner.calls == [["pulumi", "preview", "--json", "--non-interactive", "--stack", "dev", ""]]
    assert (runner.home / "summary.md").read_text() == report(case)
    first, *lines, end = (runner.home / "output").read_text().splitlines()
    assert first == f"dev<<{end}"
    assert len(end) == 64
    assert "\n".join(lines) == report(case).rstrip("\n")


def test_a_preview_that_printed_nothing_fails_the_job_and_says_nothing_to_anybody(runner: Runner) -> None:
    runner.answers("pulumi", "", 255)
    done = runner.run("preview.sh")
    assert done.returncode == 1
    assert "this is no preview" in done.stderr
    assert not (runner.home / "output").exists()


@pytest.mark.processes
def test_beside_its_base_a_stack_is_previewed_without_pulumi_docker_or_a_secret(runner: Runner) -> None:
    for name in ("tooling", "stacks", "Pulumi.yaml", "__main__.py"):
        if (runner.home / name).exists():
            (runner.home / name).rename(runner.home / f"{name}.other")
        (runner.home / name).symlink_to(PROJECT / name)
    done = runner.run("preview.sh", BASE=str(PROJECT), STACK="staging", DOCKER_HOST="unix:///nowhere")
    assert done.returncode == 0, done.stderr
    assert runner.calls == []
    assert "Nothing changes." in (runner.home / "summary.md").read_text()


def test_a_first_report_becomes_a_comment_a_stack(runner: Runner) -> None:
    done = comment(runner, dev=report("port"), prod=report("image"), staging="")
    assert done.returncode == 0, done.stderr
    listing, *written = runner.calls
    assert listing[2:4] == ["--paginate", "repos/team/chat/issues/7/comments?per_page=100"]
    to = ["gh", "api", "--method", "POST", "repos/team/chat/issues/7/comments", "--input", "-"]
    assert written == [[*to, report("port")], [*to, report("image")]]


def test_a_later_report_rewrites_its_own_comment_and_no_other(runner: Runner) -> None:
    comments = [
        (1, "looks good"),
        (2, "<!-- preview_report: prod -->\nother"),
        (3, "<!-- preview_report: dev -->\r\nold"),
    ]
    runner.answers("gh", "".join(json.dumps({"id": number, "body": body}) + "\n" for number, body in comments))
    assert comment(runner, dev=report("no-change")).returncode == 0
    assert runner.calls[-1][2:5] == ["--method", "PATCH", "repos/team/chat/issues/comments/3"]
    assert runner.calls[-1][-1] == report("no-change")


def test_without_a_report_github_is_not_asked(runner: Runner) -> None:
    assert comment(runner, dev="").returncode == 0
    assert runner.calls == []


def test_a_comment_that_github_refuses_fails_the_job_and_names_the_right(runner: Runner) -> None:
    runner.answers("gh", "", 1)
    done = comment(runner, dev=report("port"))
    assert done.returncode == 1
    assert "pull-requests: write" in done.stderr


def test_only_what_a_workflow_may_have_written_is_rewritten(runner: Runner) -> None:
    comment(runner, dev=report("port"))
    assert 'select(.user.type == "Bot")' in runner.calls[0][-2]


def test_comments_without_text_are_passed_over() -> None:
    assert found('{"id": 1, "body": null}\n{"id": 2, "body": "<!-- x -->"}', "<!-- x -->\nnew") == 2


def test_a_report_too_long_for_a_comment_is_cut_at_a_line() -> None:
    cut = shortened("a line of the table\n" * 5000)
    assert len(cut) <= LONGEST
    assert cut.endswith("it is in the summary of the job.)\n")
    assert shortened("short") == "short"


def test_the_key_reaches_nobody_else_and_only_the_known_host_is_spoken_to(runner: Runner) -> None:
    done = runner.run("ssh.sh", DOCKER_SSH_KEY="the key", DOCKER_KNOWN_HOSTS="host ssh-ed25519 AAAA")
    assert done.returncode == 0, done.stderr
    key = runner.home / ".ssh/id_docker"
    assert key.read_text() == "the key\n"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert "StrictHostKeyChecking yes" in (runner.home / ".ssh/config").read_text()
    assert "the key" not in done.stdout + done.stderr


@pytest.mark.parametrize("missing", ["DOCKER_SSH_KEY", "DOCKER_KNOWN_HOSTS"])
def test_what_was_not_set_is_named(runner: Runner, missing: str) -> None:
    given = {"DOCKER_SSH_KEY": "the key", "DOCKER_KNOWN_HOSTS": "host ssh-ed25519 AAAA"} | {missing: ""}
    done = runner.run("ssh.sh", **given)
    assert done.returncode == 1
    assert f"{missing} is empty" in done.stderr
