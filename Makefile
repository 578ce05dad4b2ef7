# Everything a contributor runs. `make` alone prints the list.

STATICCHECK_VERSION   := v0.8.2
GOLANGCI_LINT_VERSION := v2.15.0

# Where tools of pinned versions are installed; ignored by git.
TOOLS       := $(CURDIR)/bin
STATICCHECK := $(TOOLS)/staticcheck-$(STATICCHECK_VERSION)
GOLANGCI    := $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION)

# Narrow a run: make test PKG=./sinks/... TESTFLAGS='-run Crash -count 20'
PKG       ?= ./...
TESTFLAGS ?=
# The race detector's options. By itself it sleeps for a second at the end of each
# process, for races of goroutines that go on; tests here wait for their goroutines,
# and start some thousand processes.
RACE ?= atexit_sleep_ms=0
# Options of the benchmark: make bench BENCHFLAGS='-cases insurance -runs 5', or
# BENCHFLAGS='-cases star -measure roles'
BENCHFLAGS ?=
# How long make soak appends to a followed file (make soak SOAK=30m before a
# release, with 12 GB for a copy of what it fed), and how many changes a second.
SOAK     ?= 60s
SOAKRATE ?= 5000
# Its bounds are so many times as wide: on a machine that others use, 4.
SOAKWIDE ?= 1
# The epochs' interval in it, where not the pipeline file's, and a file for a CPU
# profile, of which it prints the roles: make soak SOAKPROFILE=soak.pprof
SOAKINTERVAL ?=
SOAKPROFILE  ?=
# How long each service is gone in make soak-kinesis.
OUTAGE ?= 1m
# Cases of make oracle.
ORACLE ?= 10000
# How long make attack begins new rounds; SEED=… runs one of them again and again.
ATTACK ?= 60s
SEED   ?= 0
# Bugs that make attack-bugs plants: names from jobs/attack_bugs_test.go, with commas.
BUG ?= all
# Builds that make snapshot makes (linux_amd64_with-duckdb …); all where empty.
BUILDS ?=
# How make image names the image's version.
IMAGE_TAG = $(shell git describe --tags --always --dirty --match 'v*')
# How long each fuzz target runs.
FUZZTIME ?= 30s

.DEFAULT_GOAL := help
.PHONY: help build static release snapshot reproduce image demo demo-aws demo-redshift services test soak soak-kinesis kill-kinesis dynamodb-table redshift-star redshift-faults redshift-flushes oracle attack attack-bugs lint lint-all fuzz bench bench-postgres bench-export bench-feeders bench-kinesis bench-dynamodb bench-redshift clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Without symbols for debuggers: a third smaller. Stack traces, pprof and the
# commit in `starlift version` do not need them.
BUILD = go build -trimpath -buildvcs=auto -ldflags '-s -w$(STAMP)'
# In a clone, Go asks git for version and commit. A source that has no .git is told:
# make build STARLIFT_VERSION=v1.2.3 STARLIFT_COMMIT=… STARLIFT_COMMIT_TIME=2024-05-06T07:08:09Z
STARLIFT_VERSION     :=
STARLIFT_COMMIT      :=
STARLIFT_COMMIT_TIME :=
JOBS  := github.com/starlift-etl/starlift/jobs
STAMP  = $(if $(STARLIFT_VERSION), -X $(JOBS).linkVersion=$(STARLIFT_VERSION))$(if $(STARLIFT_COMMIT), -X $(JOBS).linkCommit=$(STARLIFT_COMMIT))$(if $(STARLIFT_COMMIT_TIME), -X $(JOBS).linkTime=$(STARLIFT_COMMIT_TIME))

OUT := starlift

build: ## build ./starlift
	$(BUILD) -o $(OUT) .

static: ## build ./starlift-static: one file that needs no library, without DuckDB
	CGO_ENABLED=0 $(BUILD) -o starlift-static .

release: ## make the archives of the tagged commit in dist/, start them, and write their checksums
	go run ./jobs/internal/release release

snapshot: ## the same of any commit; BUILDS=… only those
	go run ./jobs/internal/release snapshot $(BUILDS)

reproduce: ## make this machine's archives again from a clone elsewhere, and compare them with dist/
	.ci/reproduce

image: ## build a container image, which says version and commit
	docker build -f docs/Dockerfile -t starlift:$(IMAGE_TAG) --build-arg VERSION=$(IMAGE_TAG) \
		--build-arg COMMIT=$$(git rev-parse HEAD) --build-arg COMMIT_TIME=$$(git log -1 --format=%cI) .

demo: ## run the bundled sample through a pipeline and query the result
	go run . demo

demo-aws: ## run the pipelines of configs/ that are for AWS, against servers on this machine, and show what they leave
	@.ci/services once ferrokinesis ministack versitygw
	go test ./jobs -run 'Test(Batch)?Examples?OnAWS$$' -v -count 1 -demo.aws

demo-redshift: ## run the pipelines of configs/ that are for Redshift, against its stand-in on this machine, and show what they leave
	@.ci/services once ferrokinesis versitygw
	go test ./jobs -run 'TestExamplesOnRedshift$$' -v -count 1 -demo.redshift

services: ## install the servers and clients that tests run, into a cache; tries again what could not be had
	.ci/services

test: ## run the tests under the race detector, with the servers of make services
	@.ci/services once
	GORACE='$(RACE)' go test -race -timeout 30m $(TESTFLAGS) $(PKG)

soak: ## follow a growing file into PostgreSQL for SOAK, and hold memory, epochs and latency against bounds
	go test ./jobs -run 'TestSoak$$' -v -count 1 -timeout 3h -soak $(SOAK) -soak.rate $(SOAKRATE) -soak.tolerance $(SOAKWIDE) -soak.interval '$(SOAKINTERVAL)' -soak.profile '$(if $(SOAKPROFILE),$(abspath $(SOAKPROFILE)))'

soak-kinesis: services ## feed a stream into PostgreSQL and S3 for SOAK, and take Kinesis and then S3 away for OUTAGE each
	go test ./jobs -run 'TestSoakKinesis$$' -v -count 1 -timeout 3h -soak $(SOAK) -soak.outage $(OUTAGE) -soak.tolerance $(SOAKWIDE)

kill-kinesis: services ## kill the program five times while 200,000 changes come through shards that split and merge
	go test ./jobs -run 'TestKinesisKilled$$' -v -count 1 -timeout 30m -long

dynamodb-table: ## bootstrap a table of 100,000 items under 200 writes a second, from an export and a scan, through Kinesis and Streams, killed ten times each
	@.ci/services once boto3 ferrokinesis versitygw
	go test ./jobs -run 'TestDynamoDBTable$$' -v -count 1 -timeout 2h -table.items 100000

redshift-star: ## load the star of 1.5 million items into Redshift's stand-in, and hold it against DuckDB's, row for row
	go test ./jobs -run 'TestRedshiftStar$$' -v -count 1 -timeout 2h -redshift.items 1500000

redshift-faults: ## load a star while every statement fails once, connections are cut around COMMIT, and the program is killed
	go test ./jobs -run 'TestRedshiftStatementsFail|TestRedshiftKilled' -v -count 1 -timeout 1h -long

redshift-flushes: ## flush 3,600 times, and hold memory, connections, temporary tables and files of the stage against bounds
	go test ./sinks/redshift -run 'TestManyFlushes$$' -v -count 1 -timeout 1h -redshift.flushes 3600

oracle: ## hold ORACLE random pipelines and inputs against the model of their tables
	go test ./jobs -run TestOracle -timeout 2h -oracle.cases $(ORACLE)

attack: ## kill the program at every step for ATTACK, beside rotating files, and compare all sinks with the input; SEED runs a round again
	go test ./jobs -run 'TestAttack$$' -v -count 1 -timeout 2h -parallel 4 -attack $(ATTACK) -attack.seed $(SEED) $(TESTFLAGS)

attack-bugs: ## plant bugs in the program, and expect that an attack of a minute finds each; BUG names one
	go test ./jobs -run TestAttackFindsBugs -v -count 1 -timeout 2h -attack.bugs $(BUG)

lint: $(STATICCHECK) ## check formatting, go.mod, vet and staticcheck, as CI does
	@unformatted=$$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l); \
	if [ -n "$$unformatted" ]; then echo "gofmt -w is needed for:"; echo "$$unformatted"; exit 1; fi
	go mod tidy -diff
	go vet ./...
	$(STATICCHECK) ./...

lint-all: $(GOLANGCI) ## run golangci-lint with .golangci.yml (its first build takes minutes)
	$(GOLANGCI) run ./...

fuzz: ## run every fuzz target for FUZZTIME
	@git grep -nE '^func Fuzz[A-Za-z0-9_]*\(' -- '*_test.go' | \
	sed -E 's/^([^:]*)\/[^\/]*:[0-9]+:func (Fuzz[A-Za-z0-9_]*).*/\1 \2/' | \
	while read -r dir target; do \
		echo "== $$dir $$target"; \
		go test "./$$dir" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) </dev/null || exit 1; \
	done

bench: ## compare CPU, time and memory with DuckDB doing the same work, and show what bounds it: roles, critical path, processors
	go run ./jobs/internal/bench $(BENCHFLAGS)

bench-postgres: ## compare upserts into PostgreSQL with a bare COPY and merge of the same rows
	go test ./sinks/postgres -run '^$$' -bench Upsert -benchtime 30x

bench-export: ## compare the CPU of reading an export of 5 million items on S3 with that of the same files on disk
	go test ./jobs -run 'TestExportCost$$' -export.items 5000000 -v -timeout 3h

bench-feeders: ## compare the CPU of one key, member, row or item that gets 100,000 changes with that of as many
	go test ./jobs -run '^$$' -bench Feeders -benchtime 1x -timeout 1h

bench-kinesis: ## measure what reading a stream takes: answers and events, a backlog of 64 and of 1,000 shards, 500 quiet shards, polled and with a consumer
	go test ./sources/kinesis/page -run '^$$' -bench "GetRecords|SubscribeToShard"
	go test ./sources/kinesis -run '^$$' -bench 'CatchUp|Idle' -benchtime 1x

bench-dynamodb: ## measure what an item of a scan and a record of a stream take, beside the SDK's decoding
	go test ./sources/dynamodbstreams -run '^$$' -bench GetRecords
	go test ./sources/dynamodbscan -run '^$$' -bench Scan

bench-redshift: ## compare writing a file for COPY with a bare Parquet writer of the same profile
	go test ./sinks/redshift -run '^$$' -bench StagedFile -benchtime 5x

clean: ## remove what builds and bench made
	rm -rf starlift starlift-static dist bin bench/data

# go install names its result after the command; the version in our name makes
# a changed pin install again.
$(STATICCHECK):
	GOBIN=$(TOOLS) go install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)
	mv $(TOOLS)/staticcheck $@

$(GOLANGCI):
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(TOOLS)/golangci-lint $@
