//! Who is let in: every authentication mode, with certificates of every kind. Runs against the reference, too.

use openssl::ssl::SslVersion;

use super::client::Client;
use super::{Site, messages};
use crate::harness::daemon::reference;
use crate::harness::pki::{Identity, Wanted};

/// Every client's message says who it is; those of `expected` arrive, with both versions of TLS.
fn check(site: Site, input: &str, clients: &[(&str, Option<&Identity>)], expected: &[&str]) {
    let (mut daemon, _) = site.start(&[input]);
    let port = daemon.port("port0");
    let versions = [("1.2", SslVersion::TLS1_2), ("1.3", SslVersion::TLS1_3)];
    for (name, identity) in clients {
        for (suffix, version) in versions {
            let message = format!("{name} {suffix}");
            let sent = Client::new(*identity).version(version).send(port, &message);
            assert!(sent.is_ok() || !expected.contains(name), "{input}: {message}: {sent:?}");
        }
    }
    let stopped = daemon.stop();
    let mut wanted: Vec<String> = expected
        .iter()
        .flat_map(|name| versions.map(|(suffix, _)| format!("<13>{name} {suffix}")))
        .collect();
    wanted.sort_unstable();
    assert_eq!(messages(&stopped), wanted, "{input}");
    if !reference() {
        let refused = 2 * (clients.len() - expected.len());
        assert_eq!(super::counter(&stopped, "tls.handshakes.failed"), refused, "{input}");
        assert_eq!(super::counter(&stopped, "tls.handshakes.ok"), 2 * expected.len(), "{input}");
        assert_eq!(super::counter(&stopped, "tls.handshakes.open"), 0, "{input}");
    }
}

#[test]
fn anonymous_clients_need_no_certificate() {
    let site = Site::new();
    let known = site.root.issue(&Wanted::name("known"));
    check(
        site,
        r#"streamDriver.authMode="anon""#,
        &[("nobody", None), ("known", Some(&known))],
        &["nobody", "known"],
    );
}

#[test]
fn a_valid_certificate_has_a_chain_to_our_authority() {
    let site = Site::new();
    let known = site.root.issue(&Wanted::name("known"));
    let own = Identity::own(&Wanted::name("known"));
    let other = Identity::root("test authority").issue(&Wanted::name("known"));
    let between = site.root.issue(&Wanted { authority: true, ..Wanted::name("between") });
    let below = between.issue(&Wanted::name("below"));
    // One who may not sign has signed.
    let forged = known.issue(&Wanted::name("forged"));
    let expired = site.root.issue(&Wanted { expired: true, ..Wanted::name("expired") });
    let server = site.root.issue(&Wanted { server_only: true, ..Wanted::name("server") });
    check(
        site,
        r#"streamDriver.authMode="x509/certvalid""#,
        &[
            ("nobody", None),
            ("known", Some(&known)),
            ("own", Some(&own)),
            ("other", Some(&other)),
            ("below", Some(&below)),
            ("forged", Some(&forged)),
            ("expired", Some(&expired)),
            ("server", Some(&server)),
        ],
        &["known", "below"],
    );
}

#[test]
fn names_are_those_of_the_list() {
    let site = Site::new();
    let issue = |wanted: Wanted<'_>| site.root.issue(&wanted);
    let a = issue(Wanted::name("other").dns("a.example.net"));
    let ab = issue(Wanted::name("other").dns("a.b.example.net"));
    let upper = issue(Wanted::name("other").dns("B.Example.NET"));
    let common = issue(Wanted::name("c.example.net"));
    let both = issue(Wanted::name("c.example.net").dns("elsewhere.org"));
    let second = issue(Wanted::name("x").dns("elsewhere.org").dns("d.example.net"));
    let parent = issue(Wanted::name("x").dns("example.net"));
    let wild = issue(Wanted::name("x").dns("*.example.org"));
    let inner = issue(Wanted::name("x").dns("foo.anything.bar"));
    let begins = issue(Wanted::name("x").dns("web17.example.com"));
    let own = Identity::own(&Wanted::name("x").dns("a.example.net"));
    let plain = issue(Wanted::name("plain"));
    let clients = [
        ("nobody", None),
        ("a", Some(&a)),
        ("ab", Some(&ab)),
        ("upper", Some(&upper)),
        ("common", Some(&common)),
        ("both", Some(&both)),
        ("second", Some(&second)),
        ("parent", Some(&parent)),
        ("wild", Some(&wild)),
        ("inner", Some(&inner)),
        ("begins", Some(&begins)),
        ("own", Some(&own)),
        ("plain", Some(&plain)),
    ];
    let peers = r#"permittedPeer=["*.example.net", "www.example.org", "foo.*.bar", "web*.example.com", "plain"]"#;
    let mut expected = vec!["a", "common", "both", "second", "inner", "begins", "plain"];
    // The reference compares letters exactly where there is a wildcard.
    expected.extend((!reference()).then_some("upper"));
    check(site, &format!(r#"streamDriver.authMode="x509/name" {peers}"#), &clients, &expected);
}

/// Who stands between the server's certificate and the root need not be in its file: the authorities' is looked into.
#[test]
fn the_chain_is_sent_whether_the_file_has_it_or_not() {
    for has_chain in [true, false] {
        let site = Site::new();
        let between = site.root.issue(&Wanted { authority: true, ..Wanted::name("between") });
        let server = between.issue(&Wanted::name("localhost"));
        server.write(site.dir.path(), "server");
        if !has_chain {
            let pem = |identity: &Identity| identity.certificate.to_pem().expect("PEM");
            std::fs::write(site.dir.path().join("server.pem"), pem(&server)).expect("write");
            let authorities = [pem(&between), pem(&site.root)].concat();
            std::fs::write(site.dir.path().join("ca.pem"), authorities).expect("write");
        }
        let (mut daemon, _) = site.start(&[r#"streamDriver.authMode="anon""#]);
        let stream = Client::new(None).connect(daemon.port("port0")).expect("handshake");
        let chain = stream.ssl().peer_cert_chain().expect("a chain");
        let name = |certificate: &openssl::x509::X509Ref| {
            let entry = certificate.subject_name().entries().next().expect("name");
            entry.data().to_string().expect("text")
        };
        let names: Vec<_> = chain.iter().map(name).collect();
        let known = ["localhost", "between", "test authority"];
        // A root in the file would be sent, too; from the authorities it is, as the library does it.
        assert_eq!(names, &known[..if has_chain { 2 } else { 3 }]);
        drop(stream);
        daemon.stop();
    }
}

#[test]
fn nobody_is_on_an_empty_list() {
    let site = Site::new();
    let known = site.root.issue(&Wanted::name("known"));
    check(site, "", &[("nobody", None), ("known", Some(&known))], &[]);
}

#[test]
fn the_common_name_gives_way_where_it_is_told_to() {
    let site = Site::new();
    let common = site.root.issue(&Wanted::name("a.example.net"));
    let both = site.root.issue(&Wanted::name("a.example.net").dns("elsewhere.org"));
    let right = site.root.issue(&Wanted::name("x").dns("a.example.net"));
    check(
        site,
        r#"streamDriver.PrioritizeSAN="on" permittedPeer="a.example.net""#,
        &[("common", Some(&common)), ("both", Some(&both)), ("right", Some(&right))],
        &["common", "right"],
    );
}

#[test]
fn addresses_are_names() {
    let site = Site::new();
    let address = |text: &str| Wanted {
        addresses: vec![text.parse().expect("address")],
        ..Wanted::name("x")
    };
    let four = site.root.issue(&address("10.1.2.3"));
    let other = site.root.issue(&address("10.1.2.4"));
    let six = site.root.issue(&address("2001:db8::1"));
    check(
        site,
        r#"permittedPeer=["10.1.2.3", "2001:0db8::0001"]"#,
        &[("four", Some(&four)), ("other", Some(&other)), ("six", Some(&six))],
        // The reference compares the text of addresses.
        if reference() { &["four"] } else { &["four", "six"] },
    );
}

#[test]
fn a_fingerprint_vouches_for_a_certificate() {
    let site = Site::new();
    let first = site.root.issue(&Wanted::name("first"));
    let second = site.root.issue(&Wanted::name("second"));
    let third = site.root.issue(&Wanted::name("third"));
    let own = Identity::own(&Wanted::name("own"));
    let lower = site.root.issue(&Wanted::name("lower"));
    let expired = site.root.issue(&Wanted { expired: true, ..Wanted::name("expired") });
    let peers = [
        first.fingerprint("SHA1"),
        second.fingerprint("SHA256"),
        own.fingerprint("SHA256"),
        lower.fingerprint("SHA1").to_lowercase(),
        expired.fingerprint("SHA1"),
    ]
    .join("\", \"");
    let clients = [
        ("nobody", None),
        ("first", Some(&first)),
        ("second", Some(&second)),
        ("third", Some(&third)),
        ("own", Some(&own)),
        ("lower", Some(&lower)),
        ("expired", Some(&expired)),
    ];
    // The reference's ossl wants a chain, and capitals.
    let expected: &[&str] =
        if reference() { &["first", "second"] } else { &["first", "second", "own", "lower"] };
    let input = format!(r#"streamDriver.authMode="x509/fingerprint" permittedPeer=["{peers}"]"#);
    check(site, &input, &clients, expected);
}

#[test]
fn expired_certificates_as_configured() {
    for (policy, expected) in
        [("off", &["good"][..]), ("warn", &["good", "old"]), ("on", &["good", "old"])]
    {
        let site = Site::new();
        let good = site.root.issue(&Wanted::name("good"));
        let old = site.root.issue(&Wanted { expired: true, ..Wanted::name("old") });
        let own = Identity::own(&Wanted { expired: true, ..Wanted::name("own") });
        check(
            site,
            &format!(
                r#"streamDriver.permitExpiredCerts="{policy}" permittedPeer=["good", "old", "own"]"#
            ),
            &[("good", Some(&good)), ("old", Some(&old)), ("own", Some(&own))],
            expected,
        );
    }
}

/// GnuTLS does not look at what a certificate is for unless told to.
#[test]
fn purposes_with_gtls() {
    if reference() {
        return; // Its driver is in a package of its own.
    }
    for (check_purpose, expected) in [("off", &["any", "server"][..]), ("on", &["any"])] {
        let site = Site::new();
        let any = site.root.issue(&Wanted::name("any"));
        let server = site.root.issue(&Wanted { server_only: true, ..Wanted::name("server") });
        check(
            site,
            &format!(
                "streamDriver.name=\"gtls\" streamDriver.authMode=\"x509/certvalid\" \
                 streamDriver.CheckExtendedKeyPurpose=\"{check_purpose}\""
            ),
            &[("any", Some(&any)), ("server", Some(&server))],
            expected,
        );
    }
}

#[test]
fn chains_as_deep_as_configured() {
    let site = Site::new();
    let mut authority = site.root.clone();
    let mut clients = Vec::new();
    for depth in 0..4 {
        clients.push(authority.issue(&Wanted::name("client")));
        let name = format!("authority {depth}");
        authority = authority.issue(&Wanted { authority: true, ..Wanted::name(&name) });
    }
    let names = ["0", "1", "2", "3"];
    let clients: Vec<_> = names.into_iter().zip(clients.iter().map(Some)).collect();
    check(
        site,
        r#"streamDriver.authMode="x509/certvalid" streamDriver.TlsVerifyDepth="2""#,
        &clients,
        &["0", "1", "2"],
    );
}
