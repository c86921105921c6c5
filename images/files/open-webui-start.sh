#!/usr/bin/env bash
# The contract of the official image's start.sh: one uvicorn on $HOST:$PORT, a generated key where none is given.
cd "$(dirname "${BASH_SOURCE[0]}")" || exit

if [ -z "${WEBUI_SECRET_KEY:-}" ]; then
    key_file=.webui_secret_key
    echo "Loading WEBUI_SECRET_KEY from $key_file, not provided as an environment variable."
    [ -e "$key_file" ] || (umask 077 && head -c 32 /dev/urandom | base64 > "$key_file") || exit
    WEBUI_SECRET_KEY=$(cat "$key_file")
    export WEBUI_SECRET_KEY
fi

exec uvicorn open_webui.main:app --host "${HOST:-0.0.0.0}" --port "${PORT:-8080}" \
    --forwarded-allow-ips '*' --workers "${UVICORN_WORKERS:-1}"
