# Everything below sets itself up: git, make, python3 (3.11 or later) and python3-venv are enough.

PYTHON ?= python3
BIN := .venv/bin
# What the tests use beside Python packages, by Debian package name.
SYSTEM_PACKAGES := mosquitto mosquitto-clients socat gcc libc6-dev libmodbus-dev pkg-config systemd shellcheck

.DEFAULT_GOAL := help
.PHONY: help demo test check tests soak audit bundle system-packages messages reference picture fuzz requirements clean machine machine-programs machine-devices

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 18

demo: .venv/demo  ## a simulated venue on an exam morning, live in this terminal (Ctrl-C ends it; ARGS="--speed 30")
	@$(BIN)/venue-gateway demo $(ARGS)

test: system-packages build/victoria-metrics .venv/dev  ## install what the tests need, then ruff, mypy and every test
	$(MAKE) --no-print-directory check tests

check: .venv/dev  ## ruff, mypy, and the known vulnerabilities of what is pinned where they can be asked
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tests/audit.py

# Real brokers, lines and processes share the machine's cores with the tests: what fails once is run once more, and named.
tests: .venv/dev  ## every test, without installing system packages
	$(BIN)/pytest -n 4 --dist worksteal --reruns 1 -rR

soak: .venv/dev  ## the long ones: a thousand kills, thirteen hours' outage (an hour)
	$(BIN)/pytest -m soak

audit: .venv/dev  ## known vulnerabilities of what is pinned; fails also when the service cannot be asked
	$(BIN)/python tests/audit.py --insist

fuzz: .venv/dev  ## coverage-guided fuzzing of every driver (needs atheris, installed on the way)
	$(BIN)/pip install --quiet atheris
	$(BIN)/python tests/fuzz_drivers.py

messages: .venv/dev  ## collect people's messages into the catalogue; the Chinese is written in gateway/locale/zh.po
	@mkdir -p build
	$(BIN)/pybabel -q extract -F pyproject.toml -k say -k both -k N_ --no-default-keywords --sort-output --omit-header --no-location \
		--no-wrap -o build/gateway.pot gateway
	$(BIN)/pybabel -q update -i build/gateway.pot -o gateway/locale/zh.po -l zh --no-fuzzy-matching --ignore-obsolete \
		--omit-header --no-wrap
	@grep -A1 '^msgid' gateway/locale/zh.po | grep -B1 'msgstr ""' | grep '^msgid' || echo "every message has its Chinese"

reference: .venv/dev  ## the documents that are made from the code: errors, commands, keys, topics, devices
	$(BIN)/python docs/make_reference.py
	$(BIN)/python docs/make_drawings.py
	$(BIN)/python -m drivers.library > docs/devices.md

picture: .venv/demo  ## the picture of the demo in the README
	$(BIN)/venue-gateway demo --record docs/demo.svg

bundle: .venv/dev  ## the release archive, for installing without network: build/venue-gateway-VERSION.tar.gz
	firmware_config/bundle.sh $(CURDIR)/$(BIN)/python build

machine: bundle  ## the release under a real systemd, in a container (SUITE=trixie or ARCH=arm64; root, debootstrap)
	$(BIN)/python tests/machine/machine.py build/machine --container $(if $(SUITE),--suite $(SUITE)) $(if $(ARCH),--arch $(ARCH))

machine-programs: bundle  ## the release installed and run without systemd, in a chroot (SUITE=trixie, ARCH=arm64; root, debootstrap)
	$(BIN)/python tests/machine/machine.py build/machine --programs $(if $(SUITE),--suite $(SUITE)) $(if $(ARCH),--arch $(ARCH))

machine-devices: bundle  ## the same in qemu, with devices: most of an hour (root, debootstrap, qemu-system-x86)
	$(BIN)/python tests/machine/machine.py build/machine

requirements: .venv/dev  ## renew the requirement files with their hashes (UPGRADE=--upgrade: take newer versions)
	$(BIN)/uv pip compile -q $(UPGRADE) --universal --python-version 3.11 --generate-hashes --no-header \
		pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile -q $(UPGRADE) --universal --python-version 3.11 --generate-hashes --no-header \
		pyproject.toml --extra demo -c requirements.txt -o requirements-demo.txt
	$(BIN)/uv pip compile -q $(UPGRADE) --universal --python-version 3.11 --generate-hashes --no-header \
		pyproject.toml --group dev --extra report -c requirements-demo.txt -o requirements-dev.txt

clean:  ## remove what was made
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

system-packages:
	@missing=""; for p in $(SYSTEM_PACKAGES); do \
		dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
		echo "installing:$$missing"; sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$sudo apt-get -qq update && \
		$$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing >/dev/null; fi

# A database for one test, unpacked and not installed: its package would start a service. Where it is missing, so is the test.
build/victoria-metrics:
	@mkdir -p build/debian
	@cd build/debian && apt-get -qq download victoria-metrics 2>/dev/null && dpkg-deb -x victoria-metrics_*.deb . \
		&& mv usr/bin/victoria-metrics .. || echo "victoria-metrics: not to be had, its round trip is skipped"
	@rm -rf build/debian

.venv/pyvenv.cfg:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: install it, or name it with make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv

# hatchling comes with the dev file only; the demo needs no build step, so the package is linked by a path file.
.venv/demo: .venv/pyvenv.cfg requirements-demo.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-demo.txt
	@$(MAKE) --no-print-directory .venv/bin/venue-gateway
	@touch $@

.venv/dev: .venv/pyvenv.cfg requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(MAKE) --no-print-directory .venv/bin/venue-gateway
	@touch $@

.venv/bin/venue-gateway: .venv/pyvenv.cfg
	@$(BIN)/python -c 'import pathlib, sysconfig; \
		pathlib.Path(sysconfig.get_path("purelib"), "venue-gateway.pth").write_text(str(pathlib.Path.cwd()))'
	@printf '#!%s\nimport sys\nfrom gateway.cli import main\nsys.exit(main())\n' "$(CURDIR)/$(BIN)/python" > $@
	@chmod +x $@
