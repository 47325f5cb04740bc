use super::*;

fn nestos(path: &str, lang: Lang) -> String {
    explain(path, "nestos", "1.0.0", lang).unwrap_or_else(|e| e.to_string())
}

#[test]
fn a_key_is_explained_with_all_that_is_known_about_it() {
    assert_eq!(
        nestos("storage.files.mode", Lang::English),
        "\
storage.files.mode: integer, since nestos 1.0.0

  Permissions of the file. Write it in octal with a leading zero: 644 without it
  is another number.

  Default   0644, or as it is if the file exists and gets no contents
  Allowed   0 to 07777 (octal)
  Ignition  storage.files[].mode
  NestOS    Ignition 3.3.0 does not set the setuid, setgid and sticky bits
            (04000, 02000, 01000) dependably; set them with a systemd unit or
            tmpfiles.d instead.

  Example
    mode: 0600
"
    );
}

#[test]
fn a_mapping_lists_its_keys_in_the_chosen_language() {
    assert_eq!(
        nestos("boot_device", Lang::Chinese),
        "\
boot_device：映射，自 nestos 1.0.0 起

  加密根文件系统或镜像启动磁盘，无需逐个写出分区。生成的内容可以用 `storage` 中
  同名的条目调整。

  默认值    启动磁盘保持镜像原样
  Ignition  没有对应的键；由 butane 处理
  NestOS    改动根磁盘时，首次启动会在内存中保存一份压缩的根文件系统副本：请为机
            器准备足够的内存（4 GiB 较为稳妥）。

  示例
    boot_device:
      luks:
        tpm2: true

  键
    layout  文本  镜像的分区布局，即其架构的布局
    luks    映射  加密根文件系统
    mirror  映射  将整个启动磁盘保存在两个或更多磁盘上，任意一个留存即可启动
"
    );
}

#[test]
fn a_key_that_the_version_lacks_is_explained_as_others_have_it() {
    assert_eq!(
        nestos("storage.luks.discard", Lang::English),
        "\
storage.luks.discard: boolean

  nestos 1.0.0 does not have this key. It exists since fcos 1.5.0, flatcar
  1.1.0, r4e 1.1.0, fiot 1.0.0, openshift 4.14.0.

  Whether discards (TRIM) reach the disk: better for SSDs, but shows which
  blocks are in use.

  Default   false
  Allowed   true, false
  Ignition  storage.luks[].discard
  NestOS    Not for NestOS: configs with this key are compiled to Ignition 3.4.0
            or newer, and NestOS images read 3.3.0 at most.

  Example
    discard: true
"
    );
}

#[test]
fn a_key_that_changed_its_shape_is_explained_as_the_version_has_it() {
    let now = explain("ignition.config.merge", "fcos", "1.1.0", Lang::English).unwrap();
    let then = explain("ignition.config.merge", "fcos", "1.0.0", Lang::English).unwrap();
    assert!(now.contains("\n    local ") && !then.contains("\n    local "), "{then}");
    let lacking = explain("ignition.config.merge.local", "fcos", "1.0.0", Lang::English).unwrap();
    assert!(lacking.contains("fcos 1.0.0 does not have this key"), "{lacking}");
}

#[test]
fn the_empty_path_lists_the_outermost_keys() {
    let text = nestos("", Lang::English);
    assert!(text.starts_with("nestos 1.0.0, compiled to Ignition 3.3.0\n\n  Keys\n"), "{text}");
    let keys: Vec<&str> =
        text.lines().skip(3).filter_map(|l| l.split_whitespace().next()).collect();
    let want = "version variant ignition kernel_arguments passwd storage systemd boot_device grub";
    assert_eq!(keys, want.split(' ').collect::<Vec<_>>());
    assert_eq!(nestos("$", Lang::English), text);
}

#[test]
fn paths_are_understood_as_reports_and_ignition_spell_them() {
    let want = nestos("storage.disks.partitions.size_mib", Lang::English);
    for path in [
        "$.storage.disks.0.partitions.1.size_mib",
        "storage.disks[0].partitions[].sizeMiB",
        ".storage.disks.partitions.sizeMiB",
    ] {
        assert_eq!(nestos(path, Lang::English), want, "{path}");
    }
}

#[test]
fn unknown_keys_and_dialects_are_answered_with_what_there_is() {
    let cases = [
        ("storage.file.mode", "no variant has a key storage.file: did you mean storage.files?"),
        (
            "storage.files.modes",
            "no variant has a key storage.files.modes: did you mean \
                                 storage.files.mode?",
        ),
        ("gecos", "no variant has a key gecos: did you mean passwd.users.gecos?"),
        ("storage.files.mode.x", "no variant has a key storage.files.mode.x"),
        ("nonsense", "no variant has a key nonsense"),
    ];
    for (path, want) in cases {
        assert_eq!(nestos(path, Lang::English), want);
    }
    let error = |variant, version| {
        explain("", variant, version, Lang::English).map_err(|e| e.to_string()).unwrap_err()
    };
    assert_eq!(error("nestos", "1.1.0"), "variant nestos has no version 1.1.0: it has 1.0.0");
    assert_eq!(
        error("coreos", "1.0.0"),
        "unknown variant coreos: there are nestos, fcos, flatcar, r4e, fiot, openshift"
    );
}

#[test]
fn every_key_of_every_version_is_explained() {
    for dialect in DIALECTS {
        let mut paths: Vec<String> = keys(dialect, "");
        while let Some(path) = paths.pop() {
            for lang in [Lang::English, Lang::Chinese] {
                let text = explain(&path, dialect.variant, dialect.version, lang).unwrap();
                assert!(!text.contains("does not have this key"), "{path}: {text}");
            }
            paths.extend(keys(dialect, &path));
        }
    }
}

fn keys(dialect: &'static Dialect, path: &str) -> Vec<String> {
    let steps = Steps::parse(path);
    let keys = lookup::keys_below(&steps, dialect);
    let steps = if path.is_empty() { Steps::default() } else { steps };
    keys.into_iter().map(|key| steps.join(key)).collect()
}
