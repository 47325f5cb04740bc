use super::*;

fn given(addresses: &str, gateways: &str, dns: &str) -> Result<Static, String> {
    let make = || Static::new(super::addresses(addresses)?, hosts(gateways)?, hosts(dns)?);
    make().map_err(|e| e.to_string())
}

#[test]
fn addresses_are_those_of_single_machines() {
    for good in ["192.0.2.10/24", "10.0.0.0/31", "10.0.0.1/32", "2001:db8::1/64", "fe80::1/10"] {
        assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
    }
    for (bad, reason) in [
        ("", "no address"),
        ("192.0.2.10", "no address"),
        ("192.0.2/24", "no address"),
        ("192.0.2.10/+24", "no address"),
        ("192.0.2.10/33", "from 1 to 32"),
        ("192.0.2.10/0", "from 1 to 32"),
        ("2001:db8::1/129", "from 1 to 128"),
        ("192.0.2.0/24", "address of the network"),
        ("2001:db8::/64", "address of the network"),
        ("192.0.2.255/24", "broadcast"),
        ("127.0.0.1/8", "no machine"),
        ("0.0.0.0/8", "no machine"),
        ("224.0.0.1/4", "no machine"),
        ("::1/128", "no machine"),
        ("ff02::1/64", "no machine"),
    ] {
        let error = bad.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains(reason), "{bad}: {error}");
    }
}

#[test]
fn gateways_are_neighbours() {
    let both = "192.0.2.10/24,2001:db8::10/64";
    assert!(given(both, "192.0.2.1 2001:db8::1", "192.0.2.53").is_ok());
    assert!(given(both, "fe80::1", "").is_ok());
    assert!(given("192.0.2.10/24, 198.51.100.7/24", "192.0.2.1", "").is_ok());
    for (gateways, reason) in [
        ("198.51.100.1", "not in the network of"),
        ("192.0.2.10", "the machine itself"),
        ("192.0.2.0", "address of the network"),
        ("192.0.2.255", "broadcast"),
        ("192.0.2.1 192.0.2.2", "only one gateway"),
        ("2001:db8:1::1", "not in the network of"),
        ("x", "no IP address"),
    ] {
        let error = given(both, gateways, "").unwrap_err();
        assert!(error.contains(reason), "{gateways}: {error}");
    }
    assert!(given("192.0.2.10/24", "2001:db8::1", "").unwrap_err().contains("no address is in"));
    assert!(given("192.0.2.10/24 192.0.2.10/25", "", "").unwrap_err().contains("twice"));
    assert!(given("", "", "").unwrap_err().contains("no address"));
}

#[test]
fn name_servers_can_be_reached() {
    let error = given("2001:db8::10/64", "2001:db8::1", "2001:db8::53 192.0.2.53").unwrap_err();
    assert_eq!(error, "without an IPv4 address the name server 192.0.2.53 cannot be asked");
    // Routers announce IPv6.
    assert!(given("192.0.2.10/24", "", "2001:db8::53").is_ok());
    // Even if such a connection were made, its keyfile would be valid.
    let addresses = addresses("2001:db8::10/64").unwrap();
    let method =
        Method::Static(Static { addresses, gateways: vec![], dns: hosts("192.0.2.53").unwrap() });
    let keyfile = Connection { interface: "eth0".parse().unwrap(), method }.keyfile();
    assert!(keyfile.contains("[ipv4]\nmethod=disabled\n\n[ipv6]"), "{keyfile}");
}

#[test]
fn what_is_used_twice_is_refused() {
    let connection = |name: &str, address: &str| Connection {
        interface: name.parse().unwrap(),
        method: Method::Static(given(address, "", "").unwrap()),
    };
    let check = |a, b| check_unique(&[a, b]).map_err(|e| e.to_string());
    let one = || connection("eth0", "192.0.2.10/24");
    assert!(check(one(), connection("eth1", "192.0.2.11/24")).is_ok());
    assert!(
        check(one(), connection("eth1", "192.0.2.10/24")).unwrap_err().contains("two interfaces")
    );
    assert!(check(one(), connection("eth0", "192.0.2.11/24")).unwrap_err().contains("twice"));
    for bad in ["", "lo", "a/b", "..", "a b", "abcdefghijklmnop", "-a", "eth:0"] {
        assert!(bad.parse::<Interface>().is_err(), "{bad}");
    }
}

#[test]
fn keyfiles_say_what_was_given() {
    let interface: Interface = "eth0".parse().unwrap();
    let dhcp = Connection { interface: interface.clone(), method: Method::Dhcp };
    let head = "[connection]\nid=eth0\ntype=ethernet\ninterface-name=eth0\nautoconnect=true\n\n";
    let rest = "[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n";
    assert_eq!(dhcp.keyfile(), format!("{head}{rest}"));
    let both = given(
        "192.0.2.10/24 192.0.2.11/24 2001:db8::10/64",
        "192.0.2.1 fe80::1",
        "192.0.2.53 2001:db8::53 192.0.2.54",
    );
    let connection =
        Connection { interface: interface.clone(), method: Method::Static(both.unwrap()) };
    assert_eq!(
        connection.keyfile(),
        format!(
            "{head}[ipv4]\nmethod=manual\naddress1=192.0.2.10/24\naddress2=192.0.2.11/24\n\
             gateway=192.0.2.1\ndns=192.0.2.53;192.0.2.54;\n\n\
             [ipv6]\nmethod=manual\naddress1=2001:db8::10/64\ngateway=fe80::1\ndns=2001:db8::53;\n"
        )
    );
    let six = Method::Static(given("2001:db8::10/64", "", "").unwrap());
    assert!(Connection { interface, method: six }.keyfile().contains("[ipv4]\nmethod=disabled\n"));
}
