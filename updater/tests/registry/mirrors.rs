//! Mirrors of registries.conf.

use super::server::{Answer, End, Node, Server, content, drain, layer, lines};

const SINGLE: &str = "application/vnd.oci.image.manifest.v1+json";
const MANIFEST: &[u8] = br#"{"schemaVersion":2,"config":{},"layers":[]}"#;

fn good() -> Server {
    Server::start(|request, _| match (request.path.contains("manifests"), request.range()) {
        (true, _) => Answer::manifest(MANIFEST, SINGLE),
        (false, Some(start)) => Answer::part(content(1000), start),
        (false, None) => Answer::new(200, content(1000)),
    })
}

fn node(location: &Server, mirrors: &[&Server]) -> Node {
    let rule = |s: &&Server| {
        format!("[[registry.mirror]]\nlocation = \"{}/cache\"\ninsecure = true\n", s.host)
    };
    let mirrors: String = mirrors.iter().map(rule).collect();
    Node::new(&format!(
        "[[registry]]\nprefix = \"registry.example.com\"\nlocation = \"{}\"\ninsecure = true\n{mirrors}",
        location.host
    ))
}

#[test]
fn mirrors_are_asked_in_order_and_the_one_that_answers_stays() {
    let (away, has, location) = (Server::start(|_, _| Answer::new(404, "")), good(), good());
    let node = node(&location, &[&away, &has]);
    let source = node.open("registry:registry.example.com/a/b:v1");
    source.manifest().unwrap();
    assert_eq!(drain(&*source, &layer(content(1000))).unwrap(), content(1000));
    assert_eq!(away.asked(), ["GET /v2/cache/a/b/manifests/v1"]);
    assert_eq!(has.asked().len(), 2);
    assert_eq!(location.asked(), Vec::<String>::new());
}

#[test]
fn a_mirror_that_breaks_off_is_replaced_in_the_middle_of_a_blob() {
    let broken = Server::start(|_, _| Answer::new(200, content(1000)).end(End::CutAfter(400)));
    let location = good();
    let node = node(&location, &[&broken]);
    let source = node.open("registry:registry.example.com/a/b:v1");
    assert_eq!(drain(&*source, &layer(content(1000))).unwrap(), content(1000));
    let digest = layer(content(1000)).digest().to_string();
    assert_eq!(location.asked(), [format!("GET /v2/a/b/blobs/{digest} from 400")]);
}

#[test]
fn when_all_fail_the_registry_itself_is_believed_and_mirrors_are_told() {
    let busy = Server::start(|_, _| Answer::new(500, ""));
    let location = Server::start(|_, _| Answer::new(404, ""));
    let node = node(&location, &[&busy]);
    let error = node.open("registry:registry.example.com/a/b:v1").manifest().unwrap_err();
    let not_found = error.downcast_ref::<nestos_updater::fetch::FetchError>();
    assert_eq!(not_found.unwrap().to_string(), format!("no such tag a/b:v1 on {}", location.host));
    assert_eq!(
        nestos_host::term::error_lines(&error),
        [
            format!(
                "error: mirrors fail, too: {} answers 500 Internal Server Error when asked for \
                 tag a/b:v1",
                busy.host
            ),
            format!("  because: no such tag a/b:v1 on {}", location.host)
        ]
    );
    assert_eq!(busy.asked().len(), 1, "another host can be asked, so nobody waits");
}

#[test]
fn a_mirror_without_tls_must_be_declared_by_itself() {
    let (mirror, location) = (good(), Server::start(|_, _| Answer::new(404, "")));
    let conf = format!(
        "[[registry]]\nlocation = \"{}\"\ninsecure = true\n\
         [[registry.mirror]]\nlocation = \"{}\"\n",
        location.host, mirror.host
    );
    let node = Node::new(&conf);
    let said = lines(node.open(&format!("registry:{}/a/b:v1", location.host)).manifest());
    assert!(said[0].contains("mirrors fail, too: cannot reach "), "{said:?}");
    assert_eq!(mirror.asked(), Vec::<String>::new());
}

#[test]
fn a_blocked_registry_is_not_asked() {
    let server = good();
    let node = Node::new(&format!("[[registry]]\nlocation = \"{}\"\nblocked = true", server.host));
    let image = format!("registry:{}/nestos:v1", server.host).parse().unwrap();
    let said = lines(nestos_updater::fetch::open(&image, &node.options()));
    assert_eq!(
        node.neutral(&said[0], &server),
        "error: HOST/nestos:v1 is blocked by the rule for \"HOST\""
    );
}
