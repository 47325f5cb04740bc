//! Sections that stand for files: GRUB's users, quadlets, trees.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Value, json};

use super::{FCOS, at, compile_in, errors, good};

#[test]
fn grub_users_become_a_file_and_a_filesystem() {
    let body = "grub: {users: [{name: a, password_hash: x}, {name: b, password_hash: y}]}";
    let text = "data:;base64,IyBHZW5lcmF0ZWQgYnkgQnV0YW5lCgpzZXQgc3VwZXJ1c2Vycz0iYSBiIgpwYXNzd29yZ\
                F9wYmtkZjIgYSB4CnBhc3N3b3JkX3Bia2RmMiBiIHkK";
    let expected = json!({
        "files": [{"path": "/boot/grub2/user.cfg",
                   "append": [{"compression": "", "source": text}]}],
        "filesystems": [{"device": "/dev/disk/by-label/boot", "format": "ext4", "path": "/boot"}],
    });
    for (version, _) in FCOS.iter().skip(5) {
        assert_eq!(good(&format!("fcos {version}"), body)["storage"], expected, "{version}");
        good(&format!("fcos {version}"), "grub: {users: []}");
    }
}

#[test]
fn grub_users_need_a_name_and_a_hash() {
    for (body, expected) in [
        ("{name: a}", vec!["password_hash"]),
        ("{password_hash: x}", vec!["name"]),
        ("{name: '', password_hash: ''}", vec!["name", "password_hash"]),
    ] {
        let expected: Vec<String> = expected
            .iter()
            .map(|key| format!("error at $.grub.users.0.{key}: field \"{key}\" is required"))
            .collect();
        assert_eq!(errors("fcos 1.5.0", &format!("grub: {{users: [{body}]}}")), expected);
    }
}

#[test]
fn what_the_user_appends_to_the_grub_config_comes_after_the_users() {
    let body = "grub: {users: [{name: a, password_hash: x}]}\n\
                storage: {files: [{path: /boot/grub2/user.cfg, append: [{inline: mine}]}], \
                filesystems: [{device: /dev/disk/by-label/boot, format: xfs, path: /boot}]}";
    let json = good("fcos 1.5.0", body);
    assert_eq!(at(&json, "/storage/files/0/append/1/source"), "data:,mine");
    assert_eq!(json["storage"]["files"].as_array().unwrap().len(), 1);
    assert_eq!(at(&json, "/storage/filesystems/0/format"), "xfs");
}

const NEWEST: &str = "fcos 1.8.0-experimental";

#[test]
fn quadlets_become_files_for_the_system_or_for_users() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("b.volume"), "[Volume]").unwrap();
    fs::write(dir.path().join("drop"), "[Pod]").unwrap();
    let body = "systemd: {quadlets: [\n\
                  {name: a.container, rootful: true, contents: c, dropins: [{name: 1.conf, \
                contents: d}]},\n\
                  {name: b.volume, contents_local: b.volume, dropins: [{name: 2.conf, \
                contents_local: drop}]},\n\
                  {name: c.pod, rootful: false}]}";
    let run = compile_in(dir.path(), NEWEST, body);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    let file = |path: &str, text: &str| {
        let contents = json!({"compression": "", "source": format!("data:,{text}")});
        json!({"path": format!("/etc/containers/systemd/{path}"), "contents": contents,
               "mode": 0o644})
    };
    let expected = json!([
        file("a.container", "c"),
        file("a.container.d/1.conf", "d"),
        file("users/b.volume", "%5BVolume%5D"),
        file("users/b.volume.d/2.conf", "%5BPod%5D"),
        file("users/c.pod", ""),
    ]);
    assert_eq!(at(&json, "/storage/files"), expected);
    assert_eq!(json.get("systemd"), None);
}

#[test]
fn instances_of_quadlet_templates_become_links() {
    let body = "systemd: {quadlets: [{name: a@.container, contents: c}, {name: a@1.container, \
                dropins: [{name: 1.conf, contents: d}]}]}";
    let json = good(NEWEST, body);
    let dir = "/etc/containers/systemd/users";
    assert_eq!(
        at(&json, "/storage/links"),
        json!([{"path": format!("{dir}/a@1.container"), "target": "a@.container"}])
    );
    assert_eq!(at(&json, "/storage/files/0/path"), format!("{dir}/a@.container"));
    assert_eq!(at(&json, "/storage/files/1/path"), format!("{dir}/a@1.container.d/1.conf"));
}

#[test]
fn quadlets_that_podman_would_not_read_are_refused() {
    let extension = "unsupported file extension for quadlet: must be one of .container, .volume, \
                     .network, .kube, .image, .build, .pod, or .artifact";
    let quadlet = |body: &str| errors(NEWEST, &format!("systemd: {{quadlets: [{body}]}}"));
    for name in ["a.service", "a", "a.Container"] {
        let expected = [format!("error at $.systemd.quadlets.0.name: {extension}")];
        assert_eq!(quadlet(&format!("{{name: {name}}}")), expected, "{name}");
    }
    assert_eq!(
        quadlet("{name: a@1.pod, contents: x}"),
        [
            "error at $.systemd.quadlets.0: template instances cannot have contents or contents_local"
        ]
    );
    assert_eq!(
        quadlet("{name: a.pod, contents: x, contents_local: y}"),
        ["error at $.systemd.quadlets.0.contents_local: only one of the following can be set: \
          contents, contents_local"]
    );
    assert_eq!(
        quadlet("{name: a.pod}, {name: a.pod}"),
        ["error at $.systemd.quadlets.1: matching filesystem node has existing contents or \
          different type"]
    );
}

#[test]
fn every_extension_of_quadlets_is_known() {
    for extension in ["container", "volume", "network", "kube", "image", "build", "pod", "artifact"]
    {
        good(NEWEST, &format!("systemd: {{quadlets: [{{name: a.{extension}}}]}}"));
    }
}

#[test]
fn trees_have_owners_and_modes_from_1_7() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("tree/sub/empty")).unwrap();
    for (name, mode) in [("tree/run", 0o755), ("tree/sub/plain", 0o600)] {
        fs::write(dir.path().join(name), "x").unwrap();
        fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    symlink("run", dir.path().join("tree/link")).unwrap();
    let storage = |more: &str| {
        let body = format!("storage: {{trees: [{{local: tree, path: /opt/t{more}}}]}}");
        let run = compile_in(dir.path(), "fcos 1.7.0", &body);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{more}");
        at(&serde_json::from_str(&run.stdout).unwrap(), "/storage")
    };
    let plain = storage("");
    assert_eq!(plain.get("directories"), None);
    assert_eq!(at(&plain, "/files/0/mode"), 0o755);
    assert_eq!(at(&plain, "/files/1/mode"), 0o644);

    let owned = storage(", user: {name: u}, group: {id: 7}, file_mode: 0640, dir_mode: 0750");
    let (user, group) = (json!({"name": "u"}), json!({"id": 7}));
    let directories = ["/opt/t", "/opt/t/sub", "/opt/t/sub/empty"]
        .map(|path| json!({"path": path, "mode": 0o750, "user": user, "group": group}));
    assert_eq!(owned["directories"], json!(directories));
    for n in [0, 1] {
        assert_eq!(at(&owned, &format!("/files/{n}/mode")), 0o640);
        assert_eq!(at(&owned, &format!("/files/{n}/user")), user);
        assert_eq!(at(&owned, &format!("/files/{n}/group")), group);
    }
    assert_eq!(at(&owned, "/links/0/user"), user);

    for more in [", user: {name: u}", ", group: {id: 7}"] {
        let modes = storage(more)["directories"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| d["mode"] == 0o755)
            .collect::<Vec<_>>();
        assert_eq!(modes, [true; 3], "{more}");
    }
    let only_files = storage(", file_mode: 0600");
    assert_eq!(only_files.get("directories"), None);
    assert_eq!(at(&only_files, "/files/0/mode"), 0o600);
}

#[test]
fn what_the_config_says_of_a_file_wins_over_its_tree() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("tree")).unwrap();
    fs::write(dir.path().join("tree/a"), "x").unwrap();
    let body = "storage: {files: [{path: /a, mode: 0400, user: {name: me}}], trees: [{local: tree, \
                file_mode: 0640, user: {name: u}}]}";
    let run = compile_in(dir.path(), "fcos 1.7.0", body);
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    let file = at(&json, "/storage/files/0");
    assert_eq!((&file["mode"], &file["user"]), (&json!(0o400), &json!({"name": "me"})));
    assert_eq!(file["contents"]["source"], "data:,x");
}
