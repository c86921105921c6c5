#!/usr/bin/env bash
# Let the openssh client reach the deployment's Docker host: with this key, and no other host than the known one.
set -euo pipefail

for name in DOCKER_SSH_KEY DOCKER_KNOWN_HOSTS; do
  if [ -z "${!name:-}" ]; then
    echo "error: $name is empty. Set it in the repository's environment; docs/pull-requests.md says what to." >&2
    exit 1
  fi
done
umask 077
mkdir -p "$HOME/.ssh"
printf '%s\n' "$DOCKER_SSH_KEY" > "$HOME/.ssh/id_docker"
printf '%s\n' "$DOCKER_KNOWN_HOSTS" >> "$HOME/.ssh/known_hosts"
printf '%s\n' 'Host *' '  IdentityFile ~/.ssh/id_docker' '  StrictHostKeyChecking yes' '  BatchMode yes' >> "$HOME/.ssh/config"
