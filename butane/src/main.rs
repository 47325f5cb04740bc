//! `butane`: the command line around the compiler.

use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use nestos_butane::{Color, Layout, Options, Report, Spacing, Wrapping, compile, render};

use cli::{Cli, When};

mod cli;

/// The mode of a new output file, before the umask.
const OUTPUT_MODE: u32 = 0o644;

fn main() -> ExitCode {
    // Wrong usage ends inside clap with the reference's status for it, 2.
    let cli = Cli::parse();
    let done = if cli.version {
        write_stdout(&format!("Butane {}\n", env!("CARGO_PKG_VERSION")))
    } else if let Some(dir) = &cli.man {
        write_manual(dir)
    } else {
        run(&cli)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say(&format!("{message}\n"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), String> {
    if cli.input.is_some() {
        say("Flag --input has been deprecated, specify filename directly on command line\n");
    }
    let file = cli.file.as_ref().or(cli.input.as_ref());
    let (name, input) = read(file)?;
    let options = Options {
        files_dir: cli.files_dir.clone(),
        spacing: if cli.switches.pretty { Spacing::Indented } else { Spacing::Compact },
        wrapping: if cli.switches.raw { Wrapping::None } else { Wrapping::AsVariant },
    };
    let layout = match cli.switches.raw_errors {
        true => Layout::Lines,
        false => Layout::Excerpts(color(cli.color)),
    };
    let show = |report: &Report| say(&render(report, &name, &input, layout));
    let compiled = compile(&input, &options).map_err(|report| {
        show(&report);
        format!("Error translating config: {}", report.failure.unwrap_or_default())
    })?;
    show(&compiled.warnings);
    if cli.switches.strict && !compiled.warnings.entries.is_empty() {
        return Err("Config produced warnings and --strict was specified".to_owned());
    }
    if cli.switches.check {
        return Ok(());
    }
    let text = compiled.machine_config.unwrap_or(compiled.json) + "\n";
    match &cli.output {
        None => write_stdout(&text),
        Some(path) => write_file(path, &text)
            .map_err(|e| format!("Failed to write config to {}: {}", path.display(), reason(&e))),
    }
}

fn read(file: Option<&PathBuf>) -> Result<(String, Vec<u8>), String> {
    let Some(path) = file else {
        let mut input = vec![];
        let read = io::stdin().lock().read_to_end(&mut input);
        read.map_err(|e| format!("failed to read <stdin>: {}", reason(&e)))?;
        return Ok(("<stdin>".to_owned(), input));
    };
    let name = path.display().to_string();
    let fail = |verb: &str, e: &io::Error| {
        let call = if verb == "open" { "open" } else { "read" };
        format!("failed to {verb} {name}: {call} {name}: {}", reason(e))
    };
    let mut opened = fs::File::open(path).map_err(|e| fail("open", &e))?;
    let mut input = vec![];
    opened.read_to_end(&mut input).map_err(|e| fail("read", &e))?;
    Ok((name, input))
}

/// Replaces a file as a whole; what is not a regular file, such as a pipe, is written to.
fn write_file(path: &Path, text: &str) -> io::Result<()> {
    // A link stays a link, the file behind it is replaced.
    let path = path.canonicalize().unwrap_or_else(|_missing| path.to_owned());
    let existing = fs::metadata(&path).ok();
    if existing.as_ref().is_some_and(|meta| !meta.is_file()) {
        return fs::OpenOptions::new().write(true).open(&path)?.write_all(text.as_bytes());
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".butane-")
        .permissions(fs::Permissions::from_mode(OUTPUT_MODE))
        .tempfile_in(dir)?;
    file.write_all(text.as_bytes())?;
    if let Some(meta) = existing {
        file.as_file().set_permissions(meta.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

fn write_manual(dir: &Path) -> Result<(), String> {
    let command = Cli::command().version(env!("CARGO_PKG_VERSION"));
    fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(command, dir))
        .map_err(|e| format!("Failed to write the manual to {}: {}", dir.display(), reason(&e)))
}

fn write_stdout(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|e| format!("Failed to write config to stdout: {}", reason(&e)))
}

/// Prints on standard error. If that is closed, there is nobody to tell.
fn say(text: &str) {
    io::stderr().lock().write_all(text.as_bytes()).unwrap_or_default();
}

fn color(when: When) -> Color {
    let wanted = match when {
        When::Always => true,
        When::Never => false,
        When::Auto => io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    };
    if wanted { Color::Always } else { Color::Never }
}

/// Returns the text of a system error without its number, as the reference prints it.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map(|c| c.to_ascii_lowercase()).into_iter().chain(chars).collect()
}
