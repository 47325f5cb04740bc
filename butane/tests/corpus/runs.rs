//! Runs the compiler over the cases, and finds where it differs.

use std::io::Read;
use std::sync::{LazyLock, OnceLock};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;
use nestos_host::cmd::{Cmd, Finished};
use regex::{Captures, Regex};

use super::cases::{self, Case};
use super::parallel::in_parallel;

/// What can differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aspect {
    /// The exit status.
    Status,
    /// Standard output.
    Output,
    /// Standard output with `--pretty`.
    Pretty,
    /// The report with excerpts of the config.
    Report,
    /// The report in lines.
    Lines,
    /// The exit status with `--strict`.
    Strict,
    /// Status and report with `--check`, and that it writes nothing.
    Check,
}

/// A place where the compilers differ.
#[derive(Debug)]
pub(crate) struct Mismatch {
    /// The name of the case.
    pub(crate) case: &'static str,
    /// What differs.
    pub(crate) aspect: Aspect,
    /// Both sides.
    pub(crate) detail: String,
}

/// Returns every mismatch of every case.
pub(crate) fn mismatches() -> &'static [Mismatch] {
    static FOUND: OnceLock<Vec<Mismatch>> = OnceLock::new();
    FOUND.get_or_init(|| in_parallel(cases::all(), compare))
}

fn compare(case: &'static Case) -> Vec<Mismatch> {
    let mut found = vec![];
    let mut expect = |aspect, expected: String, ours: String| {
        if expected != ours {
            let detail = format!("--- expected\n{expected}\n--- ours\n{ours}");
            found.push(Mismatch { case: &case.name, aspect, detail });
        }
    };
    let plain = butane(case, &[]);
    let status = |run: &Finished| run.status.code().unwrap_or(-1).to_string();
    expect(Aspect::Status, case.code.to_string(), status(&plain));
    expect(Aspect::Output, unzipped(&case.file("expected.ign")), unzipped(&plain.stdout));
    let lines = |bytes: &[u8]| in_order(case, bytes);
    expect(Aspect::Report, lines(&case.file("expected.stderr")), lines(&plain.stderr));
    let raw = butane(case, &["--raw-errors"]);
    expect(Aspect::Lines, lines(&case.file("expected.stderr-raw")), lines(&raw.stderr));

    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("out.ign");
    let check = butane(case, &["--check", "--output", file.to_str().unwrap()]);
    let written = check.stdout.len() + usize::from(file.exists());
    let all = |run: &Finished, written: usize| {
        format!("{} {written}\n{}", status(run), lines(&run.stderr))
    };
    expect(Aspect::Check, all(&plain, 0), all(&check, written));
    if case.code == 0 {
        let strict = butane(case, &["--strict"]);
        expect(Aspect::Strict, case.meta("strict_code").to_string(), status(&strict));
    }
    // Cases whose options ask for it, or that write nothing, have no other form.
    if case.dir.join("expected.pretty.ign").exists() {
        let pretty = butane(case, &["--pretty"]);
        let expected = case.file("expected.pretty.ign");
        expect(Aspect::Pretty, unzipped(&expected), unzipped(&pretty.stdout));
    }
    found
}

/// Runs the compiler as the reference was run.
fn butane(case: &Case, more: &[&str]) -> Finished {
    let cmd = Cmd::new(env!("CARGO_BIN_EXE_butane")).args(&case.args).args(more).arg("input.bu");
    cmd.cwd(&case.dir).clean_env().env("PATH", "/usr/bin:/bin").finish().unwrap()
}

/// Sorts the lines of a report where their order means nothing.
fn in_order(case: &Case, report: &[u8]) -> String {
    let text = String::from_utf8_lossy(report);
    if case.meta("unordered_stderr") != true {
        return text.into_owned();
    }
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// Replaces compressed contents by what they unpack to: encoders do not agree on the bytes.
fn unzipped(output: &[u8]) -> String {
    static DATA: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("data:;base64,(H4sI[A-Za-z0-9+/]+=*)").unwrap());
    let text = String::from_utf8_lossy(output);
    let unpack = |found: &Captures<'_>| {
        let mut plain = vec![];
        let bytes = BASE64_STANDARD.decode(&found[1]);
        match bytes.map(|bytes| GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain)) {
            Ok(Ok(_)) => format!("data:;gzip,{}", BASE64_STANDARD.encode(plain)),
            _ => found[0].to_owned(),
        }
    };
    DATA.replace_all(&text, unpack).into_owned()
}
