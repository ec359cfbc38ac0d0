# The one door: `make` lists what there is to do. Everything fetched comes from the package registries.

CACHE           ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/cupola
# outside the clone, so that a fresh clone starts warm
export CARGO_TARGET_DIR ?= $(CACHE)/build
TOOLS           := $(CACHE)/tools
SQLX_VERSION    := 0.9.0
NEXTEST_VERSION := 0.9.143
DENY_VERSION    := 0.20.2
CYCLONEDX_VERSION := 0.5.9
RELEASE         := $(CARGO_TARGET_DIR)/release/cupola
# always the whole workspace: another selection would build the dependencies again, with other features
BUILD_TESTS     := cargo nextest run --locked --workspace --no-run
FUZZ_TARGETS    := spec table tokenizer checkpoint import token secret cursor audit
FUZZ_SECONDS    ?= 60
PEERS           := $(CACHE)/peers
PEERS_NEED      := tests/bench/peers/requirements.txt
# what the tests talk to the gateway with
CLIENTS         := $(CACHE)/clients
CLIENTS_NEED    := tests/clients/requirements.txt
SERVING_PEERS   := $(CACHE)/serving-peers
QUEUE_PEERS     := $(CACHE)/queue-peers
QUEUE_PEERS_ARE := tests/bench/queue-peers
GATEWAY_PEERS   := $(CACHE)/gateway-peers
GATEWAY_PEERS_ARE := tests/bench/gateway-peers
# the features of the dependencies are those of `make build`, so that nothing is built twice
BUILD_BENCH     := cargo build --release --locked --package cupola --package e2e --bin cupola
WITH_SERVICES   := $(CARGO_TARGET_DIR)/debug/with-services
# stands for a processor without AVX where there is one with it
EMULATOR        := $(if $(filter Linux-x86_64,$(shell uname -sm | tr ' ' -)),qemu-x86_64)

.DEFAULT_GOAL := help
.PHONY: help demo up build test bench-quality bench-train bench-infer bench-profile bench-plan bench-queue bench-gateway bench-console bench-search bench-serving replays chaos peers queue-peers gateway-peers serving-peers fuzz screens lint deny advisories sbom prepare check-prepared openapi claim setup setup-test setup-sqlx setup-deny setup-cyclonedx python-client

help: ## what there is to do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

demo: setup build ## set up, build, and make the first journey: push, train, publish, predict
	$(RELEASE) demo

up: setup build ## run the platform on this machine until Ctrl-C
	$(RELEASE) up

build: claim ## the binary, in release
	cargo build --release --locked --package cupola

test: setup setup-test ## every test, with Postgres and Redis of their own
	$(BUILD_TESTS)
	CUPOLA_EMULATOR=$(EMULATOR) CUPOLA_CLIENTS=$(CLIENTS) $(WITH_SERVICES) cargo nextest run --locked --workspace

screens: setup setup-test ## photograph the console's pages into docs/screens, at a desktop's and a phone's width
	$(BUILD_TESTS)
	mkdir -p docs/screens
	CUPOLA_SCREENS=$(CURDIR)/docs/screens CUPOLA_CLIENTS=$(CLIENTS) $(WITH_SERVICES) \
	  cargo nextest run --locked --workspace -E 'package(e2e) & test(console::)'

bench-quality: build ## train every kind of model on the real data in CUPOLA_DATA; ROWS=imdb for some
	cargo test --quiet --locked --workspace --no-run
	CUPOLA_BIN=$(RELEASE) $(CARGO_TARGET_DIR)/debug/bench-quality $(ROWS)

bench-train: claim peers ## how fast models learn beside PyTorch and Keras; ROWS=mlp,cnn REPETITIONS=5 ANYWAY=1 FRESH=1
	$(BUILD_BENCH) --bin bench-train
	CUPOLA_PEERS=$(PEERS) CUPOLA_BIN=$(RELEASE) $(CARGO_TARGET_DIR)/release/bench-train $(ROWS)

bench-infer: claim peers ## how soon models answer beside onnxruntime; ROWS=mlp-1 and the rest as for bench-train
	$(BUILD_BENCH) --bin bench-infer
	CUPOLA_PEERS=$(PEERS) CUPOLA_BIN=$(RELEASE) $(CARGO_TARGET_DIR)/release/bench-infer $(ROWS)

# the engine once more, with its lines; `make build` links the usual binary again
bench-profile: claim ## where the time of training goes, by perf; ROWS=mlp,cnn
	@command -v perf >/dev/null || $(call install,linux-perf,perf)
	$(BUILD_BENCH) --bin bench-profile
	cargo rustc --release --locked --package cupola --bin cupola \
	  --config 'profile.release.package.engine.debug="line-tables-only"' -- -C strip=none
	cp $(RELEASE) $(CARGO_TARGET_DIR)/cupola-with-lines
	CUPOLA_BIN=$(CARGO_TARGET_DIR)/cupola-with-lines $(CARGO_TARGET_DIR)/release/bench-profile $(ROWS)

bench-plan: claim ## what a plan of the scheduler costs, by the size of the queue; SIZES=100x10000
	$(BUILD_BENCH) --bin bench-plan
	$(CARGO_TARGET_DIR)/release/bench-plan $(SIZES)

replays: setup build ## known traces through the planner with a virtual clock: docs/REPLAYS.md
	sh docs/examples/replays.sh $(RELEASE) > docs/REPLAYS.new && mv docs/REPLAYS.new docs/REPLAYS.md

chaos: setup setup-test ## minutes of everything that can happen to processes, and whether a job was lost; SEED=7 JOBS=300 MINUTES=3
	$(BUILD_BENCH) --bin chaos
	CUPOLA_BIN=$(RELEASE) $(CARGO_TARGET_DIR)/release/chaos

bench-console: setup claim ## the console's pages of a tenant with 10,000 jobs and 1,000 models; ROWS=jobs,model ANYWAY=1
	$(BUILD_BENCH) --bin bench-console
	CUPOLA_BIN=$(RELEASE) $(CARGO_TARGET_DIR)/release/bench-console $(ROWS)

bench-search: setup claim ## searches among a million generated public models; ROWS=text MODELS=100000 QUERIES=100
	cargo build --locked --workspace --bins
	$(CARGO_TARGET_DIR)/debug/bench-search $(ROWS)

bench-queue: setup queue-peers ## the queue beside awa, graphile-worker and pg-boss; ROWS=jobs-4,latency,tables,kueue JOBS=10000 TABLE_JOBS=50000 REPETITIONS=3 ANYWAY=1
	$(BUILD_BENCH) --bin bench-queue
	CUPOLA_QUEUE_PEERS=$(QUEUE_PEERS) $(CARGO_TARGET_DIR)/release/bench-queue $(ROWS)

# installed again only where what it asks for has changed; awa is a project of its own, so that nothing
# of ours is built with its dependencies
bench-serving: setup serving-peers ## predictions over HTTP beside MLflow and FastAPI with onnxruntime; ROWS=mlp,text,noise,cold,soak REPETITIONS=3 SOAK_MINUTES=10 ANYWAY=1
	$(BUILD_BENCH) --bin bench-serving
	CUPOLA_SERVING_PEERS=$(SERVING_PEERS) CUPOLA_BIN=$(RELEASE) $(CARGO_TARGET_DIR)/release/bench-serving $(ROWS)

serving-peers: ## the Python environment of what bench-serving compares with
	@$(call python,$(SERVING_PEERS),tests/bench/serving-peers/requirements.txt)

queue-peers: setup ## what bench-queue compares with: two packages of npm, and a program with awa
	@command -v npm >/dev/null || $(call install,npm,npm)
	@mkdir -p $(QUEUE_PEERS)
	@cmp -s $(QUEUE_PEERS_ARE)/package.json $(QUEUE_PEERS)/package.json || { \
	  cp $(QUEUE_PEERS_ARE)/package.json $(QUEUE_PEERS)/new.json && cd $(QUEUE_PEERS) \
	  && rm -rf node_modules package.json && mv new.json package.json \
	  && npm install --no-package-lock --no-audit --no-fund --loglevel=error || { rm -f package.json; exit 1; }; }
	@cp $(QUEUE_PEERS_ARE)/*.mjs $(QUEUE_PEERS)
	cargo build --release --locked --manifest-path $(QUEUE_PEERS_ARE)/awa/Cargo.toml \
	  --target-dir $(CARGO_TARGET_DIR)/queue-peers
	@cp $(CARGO_TARGET_DIR)/queue-peers/release/awa-peer $(QUEUE_PEERS)/awa

bench-gateway: setup gateway-peers ## the gateway beside a bare actix+sqlx handler and MLflow, and what encryption costs; ROWS=read-8,upload REPETITIONS=3 ANYWAY=1
	$(BUILD_BENCH) --bin bench-gateway
	CUPOLA_GATEWAY_PEERS=$(GATEWAY_PEERS) CUPOLA_BIN=$(RELEASE) $(CARGO_TARGET_DIR)/release/bench-gateway $(ROWS)

# the bare handler is a project of its own, so that its sqlx is not ours
gateway-peers: setup ## what bench-gateway compares with: MLflow, and a program of one handler
	@python3 -c 'import ensurepip' 2>/dev/null || $(call install,python3-venv,Python)
	@$(call python,$(GATEWAY_PEERS),$(GATEWAY_PEERS_ARE)/requirements.txt)
	cargo build --release --locked --manifest-path $(GATEWAY_PEERS_ARE)/bare/Cargo.toml \
	  --target-dir $(CARGO_TARGET_DIR)/gateway-peers
	@cp $(CARGO_TARGET_DIR)/gateway-peers/release/bare-peer $(GATEWAY_PEERS)/bare

# gigabytes; made again only where what it asks for has changed
peers: ## the Python environment of what the benchmarks compare with
	@$(call python,$(PEERS),$(PEERS_NEED))

# The release build's selection once more, for its dependencies; ours are built with coverage, beside
# those without. What is found on the way is kept and tried first the next time.
fuzz: claim ## a minute of any bytes for each reader of what others wrote
	@command -v c++ >/dev/null || $(call install,g++,a C++ compiler)
	RUSTC_WORKSPACE_WRAPPER=$(CURDIR)/services/engine/fuzz/rustc-with-coverage \
	  cargo build --release --locked --package cupola --package engine --package gateway \
	  --features engine/fuzzing,gateway/fuzzing \
	  $(FUZZ_TARGETS:%=--bin fuzz-%)
	@for target in $(FUZZ_TARGETS); do \
	  folder=$(CACHE)/fuzz/$$target; mkdir -p $$folder/inputs $$folder/scratch; \
	  for seed in services/*/fuzz/corpus/$$target/*; do test ! -f $$seed || cp $$seed $$folder/inputs; done; \
	  echo "$$target: $(FUZZ_SECONDS) seconds"; \
	  TMPDIR=$$folder/scratch CUPOLA_FUZZ_SEEDS=$$folder/inputs \
	    $(CARGO_TARGET_DIR)/release/fuzz-$$target $$folder/inputs \
	    -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=4096 -max_len=65536 \
	    -print_final_stats=1 -artifact_prefix=$$folder/ > $$folder/log 2>&1 \
	    || { tail -n 40 $$folder/log; echo "$$target: an input breaks it; see $$folder/log"; exit 1; }; \
	  grep -E 'INITED|stat::number_of_executed_units|^Done' $$folder/log; rm -r $$folder/scratch; \
	done

lint: claim ## formatting and clippy, warnings denied
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings

deny: setup-deny ## whether every dependency has a licence and a source that deny.toml allows
	$(TOOLS)/bin/cargo-deny --locked check licenses sources bans

advisories: setup-deny ## whether a dependency has a known hole; asks for the database of advisories, over the network
	$(TOOLS)/bin/cargo-deny --locked check advisories

# the tool writes beside every crate's manifest; that of the binary has all that is in it
sbom: setup-cyclonedx ## what is in the binary, as CycloneDX: cupola.cdx.json in the build folder
	@mkdir -p $(CARGO_TARGET_DIR)
	$(TOOLS)/bin/cargo-cyclonedx cyclonedx --quiet --format json --spec-version 1.5 --override-filename cupola.cdx
	@mv services/cupola/cupola.cdx.json $(CARGO_TARGET_DIR)/ && rm -f services/*/cupola.cdx.json tests/cupola.cdx.json
	@echo $(CARGO_TARGET_DIR)/cupola.cdx.json

prepare: setup setup-sqlx $(WITH_SERVICES) ## after editing a query: check it against a database, keep its metadata
	cd services/store && $(WITH_SERVICES) sh -c '$(SQLX_SETUP) && PATH=$(TOOLS)/bin:$$PATH cargo sqlx prepare'

check-prepared: setup setup-sqlx $(WITH_SERVICES) ## whether the queries' committed metadata is what the database says
	cd services/store && $(WITH_SERVICES) sh -c '$(SQLX_SETUP) && PATH=$(TOOLS)/bin:$$PATH cargo sqlx prepare --check'

# a database of its own, by the migrations as they stand now
SQLX_SETUP = export DATABASE_URL=$$(echo $$CUPOLA_TEST_PG | sed "s|/cupola?|/prepare?|") \
  && $(TOOLS)/bin/sqlx database setup --source ../../migrations

# an earlier build will do: a query being edited must not keep its own database from starting
$(WITH_SERVICES): | setup-test
	test -x $@ || $(BUILD_TESTS)

openapi: claim ## write the OpenAPI document of the code to docs/openapi.json, and what is made from it
	cargo build --quiet --locked --workspace --bins
	$(CARGO_TARGET_DIR)/debug/cupola openapi > docs/openapi.new && mv docs/openapi.new docs/openapi.json
	$(MAKE) --no-print-directory python-client

python-client: ## write what of the Python client is made from docs/openapi.json
	python3 clients/python/generate.py docs/openapi.json clients/python/cupola

# cargo tells a changed file by its time alone: what another clone has built here last must not pass
# for the work of this one
claim:
	@mkdir -p $(CARGO_TARGET_DIR)
	@test "$$(cat $(CARGO_TARGET_DIR)/.clone 2>/dev/null)" = "$(CURDIR)" \
	  || { find services tests migrations -type f -exec touch {} +; echo "$(CURDIR)" > $(CARGO_TARGET_DIR)/.clone; }

setup: claim ## what the build and the demo need of the system
	@command -v cargo >/dev/null || { echo "Rust is missing: install it with rustup (rust 1.95 or newer)"; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: apt-get install -y gcc"; exit 1; }
	@ls /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb /opt/homebrew/opt/postgresql*/bin/initdb 2>/dev/null | grep -q . \
	  || command -v initdb >/dev/null || $(call install,postgresql,the Postgres server)

setup-test: ## what the tests need besides
	@command -v redis-server >/dev/null || $(call install,redis-server,Redis)
	@test -z "$(EMULATOR)" || command -v $(EMULATOR) >/dev/null \
	  || $(call install,qemu-user,the emulator of a processor without AVX)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	  || $(call install,chromium,the browser that the console is tried in)
	@python3 -c 'import ensurepip' 2>/dev/null || $(call install,python3-venv,Python)
	@$(call python,$(CLIENTS),$(CLIENTS_NEED))
	@command -v cargo-nextest >/dev/null || cargo install --locked cargo-nextest --version $(NEXTEST_VERSION)

setup-sqlx:
	@test -x $(TOOLS)/bin/cargo-sqlx || cargo install sqlx-cli --version $(SQLX_VERSION) \
	  --no-default-features --features postgres --root $(TOOLS)

# seldom run: how soon they are built counts, and not how fast they are
setup-deny:
	@$(TOOLS)/bin/cargo-deny --version 2>/dev/null | grep -q ' $(DENY_VERSION)$$' \
	  || cargo install --locked --debug cargo-deny --version $(DENY_VERSION) --root $(TOOLS)

setup-cyclonedx:
	@$(TOOLS)/bin/cargo-cyclonedx cyclonedx --version 2>/dev/null | grep -q ' $(CYCLONEDX_VERSION)$$' \
	  || cargo install --locked --debug cargo-cyclonedx --version $(CYCLONEDX_VERSION) --root $(TOOLS)

# $(1): the folder of a Python environment, $(2): the packages that it needs
define python
cmp -s $(2) $(1)/requirements.txt || { \
    python3 -m venv --clear $(1) && $(1)/bin/pip install --quiet --requirement $(2) \
    && cp $(2) $(1)/requirements.txt; }
endef

# $(1): Debian's package, $(2): what it is
define install
{ if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1); \
  elif command -v apt-get >/dev/null; then \
    echo "$(2) is missing; run: sudo apt-get install -y --no-install-recommends $(1)"; exit 1; \
  elif command -v brew >/dev/null; then \
    echo "$(2) is missing; run: brew install $(patsubst %-server,%,$(1))"; exit 1; \
  else \
    echo "$(2) is missing; install your system's package for it ($(1) on Debian)"; exit 1; \
  fi; }
endef
