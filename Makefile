# STACK   the environment: a file stacks/Pulumi.<stack>.yaml
# ENGINE  auto (the Pulumi CLI if it is on PATH and works, else the embedded engine), pulumi, or embedded
# BUILD_IMAGES  1 has missing images built here without asking a registry
# SECRET  which secret `make rotate` makes anew; `make rotate` alone lists those the stack has
# YES     1 agrees beforehand to what up, rotate and destroy ask about at a terminal
# TAKE_OVER  1 has up and destroy take over what another state has deployed, one that is lost or given up
STACK ?= dev
ENGINE ?= auto
# Python that makes .venv, and makes it anew where one is named that it is not of.
PYTHON ?= python3
# Further ones, for `make unit-pythons`.
PYTHONS ?= 3.12 3.13

BIN := .venv/bin
LAUNCH = @$(BIN)/python -m tooling.launcher
DEPLOY = $(LAUNCH) $@ --stack $(STACK) --engine $(ENGINE)

ifdef BYTECODE
export IMAGE_BYTECODE := $(BYTECODE)
endif

.DEFAULT_GOAL := help
.PHONY: help python setup image-contract up preview refresh verify outputs destroy pin rotate cancel drift test test-all test-cli test-docker26 bench unit unit-pythons lint fmt lock reference clean

help: ## this list
	@echo "usage: make TARGET [STACK=dev] [ENGINE=auto|pulumi|embedded]"
	@echo
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1 \2/p' Makefile | while read -r target text; do printf '  %-14s %s\n' "$$target" "$$text"; done
	@echo
	@sed -n 's/^# \(STACK\|ENGINE\|BUILD_IMAGES\|SECRET\|YES\|TAKE_OVER\) /  \1 /p' Makefile

python:
	@$(PYTHON) -m tooling.launcher.python_env $(if $(filter-out file,$(origin PYTHON)),--this-python)

setup: python ## everything this machine lacks: Python packages, Docker, images (BYTECODE=1: local builds that boot quicker)
	$(LAUNCH) setup --stack $(STACK)

image-contract: python ## whether images, pulled or built here, are as the official ones (of all stacks, or STACK=NAME)
	$(LAUNCH) $@ --stack '$(if $(filter-out file,$(origin STACK)),$(STACK))'

up: python ## set up, deploy, and prove that events travel through Valkey; asks before it interrupts people (YES=1: does not)
	$(DEPLOY) $(if $(filter 1,$(YES)),--yes)

preview: python ## what `up` would change
	$(DEPLOY)

refresh: python ## read what is really there into the state
	$(DEPLOY)

verify: python ## run the proof now, on what is deployed (IDLE=0 spares the half minute behind a gateway)
	$(DEPLOY) $(if $(IDLE),$(if $(filter 0 no false,$(IDLE)),--no-idle,--idle))

outputs: python ## the stack's outputs as JSON (make -s outputs; secrets too with SHOW_SECRETS=1)
	$(DEPLOY) $(if $(SHOW_SECRETS),--show-secrets)

destroy: python ## remove the stack, when you have agreed (YES=1); data volumes stay unless the stack says otherwise
	$(DEPLOY) $(if $(filter 1,$(YES)),--yes)

pin: python ## write the digests of the stack's image tags into its stack file
	$(DEPLOY)

rotate: python ## make one secret anew and prove it (SECRET=NAME)
	$(DEPLOY) --secret '$(SECRET)' $(if $(filter 1,$(YES)),--yes)

cancel: python ## remove the lock a run left behind (YES=1: also of a run at work, or of another machine)
	$(DEPLOY) $(if $(filter 1,$(YES)),--yes)

drift: python ## whether all is still as the last update left it; lists what is not (JSON=1: as JSON)
	$(DEPLOY) $(if $(JSON),--json)

test: python ## set up, then the tests: lint, unit, engine, containers; stops at the first tier that is red
	@$(BIN)/python -m tests.tiers

test-all: python ## the same, then what takes hours: soaks, sweeps, drills
	@$(BIN)/python -m tests.tiers --all

test-cli: python ## the tests that need the Pulumi CLI and its Docker plugin, which must be there
	@$(BIN)/python -m tests.tiers --only cli

test-docker26: setup ## the tests of containers on Docker 26.1 of Debian 13, beside this machine's own (root, on Debian)
	@$(BIN)/python -m tests.other_docker

bench: python ## measure events, joins, outages and deployment on a stack of its own; writes docs/benchmarks.md (ONLY=speed: one section)
	@$(BIN)/python -m tests.bench --engine $(ENGINE) $(if $(ONLY),--only $(ONLY))

unit: python ## the quick tests: no Docker
	@$(BIN)/python -m pytest -q --dist loadfile --no-loadscope-reorder -n auto --maxprocesses 4 -m "not docker and not processes" tests/unit tests/engine tests/crashes

unit-pythons: python ## the same on other versions of Python, which uv finds or downloads (PYTHONS="3.12 3.13")
	@$(BIN)/python -m tests.pythons $(PYTHONS)

lint: python ## ruff and mypy, over everything, and what docstrings must say
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m docs.docstrings

fmt: python ## format, and mend what ruff can mend
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

lock: ## pin all dependencies anew: constraints.txt, requirements.lock with hashes, and tooling/images/locks for local builds
	@sed '/^-/d' requirements.txt requirements-dev.txt | $(PYTHON) -m tooling.machine.uv pip compile --quiet --no-config \
	    --universal --python-version 3.11 --no-header --no-annotate - > .constraints.new
	@{ echo '# Every transitive dependency, pinned: `make lock` writes this file.'; cat .constraints.new; } > constraints.txt
	@rm .constraints.new
	@{ echo '# All of constraints.txt with the hashes of its files: `make lock` writes this file.'; \
	    $(PYTHON) -m tooling.machine.uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate requirements-dev.txt; } > .lock.new
	@mv .lock.new requirements.lock
	@sed -n 's/^VERSION: Final = "\(.*\)"/uv==\1/p' tooling/machine/uv.py | $(PYTHON) -m tooling.machine.uv pip compile --quiet --no-config \
	    --universal --python-version 3.11 --generate-hashes --no-header --no-annotate - > .uv.new
	@mv .uv.new tooling/machine/uv.txt
	@$(BIN)/python -m tooling.images.lock

reference: python ## write what follows from the code: docs/components.md, docs/settings.md, Pulumi.yaml's config, stacks/schema.json
	@$(BIN)/python -m docs.reference
	@$(BIN)/python -m settings.documents

clean: ## remove caches and .venv; state and data stay
	@rm -rf .venv .cache .artifacts .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
