#!/usr/bin/env bash
# netserver's binary beside nginx, h2o and Node, whichever are installed, under wrk.
#
#     benches/against.sh             three rounds of three seconds: about two minutes
#     benches/against.sh 1 1         one round of one second: does it work?
#
# Each server answers the same thirteen bytes on one thread, pinned to one processor; wrk has
# another. What is compared is the CPU time that the kernel counts for the server: how many requests
# a second there are is up to wrk, which is the slower of the two. Servers take turns, round by round,
# and medians are printed. Everything is on loopback, in a temporary directory, and stopped at the
# end. The tables can be put into docs/BENCHMARKS.md with
#
#     benches/against.sh > against.txt && cargo run -p benches --example report -- --read against.txt
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-3}
rounds=${2:-3}
binary=${NETSERVER:-target/release/netserver}
loads=(64 64x16 one-each)

has() { command -v "$1" >/dev/null 2>&1; }
for tool in wrk taskset awk; do
    has "$tool" || { echo "$tool is not installed: nothing is measured" >&2; exit 0; }
done
[ "$(nproc)" -ge 2 ] || { echo "two processors are needed, one each" >&2; exit 0; }
if [ -z "${NETSERVER:-}" ]; then
    cargo build --release -p netserver --locked >&2
fi

directory=$(mktemp -d)
started=()
finish() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$directory"
}
trap finish EXIT
trap 'exit 1' INT TERM

cat >"$directory/pipeline.lua" <<'LUA'
init = function()
    local requests = {}
    for i = 1, 16 do requests[i] = wrk.format() end
    batch = table.concat(requests)
end
request = function() return batch end
LUA

# Whether somebody listens on a port of loopback.
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
    local port
    while port=$((20000 + RANDOM % 20000)); listens "$port"; do :; done
    echo "$port"
}

declare -A pid_of port_of
servers=()
# start NAME PORT COMMAND...: pinned, and waited for until it listens.
start() {
    local name=$1 port=$2
    shift 2
    taskset -c 0 "$@" >"$directory/$name.out" 2>"$directory/$name.err" &
    local pid=$!
    started+=("$pid")
    for _ in $(seq 100); do
        if listens "$port"; then
            servers+=("$name")
            pid_of[$name]=$pid
            port_of[$name]=$port
            return
        fi
        sleep 0.1
    done
    echo "$name does not listen: left out" >&2
    cat "$directory/$name.err" >&2
}

port=$(free_port)
start netserver "$port" "$binary" --listen "127.0.0.1:$port" --threads 1

# h2o asks the kernel to keep connections back until a request has come. What a service manager does
# with DeferAcceptSec= is done here for the same.
if has python3; then
    port=$(free_port)
    cat >"$directory/deferred.py" <<'PY'
import os, socket, sys
binary, port = sys.argv[1:]
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
listener.bind(("127.0.0.1", int(port)))
listener.listen(4096)
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(binary, [binary, "--listen", "systemd", "--threads", "1"])
PY
    start netserver-deferred "$port" python3 "$directory/deferred.py" "$binary" "$port"
fi

if has nginx; then
    port=$(free_port)
    cat >"$directory/nginx.conf" <<CONF
daemon off;
worker_processes 1;
pid $directory/nginx.pid;
error_log $directory/nginx.log;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path $directory/body;
    proxy_temp_path $directory/proxy;
    fastcgi_temp_path $directory/fastcgi;
    uwsgi_temp_path $directory/uwsgi;
    scgi_temp_path $directory/scgi;
    keepalive_requests 1000000000;
    server {
        listen 127.0.0.1:$port backlog=4096;
        location = /plaintext { default_type text/plain; return 200 "Hello, World!"; }
    }
}
CONF
    start nginx "$port" nginx -p "$directory" -c "$directory/nginx.conf"
fi

if has h2o; then
    port=$(free_port)
    mkdir "$directory/files"
    printf 'Hello, World!' >"$directory/files/plaintext"
    # As root it would become another user, who cannot read the directory.
    cat >"$directory/h2o.conf" <<CONF
user: $(id -un)
num-threads: 1
listen: { host: 127.0.0.1, port: $port }
error-log: $directory/h2o.log
hosts:
  default:
    paths:
      "/": { file.dir: $directory/files, file.mime.setdefaulttype: text/plain }
CONF
    start h2o "$port" h2o -c "$directory/h2o.conf"
fi

if has node; then
    port=$(free_port)
    cat >"$directory/server.js" <<JS
require('http').createServer((request, response) => {
    response.setHeader('Content-Type', 'text/plain');
    response.end('Hello, World!');
}).listen($port, '127.0.0.1');
JS
    start node "$port" node "$directory/server.js"
fi

# CPU time in nanoseconds of a process, its threads and its children.
cpu() {
    local pid=$1 child
    cat "/proc/$pid"/task/*/schedstat
    for child in $(cat "/proc/$pid"/task/*/children); do cpu "$child"; done
}

# measure NAME LOAD: CPU time per request in microseconds, and requests a second.
measure() {
    local name=$1 load=$2 arguments=() before after
    case $load in
        64x16) arguments=(-s "$directory/pipeline.lua") ;;
        one-each) arguments=(-H 'Connection: close') ;;
    esac
    before=$(cpu "${pid_of[$name]}" | awk '{ sum += $1 } END { printf "%.0f", sum }')
    timeout $((seconds + 20)) taskset -c 1 wrk -t1 -c64 "-d${seconds}s" "${arguments[@]}" \
        "http://127.0.0.1:${port_of[$name]}/plaintext" >"$directory/wrk"
    after=$(cpu "${pid_of[$name]}" | awk '{ sum += $1 } END { printf "%.0f", sum }')
    awk -v name="$name" -v load="$load" -v cpu=$((after - before)) '
        / requests in / { requests = $1 }
        /^Requests\/sec:/ { rate = $2 }
        # With one connection each, a read that finds the end of it is how it should be.
        /Non-2xx/ { print name ": " $0 > "/dev/stderr"; exit 1 }
        END { if (!requests) exit 1; print load, name, cpu / 1000 / requests, rate }
    ' "$directory/wrk"
}

for _ in $(seq "$rounds"); do
    for load in "${loads[@]}"; do
        for name in "${servers[@]}"; do measure "$name" "$load" >>"$directory/measured"; done
    done
done

# table TITLE FIELD DIGITS: medians of the rounds.
table() {
    printf '\n## %s\n\n%-20s' "$1" ''
    printf '%18s' "${loads[@]}"
    printf '\n'
    local name load
    for name in "${servers[@]}"; do
        printf '%-20s' "$name"
        for load in "${loads[@]}"; do
            awk -v name="$name" -v load="$load" -v field="$2" \
                '$1 == load && $2 == name { print $field }' "$directory/measured" | sort -g |
                awk -v digits="$3" '{ v[NR] = $1 } END { printf "%18.*f", digits, v[int(NR / 2) + 1] }'
        done
        printf '\n'
    done
}
table "Beside others under wrk: CPU time of the server, µs per request" 3 2
table "Beside others under wrk: requests per second" 4 0
