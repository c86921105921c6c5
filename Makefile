# STACK   the environment: a file stacks/Pulumi.<stack>.yaml
# ENGINE  auto (the Pulumi CLI if it is on PATH and works, else the embedded engine), pulumi, or embedded
# BUILD_IMAGES  1: build missing images here without asking a registry
# SECRET  the secret that `make rotate` replaces
# YES     1: agree beforehand to what up, rotate and destroy ask about at a terminal
# TAKE_OVER  1: up and destroy take over what another state has deployed, if that state is lost or given up
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
.PHONY: help python setup image-contract up preview refresh verify outputs destroy pin rotate cancel drift test test-all test-cli test-docker26 bench unit unit-pythons lint fmt lock reference release clean

help: ## list the targets
	@echo "usage: make TARGET [STACK=dev] [ENGINE=auto|pulumi|embedded]"
	@echo
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1 \2/p' Makefile | while read -r target text; do printf '  %-14s %s\n' "$$target" "$$text"; done
	@echo
	@sed -n 's/^# \(STACK\|ENGINE\|BUILD_IMAGES\|SECRET\|YES\|TAKE_OVER\) /  \1 /p' Makefile

python:
	@$(PYTHON) -m tooling.launcher.python_env $(if $(filter-out file,$(origin PYTHON)),--this-python)

setup: python ## install what this machine lacks: Python packages, Docker, images (BYTECODE=1: local builds that boot quicker)
	$(LAUNCH) setup --stack $(STACK)

image-contract: python ## compare images, pulled or built here, with the official ones (of all stacks, or STACK=NAME)
	$(LAUNCH) $@ --stack '$(if $(filter-out file,$(origin STACK)),$(STACK))'

up: python ## set up, deploy, and prove that events travel through Valkey; asks before it interrupts people (YES=1: does not ask)
	$(DEPLOY) $(if $(filter 1,$(YES)),--yes)

preview: python ## show what `up` would change
	$(DEPLOY)

refresh: python ## read into the state what Docker really has
	$(DEPLOY)

verify: python ## run the proof now, on what is deployed (IDLE=0: without the half minute behind a gateway)
	$(DEPLOY) $(if $(IDLE),$(if $(filter 0 no false,$(IDLE)),--no-idle,--idle))

outputs: python ## print the stack's outputs as JSON (make -s outputs; with the secrets: SHOW_SECRETS=1)
	$(DEPLOY) $(if $(SHOW_SECRETS),--show-secrets)

destroy: python ## remove the stack once you have agreed (YES=1: does not ask); data volumes stay unless the stack says otherwise
	$(DEPLOY) $(if $(filter 1,$(YES)),--yes)

pin: python ## write the digests of the stack's image tags into its stack file
	$(DEPLOY)

rotate: python ## replace one secret by a new one and prove it (SECRET=NAME; without it: list the secrets)
	$(DEPLOY) --secret '$(SECRET)' $(if $(filter 1,$(YES)),--yes)

cancel: python ## remove the lock that a run left behind (YES=1: also of a run at work, or of another machine)
	$(DEPLOY) $(if $(filter 1,$(YES)),--yes)

drift: python ## list what is no longer as the last update left it (JSON=1: as JSON)
	$(DEPLOY) $(if $(JSON),--json)

test: python ## set up, then run the tests: lint, unit, engine, containers; stops at the first tier that is red
	@$(BIN)/python -m tests.tiers

test-all: python ## run the same, then what takes hours: soaks, sweeps, drills
	@$(BIN)/python -m tests.tiers --all

test-cli: python ## run the tests that need the Pulumi CLI and its Docker plugin, which must be there
	@$(BIN)/python -m tests.tiers --only cli

test-docker26: setup ## run the tests of containers on Docker 26.1 of Debian 13, beside this machine's own (needs root, on Debian)
	@$(BIN)/python -m tests.other_docker

bench: python ## measure events, joins, outages and deployment on a stack of its own; write docs/benchmarks.md (ONLY=speed: one section)
	@$(BIN)/python -m tests.bench --engine $(ENGINE) $(if $(ONLY),--only $(ONLY))

unit: python ## run the quick tests, without Docker
	@$(BIN)/python -m pytest -q --dist loadfile --no-loadscope-reorder -n auto --maxprocesses 4 -m "not docker and not processes" tests/unit tests/engine tests/crashes

unit-pythons: python ## run the same on other versions of Python, which uv finds or downloads (PYTHONS="3.12 3.13")
	@$(BIN)/python -m tests.pythons $(PYTHONS)

lint: python ## check everything with ruff and mypy, and what docstrings must say
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m tooling.documents.docstrings

fmt: python ## format, and fix what ruff can fix
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

lock: ## pin all dependencies with hashes, of .venv, uv and local builds (UPGRADE=1: in their newest versions)
	@$(COMPILE) pyproject.toml --group program --group dev --output-file requirements-dev.txt
	@$(COMPILE) pyproject.toml --group program --constraints requirements-dev.txt --output-file requirements.txt
	@echo uv | $(COMPILE) --output-file tooling/machine/uv.txt -
	@printf 'cyclonedx-bom\nhatchling>=1.27,<2\n' | $(COMPILE) --output-file tooling/documents/release.txt -
	@$(BIN)/python -m tooling.images.lock

reference: python ## write docs/components.md from the docstrings; docs/settings.md, Pulumi.yaml's config and stacks/schema.json from the settings
	@$(BIN)/python -m tooling.documents.reference
	@$(BIN)/python -m tooling.documents.settings

release: python ## make a release in dist/: wheel, sdist, bill of materials, SHA-256 sums
	@$(BIN)/python -m tooling.documents.release

clean: ## remove caches, dist and .venv; state and data stay
	@rm -rf .venv .cache .artifacts dist .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
