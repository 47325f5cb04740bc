//! Every config of the corpus survives the way from Ignition to Butane and back.

use std::io::Read;

use base64::Engine;
use flate2::read::MultiGzDecoder;
use nestos_butane::{DecompileOptions, Options, compile, decompile};
use proptest::prelude::{any, prop, proptest};
use proptest::test_runner::Config;
use serde_json::Value;

use super::cases::{Case, cases, say};
use super::configs::check;

/// Puts what compressed contents hold in the place of their sources.
fn unpacked(mut config: Value) -> Value {
    match &mut config {
        Value::Object(fields) => {
            if fields.get("compression").is_some_and(|c| c == "gzip")
                && let Some(Value::String(source)) = fields.get_mut("source")
                && let Some(body) = source.strip_prefix("data:;base64,")
            {
                let zipped = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
                let mut bytes = vec![];
                if MultiGzDecoder::new(zipped.as_slice()).read_to_end(&mut bytes).is_ok() {
                    *source = format!("unpacked: {}", String::from_utf8_lossy(&bytes));
                }
            }
            fields.values_mut().for_each(|value| *value = unpacked(value.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = unpacked(item.take())),
        _ => {}
    }
    config
}

/// Returns whether a case comes back byte for byte; an error if it does not come back.
fn comes_back(case: &Case) -> Result<bool, String> {
    let failed = |what: &str| format!("{} ({}): {what}", case.name, case.dialect);
    let text = decompile(&case.ignition, &DecompileOptions::default());
    let text = text.map_err(|report| failed(&report.to_string()))?.text;
    let again = compile(text.as_bytes(), &Options::default());
    let again = again.map_err(|report| failed(&format!("{report}\n{text}")))?;
    let read = |json: &[u8]| unpacked(serde_json::from_slice(json).unwrap());
    if read(&case.ignition) != read(again.json.as_bytes()) {
        return Err(failed(&text));
    }
    let exact = case.ignition.trim_ascii() == again.json.as_bytes();
    // Deflate has many answers, and some cases ask for indented output.
    let json = String::from_utf8_lossy(&case.ignition);
    let excused = json.contains(r#""compression":"gzip""#) || json.trim().contains('\n');
    if exact || excused { Ok(exact) } else { Err(failed(&again.json)) }
}

#[test]
fn every_config_compiles_back_to_itself() {
    let results: Vec<_> = cases().iter().map(comes_back).collect();
    let exact = results.iter().filter(|result| matches!(result, Ok(true))).count();
    let failures: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    say(&format!("{} configs, {exact} of them come back byte for byte", results.len()));
    assert!(failures.is_empty(), "{} fail: {failures:#?}", failures.len());
}

/// The lengths of a config as it was written and as it is decompiled, without the comment.
struct Lengths {
    name: String,
    written: f64,
    decompiled: f64,
    comment: f64,
}

impl Lengths {
    fn ratio(&self) -> f64 {
        self.decompiled / self.written
    }
}

fn lengths(variant: &str) -> Vec<Lengths> {
    let of = |text: &[u8]| f64::from(u32::try_from(text.len()).unwrap());
    // What was in other files is in the text now, so those configs cannot be as short.
    let alone = cases().iter().filter(|case| !case.local && case.dialect.starts_with(variant));
    alone
        .filter_map(|case| {
            let text = decompile(&case.ignition, &DecompileOptions::default()).ok()?.text;
            let comment = text.find('\n').unwrap() + 1;
            Some(Lengths {
                written: of(&case.butane),
                decompiled: of(&text.as_bytes()[comment..]),
                comment: of(&text.as_bytes()[..comment]),
                name: case.name.clone(),
            })
        })
        .collect()
}

#[test]
fn decompiled_configs_are_about_as_long_as_people_write_them() {
    for variant in ["nestos", "fcos"] {
        let mut all: Vec<Lengths> = lengths(variant);
        if all.is_empty() {
            continue;
        }
        let sum = |of: fn(&Lengths) -> f64| all.iter().map(of).sum::<f64>();
        let (written, decompiled) = (sum(|l| l.written), sum(|l| l.decompiled));
        let with_comments = decompiled + sum(|l| l.comment);
        all.sort_by(|a, b| a.ratio().total_cmp(&b.ratio()));
        let median = all[all.len() / 2].ratio();
        say(&format!(
            "{variant}: {} configs, in sum {:.3} ({:.3} with comments), median {median:.3}",
            all.len(),
            decompiled / written,
            with_comments / written
        ));
        for outlier in all.iter().rev().take_while(|l| l.ratio() > 1.4) {
            say(&format!("  {:.2} {} ({} bytes)", outlier.ratio(), outlier.name, outlier.written));
        }
        assert!(with_comments <= 1.2 * written);
        assert!(median <= 1.2);
    }
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(1000) })]
    #[test]
    fn no_change_of_a_config_makes_it_panic_or_lie(
        case in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        length in 0usize..12,
        insert in "[-a-z0-9:{}\\[\\], \n\"'!&*|>%#?\\\\~./]{0,8}",
    ) {
        if !cases().is_empty() {
            let mut text = cases()[case.index(cases().len())].ignition.clone();
            let start = cut.index(text.len());
            let end = (start + length).min(text.len());
            text.splice(start..end, insert.bytes());
            check(&text);
        }
    }
}
