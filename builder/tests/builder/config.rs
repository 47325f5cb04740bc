//! Mistakes in the config folder.

use crate::workshop::{MANIFEST, Workshop};

#[test]
fn mistakes_in_config_files_are_placed() {
    for (file, text, parts) in [
        (
            "manifest.yaml",
            "pakages:\n  - a\n",
            &["manifest.yaml:6:1: unknown key \"pakages\"; did you mean \"packages\"?"][..],
        ),
        ("manifest.yaml", "postprocess: [a\n", &["manifest.yaml:7:1: ", "did not find"]),
        ("manifest.yaml", "packages: [b]\n", &["manifest.yaml:6:1: ", "packages"]),
        ("manifest.yaml", "include: none.yaml\n", &["cannot read", "none.yaml", "No such file"]),
        ("manifest.yaml", "releasever: [1]\n", &["manifest.yaml:6:13: expected a text"]),
        (
            "image.yaml",
            "extra-karg: [quiet]\n",
            &["image.yaml:1:1: unknown key \"extra-karg\"; did you mean \"extra-kargs\"?"],
        ),
        ("image.yaml", "size: 0\n", &["image.yaml:1:7: expected a size of 1 to 65536 GiB"]),
        ("image.yaml", "rootfs: btrfs\n", &["image.yaml:1:9: ", "\"btrfs\"", "ext4 or xfs"]),
        (
            "platforms.yaml",
            "x86_64:\n  qemu:\n    grub_command: [serial]\n",
            &["platforms.yaml:3:5: ", "did you mean \"grub_commands\"?"],
        ),
        (
            "platforms.yaml",
            "x86-64:\n  qemu: {}\n",
            &["platforms.yaml:1:1: ", "did you mean \"x86_64\"?"],
        ),
        ("platforms.yaml", "x86_64:\n\tqemu: {}\n", &["platforms.yaml:2:1: "]),
    ] {
        let shop = Workshop::new();
        shop.init();
        let before = if file == "manifest.yaml" { MANIFEST } else { "" };
        shop.config(file, &format!("{before}{text}"));
        shop.nosa(&["fetch"]).fails_with(parts);
    }
}

#[test]
fn a_config_folder_without_its_files_is_refused() {
    for name in ["manifest.yaml", "image.yaml"] {
        let shop = Workshop::new();
        shop.init();
        shop.without(name);
        shop.nosa(&["fetch"]).fails_with(&["is no config folder", &format!("it has no {name}")]);
    }
}

#[test]
fn the_kind_of_repository_files_decides() {
    let repo = "[x]\nbaseurl=http://127.0.0.1:1/\n";
    for (sources, files, parts) in [
        (false, &[][..], "no repository file: *.sources (deb822) or *.repo beside manifest.yaml"),
        (
            false,
            &["x.repo"],
            "*.repo files; installing from RPM repositories (dnf) is not supported",
        ),
        (true, &["x.repo"], "has both *.sources and *.repo files"),
    ] {
        let shop = Workshop::new();
        shop.init();
        if !sources {
            shop.without("a.sources");
        }
        files.iter().for_each(|name| shop.config(name, repo));
        shop.nosa(&["fetch"]).fails_with(&[parts]);
    }
}

#[test]
fn a_repository_file_is_read_strictly() {
    let shop = Workshop::new();
    shop.init();
    shop.config("a.sources", "Types: deb\nSuites: s\nComponents: c\nTrusted: yes\n");
    shop.nosa(&["fetch"]).fails_with(&["a.sources", "line 1", "taken only when signed"]);
}
