# Where things go. `make install` lays out what belongs into an image; `nosa` calls for it.
PREFIX ?= /usr
DESTDIR ?=

# What is costly to make is kept here, and made again when it is missing.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nestos-tools
export CARGO_TARGET_DIR ?= $(CACHE)/target
RELEASE := $(CARGO_TARGET_DIR)/release

.DEFAULT_GOAL := build
.PHONY: build install demo test deps lint clean

build:
	cargo build --release --locked --workspace

# The binaries, units and dracut modules of an installed system.
install: build
	install -Dm755 -t $(DESTDIR)$(PREFIX)/bin $(RELEASE)/nestos-installer $(RELEASE)/installnestos $(RELEASE)/butane
	install -Dm755 -t $(DESTDIR)$(PREFIX)/lib/nestos $(RELEASE)/nestos-live
	install -Dm644 -t $(DESTDIR)$(PREFIX)/lib/nestos/ignition/base.d live-initramfs/ignition/*.ign
	install -Dm644 -t $(DESTDIR)$(PREFIX)/lib/dracut/dracut.conf.d live-initramfs/dracut/dracut.conf.d/*.conf
	install -Dm644 -t $(DESTDIR)$(PREFIX)/lib/dracut/modules.d/35nestos live-initramfs/dracut/35nestos/*
	chmod 755 $(DESTDIR)$(PREFIX)/lib/dracut/modules.d/35nestos/module-setup.sh $(DESTDIR)$(PREFIX)/lib/dracut/modules.d/35nestos/setfiles
	install -Dm644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system systemd-units/system/*
	install -Dm644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system-preset systemd-units/system-preset/*
