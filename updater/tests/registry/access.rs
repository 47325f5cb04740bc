//! Who may ask, and without TLS or not.

use super::server::{Answer, End, Node, Request, Server, content, drain, layer, lines};
use nestos_updater::fetch::{self, FetchError};

const SINGLE: &str = "application/vnd.oci.image.manifest.v1+json";
const MANIFEST: &[u8] = br#"{"schemaVersion":2,"config":{},"layers":[]}"#;

fn bearer(request: &Request) -> Answer {
    let realm = format!("http://{}/token?x=1", request.header("host"));
    let challenge = format!(r#"Bearer realm="{realm}",service="s",scope="repository:a/b:pull""#);
    Answer::new(401, r#"{"errors":[{"message":"who are you"}]}"#)
        .with("WWW-Authenticate", challenge)
}

/// Gives out the tokens t0, t1, … and forgets each after some requests.
fn with_tokens(uses: usize) -> Server {
    let state = std::sync::Mutex::new((0, 0));
    Server::start(move |request, before| {
        let mut state = state.lock().unwrap();
        let (token, used) = &mut *state;
        if request.path.starts_with("/token") {
            (*token, *used) = (before, 0);
            return Answer::new(200, format!(r#"{{"token":"t{before}","expires_in":60}}"#));
        }
        *used += 1;
        if request.header("authorization") != format!("Bearer t{token}") || *used > uses {
            return bearer(request);
        }
        if request.path.contains("manifests") {
            return Answer::manifest(MANIFEST, SINGLE);
        }
        match request.range() {
            Some(start) => Answer::part(content(1000), start),
            None => Answer::new(200, content(1000)).end(End::CutAfter(500)),
        }
    })
}

#[test]
fn a_token_is_fetched_once_and_renewed_when_it_is_refused() {
    let server = with_tokens(2);
    let node = Node::insecure(&[&server]);
    node.log_in(&server.host, "me:secret");
    let source = node.open(&format!("registry:{}/a/b:v1", server.host));
    assert_eq!(source.manifest().unwrap().bytes, MANIFEST);
    assert_eq!(drain(&*source, &layer(content(1000))).unwrap(), content(1000));
    let token = "GET /token?x=1&service=s&scope=repository%3Aa%2Fb%3Apull";
    let requests = server.requests();
    let tokens: Vec<_> = requests.iter().filter(|r| r.path.starts_with("/token")).collect();
    assert_eq!(tokens.len(), 2, "{:?}", server.asked());
    assert_eq!(format!("GET {}", tokens[0].path), token);
    assert!(tokens.iter().all(|r| r.header("authorization") == "Basic bWU6c2VjcmV0"));
    assert_eq!(requests[0].header("authorization"), "", "secrets wait until they are asked for");
}

#[test]
fn an_identity_token_is_sent_as_a_form() {
    let server = with_tokens(9);
    let node = Node::insecure(&[&server]);
    let auths = serde_json::json!({"auths": {&server.host: {"identitytoken": "i&d"}}});
    node.write("run/ostree/auth.json", auths.to_string());
    node.open(&format!("registry:{}/a/b:v1", server.host)).manifest().unwrap();
    assert_eq!(
        server.asked()[1],
        "POST /token?x=1?service=s&scope=repository%3Aa%2Fb%3Apull&grant_type=refresh_token\
         &client_id=nestos-updater&refresh_token=i%26d"
    );
}

#[test]
fn without_credentials_a_token_is_asked_for_anonymously() {
    let server = with_tokens(9);
    let node = Node::insecure(&[&server]);
    node.open(&format!("registry:{}/a/b:v1", server.host)).manifest().unwrap();
    assert_eq!(server.requests()[1].header("authorization"), "");
}

#[test]
fn a_name_and_password_are_sent_when_they_are_asked_for() {
    let server = Server::start(|request, _| match request.header("authorization") {
        "Basic bWU6c2VjcmV0" => Answer::manifest(MANIFEST, SINGLE),
        _ => Answer::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\""),
    });
    let node = Node::insecure(&[&server]);
    node.log_in(&format!("{}/a", server.host), "me:secret");
    let source = node.open(&format!("registry:{}/a/b:v1", server.host));
    source.manifest().unwrap();
    source.manifest().unwrap();
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn a_denied_access_says_where_credentials_were_looked_for() {
    let server = Server::start(|request, _| bearer(request));
    let node = Node::insecure(&[&server]);
    let denied = |node: &Node| {
        let result = node.open(&format!("registry:{}/a/b:v1", server.host)).manifest();
        let error = result.unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(FetchError::Denied { .. })), "{error:?}");
        let lines = nestos_host::term::error_lines(&error);
        assert!(!format!("{lines:?} {error:?}").contains("hush"), "{error:?}");
        lines.iter().map(|line| node.neutral(line, &server)).collect::<Vec<_>>()
    };
    let said = "error: HOST denies access to a/b: HOST gives out no token (401 Unauthorized)";
    assert_eq!(
        denied(&node),
        [
            said,
            "hint: no credentials for it are in any of /etc/nestos/auth.json, \
             /etc/ostree/auth.json, /run/ostree/auth.json, /usr/lib/ostree/auth.json, \
             /run/containers/0/auth.json; \
             `podman login --authfile /etc/nestos/auth.json HOST` puts them there"
        ]
    );
    node.log_in(&server.host, "me:hush");
    assert_eq!(
        denied(&node),
        [
            said,
            "hint: the credentials came from \"HOST\" in /etc/nestos/auth.json: \
             check that they are still valid"
        ]
    );
}

#[test]
fn what_a_registry_says_about_a_refusal_is_passed_on() {
    let server = Server::start(|_, _| Answer::new(403, r#"{"errors":[{"message":"no pull"}]}"#));
    let node = Node::insecure(&[&server]);
    let said = lines(node.open(&format!("registry:{}/a/b:v1", server.host)).manifest());
    let expected = "error: HOST denies access to a/b: 403 Forbidden: no pull";
    assert_eq!(node.neutral(&said[0], &server), expected);
}

#[test]
fn a_redirect_to_another_host_gets_no_credentials() {
    let store = Server::start(|_, _| Answer::new(200, content(1000)));
    let place = format!("http://{}/bucket?signature=1", store.host);
    let server = Server::start(move |request, _| match request.header("authorization") {
        "Basic bWU6c2VjcmV0" => Answer::new(307, "").with("Location", place.clone()),
        _ => Answer::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\""),
    });
    let node = Node::insecure(&[&server]);
    node.log_in(&server.host, "me:secret");
    let source = node.open(&format!("registry:{}/a/b:v1", server.host));
    assert_eq!(drain(&*source, &layer(content(1000))).unwrap(), content(1000));
    let [request] = store.requests().try_into().unwrap();
    assert_eq!(
        (request.path.as_str(), request.header("authorization")),
        ("/bucket?signature=1", "")
    );
    assert_eq!(request.header("referer"), "");
}

#[test]
fn another_host_that_asks_for_credentials_gets_none() {
    let store = Server::start(|request, _| bearer(request));
    let place = format!("http://{}/bucket", store.host);
    let server = Server::start(move |_, _| Answer::new(307, "").with("Location", place.clone()));
    let node = Node::insecure(&[&server]);
    node.log_in(&server.host, "me:secret");
    let source = node.open(&format!("registry:{}/a/b:v1", server.host));
    let lines = drain(&*source, &layer(content(1000))).unwrap_err();
    assert!(lines[0].ends_with("401 Unauthorized: who are you"), "{lines:?}");
    assert_eq!(store.asked(), ["GET /bucket"], "nobody asked its realm for a token");
}

#[test]
fn a_registry_without_tls_is_not_asked_unless_that_is_declared() {
    let server = Server::start(|_, _| Answer::manifest(MANIFEST, SINGLE));
    let node = Node::new("");
    let said = lines(node.open(&format!("registry:{}/nestos:v1", server.host)).manifest());
    let said: Vec<_> = said.iter().map(|line| node.neutral(line, &server)).collect();
    assert_eq!(
        said,
        [
            "error: cannot reach HOST",
            "  because: received corrupt message of type InvalidContentType",
            "hint: if it has no TLS on purpose, declare that in \
             /etc/containers/registries.conf.d/50-insecure.conf:\n\
             [[registry]]\nlocation = \"HOST\"\ninsecure = true"
        ]
    );
    assert_eq!(server.asked(), Vec::<String>::new());
    // What the hint says helps.
    let toml = said[2].split_once(":\n").unwrap().1.replace("HOST", &server.host);
    node.write("etc/containers/registries.conf.d/50-insecure.conf", toml);
    node.open(&format!("registry:{}/nestos:v1", server.host)).manifest().unwrap();
}

#[test]
fn a_host_that_is_not_there_is_tried_a_few_times() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = lines(Node::new("").open(&format!("registry:{closed}/nestos:v1")).manifest());
    assert_eq!(
        said,
        [
            format!("error: cannot reach {closed}"),
            "  because: Connection refused (os error 111)".to_owned()
        ]
    );
}

#[test]
fn a_broken_credential_file_is_named() {
    let node = Node::new("");
    node.write("etc/nestos/auth.json", "{");
    let said = lines(fetch::open(&"registry:h/x:t".parse().unwrap(), &node.options()));
    let root = node.root.path().display().to_string();
    assert_eq!(
        said.iter().map(|l| l.replace(&root, "")).collect::<Vec<_>>(),
        [
            "error: cannot read /etc/nestos/auth.json",
            "  because: line 1, column 1: not as containers-auth.json(5) wants it"
        ]
    );
}
