# The commands of the checks. `make help` lists the targets; .ci/run calls them, in order,
# on a fresh machine. They need GNU make 3.82 and Go, and some of them a C compiler,
# chromium, node or spin.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

modules := $(shell find . -name go.mod | sort | xargs -n 1 dirname)
# Without code: the pinned tools, and the module of mistakes that the analyser is tested on.
with_code := $(shell grep -Lx -e 'module .*/tools' -e 'module planted' $(addsuffix /go.mod,$(modules)) | xargs -n 1 dirname)
tags := invariants schedules pauses yields
tagged := . ./internal/hook
platforms := js/wasm wasip1/wasm linux/386 linux/arm linux/arm64 freebsd/amd64 openbsd/amd64 darwin/arm64 windows/amd64
timers := 1000000
# Without examples/durable, whose dependencies would take two minutes.
analysed := $(filter-out ./examples/durable,$(with_code))
race := -race

# With CI set, where all would take too long, others each day: one of the tags and a third of the platforms,
# each of which compiles or vets the standard library anew, and a third of the modules for our analyser,
# which vets their dependencies. Also fewer timers for make pauses, and no race detector for the tests of the
# analyser, which takes gigabytes.
ifdef CI
nth = $(shell printf '%s\n' $(2) | awk -v day="$$(date +%j)" 'NR % $(1) == day % $(1)')
tags := $(call nth,4,$(tags))
platforms := $(call nth,3,$(platforms))
analysed := . $(call nth,3,$(filter-out .,$(analysed)))
timers := 300000
race :=
endif

bin := $(CURDIR)/.bin
staticcheck := $(bin)/staticcheck
timerwheel_vet := $(bin)/timerwheel-vet

.PHONY: help ci lint bench \
	fmt tidy vet staticcheck timerwheel-vet tools \
	errcheck test race one-processor busy yields invariants integrations browser screenshots profiles \
	wasm 386 cross old-go \
	benchmarks speed pauses compare examples schedules verify soak fuzz-api fuzz-levels \
	workflows published api version

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 16

ci: ## Everything that has to hold before a change lands; installs what is missing
	.ci/run

# What is written.

lint: fmt tidy vet staticcheck timerwheel-vet ## gofmt, go mod tidy, go vet, staticcheck, our own analyser

fmt: ## Fail if gofmt would change a file
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "$$unformatted"; exit 1; fi

tidy: ## Fail if go mod tidy would change a module
	for module in $(modules); do (cd $$module && go mod tidy -diff); done

vet: ## go vet, with each build tag
	for module in $(with_code); do (cd $$module && go vet ./...); done
	for tag in $(tags); do go vet -tags $$tag $(tagged); done
	go vet -C bench -tags pauses ./cmd/pauses
	go vet -C verify -tags schedules ./schedules

tools: | $(bin) ## Build the linters into .bin
	go build -C tools -o $(staticcheck) honnef.co/go/tools/cmd/staticcheck
	go build -C vet -o $(timerwheel_vet) ./cmd/timerwheel-vet

$(bin):
	mkdir -p $@

staticcheck: tools ## staticcheck, with each build tag
	for module in $(with_code); do (cd $$module && $(staticcheck) ./...); done
	for tag in $(tags); do $(staticcheck) -tags $$tag $(tagged); done
	cd bench && $(staticcheck) -tags pauses ./cmd/pauses
	cd verify && $(staticcheck) -tags schedules ./schedules

# Without tests and the example of deadlocks, which are wrong on purpose.
timerwheel-vet: tools ## Test our analyser, and run it over the repository
	go test -C vet $(race) ./...
	for module in $(analysed); do \
		(cd $$module && go vet -vettool=$(timerwheel_vet) -timerwheel.tests=false $$(go list ./... | grep -v '/examples/deadlocks$$')); \
	done

errcheck: ## What errcheck reports of our calls, and the list of exclusions in docs
	CI=true go test -count=1 -run '^TestErrcheck' ./docs

# What it does.

test: ## The tests, with the race detector
	go test -race ./...

race: ## The tests of races on one, two and four processors, in any order
	races=$$(sed -n 's/^func \(Test[A-Za-z0-9]*\).*/\1/p' race_test.go | paste -sd '|' -); \
	go test -race -run "^($$races)\$$" -cpu 1,2,4 -shuffle on .

one-processor: ## The tests of the wheel on one processor, in any order
	go test -race -count=1 -cpu 1 -shuffle on .

# The loops end with the shell that started them, however that ends.
busy: | $(bin) ## The tests of the wheel beside eight busy loops, in any order
	go test -c -o $(bin)/test-busy .
	trap 'kill $$(jobs -p)' EXIT; \
	for _ in {1..8}; do while kill -0 $$$$ 2>/dev/null; do :; done & done; \
	$(bin)/test-busy -test.short -test.shuffle on -test.timeout 10m

# Two tests are left out: one counts workers, which such yields bring, and in one a goroutine
# that never yields has each of them for 10 ms.
yields: ## The tests of the wheel, which others interrupt after its critical sections
	go test -race -count=1 -short -tags yields -shuffle on \
		-skip '^(TestHandlersThatComputeBringFewWorkers|TestOneProcessorAndASpinningGoroutine)$$' .

invariants: ## The tests, with every critical section checked
	go test -short -tags invariants ./...

integrations: ## Collector, adapters and durable deadlines, with the real projects
	for module in $(filter ./prom ./otel ./integrations/% ./examples/%,$(modules)); do (cd $$module && go test -race ./...); done
	cd prom/check && go test .

browser: ## The page of package debug, in chromium
	cd debug/browser && CI=true go test .

screenshots: ## Renew the pictures of docs/debug, in chromium
	cd debug/browser && CI=true go test -trimpath -count=1 -run '^TestState' -screenshots '$(CURDIR)/docs/debug' .

profiles: ## Execution traces and CPU profiles, read as the tools do
	go test -C verify -race ./profiles

wasm: ## What becomes of timers when the wall clock is set, in JavaScript under node
	go test -C verify -count=1 -v ./wallclock

386: | $(bin) ## The tests on 32 bits
	GOARCH=386 CGO_ENABLED=0 go vet ./...
	GOARCH=386 CGO_ENABLED=0 go test -c -o $(bin)/test386 .
	if $(bin)/test386 -test.run '^$$' >/dev/null 2>&1; then \
		GOARCH=386 CGO_ENABLED=0 go test -short ./...; \
	else \
		echo 'this machine does not run 32-bit programs: built only'; \
	fi

# Without cgo: there is no cross-compiler of C here. go vet covers the tests, which go build does not.
cross: ## Build the package, its tests and examples for other systems
	for platform in $(platforms); do \
		echo $$platform; \
		CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} go build ./...; \
		CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} go vet ./...; \
	done

old-go: ## The tests with the older of the two Go releases
	GOTOOLCHAIN=go1.25.5 go test -short ./...

examples: ## Run the examples; each checks itself
	go run -race ./examples/oneshot
	go run -race ./examples/idleconn
	go test -race ./examples/bubble
	go run -race ./examples/idleconns -for 3s
	go run ./examples/seedrace
	go run ./examples/reliableudp
	go run ./examples/ttlcache
	go run ./examples/eventloop
	go run ./examples/metrics
	go run ./examples/deadlocks

# What it costs.

bench: benchmarks speed pauses ## What CI checks of the cost: benchmarks, speed, pauses

benchmarks: | $(bin) ## Each benchmark, for a moment
	go test -run '^$$' -bench . -benchtime 10ms -short . | tee $(bin)/benchmarks
	go tool -modfile=tools/go.mod benchstat $(bin)/benchmarks >/dev/null

# The factor leaves room for the noise of a machine. The harness reads files outside of its
# module, so its tests are not cached.
speed: ## The harness, and the targets
	go test -C bench -count=1 ./...
	go test -tags pauses -run '^TestTimedMutex$$' ./internal/hook
	go run -C bench ./cmd/compare -short -check 1.3

pauses: ## No critical section takes more than 50 µs in every round, where rounds are alike
	go run -C bench -tags pauses ./cmd/pauses -n $(timers) -rounds 3 -check 50us -only 'growth|shrinking|arming|deletion|cascade|Advance|Close|group|looking'

compare: ## Measure anew (25 minutes), and renew bench/results and the README
	go run -C bench ./cmd/compare -rounds 5 -readme ../README.md

# Why it is right.

verify: ## The proof: model, schedules, machine, histories, mutants, fuzzing (an hour; with CI set a part, ten minutes)
	verify/run

schedules: ## Every order of the steps of small programs, with up to two pre-emptions
	go test -C verify -count=1 -tags 'schedules invariants' -v -timeout 60m ./schedules

SOAKTIME := 1m
FUZZTIME := 1m

soak: ## Every verb from many goroutines, for a minute (SOAKTIME=1h: longer)
	cd verify && go run -race ./soak -for $(SOAKTIME)

fuzz-api: ## Fuzz the API against the reference, for a minute (FUZZTIME=1h: longer)
	go test -run '^$$' -fuzz '^FuzzAPI$$' -fuzztime $(FUZZTIME) .

fuzz-levels: ## Fuzz the levels, for a minute
	go test -run '^$$' -fuzz '^FuzzLevels$$' -fuzztime $(FUZZTIME) ./internal/levels

# How it is published: docs/releasing.md.

workflows: ## The workflows and dependabot.yml parse, and name targets and modules that exist
	cd .github && go tool -modfile=../tools/go.mod actionlint workflows/*.yml
	go test -C release -count=1 -run 'TestWorkflows|TestDependabot' .

published: ## A stranger's module gets each published module from a proxy that has this tree
	go test -C release -count=1 -v -run 'TestStranger' .

api: | $(bin) ## Fail if the API has changed incompatibly since the last tag, and the version does not say so
	go build -C tools -o $(bin)/apidiff golang.org/x/exp/cmd/apidiff
	release/api $(bin)/apidiff

version: ## Let the modules require VERSION of each other: make version VERSION=v0.2.0
	for module in $(modules); do \
		sed -E 's#(github.com/seed76848005/timerwheel[a-z0-9/]*) v[0-9][^ ]*#\1 $(VERSION)#' $$module/go.mod >$$module/go.mod.new; \
		mv $$module/go.mod.new $$module/go.mod; \
	done
