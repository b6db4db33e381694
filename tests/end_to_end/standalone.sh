#!/bin/sh
# standalone.sh - one node that runs memories-server, or a workload of one's own
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/end_to_end/machine.sh"

command -v curl >/dev/null || skip "curl is not installed (apt-get install curl)"
command -v python3 >/dev/null || skip "python3 is not here to read JSON"

# deployed KEY - of what deploy --json has answered
deployed() { printf '%s' "$out" | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# memories-server: what deploy returns is there at once
walk() {
    expect 0 memories deploy "$srcdir/examples/standalone.yaml" --provider local --set isolation="$1" --json
    id=$(deployed deployment_id)
    address=$(deployed public_ip)
    equal "$(deployed status)" running
    case $(deployed instance_id) in mem-*-node1) ;; *) fail "no instance_id in $out" ;; esac
    equal "$(curl -sS --noproxy '*' -o /dev/null -w '%{http_code}' "http://$address:8000/healthz")" 200
    info=$(curl -sS --noproxy '*' "http://$address:8000/v1/info")
    equal "$(printf '%s' "$info" | python3 -c 'import json, sys
info = json.load(sys.stdin)
print(info["deployment"], info["node"], info["role"], bool(info["version"]), info["uptime_s"] >= 0)')" \
        "$id node1 standalone True True"

    expect 0 memories stop "$id" --json
    equal "$(deployed status)" stopped
    if curl -sS --noproxy '*' --max-time 2 "http://$address:8000/healthz" >/dev/null 2>&1; then
        fail "it answers after stop"
    fi
    expect 0 memories start "$id" --json
    equal "$(deployed status)" running
    equal "$(curl -sS --noproxy '*' -o /dev/null -w '%{http_code}' "http://$address:8000/healthz")" 200

    machine_names "$id" >"$test_dir/names"
    shift
    machine_has "$test_dir/names" "$@"
    expect 0 memories delete "$id" --json
    equal "$(deployed status)" deleted
    machine_is_clean "$test_dir/names"
}

walk process process port file
if can_isolate; then
    walk namespace process file namespace interface route
else
    echo "namespace isolation: not possible here ($why_not)"
fi

# A workload: files and commands before it starts, its environment and directories, what is asked before it counts as well.
cat >"$test_dir/workload.yaml" <<'END'
topology: standalone
provider: local
config:
  isolation: process
  workload:
    files: [{path: "%c/greeting", content: "hello from %n"}]
    commands: [[sh, -c, "mkdir -p %d/www && cp %c/greeting %d/www/index.html"]]
    services:
      - name: web
        command: [sh, -c, "echo $WORD; sleep 1; while [ -e %d/closed ]; do sleep 0.1; done;
          exec python3 -m http.server --bind %a --directory %d/www 8123"]
        environment: {WORD: serving}
      - {name: once, command: [sh, -c, "echo done"], restart: never}
    ports: [8123]
    health: {path: /index.html}
END
expect 0 memories deploy "$test_dir/workload.yaml" --name workload
address=$(printf '%s\n' "$out" | sed -n 's/^Public IP: //p')
equal "$(curl -sS --noproxy '*' "http://$address:8123/index.html")" "hello from node1" # it was waited for
expect 0 memories logs workload --node node1
contains "$out" "==> web <==
serving"
contains "$out" "==> once <==
done"

# A service that dies comes back; until then the deployment is degraded, and status says why.
is_healthy() { memories status workload --json | grep -q '"status":"running"'; }
is_degraded() { memories status workload | grep -q '^Status: degraded'; }
closed=$(echo "$MEMORIES_STATE_DIR"/local/standalone-*/nodes/node1/data)/closed
: >"$closed"
kill -9 "$(pgrep -f "http.server --bind $address")"
wait_until 60 is_degraded
contains "$(memories status workload)" "/index.html: "
rm "$closed"
wait_until 60 is_healthy

# One that never gets well: what was made is removed again, and the reason is told.
expect 1 memories deploy "$test_dir/workload.yaml" --set 'workload.commands=[["false"]]'
contains "$err" "a command of the node's bootstrap failed"
expect 0 memories list --json
equal "$(printf '%s' "$out" | grep -o '"id"' | wc -l)" 1
expect 1 memories deploy "$test_dir/workload.yaml" --set 'workload.services=[{name: web, command: [no-such-program]}]' \
    --set 'workload.commands=[]'
contains "$err" "no-such-program"
