# A private PostgreSQL cluster for tests: 127.0.0.1 only, own folder, own port. Sourced, not run.

PGBIN=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$PGBIN" ] || PGBIN=$(dirname "$(command -v initdb 2>/dev/null || echo /nonexistent/initdb)")
[ -x "$PGBIN/initdb" ] || fail "no PostgreSQL server was found (initdb); install the package postgresql"
PGDIR=

# PostgreSQL refuses to run as root.
as_postgres() {
    if [ "$(id -u)" -eq 0 ]; then setpriv --reuid postgres --regid postgres --init-groups "$@"; else "$@"; fi
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# start_postgres FOLDER: makes and starts a cluster; leaves its port in PGPORT.
# It does not wait for the disk: no test pulls the plug of the machine, and making databases becomes ten times quicker.
start_postgres() {
    PGDIR=$1
    PGPORT=$(free_port)
    mkdir -p "$PGDIR"
    [ "$(id -u)" -ne 0 ] || chown postgres "$PGDIR"
    say "starting a private PostgreSQL on port $PGPORT"
    (cd "$PGDIR" && as_postgres "$PGBIN/initdb" -D "$PGDIR/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >/dev/null &&
        as_postgres "$PGBIN/pg_ctl" -D "$PGDIR/data" -s -w -l "$PGDIR/log" \
            -o "-p $PGPORT -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=200 -c fsync=off" start)
}

stop_postgres() {
    [ -n "$PGDIR" ] && [ -d "$PGDIR/data" ] || return 0
    (cd "$PGDIR" && as_postgres "$PGBIN/pg_ctl" -D "$PGDIR/data" -s -m immediate stop) || true
    PGDIR=
}
