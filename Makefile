# Two commands set everything up: "make demo" shows molo at work on a throw-away
# host, "make test" runs all tests. Both want root on Debian 12 or later, and Go.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LINTER   = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

ARCHES  ?= amd64 arm64

.PHONY: build deb demo test fuzz test-vm test-vagrant vagrant-files bench lint tools tools-vm tools-vagrant
build:
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o molo ./cmd/agent

# deb leaves the Debian packages in dist.
deb: tools
	@for arch in $(ARCHES); do packaging/build $(VERSION) $$arch dist || exit; done

demo: tools build
	go run ./cmd/lab demo ./molo

test: tools fuzz
	go test -timeout 85m -p 2 -parallel 3 ./...

# fuzz looks for new inputs for half a minute. What it once found are cases of the tests.
FUZZTIME ?= 10s
fuzz:
	@for target in FuzzCompile FuzzParse FuzzVerifyLog; do \
		go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -parallel 2 ./nginx || exit; done

# test-vm boots Debian with its own kernel, for what the lab's namespaces can't show.
test-vm: tools tools-vm
	go test -tags vm -count=1 -timeout 40m -parallel 2 -run '^TestVM' -v ./internal/lab ./cmd/agent

# test-vagrant checks the Vagrantfile; that needs neither a box nor a hypervisor.
test-vagrant: tools-vagrant vagrant-files
	cd vagrant && vagrant validate --ignore-provider
	sh -n vagrant/install.sh
	sh -n vagrant/smoke.sh

# vagrant-files leaves in dist what vagrant/ puts into its machines.
vagrant-files:
	$(MAKE) deb ARCHES=amd64
	CGO_ENABLED=0 GOARCH=amd64 go build -trimpath -o dist/server ./internal/lab/server

bench: tools
	go test -run '^$$' -bench . ./...

lint:
	go vet -tags vm ./...
	go run $(LINTER) run --build-tags vm

# tools installs what the lab runs on, where it is missing.
tools:
	@for tool in mmdebstrap ip iptables nsenter dpkg-deb xz; do command -v $$tool >/dev/null || missing=1; done; \
	ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1 || missing=1; [ -z "$$missing" ] || { apt-get update -qq && \
	apt-get install -y -qq --no-install-recommends mmdebstrap iproute2 iptables util-linux dpkg xz-utils debian-archive-keyring >/dev/null; }

tools-vm:
	@for tool in qemu-system-x86_64 qemu-img genisoimage mke2fs; do command -v $$tool >/dev/null || missing=1; done; \
	[ -z "$$missing" ] || { apt-get update -qq && \
	apt-get install -y -qq --no-install-recommends qemu-system-x86 qemu-utils genisoimage e2fsprogs >/dev/null; }

tools-vagrant:
	@command -v vagrant >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends vagrant >/dev/null; }
