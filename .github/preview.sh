#!/usr/bin/env bash
# Preview a stack, and keep the comment about it on the pull request up to date.
# Wants STACK, PULL_REQUEST, GITHUB_REPOSITORY, GITHUB_STEP_SUMMARY, and GH_TOKEN for gh.
set -euo pipefail

previewed=0
pulumi preview --json --non-interactive --stack "$STACK" > preview.json || previewed=$?
reported=0
.venv/bin/python -m preview_report --stack "$STACK" preview.json > preview.md || reported=$?
if [ -s preview.md ]; then
  cat preview.md >> "$GITHUB_STEP_SUMMARY"
  .venv/bin/python -m preview_report.comment --repository "$GITHUB_REPOSITORY" --pull-request "$PULL_REQUEST" preview.md
fi
if [ "$reported" -ne 0 ]; then
  exit "$reported"
fi
exit "$previewed"
