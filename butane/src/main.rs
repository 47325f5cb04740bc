//! `butane`: the command line around the compiler.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use nestos_butane::{
    Color, Hints, Lang, Layout, Lint, Options, Report, Spacing, View, Wrapping, compile, render,
    translate,
};

use cli::{Cli, Command, When};
use files::{Input, say, write_file, write_stdout};

mod cli;
mod commands;
mod files;

/// The exit status of wrong usage, here and in the reference.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            let printed = usage.print();
            if usage.use_stderr() && printed.is_ok() {
                commands::say_if_misspelt(lang_of_environment());
            }
            return if usage.use_stderr() {
                ExitCode::from(WRONG_USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let lang = cli.lang.unwrap_or_else(lang_of_environment);
    let done = if cli.version {
        write_stdout(&format!("Butane {}\n", env!("CARGO_PKG_VERSION")))
    } else if let Some(dir) = &cli.man {
        commands::write_manual(dir)
    } else {
        match &cli.command {
            None => run(&cli, lang),
            Some(Command::Explain(args)) => commands::explain(args, lang),
            Some(Command::Schema(dialect)) => commands::schema(dialect, lang),
            Some(Command::Decompile(args)) => commands::decompile(args, view(&cli, lang)),
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say(&format!("{}\n", translate(&message, lang)));
            if cli.command.is_none() {
                commands::say_if_misspelt(lang);
            }
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli, lang: Lang) -> Result<(), String> {
    if cli.input.is_some() {
        let notice = "Flag --input has been deprecated, specify filename directly on command line";
        say(&format!("{}\n", translate(notice, lang)));
    }
    let file = cli.file.as_ref().or(cli.input.as_ref());
    if file.is_none() && std::io::stdin().is_terminal() {
        let notice = "reading the config from the terminal; Ctrl-D ends it";
        say(&format!("{}\n", translate(notice, lang)));
    }
    let input = Input::read(file)?;
    let options = Options {
        // An empty name is none, as a script writes that has no directory.
        files_dir: cli.files_dir.clone().filter(|dir| !dir.is_empty()).map(PathBuf::from),
        spacing: if cli.switches.pretty { Spacing::Indented } else { Spacing::Compact },
        wrapping: if cli.switches.raw { Wrapping::None } else { Wrapping::AsVariant },
        lint: if wanted(cli.lint) { Lint::On } else { Lint::Off },
    };
    let view = view(cli, lang);
    let show = |report: &Report| say(&render(report, &input.name, &input.text, view));
    let compiled = compile(&input.text, &options).map_err(|report| {
        show(&report);
        format!("Error translating config: {}", report.failure.unwrap_or_default())
    })?;
    let mut findings = compiled.warnings;
    let counted = findings.entries.len()
        + match cli.lint {
            When::Always => compiled.lint.entries.len(),
            // A terminal must not decide whether a config is good.
            When::Auto | When::Never => 0,
        };
    findings.entries.extend(compiled.lint.entries);
    show(&findings);
    if cli.switches.strict && counted > 0 {
        return Err("Config produced warnings and --strict was specified".to_owned());
    }
    if cli.switches.check {
        return Ok(());
    }
    let text = compiled.machine_config.unwrap_or(compiled.json) + "\n";
    match &cli.output {
        None => write_stdout(&text),
        Some(path) => write_file(path, &text, cli.output_mode),
    }
}

/// Returns how reports are shown.
fn view(cli: &Cli, lang: Lang) -> View {
    let layout = match cli.switches.raw_errors {
        true => Layout::Lines,
        false => Layout::Excerpts(color(cli.color)),
    };
    let hints = match cli.lint {
        When::Never => Hints::Hide,
        _ if wanted(cli.lint) => Hints::Show,
        _ => Hints::Spelling,
    };
    View { layout, lang, hints }
}

fn color(when: When) -> Color {
    let plain = when == When::Auto && std::env::var_os("NO_COLOR").is_some();
    if wanted(when) && !plain { Color::Always } else { Color::Never }
}

/// Returns whether something is wanted that is for people who watch.
fn wanted(when: When) -> bool {
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto => std::io::stderr().is_terminal(),
    }
}

fn lang_of_environment() -> Lang {
    let variable = |name| std::env::var(name).ok();
    let (all, messages, lang) = (variable("LC_ALL"), variable("LC_MESSAGES"), variable("LANG"));
    Lang::of_locale(all.as_deref(), messages.as_deref(), lang.as_deref())
}
