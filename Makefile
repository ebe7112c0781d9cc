.PHONY: demo test bench install lint pictures screenshots clean

demo:           ## set up what is missing and run a real container
	@./demo
test:           ## set up what is missing and run all tests; T="tests/unit -k name" for some
	@./test $(T)
bench:          ## time us beside the peers that are installed; CASES="exec ps" for some
	@packaging/setup.sh bench $(CASES)
install:        ## a virtual environment in .venv with the command in it
	@packaging/setup.sh install
lint:           ## what tests/unit/test_linters.py runs, with the python of $(PYTHON)
	@$(PYTHON) -m ruff check rootless tests benchmarks
	@$(PYTHON) -m mypy --strict rootless tests benchmarks
pictures:       ## docs/pictures anew, from what the command prints; debian:bookworm and web-image have to be there
	@PATH="$(dir $(abspath $(PYTHON))):$$PATH" $(PYTHON) packaging/pictures.py docs/pictures
screenshots:    ## docs/pictures/console-* anew, from the console in Chromium; as an ordinary user
	@PATH="$(dir $(abspath $(PYTHON))):$$PATH" $(PYTHON) packaging/screenshots.py docs/pictures
clean:
	rm -rf build dist *.egg-info .venv .mypy_cache .ruff_cache .pytest_cache

PYTHON ?= .venv/bin/python
