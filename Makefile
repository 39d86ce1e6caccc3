# Builds, tests and installs s6-tls. Cargo does the work; this file has the
# commands that people and packagers expect.

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
DOCDIR ?= $(PREFIX)/share/doc/s6-tls
CARGO ?= cargo

# Where the programs find each other, if not in PATH: an absolute directory,
# fixed at build time.
ifdef LIBEXECDIR
export S6_TLS_LIBEXECDIR = $(LIBEXECDIR)
endif

# make TARGET=... decides what to build for; else tests/target.sh does.
target_directory = $(shell $(CARGO) metadata --format-version 1 --no-deps --offline | \
	sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
ifdef TARGET
chosen = $(TARGET) as asked for
else
chosen := $(shell sh tests/target.sh "$(target_directory)/no-musl")
TARGET := $(firstword $(chosen))
endif
built = $(target_directory)/$(TARGET)/release
host = $(shell rustc -vV | sed -n 's/^host: //p')

# The C in ring needs no C library, but for what some compilers add by
# themselves: the host's own compiler will do.
ifneq (,$(findstring -musl,$(TARGET)))
ifeq ($(firstword $(subst -, ,$(TARGET))),$(shell uname -m))
target_ := $(subst -,_,$(TARGET))
export CC_$(target_) ?= cc
export CFLAGS_$(target_) ?= -U_FORTIFY_SOURCE
endif
endif

PROGRAMS = proxy-server s6-getservbyname s6-ident-client s6-tcpclient s6-tcpserver \
	s6-tcpserver-access s6-tcpserver-socketbinder s6-tcpserverd s6-tlsc s6-tlsc-io \
	s6-tlsclient s6-tlsd s6-tlsd-io s6-tlsserver s6-ucspitlsc s6-ucspitlsd

all:
	@echo "Building for $(TARGET): $(wordlist 2,99,$(chosen))"
	$(CARGO) build --release --locked --target $(TARGET)

demo: all
	@sh tests/demo.sh "$(built)"

test:
	$(CARGO) test --workspace --locked --target $(TARGET)

# The end-to-end tests of the release build, which leaves other things in
# memory than the one for tests. make test-release T=NAME for some of them.
test-release: all
	UNDER_TEST="$(built)" $(CARGO) test --locked --target $(TARGET) --test all $(T)

# Many clients against one server for SECONDS, with everything that clients do.
SECONDS ?= 600
soak: all
	UNDER_TEST="$(built)" SOAK_SECONDS=$(SECONDS) \
		$(CARGO) test --locked --target $(TARGET) --test all -- --ignored --exact --nocapture soak::soak

check: test
	$(CARGO) fmt --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

# Beside its peers, minutes of work for the whole machine: rewrites
# doc/performance.md, doc/performance.svg and the summary in README.md.
# bench-smoke is the same in seconds; its figures mean nothing and are thrown
# away. Measured is what gets installed: a file that a linker has just written
# lies in small pieces in memory, and starts 4 % later.
bench: size = full
bench-smoke: size = smoke
bench bench-smoke: all
	$(MAKE) -s install TARGET=$(TARGET) DESTDIR="$(built)/installed" PREFIX=/usr
ifneq ($(TARGET),$(host))
	$(MAKE) -s install TARGET=$(host) DESTDIR="$(built)/host" PREFIX=/usr
endif
	$(CARGO) run --release --locked -p s6-tls-bench -- $(size) "$(built)/installed/usr/bin" \
		$(TARGET) $(if $(filter-out $(host),$(TARGET)),"$(built)/host/usr/bin")

# Compares counts of instructions with those in tests/bench/instructions/TARGET.txt;
# with RECORD=1 it writes them there.
instructions: all
	$(CARGO) run --release --locked -p s6-tls-bench -- \
		$(if $(RECORD),record,instructions) "$(built)" $(TARGET)

# Every program is static and small enough.
sizes: all
	sh tests/sizes.sh "$(built)"

install: all
	install -d "$(DESTDIR)$(BINDIR)" "$(DESTDIR)$(DOCDIR)"
	for program in $(PROGRAMS); do \
		install -m 0755 "$(built)/$$program" "$(DESTDIR)$(BINDIR)/$$program" || exit 1; \
	done
	install -m 0644 README.md LICENSE doc/*.md doc/*.svg "$(DESTDIR)$(DOCDIR)"

# s6-applyuidgid also belongs to the s6 package: install ours only where that
# one is not.
install-applyuidgid: all
	install -d "$(DESTDIR)$(BINDIR)"
	install -m 0755 "$(built)/s6-applyuidgid" "$(DESTDIR)$(BINDIR)/s6-applyuidgid"

.PHONY: all demo test test-release soak check bench bench-smoke instructions sizes install \
	install-applyuidgid
