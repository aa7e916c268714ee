# Everything installs into .venv/ and nowhere else; `make` alone lists what there is.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALLED := $(VENV)/.racer-installed
PYTHONS := $(or $(PYTHON),python3.11 python3.12 python3)
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup race test lint types kernels bench clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

race: setup ## train a car, race it, film it; TRACK=name or TRACK=file.npy picks the track
	$(BIN)/racer demo $(if $(TRACK),--track '$(TRACK)')

# Two cores have three test processes: the one that drives graphs often waits, and has precedence.
test: setup ## every check: style, types, architecture, tests
	@status=0; \
	$(MAKE) --no-print-directory --keep-going -j2 --output-sync=target lint types kernels \
	    || status=$$?; \
	$(BIN)/python -m pytest -n 3 --dist loadgroup --no-loadscope-reorder || status=$$?; \
	exit $$status

bench: setup ## measure the simulator and training on this machine
	$(BIN)/racer bench

setup: $(INSTALLED) ## install into .venv/, once and again when what is needed changes

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/lint-imports

types: $(INSTALLED)
	$(BIN)/mypy

# Compiled while types are checked, so that not every test process does it.
kernels: $(INSTALLED)
	@$(BIN)/python -c 'from racer_rl.benchmarks.workloads import warm_up; warm_up()'

clean: ## remove what make made: .venv/, builds and caches
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find racer_* test -name __pycache__ -type d -exec rm -rf {} +

# ROS 2 as wheels is for machines without ROS: beside a sourced installation the two would mix.
$(INSTALLED): setup.py setup.cfg constraints.txt | $(BIN)/pip
	@extras=test; \
	if [ "$$(uname -s) $$(uname -m)" != 'Linux x86_64' ]; then \
	    echo 'racer: no ROS 2 wheels for this machine (Linux x86_64 only); skipping the ROS tests.'; \
	elif [ -n "$$ROS_DISTRO" ]; then \
	    echo "racer: using the sourced ROS 2 $$ROS_DISTRO, so its wheels are not installed."; \
	else extras=ros,test; fi; \
	set -ex; \
	$(PIP) install --quiet --constraint constraints.txt --upgrade pip setuptools; \
	$(PIP) install --constraint constraints.txt torch; \
	$(PIP) install --constraint constraints.txt --no-build-isolation --editable ".[$$extras]"
	@touch $@

$(BIN)/pip:
	@set -e; python=; \
	for name in $(PYTHONS); do \
	    if "$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; \
	    then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo 'racer needs Python 3.11 or 3.12, and none of these is: $(PYTHONS).' >&2; \
	    echo 'Debian 12, Ubuntu 24.04: sudo apt-get install python3 python3-venv.' \
	        'Or name one: make PYTHON=/path/to/python3.12' >&2; \
	    exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip' 2>/dev/null; then \
	    package=$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	        echo "racer: $$python cannot make virtual environments yet; installing $$package."; \
	        apt-get update -qq; \
	        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$$package"; \
	    else \
	        echo "racer: $$python cannot make virtual environments." \
	            "Debian, Ubuntu: sudo apt-get install $$package" >&2; \
	        exit 1; \
	    fi; \
	fi; \
	"$$python" -m venv $(VENV)
