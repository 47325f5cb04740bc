use super::*;
use proptest::prelude::*;

fn places(conf: &str, image: &str) -> Result<Vec<String>, String> {
    let conf = RegistriesConf::parse(conf).map_err(|e| e.to_string())?;
    let places = conf.places(&image.parse().unwrap()).map_err(|e| format!("{e:#}"))?;
    Ok(places.iter().map(|p| format!("{} {:?} {:?}", p.name, p.trust, p.role)).collect())
}

#[test]
fn an_image_without_a_rule_comes_from_its_host() {
    assert_eq!(places("", "h/x:t").unwrap(), ["h/x:t Verified Location"]);
    let other = "[[registry]]\nlocation = \"h/xy\"\ninsecure = true";
    assert_eq!(places(other, "h/x:t").unwrap(), ["h/x:t Verified Location"]);
}

#[test]
fn the_longest_prefix_wins() {
    let conf = r#"
        unqualified-search-registries = ["docker.io"]
        [[registry]]
        location = "h:5000"
        insecure = true
        [[registry]]
        prefix = "h:5000/team"
        location = "store.example.com/mirror"
        [[registry]]
        prefix = "*.example.com"
        insecure = true
        [[registry]]
        prefix = "*.example.org"
        location = "proxy.local/org"
    "#;
    for (image, place) in [
        ("h:5000/x:t", "h:5000/x:t Insecure Location"),
        ("h:5000/team/x:t", "store.example.com/mirror/x:t Verified Location"),
        ("h:5000/teams/x:t", "h:5000/teams/x:t Insecure Location"),
        ("a.b.example.com/x:t", "a.b.example.com/x:t Insecure Location"),
        ("example.com/x:t", "example.com/x:t Verified Location"),
        ("a.example.org/x:t", "proxy.local/org/x:t Verified Location"),
    ] {
        assert_eq!(places(conf, image).unwrap(), [place], "{image}");
    }
}

#[test]
fn mirrors_come_first_and_may_want_a_digest() {
    let conf = r#"
        [[registry]]
        location = "h"
        [[registry.mirror]]
        location = "a.local/h"
        insecure = true
        [[registry.mirror]]
        location = "b.local"
        pull-from-mirror = "digest-only"
        [[registry.mirror]]
        location = "c.local"
        pull-from-mirror = "tag-only"
    "#;
    assert_eq!(
        places(conf, "h/x:t").unwrap(),
        ["a.local/h/x:t Insecure Mirror", "c.local/x:t Verified Mirror", "h/x:t Verified Location"]
    );
    let digest = format!("sha256:{}", "ab".repeat(32));
    assert_eq!(
        places(conf, &format!("h/x@{digest}")).unwrap(),
        [
            format!("a.local/h/x@{digest} Insecure Mirror"),
            format!("b.local/x@{digest} Verified Mirror"),
            format!("h/x@{digest} Verified Location")
        ]
    );
}

#[test]
fn blocked_registries_are_not_asked() {
    let error = places("[[registry]]\nlocation = \"h\"\nblocked = true", "h/x:t").unwrap_err();
    assert!(error.contains("h/x:t is blocked by the rule for \"h\""), "{error}");
}

#[test]
fn rules_that_mean_nothing_are_refused() {
    for (conf, says) in [
        ("[[registry]]", "a [[registry]] has neither prefix nor location"),
        ("[[registry]]\nprefix = \"h\"", "the [[registry]] with prefix \"h\" has no location"),
        (
            "[[registry]]\nlocation = \"http://h\"",
            "the location \"http://h\" is a URL, and a host or HOST/REPOSITORY was expected",
        ),
        ("[registries.insecure]\nregistries = [\"h\"]", "hint: write [[registry]] tables"),
        ("[[registry]]\ninsecure = \"yes\"", "TOML parse error at line 2, column 12"),
    ] {
        let error = places(conf, "h/x:t").unwrap_err();
        assert!(error.starts_with(says), "{error}");
    }
}

#[test]
fn fragments_replace_rules_in_the_order_of_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let fragments = dir.path().join("etc/containers/registries.conf.d");
    std::fs::create_dir_all(&fragments).unwrap();
    let rule = |insecure: &str| format!("[[registry]]\nlocation = \"h\"\ninsecure = {insecure}\n");
    std::fs::write(dir.path().join("etc/containers/registries.conf"), rule("false")).unwrap();
    std::fs::write(fragments.join("20.conf"), rule("true")).unwrap();
    std::fs::write(fragments.join("10.conf"), rule("false")).unwrap();
    std::fs::write(fragments.join("30.txt"), rule("false")).unwrap();
    let conf = RegistriesConf::load(dir.path()).unwrap();
    assert_eq!(conf.places(&"h/x".parse().unwrap()).unwrap()[0].trust, Trust::Insecure);
    let none = RegistriesConf::load(&dir.path().join("none")).unwrap();
    assert_eq!(none, RegistriesConf::default());
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(
        text in "\\PC{0,200}",
        prefix in "[*a-z./:@]{0,12}",
        location in "[*a-z./:@]{0,12}",
    ) {
        drop(RegistriesConf::parse(&text));
        let conf = format!("[[registry]]\nprefix = \"{prefix}\"\nlocation = \"{location}\"\n");
        if let Ok(conf) = RegistriesConf::parse(&conf) {
            drop(conf.places(&"a.b:5/c:d".parse().unwrap()));
        }
    }
}
