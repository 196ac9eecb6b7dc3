# The two commands to know are `make demo` and `make test`; `make help` lists all.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

export SUBROSA_DATA_DIR ?= $(CURDIR)/.data
export PATH := $(CURDIR)/.tools/bin:$(PATH)
PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: help setup build models demo test lint licences advisories bench soak fuzz install clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-12s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what the system lacks; lay out libctranslate2
	@scripts/setup

build: setup ## Build the program
	@cargo build --release --locked

models: build ## Fetch the small models and the sample call
	@target/release/xtask models

demo: models ## Build, fetch the small models, start the service, and transcribe a real telephone call over HTTP
	@scripts/demo

test: lint licences ## Everything that has to pass: set-up, style, licences, all tests
	@cargo build --locked
	target/debug/xtask models
	target/debug/xtask tidy
	cargo test --locked
	tests/service/run

lint: setup ## Format, clippy, documentation, queries against a fresh schema
	@cargo fmt --all --check
	cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked --quiet
	scripts/queries

# cargo shear finds what cargo machete finds (which passes too), and comes prebuilt instead of costing minutes.
licences: setup ## Licences, sources and unused dependencies
	@cargo deny --locked check licenses bans sources
	cargo shear

advisories: setup ## Known vulnerabilities (needs the advisory database)
	@cargo deny --locked check advisories

bench: models ## Compare with faster-whisper and whisper.cpp; what gate, vault, a reader's transcript, search, redaction and analysis cost (docs/benchmarks.md)
	@bench/run
	cargo bench --locked -p server --bench gate --bench vault --bench reads --bench search --bench meaning
	cargo bench --locked -p insight --bench redact --bench analysis

# One test after the other: what is measured is the memory of the process.
soak: models ## Long runs: five hours of speech with memory flat (SUBROSA_SOAK_MINUTES=5 for less); the service under load and 200 kills (SUBROSA_KILLS); ten million probes of the gate; search in 100,000 calls; newer PostgreSQL
	@cargo test --release --locked -- --ignored --nocapture --test-threads 1
	SUBROSA_PROBES=10000000 SUBROSA_BLEED=1000000 cargo test --release --locked -p server --test database -- \
	  --nocapture crossfire bleed pooler
	SUBROSA_SEARCH_CALLS=100000 cargo bench --locked -p server --bench search
	scripts/postgresql

FUZZ_SECONDS ?= 60
fuzz: setup ## Fuzz every decoder for FUZZ_SECONDS each
	@fuzz/run $(FUZZ_SECONDS)

install: ## Install what `make build` built into PREFIX (/usr/local), with completions, manual pages and notices
	@test -x target/release/subrosa || { echo "run make build first" >&2; exit 1; }
	out="$(DESTDIR)$(PREFIX)"
	install -D -m 755 target/release/subrosa "$$out/bin/subrosa"
	install -D -m 755 -t "$$out/lib/subrosa" .native/lib/*.so.*
	install -D -m 644 -t "$$out/share/doc/subrosa" LICENSE licences/*
	install -d "$$out/share/man/man1" "$$out/share/bash-completion/completions" "$$out/share/zsh/site-functions" \
	  "$$out/share/fish/vendor_completions.d"
	target/release/subrosa man "$$out/share/man/man1"
	target/release/subrosa completions bash >"$$out/share/bash-completion/completions/subrosa"
	target/release/subrosa completions zsh >"$$out/share/zsh/site-functions/_subrosa"
	target/release/subrosa completions fish >"$$out/share/fish/vendor_completions.d/subrosa.fish"

clean: ## Remove everything that was built or fetched
	@rm -rf target fuzz/target fuzz/corpus fuzz/artifacts .native .tools .data
