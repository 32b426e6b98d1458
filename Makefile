# The front door: every target is a few words around CMake. `make help` lists them.

BUILD := build
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)

.PHONY: all demo test bench install uninstall doc clean help setup-%

all: setup-build $(BUILD)/CMakeCache.txt
	@cmake --build $(BUILD) -j $(JOBS)

demo: setup-demo all
	@$(BUILD)/perilune recipes/fashion_mnist.lua

# Configured anew: what the set-up installed may be what a device was left out for.
test: setup-test
	@cmake --preset default >/dev/null
	@cmake --build $(BUILD) -j $(JOBS)
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS)

bench: setup-demo all
	@$(BUILD)/perilune bench/bench.lua

install: all
	@cmake --install $(BUILD) --prefix $(abspath $(PREFIX))

uninstall:
	@cmake -DPREFIX=$(abspath $(PREFIX)) -P cmake/uninstall.cmake

doc: setup-doc
	@ldoc --quiet --project Perilune --dir $(BUILD)/doc lua/perilune
	@echo "$(BUILD)/doc/index.html"

clean:
	@rm -rf $(BUILD) $(BUILD)-*

help:
	@echo "make            install what is missing and build into $(BUILD)/"
	@echo "make demo       train on Fashion-MNIST"
	@echo "make test       run every test, the sanitizers' build included"
	@echo "make bench      measure, against PyTorch where python3 has it (PERILUNE_BENCH_PYTHON)"
	@echo "make install    install into PREFIX ($(PREFIX)); make uninstall takes it away again"
	@echo "make doc        the Lua reference, into $(BUILD)/doc"
	@echo "make clean      remove $(BUILD)/ and its siblings"

setup-%:
	@sh cmake/setup.sh $*

$(BUILD)/CMakeCache.txt: | setup-build
	@cmake --preset default
