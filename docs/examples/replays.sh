#!/bin/sh
# What the simulator says of known traces, for docs/REPLAYS.md: `make replays`. The first argument is the
# binary `cupola`; the openb trace is looked for in $CUPOLA_DATA and left out without it.
set -eu
cupola=$1
examples=$(dirname "$0")

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
openb=${CUPOLA_DATA:-}/openb-trace
if [ -z "${CUPOLA_DATA:-}" ] || [ ! -e "$openb" ]; then
  echo "the openb trace was left out: CUPOLA_DATA does not have it" >&2
  exit
fi
tasks=$openb/openb_pod_list_default.csv.gz
# each twelfth machine, of every kind: the whole cluster never has to make anybody wait
few=$(mktemp)
trap 'rm -f "$few"' EXIT
gzip -dc "$openb/openb_node_list_gpu_node.csv.gz" | awk 'NR == 1 || NR % 12 == 0' > "$few"
tables() { replay "$1" "$2" "--trace $tasks $3" | sed "s#$CUPOLA_DATA/##; s#$few#EACH_TWELFTH#"; }
tables "openb, 20 times as fast" \
  "8,152 tasks on 1,213 machines with accelerators, spread over 20 tenants by Zipf's law, a tenth of the starts forecast." \
  "--policy $examples/policies/openb-20.json"
tables "openb on each twelfth machine, 100 times as fast" \
  "So few machines, and so fast, that the tasks have to wait for each other. Jain's index is low in the first three orders since the few tenants that wait throughout wait for a machine that one large task fits on, and not for their share: most of the machines stand idle meanwhile." \
  "--nodes $few --policy $examples/policies/openb-100.json"
