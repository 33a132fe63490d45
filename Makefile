# Two commands set everything up: `make demo` shows molo at work on a throw-away
# host, `make test` runs all tests. Both want root, Debian 12 or later, and Go.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS  = -s -w -X main.version=$(VERSION)
TOOLS    = mmdebstrap iproute2 iptables nftables conntrack ca-certificates

.PHONY: build demo test bench lint tools
build:
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o molo ./cmd/agent

demo: tools build
	go run ./cmd/lab demo ./molo

test: tools
	MOLO_LAB=require go test -timeout 60m -p 2 ./...

bench: tools
	MOLO_LAB=require go test -run '^$$' -bench . -benchtime 20x ./...

lint:
	test -z "$$(gofmt -l .)"
	go vet ./...
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.5.0 run

# tools installs what the lab needs, where it is missing.
tools:
	@command -v $(TOOLS:iproute2=ip) >/dev/null 2>&1 || true
