# The development tools have a module file of their own, so that go.mod lists what the program needs.
tool := go tool -modfile=tools/go.mod
TESTFLAGS ?=
BENCHFLAGS ?=

sbomtool := go tool -modfile=tools/sbom/go.mod cyclonedx-gomod

.PHONY: help build man sbom dist image test-dist quick test test-pkg fuzz bench soak torture lives explore setup chromium nginx shell fmt lint cross unit vuln tidy race rules
.NOTPARALLEL:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

build: ## build bin/watcher
	go build -o bin/watcher ./cmd/watcher

man: ## write bin/man1: a man page for each command
	go run ./cmd/manpages bin/man1

sbom: build ## write bin/watcher.cdx.json: which modules bin/watcher is made of (CycloneDX)
	$(sbomtool) bin -json -output bin/watcher.cdx.json bin/watcher

quick: fmt lint ## lint, and run the tests that take under a second each, without the race detector
	go test -short ./...

dist: ## build what is given out into dist/: programs for six systems, .deb, .rpm, SBOM, checksums
	packaging/build

image: ## build dist/jobwatch-<version>-amd64.oci.tar from what make dist has made, with buildah
	packaging/image

test-dist: ## build twice and compare; then install, run, upgrade and purge the .deb HERE, as root, and look at the rest
	go -C tools/dist test -count=1 ./...
	packaging/twice
	packaging/try

P ?= ...
test-pkg: ## test one package under the race detector: make test-pkg P=internal/store TESTFLAGS='-run Commit -v'
	go test -race -timeout 25m $(TESTFLAGS) ./$(P)

test: setup fmt tidy lint cross unit vuln race rules ## do all of the checks below, up to the first that fails

setup: chromium nginx shell ## fetch the modules of the program and of the tools, and what the tests run: a browser, nginx, curl, jq, python3
	@test "$$(go env CGO_ENABLED)" = 1 || { \
		echo "make: no C compiler ($$(go env CC)), or CGO_ENABLED=0; the race detector needs cgo: install gcc or clang" >&2; \
		exit 1; }
	go mod download

# The page is tested in a real browser, and behind a real nginx. Debian and Ubuntu have both; elsewhere somebody installs them.
apt = as=; test "$$(id -u)" = 0 || as=sudo; \
	command -v apt-get >/dev/null && { test -z "$$as" || command -v $$as >/dev/null; } && \
	$$as apt-get update && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(1)

chromium:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	$(call apt,chromium) || { \
		echo "make: no browser for the tests of the page: install chromium (Debian: apt-get install chromium)" >&2; \
		exit 1; }

# Debian starts what it installs as a server, which nobody has asked for here.
nginx:
	@for name in nginx /usr/sbin/nginx; do command -v $$name >/dev/null && exit 0; done; \
	$(call apt,nginx-light) || { \
		echo "make: no nginx for the tests behind a proxy: install it (Debian: apt-get install nginx-light)" >&2; \
		exit 1; }; \
	! command -v systemctl >/dev/null || $$as systemctl disable --now nginx || true

# What the documents have their readers type is run.
shell:
	@for name in curl jq python3; do command -v $$name >/dev/null || { \
		$(call apt,$$name) || { \
			echo "make: no $$name for the tests of the documents: install it (Debian: apt-get install $$name)" >&2; \
			exit 1; }; }; done

fmt: ## check that gofmt would change nothing
	@files=$$(gofmt -l .) && test -z "$$files" || { \
		echo "make: not formatted; mend with: gofmt -w" $$files >&2; \
		exit 1; }

tidy: ## check that go mod tidy would change nothing, and that the modules are those of go.sum
	go mod tidy -diff
	go -C tools mod tidy -diff
	go -C tools/sbom mod tidy -diff
	go -C tools/prometheus mod tidy -diff
	go -C tools/dist mod tidy -diff
	go mod verify

lint: ## run the linters of .golangci.yml, and look for functions that nothing calls: in the program, and in the tests
	$(tool) golangci-lint run
	@dead=$$($(tool) deadcode ./cmd/watcher ./cmd/manpages ./examples/subscribe && $(tool) deadcode -test ./...) && test -z "$$dead" || { \
		echo "make: called by nothing that ships, or by no test either:" >&2; echo "$$dead" >&2; \
		exit 1; }

# Tests that use a terminal or signals are Unix's: of their packages the program alone is built. FreeBSD is built by make dist.
unixtests := /testing/endtoend$$|/testing/documents$$|/testing/terminal$$|/internal/cli$$|/internal/console$$
cross: ## vet the program and its tests as for Windows and macOS
	GOOS=darwin go vet ./...
	GOOS=windows go build -o /dev/null ./cmd/watcher
	GOOS=windows go vet $$(go list ./... | grep -vE '$(unixtests)')

# Of 10, in tenths; systemd-analyze is there where systemd is.
unit: ## have systemd-analyze judge configs/watcher.service, where it is installed
	@command -v systemd-analyze >/dev/null || { echo "unit left out: no systemd-analyze here"; exit 0; }; \
	said=$$(systemd-analyze security --offline=true --threshold=15 --no-pager configs/watcher.service 2>&1); good=$$?; \
	echo "$$said" | tail -n 1; exit $$good

# govulncheck knows when its database was updated only if that answers.
vuln: ## run govulncheck where its database can be reached
	@$(tool) -n govulncheck >/dev/null # built, so that the time-out is the database's alone
	@if timeout 30 $(tool) govulncheck -version | grep 'DB updated'; \
	then $(tool) govulncheck ./...; \
	else echo "govulncheck left out: its database does not answer from here"; fi

# endtoend takes longest, and mostly waits: it begins first, and six of its tests wait beside each other. What else takes long comes next.
race: ## run all tests under the race detector; TESTFLAGS are passed on
	go test -race -timeout 25m -parallel 6 $(TESTFLAGS) ./internal/testing/endtoend ./internal/testing/lives ./internal/web ./...

rules: ## have Prometheus's own engine judge the rules and the dashboard of configs/
	go -C tools/prometheus test -timeout 10m ./...

FUZZTIME ?= 20s

# Before Go 1.27 the fuzzer may miss its own end on a busy machine (go.dev/issue/75804): that finds nothing wrong.
fuzz: ## run each fuzz target for FUZZTIME; what it finds lands in testdata/fuzz, and is run by every test from then on
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	grep -rE --include='*_test.go' '^func Fuzz' internal | sed -E 's|/[^/]+:func (Fuzz[A-Za-z]+).*| \1|' | \
	while read -r package target; do \
		echo "$$target"; \
		go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "./$$package" >"$$log" 2>&1; good=$$?; \
		tail -n 12 "$$log"; \
		test $$good = 0 || { grep -q 'context deadline exceeded' "$$log" && ! grep -q 'Failing input' "$$log"; } || exit 1; \
	done

soak: ## have 20,000 jobs begin, end and be forgotten in ten minutes, and judge what was told and what it took
	JOBWATCH_SOAK=10m go test -count 1 -timeout 30m -run '^TestSoak$$' -v ./internal/testing/endtoend

TORTURE ?= 1000

torture: ## kill the watcher TORTURE times (or for so long) while all around it fails, judge, and write docs/torture.md
	JOBWATCH_TORTURE=$(TORTURE) JOBWATCH_TORTURE_REPORT=$(CURDIR)/docs/torture.md \
		go test -count 1 -timeout 5h -run '^TestTorture$$' -v ./internal/testing/endtoend

lives: ## simulate 100,000 whole lives with crashes and a broker that fails, and judge what was told
	JOBWATCH_LIVES=100000 go test -count 1 -timeout 12h -run '^TestLives$$' -v ./internal/testing/lives

explore: ## explore two small worlds whole: every order of steps, with at most two faults, in a cluster one
	JOBWATCH_EXPLORE=whole go test -count 1 -timeout 24h -run '^TestSmallWorld' -v ./internal/testing/lives

bench: ## run all benchmarks, one after the other; BENCHFLAGS are passed on
	go test -p 1 -timeout 1h -run '^$$' -bench . $(BENCHFLAGS) ./...
