# STACK   the environment: a file stacks/Pulumi.<stack>.yaml
# ENGINE  auto (the Pulumi CLI if it is on PATH and works, else the embedded engine), pulumi, or embedded
# BUILD_IMAGES  1 builds missing images here, without asking a registry
# SECRET  the secret that `make rotate` replaces; `make rotate` alone lists those of the stack
# YES     1 answers yes to what up, rotate and destroy would ask at a terminal
# TAKE_OVER  1 takes over (up, destroy) what was deployed from another state, which is lost or given up
STACK ?= dev
ENGINE ?= auto
# Python that .venv is made with; it is made again where another one is named.
PYTHON ?= python3
# Further ones, for `make unit-pythons`.
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
.PHONY: help python setup image-contract up preview refresh verify outputs destroy pin rotate cancel drift test test-all test-cli test-docker26 bench unit unit-pythons lint fmt lock reference clean

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

up: python ## set up, deploy, and prove that events travel through Valkey; ask before people are interrupted (YES=1: do not ask)
	$(DEPLOY) $(if $(filter 1,$(YES)),--yes)

preview: python ## show what `up` would change
	$(DEPLOY)

refresh: python ## read what is really there into the state
	$(DEPLOY)

verify: python ## run the verification now, on what is deployed (IDLE=0 spares the half minute behind a gateway)
	$(DEPLOY) $(if $(IDLE),$(if $(filter 0 no false,$(IDLE)),--no-idle,--idle))

outputs: python ## print the stack's outputs as JSON (make -s outputs; SHOW_SECRETS=1: secrets too)
	$(DEPLOY) $(if $(SHOW_SECRETS),--show-secrets)

destroy: python ## remove the stack after asking (YES=1: without asking); data volumes stay unless the stack says otherwise
	$(DEPLOY) $(if $(filter 1,$(YES)),--yes)

pin: python ## write the digests of the stack's image tags into its stack file
	$(DEPLOY)

rotate: python ## replace one secret, deploy and prove (SECRET=NAME)
	$(DEPLOY) --secret '$(SECRET)' $(if $(filter 1,$(YES)),--yes)

cancel: python ## remove the lock that a run left behind (YES=1: also that of a run at work, or of another machine)
	$(DEPLOY) $(if $(filter 1,$(YES)),--yes)

drift: python ## list what is no longer as the last update left it (JSON=1: as JSON)
	$(DEPLOY) $(if $(JSON),--json)

test: python ## set up, then run the tests: lint, unit, engine, containers; stop at the first tier that fails
	@$(BIN)/python -m tests.tiers

test-all: python ## run all tests, also those that take hours: soaks, sweeps, drills
	@$(BIN)/python -m tests.tiers --all

test-cli: python ## run the tests that need the Pulumi CLI and its Docker plugin, which must be there
	@$(BIN)/python -m tests.tiers --only cli

test-docker26: setup ## run the tests of containers on Docker 26.1 of Debian 13, beside this machine's own (root, on Debian)
	@$(BIN)/python -m tests.other_docker

bench: python ## measure events, joins, outages and deployment on a stack of its own; write docs/benchmarks.md (ONLY=speed: one section)
	@$(BIN)/python -m tests.bench --engine $(ENGINE) $(if $(ONLY),--only $(ONLY))

unit: python ## run the quick tests, which need no Docker
	@$(BIN)/python -m pytest -q --dist loadfile --no-loadscope-reorder -n auto --maxprocesses 4 -m "not docker and not processes" tests/unit tests/engine tests/crashes

unit-pythons: python ## run the quick tests on other versions of Python, which uv finds or downloads (PYTHONS="3.12 3.13")
	@$(BIN)/python -m tests.pythons $(PYTHONS)

lint: python ## check all code with ruff and mypy, and the docstrings
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m docs.docstrings

fmt: python ## format the code, and fix what ruff can fix
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

lock: ## pin all dependencies with hashes, of .venv, uv and local builds (UPGRADE=1: in their newest versions)
	@$(COMPILE) pyproject.toml --group program --group dev --output-file requirements-dev.txt
	@$(COMPILE) pyproject.toml --group program --constraints requirements-dev.txt --output-file requirements.txt
	@echo uv | $(COMPILE) --output-file tooling/machine/uv.txt -
	@$(BIN)/python -m tooling.images.lock

reference: python ## write the reference in docs/components.md from the docstrings
	@$(BIN)/python -m docs.reference

clean: ## remove caches and .venv; state and data stay
	@rm -rf .venv .cache .artifacts .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
