# STACK         the stack, whose settings are in stacks/Pulumi.STACK.yaml; dev if not given
# YES           1: agree beforehand to what up, rotate and destroy ask at a terminal
# SECRET        the secret that `make rotate` replaces
# WHO           the container of `make logs` or `make shell`: a name, or its end (valkey, 1)
# LINES         how many `make logs` and `make history` print
# ENGINE        pulumi (its CLI), embedded, or auto: the CLI if it is on PATH and works, else the embedded engine
# BUILD_IMAGES  1: build missing images here without asking a registry
# TAKE_OVER     1: up and destroy take over what another state has deployed, if that state is lost or given up
STACK ?= dev
ENGINE ?= auto
# The Python that makes .venv. If you name one, a .venv of another Python is made again.
PYTHON ?= python3
# Further versions, for `make unit-pythons`.
PYTHONS ?= 3.12 3.13

BIN := .venv/bin
LAUNCH = @$(BIN)/python -m tooling.launcher
DEPLOY = $(LAUNCH) $@ --stack $(STACK) --engine $(ENGINE)

COMPILE = $(PYTHON) -m tooling.machine.uv pip compile --quiet --no-config --universal --python-version 3.11 \
    --generate-hashes --no-annotate --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

ifdef BYTECODE
export IMAGE_BYTECODE := $(BYTECODE)
endif

.DEFAULT_GOAL := help
.PHONY: help python setup init image-contract up preview refresh verify outputs destroy status logs shell config history outdated pin rotate cancel drift test test-all test-cli test-docker26 bench unit unit-pythons lint fmt lock reference release clean

help: ## list the targets
	@echo 'usage: make TARGET [STACK=NAME] [VARIABLE=VALUE]'
	@awk '/^##@ / { print "\n" substr($$0, 5) } \
	    match($$0, /^[a-z0-9-]+:.*## /) { printf "  %-14s %s\n", substr($$1, 1, length($$1) - 1), substr($$0, RLENGTH + 1) }' Makefile
	@printf '\nVariables\n'
	@sed -n 's/^# \([A-Z_]*  \)/  \1/p' Makefile

python:
	@$(PYTHON) -m tooling.launcher.python_env $(if $(filter-out file,$(origin PYTHON)),--this-python)

##@ Deploy a stack

up: python ## deploy, and prove that events travel; sets up what is missing, asks before it interrupts people
	$(DEPLOY) $(if $(filter 1,$(YES)),--yes)

preview: python ## show what `up` would change, and what people would notice
	$(DEPLOY)

verify: python ## prove again what is deployed (IDLE=0: without the half minute of silence behind a gateway)
	$(DEPLOY) $(if $(IDLE),$(if $(filter 0 no false,$(IDLE)),--no-idle,--idle))

outputs: python ## print URL, versions and report as JSON (make -s outputs; with the secrets: SHOW_SECRETS=1)
	$(DEPLOY) $(if $(SHOW_SECRETS),--show-secrets)

destroy: python ## remove the stack once you have agreed; keeps its data, unless its settings say otherwise
	$(DEPLOY) $(if $(filter 1,$(YES)),--yes)

init: python ## write the stack file of a team's stack, from five answers (STACK=NAME)
	$(LAUNCH) $@ --stack '$(if $(filter file,$(origin STACK)),team,$(STACK))' $(if $(filter 1,$(YES)),--yes)

##@ Look at it

status: python ## show on one screen what runs, since when, the last update and verification (JSON=1: as JSON)
	$(DEPLOY) $(if $(JSON),--json)

logs: python ## print the containers' last lines, on a terminal as they come (WHO=valkey: one; LINES=100)
	$(DEPLOY) --who '$(WHO)' $(if $(LINES),--lines '$(LINES)')

shell: python ## open a shell in a container (WHO=valkey, WHO=1)
	$(DEPLOY) --who '$(WHO)'

config: python ## list every setting, its value, and where that comes from (JSON=1)
	$(DEPLOY) $(if $(JSON),--json)

history: python ## list the updates, what they changed, and by whom (LINES=20; JSON=1)
	$(DEPLOY) --lines '$(or $(LINES),20)' $(if $(JSON),--json)

outdated: python ## list which images and Python packages have newer versions, and who says so (JSON=1)
	$(DEPLOY) $(if $(JSON),--json)

##@ Look after it

setup: python ## do only what `up` does first: get Python packages, Docker and images (BYTECODE=1: faster local builds)
	$(LAUNCH) setup --stack $(STACK)

drift: python ## list how Docker differs from what the last `up` left (JSON=1: as JSON)
	$(DEPLOY) $(if $(JSON),--json)

refresh: python ## read into the state what Docker really has
	$(DEPLOY)

rotate: python ## replace a secret, and prove the stack again (SECRET=NAME; without it: list the secrets)
	$(DEPLOY) --secret '$(SECRET)' $(if $(filter 1,$(YES)),--yes)

pin: python ## write into the stack file which images its tags mean today, by digest
	$(DEPLOY)

cancel: python ## remove the lock that a killed run left (YES=1: also that of a run at work, or elsewhere)
	$(DEPLOY) $(if $(filter 1,$(YES)),--yes)

image-contract: python ## compare the images of all stacks (or STACK=NAME) with the official ones
	$(LAUNCH) $@ --stack '$(if $(filter-out file,$(origin STACK)),$(STACK))'

##@ Work on the project

lint: python ## check with ruff and mypy, and what docstrings must say
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m tooling.documents.docstrings

fmt: python ## format, and fix what ruff can fix
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

unit: python ## run the quick tests: no Docker, no other process
	@$(BIN)/python -m pytest -q --dist loadfile --no-loadscope-reorder -n auto --maxprocesses 4 -m "not docker and not processes" tests/unit tests/engine tests/crashes

unit-pythons: python ## run them on other versions of Python, which uv finds or downloads (PYTHONS="3.12 3.13")
	@$(BIN)/python -m tests.pythons $(PYTHONS)

test: python ## run lint, then the tests, on real containers too; stops at the first tier that fails
	@$(BIN)/python -m tests.tiers

test-all: python ## run the same, then what takes hours: soaks, sweeps, drills
	@$(BIN)/python -m tests.tiers --all

test-cli: python ## run the tests that need the Pulumi CLI and its Docker plugin
	@$(BIN)/python -m tests.tiers --only cli

test-docker26: setup ## run the tests of containers on Docker 26.1 of Debian 13 (as root, on Debian)
	@$(BIN)/python -m tests.other_docker

bench: python ## measure events, outages and deployment; write docs/benchmarks.md (ONLY=speed: one section)
	@$(BIN)/python -m tests.bench --engine $(ENGINE) $(if $(ONLY),--only $(ONLY))

reference: python ## write docs/components.md, docs/settings.md, Pulumi.yaml and stacks/schema.json from the code
	@$(BIN)/python -m tooling.documents.reference
	@$(BIN)/python -m tooling.documents.settings

lock: python ## pin all dependencies, with hashes (UPGRADE=1: their newest versions)
	@$(COMPILE) pyproject.toml --group program --group dev --output-file requirements-dev.txt
	@$(COMPILE) pyproject.toml --group program --constraints requirements-dev.txt --output-file requirements.txt
	@echo uv | $(COMPILE) --output-file tooling/machine/uv.txt -
	@printf 'cyclonedx-bom\nhatchling>=1.27,<2\n' | $(COMPILE) --output-file tooling/release.txt -
	@$(BIN)/python -m tooling.images.lock

release: python ## make a release in dist/: wheel, sdist, bill of materials, SHA-256 sums
	@$(BIN)/python -m tooling.release

clean: ## remove .venv, caches and dist; state and data stay
	@rm -rf .venv .cache .artifacts dist .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
