//! Manual pages.

use std::fs;

use nestos_host::cmd::Cmd;

use crate::support::installer;

#[test]
fn manual_pages_are_made_from_the_command_lines() {
    let dir = tempfile::tempdir().unwrap();
    let man = dir.path().join("man1");
    installer().args(["man", "-C"]).arg(&man).run().unwrap();
    Cmd::new(env!("CARGO_BIN_EXE_installnestos")).arg("--man").arg(&man).run().unwrap();
    for (page, text) in [
        ("nestos-installer.1", "nestos\\-installer\\-install(1)"),
        ("nestos-installer-install.1", "Ignition or Butane config for the first boot"),
        ("installnestos.1", "Install NestOS by answering four questions"),
    ] {
        let page = fs::read_to_string(man.join(page)).unwrap();
        assert!(page.contains(text), "{page}");
        // What packagers use is not for readers.
        assert!(!page.contains("packagers"), "{page}");
    }
    // Every command that is shown has a page, the others none.
    let pages: Vec<String> = fs::read_dir(&man)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    for page in ["nestos-installer-iso-customize.1", "nestos-installer-pxe-ignition-wrap.1"] {
        assert!(pages.iter().any(|p| p == page), "{pages:?}");
    }
    for hidden in ["-pack", "-dev", "-man", "-iso-embed", "-help"] {
        assert!(!pages.iter().any(|p| p.contains(hidden)), "{hidden}: {pages:?}");
    }
}

#[test]
fn completions_know_the_options() {
    for (shell, text) in
        [("bash", "--ignition-file"), ("zsh", "--ignition-url"), ("fish", "dry-run")]
    {
        let script = installer().args(["completion", shell]).output().unwrap();
        assert!(script.contains(text), "{shell}: {script}");
    }
    let script = installer().args(["completion", "bash"]).output().unwrap();
    Cmd::new("bash").args(["-n", "-"]).input(script).run().unwrap();
}
