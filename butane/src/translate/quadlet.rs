//! `systemd.quadlets`: containers that systemd runs, as files where podman's generator finds them.

use super::contents::{self, Sources};
use super::nodes::{EXISTS, Nodes};
use crate::data_url::Body;
use crate::path::Path;
use crate::report::Report;
use crate::schema::{CONTENTS, FILE, LINK, STORAGE};
use crate::value::{Kind, Object, Value};

/// What podman's generator makes units of, by the end of the name.
pub(crate) const EXTENSIONS: [&str; 8] =
    ["container", "volume", "network", "kube", "image", "build", "pod", "artifact"];

const OF_ROOT: &str = "/etc/containers/systemd";
const OF_USERS: &str = "/etc/containers/systemd/users";
const MODE: i64 = 0o644;

/// Replaces the quadlets of a config by files and links.
pub(crate) fn expand(config: &mut Object, sources: &Sources<'_>, report: &mut Report) {
    let systemd = config.get_mut("systemd").map(|value| &mut value.kind);
    let Some(Kind::Object(systemd)) = systemd else { return };
    let Some(Value { kind: Kind::List(quadlets), .. }) = systemd.take("quadlets") else { return };
    if quadlets.is_empty() {
        return;
    }
    let origin = Path::default().key("systemd").key("quadlets");
    let Some(storage) = config.object_mut("storage", &STORAGE, &origin) else { return };
    let nodes = Nodes::of(storage);
    let mut expansion = Expansion { storage, nodes, sources, report };
    for quadlet in &quadlets {
        if let Kind::Object(object) = &quadlet.kind {
            expansion.quadlet(object, &quadlet.origin);
        }
    }
}

/// Returns the template that a name is an instance of: `a@.container` for `a@1.container`.
pub(crate) fn template(name: &str) -> Option<String> {
    let at = name.find('@')?;
    let dot = name.find('.');
    if dot == Some(at + 1) {
        return None;
    }
    // A name without a dot is refused for that elsewhere.
    let extension = dot.map_or(name, |dot| &name[dot + 1..]);
    Some(format!("{}@.{extension}", &name[..at]))
}

struct Expansion<'e> {
    storage: &'e mut Object,
    nodes: Nodes,
    sources: &'e Sources<'e>,
    report: &'e mut Report,
}

impl Expansion<'_> {
    fn quadlet(&mut self, quadlet: &Object, at: &Path) {
        let name = quadlet.text("name").unwrap_or_default();
        let dir = if quadlet.flag("rootful") == Some(true) { OF_ROOT } else { OF_USERS };
        let path = format!("{dir}/{name}");
        if let Some(template) = template(name) {
            let link = Object::new(&LINK)
                .with("path", &at.key("name"), path.clone())
                .with("target", at, template);
            if self.nodes.add(self.storage, "links", &path, Value::new(at, link)).is_none() {
                self.report.error(at, EXISTS);
            }
        } else {
            self.file(quadlet, path, at);
        }
        for (_, dropin, object) in quadlet.objects("dropins") {
            let name = object.text("name").unwrap_or_default();
            let path = format!("{dir}/{}.d/{name}", quadlet.text("name").unwrap_or_default());
            self.file(object, path, &dropin.origin);
        }
    }

    fn file(&mut self, source: &Object, path: String, at: &Path) {
        let mut file = Object::new(&FILE).with("path", &at.key("name"), path.clone());
        let (key, bytes) = match (source.filled("contents"), source.filled("contents_local")) {
            (Some(text), _) => ("contents", Ok(text.as_bytes().to_vec())),
            (None, Some(local)) => ("contents_local", self.sources.files_dir.read(local)),
            (None, None) => ("contents", Ok(vec![])),
        };
        let origin = at.key(key);
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(message) => return self.report.error(&origin, message),
        };
        let mut resource = Object::new(&CONTENTS);
        let compress = self.sources.compress(&resource);
        contents::set(&mut resource, Body::Bytes(bytes), compress, &origin);
        file.set("contents", Value::new(&origin, resource));
        file.set("mode", Value::new(at, MODE));
        if self.nodes.add(self.storage, "files", &path, Value::new(at, file)).is_none() {
            self.report.error(at, EXISTS);
        }
    }
}
