//! The command line of `butane`: the reference's, and what we add to it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::OsStringValueParser;
use clap::{ArgAction, Args, Parser, Subcommand};
use nestos_butane::{Conversion, Encoding, Lang};

/// Compile a Butane config to an Ignition config
///
/// Reads YAML from FILE or standard input and writes JSON to standard output. Findings go to
/// standard error with the lines they are about. Exit status: 0 done, also with warnings; 1 the
/// config cannot be compiled or a file not read or written; 2 wrong usage. A file that has the
/// name of a command is read as ./NAME.
#[derive(Debug, Parser)]
#[command(
    name = "butane",
    disable_version_flag = true,
    disable_help_subcommand = true,
    args_override_self = true,
    args_conflicts_with_subcommands = true,
    max_term_width = 80,
    after_help = EXAMPLES
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Config to compile; standard input if not given
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    #[command(flatten)]
    pub switches: Switches,

    /// Write the output to FILE
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Let `local:` name files below DIR
    #[arg(short = 'd', long, value_name = "DIR", value_parser = OsStringValueParser::new())]
    pub files_dir: Option<OsString>,

    /// Colour reports: always, never or auto
    #[arg(
        long,
        alias = "colour",
        value_name = "WHEN",
        num_args = 0..=1,
        require_equals = true,
        default_value = "auto",
        default_missing_value = "always",
        value_parser = parse_when
    )]
    pub color: When,

    /// Give the output file this mode, in octal: 0600 if there are secrets in it
    #[arg(long, value_name = "MODE", value_parser = parse_mode, requires = "output")]
    pub output_mode: Option<u32>,

    /// Look at more than the reference compiler does, and give hints: always, never
    /// or auto, on a terminal. With "always", --strict counts these warnings too
    #[arg(
        long,
        value_name = "WHEN",
        num_args = 0..=1,
        require_equals = true,
        default_value = "auto",
        default_missing_value = "always",
        value_parser = parse_when
    )]
    pub lint: When,

    /// Speak this language: en or zh. Without it, LC_ALL, LC_MESSAGES or LANG decides
    #[arg(long, value_name = "LANG", global = true)]
    pub lang: Option<Lang>,

    /// Old spelling of FILE
    #[arg(long, value_name = "FILE", hide = true, conflicts_with = "file")]
    pub input: Option<PathBuf>,

    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::SetTrue)]
    pub version: bool,

    /// Only write the manual page to DIR; for packagers
    #[arg(long, value_name = "DIR", hide = true, exclusive = true)]
    pub man: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  butane --files-dir . --strict node.bu -o node.ign --output-mode 0600
  butane explain storage.files.mode
  butane schema --variant nestos --version 1.0.0 > nestos.schema.json
  butane decompile node.ign > node.bu";

/// What there is besides compiling.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Explain a key of the language: type, since when, default, example
    ///
    /// Without PATH, lists the keys of the outermost level.
    Explain(Explain),
    /// Print a JSON Schema, for editors that complete and check YAML
    ///
    /// Without a variant the schema is that of all of them; what a file says in
    /// `variant` and `version` then decides.
    Schema(Dialect),
    /// Turn an Ignition config into a Butane config that compiles to the same
    Decompile(Decompile),
}

/// Which language version is meant.
#[derive(Debug, Args)]
pub(crate) struct Dialect {
    /// Variant, such as nestos or fcos
    #[arg(long, value_name = "VARIANT")]
    pub variant: Option<String>,
    /// Version, such as 1.0.0
    #[arg(long = "version", id = "dialect_version", value_name = "VERSION", requires = "variant")]
    pub version: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Key, such as storage.files.mode
    #[arg(value_name = "PATH", default_value = "")]
    pub path: String,
    #[command(flatten)]
    pub dialect: Dialect,
}

#[derive(Debug, Args)]
pub(crate) struct Decompile {
    /// Ignition config; standard input if not given
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Write the config to FILE
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Give the output file this mode, in octal
    #[arg(long, value_name = "MODE", value_parser = parse_mode, requires = "output")]
    pub output_mode: Option<u32>,
    /// Write a config of this variant; without it nestos, or fcos for Ignition
    /// specs that nestos does not compile to
    #[arg(long, value_name = "VARIANT")]
    pub variant: Option<String>,
    /// Let the result compile to a later Ignition spec, if the variant has none for this one
    #[arg(long)]
    pub convert: bool,
    /// Make text of contents also where compiling will encode them in another way
    #[arg(long)]
    pub recode: bool,
}

impl Decompile {
    /// Returns whether the spec version may change.
    pub(crate) fn conversion(&self) -> Conversion {
        if self.convert { Conversion::ToLaterSpec } else { Conversion::Refuse }
    }

    /// Returns whether contents may be encoded in another way.
    pub(crate) fn encoding(&self) -> Encoding {
        if self.recode { Encoding::Any } else { Encoding::Same }
    }
}

/// Flags that may also be given as `--flag=true` and `--flag=false`.
#[derive(Debug, clap::Args)]
pub(crate) struct Switches {
    /// Report problems, but write no output
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_value = "false", default_missing_value = "true", hide_possible_values = true,
        hide_default_value = true, value_parser = parse_bool)]
    pub check: bool,

    /// Indent the output
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_value = "false", default_missing_value = "true", hide_possible_values = true,
        hide_default_value = true, value_parser = parse_bool)]
    pub pretty: bool,

    /// Leave out what wraps the Ignition config, in variants that wrap it
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_value = "false", default_missing_value = "true", hide_possible_values = true,
        hide_default_value = true, value_parser = parse_bool)]
    pub raw: bool,

    /// Report one line for each problem, without the lines of the config
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_value = "false", default_missing_value = "true", hide_possible_values = true,
        hide_default_value = true, value_parser = parse_bool)]
    pub raw_errors: bool,

    /// Fail on warnings too
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_value = "false", default_missing_value = "true", hide_possible_values = true,
        hide_default_value = true, value_parser = parse_bool)]
    pub strict: bool,
}

/// When reports are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Always.
    Always,
    /// Never.
    Never,
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
}

fn parse_when(text: &str) -> Result<When, String> {
    Ok(match text {
        "always" | "yes" => When::Always,
        "auto" => When::Auto,
        // The reference takes any other word for "no".
        _ => When::Never,
    })
}

fn parse_mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text.trim_start_matches("0o"), 8) {
        Ok(mode @ 0..=0o777) => Ok(mode),
        _ => Err("expected octal digits, such as 0600".to_owned()),
    }
}

fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn short_flags_bundle_and_take_values() {
        let cli = Cli::try_parse_from(["butane", "-ps", "--check=false", "a", "-d", "f"]).unwrap();
        assert!(cli.switches.pretty && cli.switches.strict && !cli.switches.check);
        assert_eq!(cli.files_dir, Some("f".into()));
        assert_eq!(cli.color, When::Auto);
        let cli = Cli::try_parse_from(["butane", "--color", "bad"]).unwrap();
        assert_eq!((cli.color, cli.file), (When::Always, Some("bad".into())));
        assert!(Cli::try_parse_from(["butane", "a", "b"]).is_err());
        let cli = Cli::try_parse_from(["butane", "-p", "-p=false", "-d", "x", "-d", "y"]).unwrap();
        assert_eq!((cli.switches.pretty, cli.files_dir), (false, Some("y".into())));
    }

    #[test]
    fn commands_stand_beside_files() {
        let cli = Cli::try_parse_from(["butane", "explain", "storage", "--lang", "zh"]).unwrap();
        assert!(matches!(cli.command, Some(Command::Explain(e)) if e.path == "storage"));
        assert_eq!(cli.lang, Some(Lang::Chinese));
        let cli = Cli::try_parse_from(["butane", "./explain"]).unwrap();
        assert!(cli.command.is_none() && cli.file == Some("./explain".into()));
        let args = ["butane", "schema", "--variant", "fcos", "--version", "1.5.0"];
        let cli = Cli::try_parse_from(args).unwrap();
        assert!(matches!(cli.command, Some(Command::Schema(d)) if d.version.is_some()));
        assert!(Cli::try_parse_from(["butane", "schema", "--version", "1.5.0"]).is_err());
    }

    #[test]
    fn output_modes_are_octal_and_need_an_output() {
        assert_eq!(parse_mode("0600"), Ok(0o600));
        assert_eq!(parse_mode("640"), Ok(0o640));
        for bad in ["", "rw", "0888", "7777", "-1"] {
            assert!(parse_mode(bad).is_err(), "{bad}");
        }
        let args = ["butane", "-o", "x", "--output-mode", "0600"];
        assert_eq!(Cli::try_parse_from(args).unwrap().output_mode, Some(0o600));
        assert!(Cli::try_parse_from(["butane", "--output-mode", "0600"]).is_err());
    }

    #[test]
    fn a_files_dir_may_be_empty() {
        let cli = Cli::try_parse_from(["butane", "-d", "", "a"]).unwrap();
        assert_eq!((cli.files_dir, cli.file), (Some("".into()), Some("a".into())));
    }
}
