#!/usr/bin/env bash
# Keep a comment a stack on a pull request up to date.
# Wants REPORTS (JSON: Markdown by stack), PULL_REQUEST, GITHUB_REPOSITORY, and GH_TOKEN for gh.
set -euo pipefail

printf '%s' "$REPORTS" |
  python3 -m tooling.preview_report.comment --repository "$GITHUB_REPOSITORY" --pull-request "$PULL_REQUEST"
