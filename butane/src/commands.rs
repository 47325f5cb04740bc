//! What `butane` does besides compiling.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use nestos_butane::{DecompileOptions, Lang, Report, View, closest, render, translate};

use crate::cli::{Cli, Decompile, Dialect, Explain};
use crate::files::{Input, reason, say, write_file, write_stdout};

/// Whose keys are explained unless somebody else's are asked for.
const VARIANT: &str = "nestos";

/// Explains a key.
pub(crate) fn explain(args: &Explain, lang: Lang) -> Result<(), String> {
    let variant = args.dialect.variant.as_deref().unwrap_or(VARIANT);
    let newest = nestos_butane::newest_version(variant).unwrap_or_default();
    let version = args.dialect.version.as_deref().unwrap_or(newest);
    let text = nestos_butane::explain(&args.path, variant, version, lang);
    write_stdout(&text.map_err(|e| e.to_string())?)
}

/// Prints a JSON Schema.
pub(crate) fn schema(dialect: &Dialect, lang: Lang) -> Result<(), String> {
    let (variant, version) = (dialect.variant.as_deref(), dialect.version.as_deref());
    let newest = variant.and_then(nestos_butane::newest_version);
    let schema = nestos_butane::json_schema(variant, version.or(newest), lang);
    write_stdout(&schema.map_err(|e| e.to_string())?)
}

/// Turns an Ignition config into a Butane config.
pub(crate) fn decompile(args: &Decompile, view: View) -> Result<(), String> {
    let input = Input::read(args.file.as_ref())?;
    let options = DecompileOptions {
        variant: args.variant.clone(),
        name: Some(input.name.clone()),
        conversion: args.conversion(),
        encoding: args.encoding(),
    };
    let show = |report: &Report| say(&render(report, &input.name, &input.text, view));
    let decompiled = nestos_butane::decompile(&input.text, &options).map_err(|report| {
        show(&report);
        let reason = report.failure.as_deref().unwrap_or("no Butane config says the same");
        format!("cannot decompile {}: {reason}", input.name)
    })?;
    show(&decompiled.warnings);
    match &args.output {
        None => write_stdout(&decompiled.text),
        Some(path) => write_file(path, &decompiled.text, args.output_mode),
    }
}

/// Gives a hint if the first argument is the name of no file, but nearly that of a command.
pub(crate) fn say_if_misspelt(lang: Lang) {
    let Some(first) = std::env::args_os().nth(1).filter(|arg| !Path::new(arg).exists()) else {
        return;
    };
    let command = Cli::command();
    let names = command.get_subcommands().map(clap::Command::get_name);
    if let Some(name) = first.to_str().and_then(|first| closest(first, names)) {
        let hint = format!("hint: for the command, write: butane {name}");
        say(&format!("{}\n", translate(&hint, lang)));
    }
}

/// Writes the manual pages, for packagers.
pub(crate) fn write_manual(dir: &Path) -> Result<(), String> {
    let command = Cli::command().version(env!("CARGO_PKG_VERSION"));
    fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(command, dir))
        .map_err(|e| format!("Failed to write the manual to {}: {}", dir.display(), reason(&e)))
}
