#!/bin/sh
# The contract of the official Valkey image's entrypoint: options alone start valkey-server, root gives its rights up.
set -e

case "${1:-}" in
    -* | *.conf) set -- valkey-server "$@" ;;
esac

if [ "$1" = valkey-server ]; then
    if [ "$(id -u)" = 0 ]; then
        # Without CAP_CHOWN this fails only where something really belongs to another user; the server then could not
        # write it, so stopping here with chown's own message is better than a silent failure to save later.
        find . \! -user valkey -exec chown valkey '{}' +
        exec setpriv --reuid=valkey --regid=valkey --clear-groups -- "$0" "$@"
    fi
    # The official image compiles protected mode off: publishing a port is Docker's decision. Whoever sets it, decides.
    own=
    [ ! -f "${2:-}" ] || ! grep -qi '^[[:space:]]*protected-mode[[:space:]]' "$2" || own=yes
    for argument; do
        case "$argument" in
            --protected-mode | -v | --version | -h | --help | --test-memory | --check-system | -) own=yes ;;
        esac
    done
    [ -n "$own" ] || set -- "$@" --protected-mode no
fi

[ "$(umask)" != 0022 ] || umask 0077
# shellcheck disable=SC2086 # several flags in one variable, as the official image takes them
exec "$@" ${VALKEY_EXTRA_FLAGS:-}
