//! Scripts that run before and after the installation: units between the targets of the unattended
//! installation, in the order in which the scripts were given. One that fails ends it.

use anyhow::{Result, bail};
use nestos_formats::live_media::Flavour;
use nestos_host::term;

use super::live_config::LiveConfig;
use super::{Given, GivenFile};

/// Only root runs them.
const MODE: u32 = 0o700;

#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    when: &'static str,
    after: &'static str,
    before: &'static str,
}

const BEFORE: Kind =
    Kind { name: "pre-install", when: "before", after: "-pre.target", before: ".service" };
const AFTER: Kind =
    Kind { name: "post-install", when: "after", after: ".service", before: ".target" };

/// Adds scripts and their units.
pub(super) fn add(live: &mut LiveConfig, flavour: Flavour, given: &Given) -> Result<()> {
    for (kind, scripts) in [(BEFORE, &given.before), (AFTER, &given.after)] {
        let mut previous = None;
        for script in scripts {
            check(script)?;
            let name = format!("{}-{}", kind.name, script.name);
            let path = format!("/usr/local/bin/{name}");
            let unit = format!("{name}.service");
            live.file(&path, MODE, &script.bytes)?;
            live.unit(&unit, &kind.unit(flavour, script, previous.as_deref()))?;
            previous = Some(unit);
        }
    }
    Ok(())
}

impl Kind {
    fn unit(self, flavour: Flavour, script: &GivenFile, previous: Option<&str>) -> String {
        let [after, before] = [self.after, self.before].map(|rest| flavour.installer_unit(rest));
        let order = previous.map(|unit| format!("\nAfter={unit}\nRequires={unit}"));
        format!(
            "[Unit]\nDescription=Script {script} {when} the installation\nAfter={after}\n\
             Before={before}{order}\n\n[Service]\nType=oneshot\nRemainAfterExit=true\n\
             ExecStart=/usr/local/bin/{kind}-{script}\nStandardOutput=kmsg+console\n\
             StandardError=kmsg+console\n\n[Install]\nRequiredBy={before}\n",
            script = script.name,
            when = self.when,
            kind = self.name,
            order = order.unwrap_or_default(),
        )
    }
}

fn check(script: &GivenFile) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !script.name.chars().all(plain) {
        bail!(
            "{:?} cannot name a unit: use letters, digits, dots, dashes and underscores",
            script.name
        );
    }
    if !script.bytes.starts_with(b"#!") && !script.bytes.starts_with(b"\x7fELF") {
        term::warning(format!("{} begins with no line such as #!/bin/bash", script.name));
    }
    Ok(())
}
