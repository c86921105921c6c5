#!/usr/bin/env bash
# The hooks of .pre-commit-config.yaml that `make lint` does not run, over all files and commits.
set -euo pipefail
export SKIP=ruff,ruff-format,mypy
pipx run pre-commit==4.7.0 run --all-files --show-diff-on-failure
exec pipx run pre-commit==4.7.0 run --all-files --hook-stage manual gitleaks-commits
