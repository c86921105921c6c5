#!/usr/bin/env bash
# The contract of the official Postgres image's entrypoint: options alone start the server, root gives its rights up,
# an empty $PGDATA becomes a database as the POSTGRES_* variables say, and /docker-entrypoint-initdb.d is run on it once.
set -Eeo pipefail
socket=/var/run/postgresql

fail() {
    echo "error: $1" >&2
    exit 1
}

# A folder that is made, if need be, and is the server's alone. What belongs to another user cannot be narrowed; the
# server then says itself why it does not start.
own_folder() {
    mkdir -p "$1" || [ "$1" = "$socket" ]
    chmod "$2" "$1" || true
    [ "$(id -u)" != 0 ] || find "$1" \! -user postgres -exec chown postgres '{}' +
}

# NAME DEFAULT: the variable NAME, else the content of the file named by NAME_FILE, else the default.
from_file() {
    local file="${1}_FILE"
    [ -z "${!1:-}" ] || [ -z "${!file:-}" ] || fail "both $1 and $file are set; set one of them"
    if [ -n "${!file:-}" ]; then
        [ -r "${!file}" ] || fail "$file is ${!file}, which user $(id -u) cannot read"
        export "$1=$(< "${!file}")"
    else
        export "$1=${!1:-$2}"
    fi
    unset "$file"
}

# For scripts in /docker-entrypoint-initdb.d, which know it by this name: SQL from standard input or options of psql.
docker_process_sql() {
    PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password \
        --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" "$@"
}

run_init_file() {
    case "$1" in
        *.sh)
            # shellcheck disable=SC1090 # whatever was mounted
            if [ -x "$1" ]; then "$1"; else . "$1"; fi
            ;;
        *.sql) docker_process_sql -f "$1" ;;
        *.sql.gz) gunzip -c "$1" | docker_process_sql ;;
        *.sql.xz) xzcat "$1" | docker_process_sql ;;
        *.sql.zst) zstd -dc "$1" | docker_process_sql ;;
        *) echo "$0: ignoring $1" ;;
    esac
}

# In a shell of its own, which takes with it the name it gives to a user that has none: initdb asks for one.
make_database() (
    if ! getent passwd "$(id -u)" > /dev/null; then
        LD_PRELOAD=$(find /usr/lib -name libnss_wrapper.so -print -quit)
        NSS_WRAPPER_PASSWD=$(mktemp)
        NSS_WRAPPER_GROUP=$(mktemp)
        trap 'rm -f "$NSS_WRAPPER_PASSWD" "$NSS_WRAPPER_GROUP"' EXIT
        echo "postgres:x:$(id -u):$(id -g):PostgreSQL:$PGDATA:/bin/false" > "$NSS_WRAPPER_PASSWD"
        echo "postgres:x:$(id -g):" > "$NSS_WRAPPER_GROUP"
        export LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
    fi
    eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") ' \
        "${POSTGRES_INITDB_WALDIR:+--waldir=\"\$POSTGRES_INITDB_WALDIR\"} $POSTGRES_INITDB_ARGS"
)

initialize() {
    local hosts=${POSTGRES_HOST_AUTH_METHOD:-} file
    local -a psql=(docker_process_sql)
    : "${psql[@]}" # scripts that are sourced use it
    [ -n "$POSTGRES_PASSWORD" ] || [ "$hosts" = trust ] ||
        fail "the database is new and its superuser has no password: set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE"
    [ "$hosts" != trust ] || echo "warning: POSTGRES_HOST_AUTH_METHOD=trust lets everybody in who reaches the port" >&2

    make_database
    [ -n "$hosts" ] || hosts=$(postgres -C password_encryption "$@")
    printf '\nhost all all all %s\n' "$hosts" >> "$PGDATA/pg_hba.conf"

    # On a socket only: whoever asks over TCP does not take a half-made database for one that is ready.
    export PGPASSWORD="${PGPASSWORD:-$POSTGRES_PASSWORD}"
    NOTIFY_SOCKET='' PGUSER="$POSTGRES_USER" pg_ctl -D "$PGDATA" -w start \
        -o "$(printf '%q ' "$@" -c listen_addresses= -p "${PGPORT:-5432}")"
    if [ "$POSTGRES_DB" != postgres ]; then
        POSTGRES_DB=postgres docker_process_sql -v name="$POSTGRES_DB" <<< 'CREATE DATABASE :"name";'
    fi
    for file in /docker-entrypoint-initdb.d/*; do
        [ ! -e "$file" ] || run_init_file "$file"
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
    unset PGPASSWORD
    echo "PostgreSQL init process complete; ready for start up."
}

asks_only() {
    local argument
    for argument; do
        case "$argument" in -\? | --help | --describe-config | -V | --version) return 0 ;; esac
    done
    return 1
}

[ "${1:0:1}" != - ] || set -- postgres "$@"

if [ "$1" = postgres ] && ! asks_only "$@"; then
    own_folder "$PGDATA" 0700
    own_folder "$socket" 3775
    [ -z "${POSTGRES_INITDB_WALDIR:-}" ] || own_folder "$POSTGRES_INITDB_WALDIR" 0700
    [ "$(id -u)" != 0 ] || exec gosu postgres "$0" "$@"
    if [ -s "$PGDATA/PG_VERSION" ]; then
        echo "PostgreSQL Database directory appears to contain a database; Skipping initialization"
    else
        from_file POSTGRES_PASSWORD ''
        from_file POSTGRES_USER postgres
        from_file POSTGRES_DB "$POSTGRES_USER"
        from_file POSTGRES_INITDB_ARGS ''
        initialize "${@:2}"
    fi
fi

exec "$@"
