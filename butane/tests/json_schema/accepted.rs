//! What the compiler accepts.

use crate::cases;
use crate::schemas::{self, Findings};
use crate::yaml::Reading;

#[test]
fn what_the_compiler_accepts_is_valid() {
    let mut wrong = vec![];
    let mut checked = 0;
    for case in cases::all().iter().filter(|case| case.code == 0) {
        let Some(schema) = schemas::of(case) else { continue };
        let report = case.file("expected.stderr-raw");
        let warned = String::from_utf8_lossy(&report).contains("unused key");
        // The schema of all dialects is big; reading the same text twice with it shows nothing.
        let checks = [
            (Reading::Compiler, schema),
            (Reading::Editor, schema),
            (Reading::Editor, schemas::of_all()),
        ];
        for (reading, schema) in checks {
            // One case is a bomb of aliases that nothing uses, which cannot be written as JSON.
            let Some(config) = reading.json(&case.input()) else { continue };
            let findings = Findings::of(schema, &config);
            if !findings.others.is_empty() || (!findings.unknown.is_empty() && !warned) {
                wrong.push(format!("{} {reading:?} {findings:#?}", case.name));
            }
            checked += 1;
        }
    }
    assert!(checked > 0, "no case was checked");
    assert!(wrong.is_empty(), "{} of {checked}:\n{}", wrong.len(), wrong.join("\n"));
}
