# Every target is one plain command. `make build` needs Go alone; `make test`
# uses the race detector where there is a C compiler.

GO      ?= go
RACE    := $(if $(shell command -v gcc 2>/dev/null),-race,)
FUZZ    ?= 10s
FUZZ_CI := internal/providers/proxmox/pve:FuzzLine internal/providers/proxmox/pve:FuzzTaskLog internal/calendar:FuzzEvent

.PHONY: build test soak demo bench check fmt golden fuzz fuzz-ci clean

build: ## writes bin/proximity
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o bin/proximity ./cmd/proximity

test: build ## every test, and what they report of themselves; installs PostgreSQL where it is missing
	@sh tests/postgres.sh
	GORACE=atexit_sleep_ms=0 $(GO) test -json $(RACE) -timeout 14m ./... | $(GO) run ./internal/testreport

soak: ## ten thousand fault schedules and a thousand kills; one that fails prints how to replay it
	$(GO) test ./internal/faultschedule -run TestSchedules -timeout 60m -v -schedules 10000
	$(GO) test ./cmd/proximity -run 'TestKilledApplies|TestEveryFailpoint' -timeout 60m -v -kills 1000 -everywhere

demo: build ## a whole estate on the embedded simulator, in a minute
	@sh examples/demo.sh bin/proximity

bench: build ## prints figures with what they measure
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 20m ./...

check: ## what has to hold before a commit
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run: make fmt"; exit 1; }
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	$(GO) mod tidy -diff

fmt: ## formats Go and the examples
	gofmt -w .
	$(GO) run ./cmd/proximity fmt examples/*/

golden: ## rewrites golden files; look at the difference before you commit it
	$(GO) test ./cmd/proximity ./internal/failpoint ./internal/calendar ./internal/ui ./internal/config ./internal/state ./internal/providers/proxmox -update

fuzz: ## each fuzz target for FUZZ
	@$(GO) list ./... | while read -r p; do \
	  $(GO) test -list '^Fuzz' $$p | grep '^Fuzz' | while read -r f; do \
	    $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZ) $$p || exit 1; done || exit 1; done

fuzz-ci: ## config lines, task logs and calendar events, half a minute each
	@for t in $(FUZZ_CI); do test -d "$${t%:*}" || continue; \
	  $(GO) test -run '^$$' -fuzz "^$${t#*:}$$" -fuzztime 30s "./$${t%:*}" || exit 1; done

clean:
	rm -rf bin examples/*/.proximity examples/*/proximity.state.*
