# Two commands set everything up: "make demo" shows molo at work on a throw-away
# host, "make test" runs all tests. Both want root on Debian 12 or later, and Go.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LINTER   = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

ARCHES  ?= amd64 arm64

.PHONY: build deb demo test bench lint tools
build:
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o molo ./cmd/agent

# deb leaves the Debian packages in dist.
deb: tools
	@for arch in $(ARCHES); do packaging/build $(VERSION) $$arch dist || exit; done

demo: tools build
	go run ./cmd/lab demo ./molo

test: tools
	go test -timeout 85m -p 2 -parallel 3 ./...

bench: tools
	go test -run '^$$' -bench . ./...

lint:
	go vet ./...
	go run $(LINTER) run

# tools installs what the lab runs on, where it is missing.
tools:
	@for tool in mmdebstrap ip iptables nsenter dpkg-deb xz; do command -v $$tool >/dev/null || missing=1; done; \
	ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1 || missing=1; [ -z "$$missing" ] || { apt-get update -qq && \
	apt-get install -y -qq --no-install-recommends mmdebstrap iproute2 iptables util-linux dpkg xz-utils debian-archive-keyring >/dev/null; }
