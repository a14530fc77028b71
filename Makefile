# SPDX-License-Identifier: Apache-2.0
# The commands of this project; the build itself is CMake's (CMakePresets.json).
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
SOAK_SEEDS ?= 10000
MINUTES ?= 30

.DEFAULT_GOAL := help
.PHONY: help build check test demo soak soak-mesh fuzz plots bench-peers asan tsan format install clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

build: ## library and tool (build/bin/rmrtc), release
	cmake --preset release
	ninja -C build

check: build ## unit tests and a short simulation, under a minute
	ctest --test-dir build -L unit --output-on-failure -j 2
	RM_SIM_SEEDS=1 ctest --test-dir build -L sim --output-on-failure -j 2

test: ## all tests; installs what is missing; ends with "N passed, N failed"
	@scripts/run-tests.sh

demo: ## see it: a clip goes to a peer, its background is blurred there, and it comes back
	scripts/bootstrap.sh --minimal
	cmake --preset release -DRM_TESTS=OFF
	ninja -C build
	scripts/demo.sh

soak: build ## 10,000 simulations each of random faults, outages, outages with messages; 1,000 rooms, a mesh for 24 virtual hours; SOAK_SEEDS=10000
	build/bin/sim_random_faults_break_nothing --seeds 1-$(SOAK_SEEDS)
	build/bin/sim_outages_end_within_two_seconds_of_the_networks_return --seeds 1-$(SOAK_SEEDS)
	build/bin/sim_messages_wait_through_an_outage --seeds 1-$(SOAK_SEEDS)
	build/bin/sim_a_room_that_fills_at_once_is_one_mesh --seeds 1-1000
	RM_MESH_HOURS=24 build/bin/sim_a_mesh_that_comes_and_goes_stays_small --seed 1

soak-mesh: build ## ten processes, all with all, sound and pictures, for MINUTES=30 on an otherwise idle machine
	build/bin/rmrtc bench SC-004 --minutes $(MINUTES)

fuzz: ## each fuzz target for FUZZ_SECONDS=60
	FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/run-fuzz.sh

plots: build ## RFC 8867: rates, queue and losses over time, a PNG of each case in build/plots
	scripts/plots.py

bench-peers: build ## the same call by GStreamer beside ours: CPU, in turns
	scripts/bench-peers.sh

asan: ## unit tests and simulations under address and undefined-behaviour sanitizers
	cmake --preset asan
	ninja -C build-asan
	ctest --test-dir build-asan -L 'unit|sim' --output-on-failure -j 2

tsan: ## unit and API tests under the thread sanitizer
	cmake --preset tsan
	ninja -C build-tsan
	ctest --test-dir build-tsan -L 'unit|api' -LE mesh --output-on-failure

format: ## clang-format on all C files
	git ls-files -z -- '*.c' '*.h' | xargs -0 clang-format -i

install: ## library, headers, tool to PREFIX=/usr/local
	cmake --preset release -DCMAKE_INSTALL_PREFIX=$(PREFIX)
	ninja -C build
	cmake --install build

clean: ## removes all build directories
	rm -rf build build-asan build-tsan build-clang build-fuzz build-debug build-coverage
