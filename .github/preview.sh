#!/usr/bin/env bash
# Preview a stack, and hand the report on: to the job's summary, and as its output of the stack's name.
# Wants STACK, GITHUB_STEP_SUMMARY and GITHUB_OUTPUT. With BASE, a checkout of the program as it was, nothing deployed is
# looked at; without, the Pulumi CLI previews what is deployed.
set -euo pipefail

previewed=0
if [ -n "${BASE:-}" ]; then
  .venv/bin/python -m tooling.preview_report.declared --base "$BASE" --stack "$STACK" > preview.json || previewed=$?
else
  pulumi preview --json --non-interactive --stack "$STACK" > preview.json || previewed=$?
fi
reported=0
.venv/bin/python -m tooling.preview_report --stack "$STACK" preview.json > preview.md || reported=$?
if [ -s preview.md ]; then
  cat preview.md >> "$GITHUB_STEP_SUMMARY"
  end=$(.venv/bin/python -c 'import secrets; print(secrets.token_hex())')
  printf '%s<<%s\n%s\n%s\n' "$STACK" "$end" "$(cat preview.md)" "$end" >> "$GITHUB_OUTPUT"
fi
if [ "$reported" -ne 0 ]; then
  exit "$reported"
fi
exit "$previewed"
