#!/bin/bash
# The container stack, for real: builds docker/compose.yml, brings it up with four workers, does the main job on it and
# checks that all four shared the work, takes it down and checks that nothing is left.
#
#   tests/stack/compose_stack.sh           exit 0: passed; 1: failed; 77: this machine cannot (the last line says why)
#
# Uses the machine's engine when one runs; otherwise, as root, a private dockerd that it starts and stops itself.
# Without a container registry the base image is made from the distribution's own packages (mmdebstrap).
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
state=${SHEETWIRE_STACK_STATE:-/var/tmp/sheetwire-stack}
workers=4
deadline_s=120
engine_pid=
rules=

say() { echo "stack: $*"; }
cannot() { say "$*"; exit 77; }

wait_for() { # SECONDS COMMAND...: until the command succeeds
    local end=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.2
    done
}

stop_engine() {
    [ -n "$engine_pid" ] || return 0
    kill "$engine_pid" 2>/dev/null
    wait_for 15 sh -c "! kill -0 $engine_pid" || kill -9 "$engine_pid" 2>/dev/null
    wait "$engine_pid" 2>/dev/null
    ip link del docker0 2>/dev/null
    [ -n "$rules" ] && printf '%s\n' "$rules" | iptables-restore 2>/dev/null
    echo "$forward" >/proc/sys/net/ipv4/ip_forward
    engine_pid=
}

start_engine() {
    docker info >/dev/null 2>&1 && return 0
    [ "$(id -u)" = 0 ] || cannot "no container engine runs, and only root can start one"
    command -v dockerd >/dev/null || cannot "no container engine (dockerd) is installed"
    rules=$(iptables-save 2>/dev/null) forward=$(cat /proc/sys/net/ipv4/ip_forward)
    rm -f "$state/engine.sock"
    dockerd --data-root "$state/docker" --exec-root "$state/exec" --pidfile "$state/dockerd.pid" \
        --host "unix://$state/engine.sock" --default-ulimit nofile=4096:4096 --log-level warn >"$state/dockerd.log" 2>&1 &
    engine_pid=$!
    trap stop_engine EXIT
    export DOCKER_HOST=unix://$state/engine.sock
    wait_for 40 docker info || { tail -5 "$state/dockerd.log"; cannot "a private container engine does not start here"; }
}

base_image() {
    docker image inspect debian:bookworm-slim >/dev/null 2>&1 && return 0
    timeout 60 docker pull -q debian:bookworm-slim >/dev/null 2>&1 && return 0
    command -v mmdebstrap >/dev/null || cannot "no registry gives debian:bookworm-slim, and mmdebstrap is not installed"
    if [ ! -s "$state/base.tar" ]; then
        local sources=/etc/apt/sources.list.d/debian.sources
        [ -s "$sources" ] || sources=/etc/apt/sources.list
        say "making debian:bookworm-slim from packages"
        mmdebstrap --variant=minbase --include=ca-certificates bookworm "$state/part.tar" "$sources" \
            >"$state/base.log" 2>&1 || { tail -5 "$state/base.log"; cannot "the base image cannot be made here"; }
        mv "$state/part.tar" "$state/base.tar"
    fi
    docker import -c 'CMD ["bash"]' "$state/base.tar" debian:bookworm-slim >/dev/null || cannot "the base image cannot be imported"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

compose() {
    if command -v docker-compose >/dev/null; then docker-compose "$@"; else docker compose "$@"; fi
}

all_healthy() {
    local id status count=0
    for id in $(compose ps -q); do
        status=$(docker inspect -f '{{if .State.Health}}{{.State.Health.Status}}{{end}}' "$id")
        [ "$status" = healthy ] || return 1
        count=$((count + 1))
    done
    [ $count -eq $((workers + 2)) ]
}

finish() { # STATUS: down, nothing left, and out
    compose logs --no-color >"$state/services.log" 2>&1
    compose down -v --remove-orphans -t 10 >"$state/down.log" 2>&1 || { tail -5 "$state/down.log"; exit 1; }
    local left
    left=$(docker ps -aq --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME"
           docker volume ls -q --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME")
    [ -z "$left" ] || { say "left behind: $left"; exit 1; }
    [ "$1" = 0 ] && say "passed" || tail -40 "$state/services.log"
    exit "$1"
}

mkdir -p "$state" || cannot "$state cannot be made"
exec 9>"$state/lock"
flock -w 600 9 || cannot "another run holds $state/lock"
command -v docker >/dev/null || cannot "docker is not installed"
command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1 || cannot "docker compose is not installed"
start_engine 9>&-
base_image

export COMPOSE_FILE=$root/docker/compose.yml COMPOSE_PROJECT_NAME=sheetwire-test-$$ COMPOSE_ANSI=never
export DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0
SHEETWIRE_REST_PORT=$(free_port) SHEETWIRE_WS_PORT=$(free_port)
export SHEETWIRE_REST_PORT SHEETWIRE_WS_PORT
compose config -q || exit 1
compose build >"$state/build.log" 2>&1 || { tail -20 "$state/build.log"; exit 1; }
say "built"
compose up -d --scale worker=$workers >"$state/up.log" 2>&1 || { tail -20 "$state/up.log"; finish 1; }
wait_for $deadline_s all_healthy || { compose ps; finish 1; }
say "healthy"
python3 "$here/main_job.py" "http://127.0.0.1:$SHEETWIRE_REST_PORT" "ws://127.0.0.1:$SHEETWIRE_WS_PORT" $workers || finish 1

# Every worker says which jobs it finished; each must have had some.
compose logs --no-color worker >"$state/worker.log" 2>&1
shared=$(grep 'job done' "$state/worker.log" | sed 's/[ |].*//' | sort -u | wc -l)
say "$shared of $workers workers finished jobs"
[ "$shared" -eq $workers ] || finish 1
finish 0
