#!/bin/sh
# What the simulator says of known traces, for docs/REPLAYS.md: `make replays`. The first argument is the
# binary `cupola`; the openb trace is looked for in $CUPOLA_DATA and left out without it.
set -eu
cupola=$1
examples=$(dirname "$0")/../../docs/examples

# A title, what there is to know of it, and the arguments.
replay() {
  printf '\n## %s\n\n%s\n\n```\ncupola admin simulate %s\n```\n\n' "$1" "$2" "$(echo "$3" | sed "s#$examples#docs/examples#g")"
  # shellcheck disable=SC2086
  "$cupola" admin simulate $3
}

cat <<TEXT
# Replays

Known traces through the scheduler's planner with a virtual clock, beside three plain orders. Written by \`make replays\`; what the lines and the fields of a policy mean is in [SCHEDULING.md](SCHEDULING.md#the-simulator). A row that
depends on the machine, the time of a plan, was measured on $(nproc) cores of $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1); the others are the same everywhere.
TEXT

replay "Kueue's baseline" \
  "5 cohorts of 6 queues; Kueue publishes 351 s, the ideal is 66 s. In real time: [BENCHMARKS.md](BENCHMARKS.md)." \
  "--trace $examples/traces/kueue-baseline.json"
replay "Kueue's large-scale" \
  "10 cohorts of 100 queues; Kueue publishes 1,179 s." \
  "--trace $examples/traces/kueue-large-scale.json"
replay "A million jobs" \
  "Of 10,000 tenants on 2,000 workers, at 1.2 times what these can do, half of it guaranteed." \
  "--trace $examples/traces/million.json --order fair-share"

openb=${CUPOLA_DATA:-}/openb-trace/openb_pod_list_default.csv.gz
if [ -z "${CUPOLA_DATA:-}" ] || [ ! -e "$openb" ]; then
  echo "the openb trace was left out: CUPOLA_DATA does not have it" >&2
  exit
fi
about="8,152 tasks on 1,213 machines with accelerators, spread over 20 tenants by Zipf's law"
tables() { replay "$1" "$2" "--trace $openb --policy $examples/policies/$3.json" | sed "s#$CUPOLA_DATA/##"; }
tables "openb, 20 times as fast" "$about, a tenth of the starts forecast." openb-20
tables "openb, 200 times as fast" "The same, so fast that they have to wait for each other." openb-200
tables "openb, 200 times as fast, with guarantees" "The same, each tenant guaranteed 4.5 % of the pool." openb-guaranteed
