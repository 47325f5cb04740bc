//! The command line of `butane`, as the reference has it.

use std::path::PathBuf;

use clap::{ArgAction, Parser};

/// Compile a Butane config to an Ignition config
///
/// Reads YAML from FILE or standard input and writes JSON to standard output. Findings go to
/// standard error with the lines they are about. Exit status: 0 done, also with warnings; 1 the
/// config cannot be compiled or a file not read or written; 2 wrong usage.
#[derive(Debug, Parser)]
#[command(
    name = "butane",
    disable_version_flag = true,
    args_override_self = true,
    max_term_width = 80
)]
pub(crate) struct Cli {
    /// Config to compile; standard input if not given
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    #[command(flatten)]
    pub switches: Switches,

    /// Write the output to FILE
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Let `local:` name files below DIR
    #[arg(short = 'd', long, value_name = "DIR")]
    pub files_dir: Option<PathBuf>,

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
}
