# The commands of this house. Everything they need is set up on the first call; the second call is quick.
PYTHON ?= python3

.PHONY: help demo lab test long check bench clean

help:
	@echo "make demo   set up, train three tracked runs on a provisioned kernel, compare them"
	@echo "make lab    open the same in JupyterLab"
	@echo "make test   set up (also system packages, as root on Debian) and run the tests"
	@echo "make long   run the tests that take minutes each"
	@echo "make check  linters, type checkers, import contracts, for Python and TypeScript"
	@echo "make bench  measure the budgets and write docs/benchmarks.md"
	@echo "make clean  remove what these commands made"

demo lab test long check bench clean:
	@$(PYTHON) develop.py $@
