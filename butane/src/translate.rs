//! From a config with sugar to one that Ignition knows: each kind of sugar becomes a fragment,
//! the fragments are merged below what the user wrote.

use crate::Wrapping;
use crate::path::Path;
use crate::report::Report;
use crate::schema::{Dialect, IGNITION};
use crate::value::{Kind, Object, Value};

pub(crate) mod boot_device;
mod contents;
mod filters;
mod grub;
mod machine_config;
mod merge;
mod mount_unit;
mod nodes;
mod partitions;
pub(crate) mod quadlet;
mod tree;

pub(crate) use contents::Sources;
pub(crate) use machine_config::MachineConfig;

/// A config without sugar.
#[derive(Debug)]
pub(crate) struct Translated {
    /// The Ignition config.
    pub config: Object,
    /// What an openshift config wraps around it.
    pub machine: Option<MachineConfig>,
}

/// Compiles the sugar of a config that passed the source checks. On errors the result is not
/// usable.
pub(crate) fn translate(mut config: Object, sources: &Sources<'_>) -> (Translated, Report) {
    let dialect = sources.dialect;
    let mut report = Report::default();
    contents::expand(&mut config, &Path::default(), sources, &mut report);
    if let Some(units) = mount_unit::fragment(&config, dialect) {
        config = merge::merge(units, config);
    }
    if let Some(Kind::Object(storage)) = config.get_mut("storage").map(|value| &mut value.kind) {
        tree::expand(storage, sources, &mut report);
    }
    quadlet::expand(&mut config, sources, &mut report);
    if report.is_fatal() {
        return (Translated { config, machine: None }, report);
    }
    if dialect.fcos.is_some() {
        if let Some(boot) = boot_device::fragment(&config, dialect) {
            config = merge::merge(boot, config);
        }
        partitions::check(&config, dialect, &mut report);
        if let Some(grub) = grub::fragment(&config, sources) {
            config = merge::merge(grub, config);
        }
    }
    contents::settle(&mut config);
    set_version(&mut config, dialect);
    let mut machine = MachineConfig::take(&mut config);
    if let Some(machine) = &machine {
        machine.apply(&mut config, dialect);
        machine.check(&config, dialect, &mut report);
    }
    if sources.options.wrapping == Wrapping::None {
        for left_out in machine.take().iter().flat_map(MachineConfig::beside_ignition) {
            report.warning(left_out, "field ignored in raw mode");
        }
    }
    strip_sugar(&mut config);
    if !report.is_fatal() {
        filters::check(&config, dialect, &mut report);
    }
    (Translated { config, machine }, report)
}

fn set_version(config: &mut Object, dialect: &Dialect) {
    let origin = Path::default().key("ignition");
    if let Some(ignition) = config.object_mut("ignition", &IGNITION, &origin) {
        let version = Path::default().key("version");
        ignition.set("version", Value::new(&version, dialect.ignition_version()));
    }
}

fn strip_sugar(object: &mut Object) {
    object.retain(|field| field.json.is_some());
    for (_, value) in object.fields_mut() {
        match &mut value.kind {
            Kind::Object(below) => strip_sugar(below),
            Kind::List(items) => {
                for item in items {
                    if let Kind::Object(below) = &mut item.kind {
                        strip_sugar(below);
                    }
                }
            }
            _ => {}
        }
    }
}
