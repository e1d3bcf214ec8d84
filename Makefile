# sqlredis: Redis inside SQL, for PostgreSQL and for SQLite.
#
#   make            build/sqlite/sqlredis.so and build/pg/sqlredis.so (either engine may be missing)
#   make demo       install what is missing (Debian), build, and show it working
#   make check      every test, against real servers that it starts by itself
#   make bench      measurements, into build/bench/
#   make docs       regenerate the install SQL and docs/reference.md from common/commands.def
#   make install    honours DESTDIR, prefix, libdir and PG_CONFIG; make uninstall undoes it
#
# Everything that is built lands under build/. The tests' own targets are in test/test.mk.

PG_CONFIG  ?= pg_config
PYTHON     ?= /usr/bin/python3
CC         ?= cc
AR         ?= ar
INSTALL    ?= install
PKG_CONFIG ?= pkg-config
LDCONFIG   ?= ldconfig
prefix     ?= /usr/local
libdir     ?= $(prefix)/lib
VERSION    := 0.1

.DELETE_ON_ERROR:
.PHONY: all sqlite pg docs install uninstall clean
all:

# ---- what is there -------------------------------------------------------------------------------

have_header = $(shell echo '\#include <$(1)>' | $(CC) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 && echo yes)
pkg         = $(shell $(PKG_CONFIG) $(1) $(2) 2>/dev/null || echo '$(3)')

HAVE_SQLITE := $(call have_header,sqlite3ext.h)
HAVE_PG     := $(shell test -f "$$($(PG_CONFIG) --includedir-server 2>/dev/null)/postgres.h" && \
                 test -f "$$($(PG_CONFIG) --pgxs)" && echo yes)

LIB_CFLAGS := $(call pkg,--cflags,hiredis libssl libcrypto libcares jansson,)
LIBS       := $(call pkg,--libs,hiredis libssl libcrypto libcares jansson,-lhiredis -lssl -lcrypto -lcares -ljansson)

# ---- the core ------------------------------------------------------------------------------------

CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Werror
C_STD    := -std=c11 -D_GNU_SOURCE
ALL_CFLAGS = $(C_STD) $(WARNINGS) $(CFLAGS) -fPIC -fvisibility=hidden -Icommon $(LIB_CFLAGS) $(CPPFLAGS)

CORE_SRC := $(sort $(wildcard common/*.c))
CORE_LIB := build/common/libsqlredis.a

build/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Made anew: ar would keep the member of a source file that is gone.
$(CORE_LIB): $(CORE_SRC:%.c=build/%.o)
	@rm -f $@
	$(AR) rcs $@ $^

# ---- SQLite --------------------------------------------------------------------------------------

SQLITE_SRC := $(sort $(wildcard sqlite_ext/*.c))
SQLITE_SO  := build/sqlite/sqlredis.so

build/sqlite_ext/%.o: CPPFLAGS += $(call pkg,--cflags,sqlite3,)

# The name inside the library is what ldconfig files it under, and so what `.load sqlredis` finds.
$(SQLITE_SO): $(SQLITE_SRC:%.c=build/%.o) $(CORE_LIB)
	@mkdir -p $(@D)
	$(CC) -shared -Wl,-soname,sqlredis.so -Wl,-z,defs -Wl,-z,now -Wl,-z,relro -Wl,--as-needed \
		$(LDFLAGS) -o $@ $^ $(LIBS) -lm -lpthread

# ---- PostgreSQL: PGXS in build/pg ------------------------------------------------------------------

# Without bitcode: there is nothing to inline across, and clang need not be there.
PG_SO   := build/pg/sqlredis.so
PG_MAKE  = $(MAKE) --no-print-directory -C build/pg -f ../../pg_ext/Makefile PG_CONFIG='$(PG_CONFIG)' with_llvm=no \
           LIBS_CORE='$(LIBS)' CFLAGS_CORE='$(LIB_CFLAGS)' WARNINGS='$(WARNINGS)'

# ---- what to build ---------------------------------------------------------------------------------

sqlite: $(SQLITE_SO)
pg: $(CORE_LIB)
	@mkdir -p build/pg
	+@$(PG_MAKE) all

ENGINES := $(if $(HAVE_SQLITE),sqlite) $(if $(HAVE_PG),pg)

all: $(ENGINES)
ifndef HAVE_SQLITE
	@echo "left out: the SQLite extension (no sqlite3ext.h; Debian: libsqlite3-dev)"
endif
ifndef HAVE_PG
	@echo "left out: the PostgreSQL extension (no server headers by $(PG_CONFIG); Debian: postgresql-server-dev-all)"
endif
	@test -n "$(strip $(ENGINES))" || { echo "nothing to build: 'make deps' installs what is needed" >&2; exit 1; }

# ---- generated files -------------------------------------------------------------------------------

build/generate: build/sql/generate.o build/sql/objects.o $(CORE_LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lm

docs: build/generate
	build/generate sql > build/install.sql && mv build/install.sql sql/sqlredis--$(VERSION).sql
	build/generate reference > build/reference.md && mv build/reference.md docs/reference.md

# ---- install ---------------------------------------------------------------------------------------

# The loader's cache lists only files called lib*: hence the library's second name. It is refreshed
# when installing into the running system, and not when packaging (DESTDIR) or without the right.
install: all
ifdef HAVE_SQLITE
	$(INSTALL) -d "$(DESTDIR)$(libdir)"
	$(INSTALL) -m 755 $(SQLITE_SO) "$(DESTDIR)$(libdir)/libsqlredis.so"
	ln -sf libsqlredis.so "$(DESTDIR)$(libdir)/sqlredis.so"
	@test -n "$(DESTDIR)" || $(LDCONFIG) 2>/dev/null || \
		echo "note: run ldconfig as root, or load it by its path: .load $(libdir)/sqlredis"
endif
ifdef HAVE_PG
	+@$(PG_MAKE) install
endif

uninstall:
	rm -f "$(DESTDIR)$(libdir)/libsqlredis.so" "$(DESTDIR)$(libdir)/sqlredis.so"
	@test -n "$(DESTDIR)" || $(LDCONFIG) 2>/dev/null || true
ifdef HAVE_PG
	@mkdir -p build/pg
	+@$(PG_MAKE) uninstall
endif

clean:
	rm -rf build

include test/test.mk
-include $(wildcard build/common/*.d build/sqlite_ext/*.d build/sql/*.d)
