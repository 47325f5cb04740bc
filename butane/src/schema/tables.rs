//! The fields themselves. Order is Ignition's output order; sugar stands where its reports belong.

use super::{Field, Identity, Layer, Shape, Type};

use doc::doc;

pub(super) mod accounts;
pub(super) mod allows;
pub(super) mod config;
pub(super) mod contents;
pub(super) mod disks;
pub(super) mod doc;
pub(super) mod filesystems;
pub(super) mod nodes;
mod notes;
pub(super) mod platform;
pub(super) mod storage;
pub(super) mod systemd;

const fn text(yaml: &'static str, json: &'static str) -> Field {
    Field::new(yaml, json, Type::Text)
}

const fn int(yaml: &'static str, json: &'static str) -> Field {
    Field::new(yaml, json, Type::Int)
}

const fn flag(yaml: &'static str, json: &'static str) -> Field {
    Field::new(yaml, json, Type::Bool)
}

const fn object(yaml: &'static str, json: &'static str, shape: &'static Shape) -> Field {
    Field::new(yaml, json, Type::Object(shape))
}

const fn texts(yaml: &'static str, json: &'static str, one: &'static str) -> Field {
    Field::new(yaml, json, Type::Texts(one))
}

const fn list(yaml: &'static str, json: &'static str, shape: &'static Shape) -> Field {
    Field::new(yaml, json, Type::Objects(shape, None))
}

const fn shape(name: &'static str, identity: Identity, fields: &'static [Field]) -> Shape {
    home(name, Layer::Base, identity, fields)
}

const fn fcos(name: &'static str, identity: Identity, fields: &'static [Field]) -> Shape {
    home(name, Layer::Fcos, identity, fields)
}

const fn openshift(name: &'static str, fields: &'static [Field]) -> Shape {
    home(name, Layer::Openshift, Identity::None, fields)
}

const fn home(
    name: &'static str,
    home: Layer,
    identity: Identity,
    fields: &'static [Field],
) -> Shape {
    Shape { name, home, formerly: None, identity, fields }
}

const NAME: Identity = Identity::Field("name");
const PATH: Identity = Identity::Field("path");
