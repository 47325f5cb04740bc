# Where things go. `make install` lays out what belongs into an image; `nosa` calls for it.
PREFIX ?= /usr
DESTDIR ?=

# What is costly to make is kept here, and made again when it is missing.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nestos-tools
export CARGO_TARGET_DIR ?= $(CACHE)/target
RELEASE := $(CARGO_TARGET_DIR)/release

.DEFAULT_GOAL := help
.PHONY: help build install demo test test-full deps lint fuzz clean

help:
	@echo 'make demo     set up, compose a system, install it to a virtual disk, boot it, log in'
	@echo 'make test     set up and run all tests (what CI runs)'
	@echo 'make test-full  the same, with the long tests of the live system as well'
	@echo 'make build    build the tools into $(RELEASE)'
	@echo 'make install  lay out what belongs into an image: DESTDIR=DIR PREFIX=/usr'
	@echo 'make fuzz     fuzz every parser of what others wrote, SECONDS_EACH=60 (not in CI)'
	@echo 'make deps     install the packages that building and testing need'
	@echo 'make clean    remove what the commands above keep in $(CACHE)'

demo:
	tools/demo

test:
	tools/test

test-full:
	NESTOS_TEST_FULL=1 tools/test

deps:
	tools/install-deps

SECONDS_EACH ?= 60
fuzz:
	FUZZ_TARGET_DIR=$(CACHE)/fuzz-target fuzz/run $(SECONDS_EACH)

clean:
	rm -rf $(CACHE)

build:
	cargo build --release --locked --workspace

GENERATORS = $(DESTDIR)$(PREFIX)/lib/systemd/system-generators
SHUTDOWN = $(DESTDIR)$(PREFIX)/lib/systemd/system-shutdown
MAN = $(DESTDIR)$(PREFIX)/share/man/man1
SHARE = $(DESTDIR)$(PREFIX)/share
DRACUT_MODULES = $(DESTDIR)$(PREFIX)/lib/dracut/modules.d
DRACUT_SCRIPTS := 35nestos/module-setup.sh 35nestos/setfiles 35nestos-live/module-setup.sh

# Completions of a shell into a file that everybody may read.
completion = install -Dm644 /dev/null $(2) && $(RELEASE)/nestos-installer completion $(1) > $(2)

# The binaries, manual pages, completions, units and dracut modules of an installed system.
install: build
	install -Dm755 -t $(DESTDIR)$(PREFIX)/bin $(RELEASE)/nestos-installer $(RELEASE)/installnestos $(RELEASE)/butane $(RELEASE)/nestos-updater
	install -Dm755 -t $(DESTDIR)$(PREFIX)/lib/nestos $(RELEASE)/nestos-live
	ln -sfn ../lib/nestos/nestos-live $(DESTDIR)$(PREFIX)/bin/is-live-image
	install -d $(GENERATORS) && ln -sfn ../../nestos/nestos-live $(GENERATORS)/nestos-installer-generator
	install -d $(SHUTDOWN) && ln -sfn ../../nestos/nestos-live $(SHUTDOWN)/nestos-eject
	$(RELEASE)/nestos-installer man -C $(MAN) && $(RELEASE)/installnestos --man $(MAN) && $(RELEASE)/butane --man $(MAN) && $(RELEASE)/nestos-updater man $(MAN)
	$(call completion,bash,$(SHARE)/bash-completion/completions/nestos-installer)
	$(call completion,zsh,$(SHARE)/zsh/site-functions/_nestos-installer)
	$(call completion,fish,$(SHARE)/fish/vendor_completions.d/nestos-installer.fish)
	install -Dm644 -t $(DESTDIR)$(PREFIX)/lib/nestos/ignition/base.d live-initramfs/ignition/*.ign
	install -Dm644 -t $(DESTDIR)$(PREFIX)/lib/dracut/dracut.conf.d live-initramfs/dracut/dracut.conf.d/*.conf
	install -Dm644 -t $(DRACUT_MODULES)/35nestos live-initramfs/dracut/35nestos/*
	install -Dm644 -t $(DRACUT_MODULES)/35nestos-live live-initramfs/dracut/35nestos-live/*
	chmod 755 $(addprefix $(DRACUT_MODULES)/,$(DRACUT_SCRIPTS))
	install -Dm644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system systemd-units/system/*
	install -Dm644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system-preset systemd-units/system-preset/*
	install -Dm644 -t $(DESTDIR)$(PREFIX)/lib/nestos-updater/config.d systemd-units/nestos-updater/config.d/*
