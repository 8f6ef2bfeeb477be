# shellcheck shell=bash
# Which etcd binaries there are, and a private etcd to work with. Source common.sh first.
# The system's own etcd service, if any, is never touched; packages are unpacked, not installed, so that none is started.

etcd_cache=${XDG_CACHE_HOME:-$HOME/.cache}/dynconf/etcd

# etcd_version BINARY, as "3.5.16"; fails when it does not run here.
etcd_version() { "$1" --version 2>/dev/null | sed -n 's/^etcd Version: //p' | grep .; }

# One etcd binary a line, the one to use by default first, each version once.
list_etcds() {
    local binary version seen=' '
    for binary in ${DYNCONF_ETCD:+"$DYNCONF_ETCD"} "$(command -v etcd || true)" "$etcd_cache"/*/bin/etcd; do
        [[ -x $binary ]] || continue
        version=$(etcd_version "$binary") || continue
        [[ $seen == *" $version "* ]] && continue
        seen+="$version "
        printf '%s\n' "$binary"
    done
}

# Sets DYNCONF_ETCD (the default) and DYNCONF_ETCDS (all, colon-separated) for programs that start etcd.
export_etcds() {
    local all
    mapfile -t all < <(list_etcds)
    [[ ${#all[@]} -gt 0 ]] || return 1
    export DYNCONF_ETCD=${all[0]}
    DYNCONF_ETCDS=$(IFS=:; printf '%s' "${all[*]}")
    export DYNCONF_ETCDS
    # etcdctl from the same package, behind the system's.
    PATH=$PATH:$(dirname "${all[0]}")
    export PATH
}

# After export_etcds: leaves only one.
only_newest_etcd() {
    local binary
    DYNCONF_ETCD=$(while read -r binary; do say "$(etcd_version "$binary") $binary"; done < <(list_etcds) | sort -V | tail -n 1 | cut -d' ' -f2-)
    DYNCONF_ETCDS=$DYNCONF_ETCD
}

# free_ports N: below the range of outgoing connections, where a client that tries to reconnect while etcd is down could
# be given etcd's own port, and connect to itself.
free_ports() {
    python3 - "$1" <<'PY'
import random, socket, sys
sockets = []
for port in random.sample(range(15000, 32000), 1000):
    s = socket.socket()
    try:
        s.bind(('127.0.0.1', port))
    except OSError:
        continue
    sockets.append(s)
    if len(sockets) == int(sys.argv[1]):
        break
print(*(s.getsockname()[1] for s in sockets))
PY
}

# etcd_start DIR CLIENT_PORT PEER_PORT: sets etcd_pid and waits until it answers; fails when it does not within 20 s.
etcd_start() {
    local dir=$1 client=http://127.0.0.1:$2 peer=http://127.0.0.1:$3 deadline=$((SECONDS + 20))
    "$DYNCONF_ETCD" --name private --data-dir "$dir/data" --logger zap --log-level warn \
        --listen-client-urls "$client" --advertise-client-urls "$client" \
        --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "private=$peer" \
        >>"$dir/etcd.log" 2>&1 </dev/null &
    etcd_pid=$!
    until etcd_healthy "$2"; do
        if ! kill -0 "$etcd_pid" 2>/dev/null || ((SECONDS >= deadline)); then
            etcd_kill
            return 1
        fi
        sleep 0.05
    done
}

etcd_healthy() {
    { exec 9<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
    printf 'GET /health HTTP/1.0\r\n\r\n' >&9
    local answer
    answer=$(timeout 2 cat <&9) || true
    exec 9<&- 9>&-
    [[ $answer == *'"health":"true"'* ]]
}

# SIGKILL, as a power cut would; the data directory stays.
etcd_kill() {
    [[ -n ${etcd_pid:-} ]] || return 0
    kill -9 "$etcd_pid" 2>/dev/null || true
    wait "$etcd_pid" 2>/dev/null || true
    etcd_pid=
}
