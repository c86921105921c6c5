#!/usr/bin/env bash
# The contract of the official image's start.sh: one uvicorn on $HOST:$PORT, a generated key where none is given.
# Left out are the ways that need what this image lacks: a bundled Ollama, CUDA, Playwright's browser, Hugging Face Spaces.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

if [ -z "${WEBUI_SECRET_KEY:-}" ] && [ -z "${WEBUI_JWT_SECRET_KEY:-}" ]; then
    key_file=${WEBUI_SECRET_KEY_FILE:-.webui_secret_key}
    echo "No WEBUI_SECRET_KEY environment variable set, loading from file."
    if [ ! -f "$key_file" ]; then
        length=${WEBUI_SECRET_KEY_LENGTH:-24}
        if ! [[ $length =~ ^[1-9][0-9]*$ ]]; then
            echo "WEBUI_SECRET_KEY_LENGTH must be a positive integer." >&2
            exit 1
        fi
        echo "Generating new WEBUI_SECRET_KEY..."
        head -c "$length" /dev/random | base64 > "$key_file"
    fi
    echo "Loading WEBUI_SECRET_KEY from $key_file"
    WEBUI_SECRET_KEY=$(cat -- "$key_file")
fi

# Arguments stand in place of the two options that can be given by variables.
if [ $# = 0 ]; then
    set -- --workers "${UVICORN_WORKERS:-1}" --ws-per-message-deflate "${UVICORN_WS_PER_MESSAGE_DEFLATE:-true}"
fi

exec env WEBUI_SECRET_KEY="${WEBUI_SECRET_KEY:-}" python3 -m uvicorn open_webui.main:app \
    --host "${HOST:-0.0.0.0}" --port "${PORT:-8080}" --forwarded-allow-ips "${FORWARDED_ALLOW_IPS:-*}" "$@"
