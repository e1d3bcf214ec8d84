# Targets for those who change sqlredis: demo, check, bench, lint, and the test programs. Included by
# the top-level Makefile.
#
#   make check SUITE="parity faults" TEST=lock     some suites, some tests
#   make soak MINUTES=30 [SEED=n]                  writers, readers and faults, for as long as wanted
#   make mutation [ONLY=LEASE,OUTBOX]              every protection removed: a test must notice

.PHONY: deps demo check bench soak mutation matrix model lint lint-format lint-cppcheck lint-tidy test-programs

export PG_CONFIG PYTHON CC
export PYTHONDONTWRITEBYTECODE := 1
export PYTHONPATH := test
RUN_PYTHON := $(PYTHON) -u

# Installing may bring headers, so building starts afresh in a second make.
deps:
	@test/install-deps check
demo:
	@test/install-deps demo
	+@$(MAKE) --no-print-directory all
	@$(RUN_PYTHON) test/demo.py
check: deps
	+@$(MAKE) --no-print-directory all test-programs
	@$(RUN_PYTHON) test/run.py $(SUITE)
bench:
	@test/install-deps bench
	+@$(MAKE) --no-print-directory all build/test/bench/raw
	@$(RUN_PYTHON) test/bench/bench.py

# The protocol's models, every variant against what it must show.
model:
	@test/install-deps model
	@$(RUN_PYTHON) test/model/run.py $(VARIANT)

soak: deps
	+@$(MAKE) --no-print-directory all
	@MINUTES='$(MINUTES)' SEED='$(SEED)' $(RUN_PYTHON) test/coherence/soak.py
mutation: deps
	+@$(MAKE) --no-print-directory all
	@ONLY='$(ONLY)' $(RUN_PYTHON) test/coherence/mutation.py

# Both commands on bare Debian releases, each in a chroot of its own; as root.
matrix:
	@test/matrix $(RELEASES)

# ---- test programs: the core's under ASan and UBSan, and again plain, for valgrind ---------------------

SANITIZE     := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
TEST_CFLAGS   = $(C_STD) $(WARNINGS) -O1 -g -Icommon -Itest/core $(LIB_CFLAGS)
CORE_TESTS   := $(patsubst test/core/%.c,%,$(sort $(wildcard test/core/test_*.c)))
CORE_HELPERS := $(filter-out test/core/test_%,$(sort $(wildcard test/core/*.c)))
SQLITE_TESTS := $(patsubst test/sqlite/%.c,%,$(sort $(wildcard test/sqlite/*.c)))

build/asan/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) $(SANITIZE) -MMD -MP -c -o $@ $<
build/asan/libsqlredis.a: $(CORE_SRC:%.c=build/asan/%.o)
	@rm -f $@
	$(AR) rcs $@ $^
build/test/core/%: build/asan/test/core/%.o $(CORE_HELPERS:%.c=build/asan/%.o) build/asan/libsqlredis.a
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) -o $@ $^ $(LIBS) -lm -lpthread

build/plain/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -MMD -MP -c -o $@ $<
build/test/plain/%: build/plain/test/core/%.o $(CORE_HELPERS:%.c=build/plain/%.o) $(CORE_LIB)
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(LIBS) -lm -lpthread
build/test/sqlite/%: test/sqlite/%.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -MMD -MP -o $@ $< $(call pkg,--libs,sqlite3,-lsqlite3) -lpthread
build/test/bench/raw: test/bench/raw.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -O2 -o $@ $< $(call pkg,--libs,hiredis,-lhiredis)
build/test/comparison/table: build/plain/test/comparison/table.o $(CORE_LIB)
	@mkdir -p $(@D)
	$(CC) -o $@ $^ $(LIBS) -lm -lpthread

.SECONDARY:
test-programs: $(CORE_TESTS:%=build/test/core/%) $(CORE_TESTS:%=build/test/plain/%) \
               $(SQLITE_TESTS:%=build/test/sqlite/%) build/test/comparison/table build/generate

-include $(wildcard build/asan/common/*.d build/asan/test/core/*.d build/plain/test/core/*.d)

# ---- lint -----------------------------------------------------------------------------------------------

C_FILES   := $(sort $(wildcard common/*.[ch] sqlite_ext/*.[ch] pg_ext/*.[ch] sql/*.[ch] test/*/*.[ch]))
LINT_HOST := $(sort $(wildcard common/*.c sqlite_ext/*.c sql/*.c))
LINT_PG   := $(sort $(wildcard pg_ext/*.c))
PG_INCLUDE = $(shell $(PG_CONFIG) --includedir-server)

lint: lint-format lint-cppcheck lint-tidy
lint-format:
	clang-format --dry-run -Werror $(C_FILES)
lint-cppcheck:
	cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr --suppressions-list=test/cppcheck.txt \
		--enable=warning,performance,portability \
		-Icommon $(LINT_HOST)
lint-tidy:
	clang-tidy --quiet $(LINT_HOST) -- $(C_STD) -Icommon $(LIB_CFLAGS)
ifdef HAVE_PG
	clang-tidy --quiet $(LINT_PG) -- -std=gnu11 -D_GNU_SOURCE -Icommon -isystem $(PG_INCLUDE) $(LIB_CFLAGS)
endif
