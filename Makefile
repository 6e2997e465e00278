# make run      set up everything and serve the product with the demo province
# make test     set up everything and prove it
# make journey  perform the whole story in an empty instance through the public doors
# make bench    measure ratios against bare operations
# make check    lint, types, import contracts, templates, migrations

PYTHON_BIN := .venv/bin/python

.PHONY: run test check journey bench assets lock setup setup-test clean

run: setup
	@$(PYTHON_BIN) -m lms.app run

setup:
	@deploy/setup.sh run

setup-test:
	@deploy/setup.sh test

assets:
	@rm -f .venv/stamp-assets
	@deploy/setup.sh run

check: setup-test
	@.ci/check

test: setup-test
	@.ci/check
	@.ci/test

journey: setup-test
	@$(PYTHON_BIN) -m tests.journey

bench: setup-test
	@$(PYTHON_BIN) -m bench

lock:
	@.venv/bin/uv pip compile -q --universal --generate-hashes --python-version 3.11 \
	  --override requirements/overrides.txt --custom-compile-command 'make lock' \
	  setup.cfg -o requirements/run.lock
	@.venv/bin/uv pip compile -q --universal --generate-hashes --python-version 3.11 \
	  --override requirements/overrides.txt --custom-compile-command 'make lock' \
	  setup.cfg requirements/test.in -o requirements/test.lock

clean:
	rm -rf .venv node_modules lms/core/static/dist
