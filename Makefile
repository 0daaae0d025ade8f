# make build       the release programs in .build/release
# make demo        the main job, end to end, on this machine   [SOURCE=/some/folder] [KEEP=1]
# make test        every test; starts a Ceph on loopback for those of S3, and stops it
# make simulate    writers, copiers, collectors, owners and thieves against each other   [SEEDS=1000] [FROM=1000] [SEED=x]
# make fuzz        every decoder under a fuzzer, so many seconds each   [SECONDS=60] [TARGET=name] [KEEP=1]
# make sanitize    the suites of the engine under the address sanitizer   [MODULES=Platform,ObjectStore]
# make lint        format and style, warnings are errors
# make bench-large opening, backup and restore at 100 million chunks   [CHUNKS=n] [PLACE=dir] [WRITE=1]
# make bench-offsite copies over a slow line, and over one that loses packets; root only   [ROUNDS=3] [MEGABYTES=600] [WRITE=1]
# make bench       a table against restic, borg, tar, cp and find   [ROUNDS=7] [SMALL=1] [WRITE=1]
#
# What stands on make's command line is in the environment of the scripts, whatever characters it has.
#
# One configuration serves build and tests: release, with `package` access instead of @testable imports, so that
# nothing is ever compiled twice.

SHELL := /bin/bash
.DEFAULT_GOAL := build

# The tests must be parallel, but not all at once: each may hold a repository or a machine in memory.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= $(shell nproc)
export BREAKWATER_FIXTURES ?= $(CURDIR)/.build/fixtures

SWIFT_BUILD := swift build -c release
SWIFT_TEST := swift test -c release --skip-build --disable-testable-imports --disable-xctest
INSTALL := bash Sites/install/install.sh
FIXTURE := $(BREAKWATER_FIXTURES)/desktop.raw
RECIPE := $(shell find Fixtures/desktop -type f)

.PHONY: build build-tests test demo simulate fuzz sanitize lint format bench bench-large bench-offsite packages-build packages-ceph packages-test packages-desktop fixtures clean

build: packages-build
	$(SWIFT_BUILD)

build-tests: packages-build
	$(SWIFT_BUILD) --build-tests

# The S3 suites run against a Ceph that lives as long as the tests.
test: build-tests fixtures packages-ceph packages-test
	@bash Sites/ceph/with.sh .build/ceph $(SWIFT_TEST)

demo: build fixtures
	@$(INSTALL) Sites/install/demo.txt
	@bash Sites/demo/run.sh

# One seed alone says how it went and the hash of all its store calls; the same seed gives the same hash.
simulate: packages-build
	BREAKWATER_MODULES=Simulation $(SWIFT_BUILD) --build-tests
	BREAKWATER_MODULES=Simulation BREAKWATER_SEEDS=$(if $(SEED),,$(or $(SEEDS),1000)) BREAKWATER_SEED=$(SEED) \
		BREAKWATER_SEEDS_FROM=$(FROM) $(SWIFT_TEST) --filter RaceTests

# In a build of its own, since everything in it is instrumented. Of several -sanitize the compiler takes the last, so that
# one names both.
FUZZ_BUILD := BREAKWATER_FUZZ=1 BREAKWATER_MODULES=Fuzzer $(SWIFT_BUILD) --scratch-path .build-fuzz \
	--sanitize=fuzzer --sanitize=address -Xswiftc -sanitize=fuzzer,address --product Fuzzer

fuzz: packages-build
	$(FUZZ_BUILD)
	@bash Sites/fuzz/fuzz.sh .build-fuzz/release/Fuzzer $(or $(SECONDS),60)

sanitize: packages-build packages-test
	@bash Sites/sanitize/sanitize.sh

lint:
	swift format lint --strict --recursive --parallel Sources Tests Package.swift

format:
	swift format --in-place --recursive --parallel Sources Tests Package.swift

bench: build
	@$(INSTALL) --knowing vim-runtime Sites/install/bench.txt
	@python3 -B Sites/bench/bench.py

bench-large: build
	@$(INSTALL) Sites/install/bench-large.txt
	@python3 -B Sites/bench/large.py

bench-offsite: build packages-ceph
	@$(INSTALL) Sites/install/bench-offsite.txt
	@python3 -B Sites/bench/offsite.py

fixtures: packages-desktop $(FIXTURE)

# The desktop of the demo and of the tests; the same packages give the same bytes.
$(FIXTURE): $(RECIPE) | packages-desktop
	bash Fixtures/desktop/build.sh $@

packages-test:
	@$(INSTALL) Sites/install/test.txt

packages-build:
	@$(INSTALL) Sites/install/build.txt

packages-ceph:
	@$(INSTALL) Sites/ceph/packages.txt

packages-desktop:
	@$(INSTALL) --knowing linux-image-cloud-amd64 Fixtures/desktop/packages.txt

clean:
	rm -rf .build .build-*
