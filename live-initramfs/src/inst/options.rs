//! The command line of `nestos-installer install` for an unattended installation. What the kernel
//! arguments say travels in an option file that only root reads, because addresses may hold
//! passwords and any user sees the arguments of a program.

use std::ffi::OsString;
use std::path::Path;

use nestos_formats::command_line::CommandLine;

use super::arguments;
use super::files::OptionFiles;

/// Returns the option file that stands for the kernel arguments.
pub(crate) fn option_file(line: &CommandLine, files: &OptionFiles) -> String {
    let given = arguments::options(line);
    let mut text = String::from("# What the kernel arguments ask for.\n");
    let mut sorted: Vec<&str> = Vec::new();
    for (option, value) in &given {
        if sorted.contains(option) {
            continue;
        }
        sorted.push(option);
        let values: Vec<String> = given
            .iter()
            .filter(|(other, _)| other == option)
            .filter_map(|(_, value)| value.as_deref().map(quoted))
            .collect();
        match (value, values.as_slice()) {
            (None, _) => text.push_str(&format!("{option}: true\n")),
            (Some(_), [one]) => text.push_str(&format!("{option}: {one}\n")),
            (Some(_), several) => text.push_str(&format!("{option}: [{}]\n", several.join(", "))),
        }
    }
    let says = |option: &str| sorted.contains(&option) || files.have(option);
    if says("ignition-url") && !says("ignition-hash") && sorted.contains(&"ignition-url") {
        // Whoever sets kernel arguments over the network could change this address, too.
        text.push_str("insecure-ignition: true\n");
    }
    if !["stream", "image-url", "image-file", "offline"].into_iter().any(says) {
        // The medium brings its image; to wait for a network would be a surprise.
        text.push_str("offline: true\n");
    }
    if !files.have("fetch-retries") {
        // Nobody is there to start again.
        text.push_str("fetch-retries: infinite\n");
    }
    text
}

/// Returns the arguments of the installer. Later options win: the kernel's come last.
pub(crate) fn arguments_of(
    line: &CommandLine,
    files: &OptionFiles,
    option_file: &Path,
    report: &Path,
) -> Vec<OsString> {
    let mut argv: Vec<OsString> = vec!["install".into()];
    for path in files.paths().iter().map(|p| p.as_path()).chain([option_file]) {
        argv.extend(["--config-file".into(), path.into()]);
    }
    let network = arguments::first_boot(line);
    if !network.is_empty() {
        argv.extend(["--firstboot-args".into(), network.join(" ").into()]);
    }
    argv.extend(["--progress".into(), "plain".into(), "--report".into(), report.into()]);
    argv
}

/// Quotes a value for YAML.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nestos_formats::yaml;

    fn no_files() -> OptionFiles {
        OptionFiles::default()
    }

    #[test]
    fn an_installation_without_an_image_is_offline() {
        let line = CommandLine::parse("nestos.inst.install_dev=largest,size>=1G");
        assert_eq!(
            option_file(&line, &no_files()),
            "# What the kernel arguments ask for.\ndest-device: 'largest,size>=1G'\n\
             offline: true\nfetch-retries: infinite\n"
        );
    }

    #[test]
    fn lists_flags_and_quotes_reach_the_installer_as_they_are() {
        let line = CommandLine::parse(
            "nestosos.inst.install_dev=/dev/sda nestos.inst.append_karg=a=b,c \
             nestos.inst.append_karg=\"x=it's a b\" nestos.inst.insecure \
             nestos.inst.ignition_url=http://u:p@h/a.ign nestos.inst.stream=next",
        );
        let text = option_file(&line, &no_files());
        let root = yaml::parse(text.as_bytes()).unwrap();
        let find = |key: &str| {
            let mut entries = root.entries().unwrap().iter();
            entries.find(|(k, _)| k.key_text() == Some(key)).map(|(_, value)| value)
        };
        let kargs: Vec<_> =
            find("append-karg").unwrap().items().unwrap().iter().map(|i| i.as_str()).collect();
        assert_eq!(kargs, [Some("a=b,c"), Some("x=\"it's a b\"")]);
        assert_eq!(find("ignition-url").unwrap().as_str(), Some("http://u:p@h/a.ign"));
        assert_eq!(find("insecure").unwrap().as_str(), Some("true"));
        assert_eq!(find("insecure-ignition").unwrap().as_str(), Some("true"));
        assert!(find("offline").is_none());
    }

    #[test]
    fn no_secret_is_among_the_arguments_of_the_program() {
        let line = CommandLine::parse(
            "ip=dhcp nestos.inst.install_dev=sda nestos.inst.ignition_url=https://u:secret@h/",
        );
        let argv = arguments_of(&line, &no_files(), Path::new("/run/k"), Path::new("/run/r"));
        assert_eq!(
            argv,
            [
                "install",
                "--config-file",
                "/run/k",
                "--firstboot-args",
                "rd.neednet=1 ip=dhcp",
                "--progress",
                "plain",
                "--report",
                "/run/r"
            ]
        );
    }

    #[test]
    fn option_files_come_first_and_keep_what_they_decide() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("etc/nestos/installer.d");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("a"), "stream: next\nfetch-retries: 2\n").unwrap();
        let files = OptionFiles::read(root.path()).unwrap();
        let line = CommandLine::parse("nestos.inst.install_dev=sda");
        let text = option_file(&line, &files);
        assert!(!text.contains("offline") && !text.contains("fetch-retries"), "{text}");
        let argv = arguments_of(&line, &files, Path::new("/run/k"), Path::new("/run/r"));
        assert_eq!(argv[2], dir.join("a").into_os_string());
        assert_eq!(argv[4], "/run/k");
    }
}
