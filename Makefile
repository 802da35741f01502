# Three words run everything: make run, make test, make lint. `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CHECK_PYTHON := 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14) and \
	"Python 3.11, 3.12 or 3.13 is needed, and this is %s.%s. Install one of them, and name it: \
	make run PYTHON=python3.13" % sys.version_info[:2])'
COMPILE_GROUP := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate \
	--no-header --no-strip-extras --python-version 3.11
COMPILE := $(COMPILE_GROUP) pyproject.toml

.PHONY: help run test test-slow test-root test-fresh test-image test-s3 test-stores test-spark test-without-luigi lint format bench fuzz mutate audit docs glossary lock clean

help: ## what there is
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

$(VENV)/run: requirements.lock pyproject.toml
	@$(PYTHON) -c $(CHECK_PYTHON)
	@echo "Making $(VENV) from requirements.lock …"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@echo "Compiling the extraction kernel, once …"
	@$(BIN)/python -m etl.lines.compiled
	@touch $@

$(VENV)/dev: $(VENV)/run requirements-dev.lock
	@echo "Adding what tests and linters need, from requirements-dev.lock …"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --force-reinstall --editable .
	@touch $@

run: $(VENV)/run ## sample logs, a backfill over them, and what the lake then says
	@PATH="$(abspath $(BIN)):$$PATH" LUIGI_CONFIG_PATH="$(abspath luigi.cfg)" sh tests/tools/tour.sh

test: $(VENV)/dev ## all tests but the slow ones and test-stores; with COVERAGE=1 what they reach is measured, half as long again
	@$(BIN)/python -m pytest -n 3 --dist worksteal -m "not slow and not spark and not image $(if $(COVERAGE),,and not stores)" $(if $(COVERAGE),--cov --cov-report=term)

test-slow: $(VENV)/dev $(VENV)-bigquery/made $(VENV)-deploy/made ## the slow ones: races, kills, long ranges
	@$(BIN)/python -m pytest -n 3 --maxschedchunk 1 -m "slow and not spark and not image"

test-root: $(VENV)/dev ## what only root may do
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m root

test-fresh: ## `make run` and `make test` of what is committed, on a Debian made for it; as root, some ten minutes
	@.ci/fresh var/test-fresh.log

test-image: $(VENV)/dev ## the container image, built and run by podman on a base made for it; as root, some four minutes
	@.ci/image $(BIN)/python -m pytest -n 2 --dist worksteal -m image

test-s3: $(VENV)/dev ## lake and pipeline against SeaweedFS, races and checksums against MiniStack; both on this machine only
	@RACES=8 $(BIN)/python -m pytest -n 2 --dist worksteal --s3-server seaweedfs tests/lake tests/backfill/test_bad_input.py \
		tests/backfill/test_pipeline.py tests/backfill/test_troubles.py
	@$(BIN)/python -m pytest -n 2 --dist worksteal --s3-server ministack \
		$(addprefix tests/lake/,store/test_s3.py store/test_store.py \
		$(addprefix test_,faults.py lake.py race.py readers.py troubles.py verify.py))

# Its versions are not those of the tests: they ask it over the network
$(VENV)-bigquery/made: requirements-bigquery.lock | $(VENV)/dev
	@echo "Making $(VENV)-bigquery, a stand-in for BigQuery, from requirements-bigquery.lock …"
	@$(BIN)/python -m venv --clear $(VENV)-bigquery
	@$(VENV)-bigquery/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes \
		-r requirements-bigquery.lock
	@touch $@

# Schemas of what servers are given, seventeen thousand files of them: the tests ask the programs that have them
$(VENV)-deploy/made: requirements-deploy.lock | $(VENV)/dev
	@echo "Making $(VENV)-deploy, which knows Kubernetes and Compose, from requirements-deploy.lock …"
	@$(BIN)/python -m venv --clear $(VENV)-deploy
	@$(VENV)-deploy/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes \
		-r requirements-deploy.lock
	@touch $@

test-stores: $(VENV)/dev $(VENV)-bigquery/made ## deliveries to, and fetching from, a real Postgres and Graphite, which must be installed, and stand-ins of the other stores; on this machine only
	@STORES=1 $(BIN)/python -m pytest -n 3 --dist worksteal -m "stores and not slow" tests/etl/deliver tests/etl/fetch \
		$(addprefix tests/backfill/test_,delivered.py fetched.py pipelines.py)

# It is ten times what all else takes: a copy of the environment has it, and shares the rest on disk.
# Of tests that run with one worker and two, or by SIGINT and SIGTERM, it has those with two by SIGINT: each start of Spark
# takes ten seconds of CPU, and SIGTERM is what others of them send.
$(VENV)-spark/made: requirements-spark.lock | $(VENV)/dev
	@echo "Making $(VENV)-spark from requirements-spark.lock …"
	@rm -rf $(VENV)-spark
	@cp -al $(VENV) $(VENV)-spark
	@$(VENV)-spark/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes \
		-r requirements-spark.lock
	@$(VENV)-spark/bin/python -m pip --disable-pip-version-check --quiet install --no-deps \
		--no-build-isolation --force-reinstall --editable .
	@touch $@

test-spark: $(VENV)-spark/made ## days built by Spark, on this host and on a cluster on it that loses processes; needs Java 17 or later
	@$(VENV)-spark/bin/python -m pytest -n 3 --dist loadgroup --maxschedchunk 1 -m spark -k "not spark-1 and not spark-2-15" \
		tests/backfill tests/lake tests/test_spark_pages.py

# No module imports it, says `make lint`: this is for what that can't see, such as what libraries of ours want
test-without-luigi: $(VENV)/dev ## etl, lake and queries in an environment that has no Luigi
	@rm -rf $(VENV)-without-luigi
	@cp -al $(VENV) $(VENV)-without-luigi
	@$(VENV)-without-luigi/bin/python -m pip --quiet uninstall --yes luigi
	@$(VENV)-without-luigi/bin/python -m pip --disable-pip-version-check --quiet install --no-deps \
		--no-build-isolation --force-reinstall --editable .
	@! $(VENV)-without-luigi/bin/python -c 'import luigi' 2>/dev/null
	@$(VENV)-without-luigi/bin/python -m pytest tests/test_without_luigi.py

lint: $(VENV)/dev ## ruff, mypy, import layers, SQL
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --config pyproject.toml
	@$(BIN)/sqlfluff lint --processes 1 queries

format: $(VENV)/dev ## let ruff and sqlfluff rewrite what they can
	@$(BIN)/ruff check --fix . || true
	@$(BIN)/ruff format .
	@$(BIN)/sqlfluff fix --processes 1 queries

$(VENV)/bench: $(VENV)/run requirements-bench.lock
	@$(PIP) install --require-hashes -r requirements-bench.lock
	@touch $@

bench: $(VENV)/bench ## extraction against its peers: an hour, 12 GB; writes docs/explanation/performance.md
	@$(BIN)/python tests/bench/run.py --write docs/explanation/performance.md

$(VENV)/proofs: $(VENV)/dev requirements-proofs.lock
	@$(PIP) install --require-hashes -r requirements-proofs.lock
	@touch $@

fuzz: $(VENV)/proofs ## ten million damaged lines through both parsers, then an hour that coverage guides
	@$(BIN)/python tests/etl/lines/fuzz.py --lines 10000000
	@$(BIN)/python tests/fuzz/guided.py raw_lines --seconds 1200
	@$(BIN)/python tests/fuzz/guided.py raw_file --seconds 600
	@$(BIN)/python tests/fuzz/guided.py configuration --seconds 1200
	@$(BIN)/python tests/fuzz/guided.py keys --seconds 600

mutate: $(VENV)/proofs ## breaks lake/ at one place after another, and asks whether a test notices; an hour or two
	@$(BIN)/python tests/lake/mutate.py $(MODULES)

audit: $(VENV)/proofs ## known vulnerabilities of what the lock files name, where their list can be reached
	@$(BIN)/pip-audit --disable-pip --require-hashes -r requirements.lock -r requirements-dev.lock

$(VENV)/docs: $(VENV)/run requirements-docs.lock
	@$(PIP) install --require-hashes -r requirements-docs.lock
	@touch $@

docs: $(VENV)/docs ## the documentation as a site, in site/; a broken link fails
	@rm -rf var/pages var/site site && mkdir -p var/pages && cp -R README.md glossary.md docs var/pages
	@mv var/pages/docs/zensical.toml var # what it reads and writes has to lie beside it
	@$(BIN)/zensical build --clean --strict --config-file var/zensical.toml
	@mv var/site site
	@! grep -rnoE '<(script|link|img)[^>]* (src|href)="?(https?:)?//[^>]*|url\(.?(https?:)?//[^)]*' site \
		--include='*.html' --include='*.css'  # readers fetch nothing from elsewhere

glossary: $(VENV)/run ## write the generated tables of the glossary, the formats and the commands anew
	@$(BIN)/python tests/tools/glossary.py glossary.md
	@$(BIN)/python tests/tools/commands_page.py docs/reference/commands.md
	@$(BIN)/python tests/tools/formats_page.py docs/reference/formats.md

lock: $(VENV)/dev ## choose the newest allowed versions and write the lock files
	$(COMPILE) --upgrade --group build --extra report --extra fast -o requirements.lock
	$(COMPILE) --upgrade --group dev -c requirements.lock -o requirements-dev.lock
	$(COMPILE) --upgrade --group build --extra fast --extra excel --extra mongodb --extra postgres --extra spreadsheet \
		-c requirements-dev.lock -o requirements-image.lock
	$(COMPILE_GROUP) --upgrade --group bigquery -c requirements.lock -o requirements-bigquery.lock
	$(COMPILE_GROUP) --upgrade --group deploy -c requirements-dev.lock -o requirements-deploy.lock
	$(COMPILE) --upgrade --extra spark -c requirements.lock -o requirements-spark.lock
	$(COMPILE) --upgrade --group docs -c requirements-dev.lock -o requirements-docs.lock
	$(COMPILE) --upgrade --group bench -c requirements.lock -o requirements-bench.lock
	$(COMPILE) --upgrade --group proofs -c requirements-dev.lock -o requirements-proofs.lock

clean: ## remove the environments and the sample logs, never the lake
	@rm -rf $(VENV) $(VENV)-bigquery $(VENV)-deploy $(VENV)-spark $(VENV)-without-luigi var/logs
