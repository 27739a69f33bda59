//! Whose certificate is shown, whose authority is believed, which versions and ciphers are spoken: per input.

use openssl::ssl::SslVersion;

use super::client::Client;
use super::{Site, messages};
use crate::harness::daemon::{Daemon, program, reference};
use crate::harness::pki::{Identity, Wanted};

/// The common name of the certificate that the server shows at this port.
pub(super) fn shown(port: u16) -> String {
    let stream = Client::new(None).connect(port).expect("handshake");
    let certificate = stream.ssl().peer_certificate().expect("certificate");
    let entry = certificate.subject_name().entries().next().expect("name");
    entry.data().to_string().expect("text")
}

/// An input's files win over the module's, and those over the global ones; each stands alone.
#[test]
fn files_are_the_inputs_the_modules_or_the_global_ones() {
    if reference() {
        return; // Debian's takes them in `input()` only.
    }
    let site = Site::new();
    for name in ["module", "input"] {
        site.root.issue(&Wanted::name(name)).write(site.dir.path(), name);
    }
    let other = Identity::root("other authority");
    other.write(site.dir.path(), "other");
    let config = |module: &str| {
        format!(
            r#"global(net.enableDNS="off" defaultNetstreamDriver="ossl" defaultNetstreamDriverCAFile="{{dir}}/ca.pem"
  defaultNetstreamDriverCertFile="{{dir}}/server.pem" defaultNetstreamDriverKeyFile="{{dir}}/server.key")
module(load="imtcp" streamDriver.mode="1" streamDriver.authMode="x509/certvalid" {module})
template(name="raw" type="string" string="%inputname% %msg%\n")
action(type="omfile" file="{{dir}}/out" template="raw")
input(type="imtcp" name="plain" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port0")
input(type="imtcp" name="own" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port1"
  streamDriver.CertFile="{{dir}}/input.pem" streamDriver.KeyFile="{{dir}}/input.key" streamDriver.CAFile="{{dir}}/other.pem")
"#
        )
    };
    let (known, foreign) = (site.root.issue(&Wanted::name("x")), other.issue(&Wanted::name("x")));
    let of_module =
        r#"streamDriver.CertFile="{dir}/module.pem" streamDriver.KeyFile="{dir}/module.key""#;
    let mut dir = site.dir;
    for (module, expected) in [("", "localhost"), (of_module, "module")] {
        let mut daemon = Daemon::start_program(&program(), &config(module), &["-d"], dir);
        let ports = [daemon.port("port0"), daemon.port("port1")];
        assert_eq!(ports.map(shown), [expected, "input"]);
        for (port, who) in ports.into_iter().zip([&known, &foreign]) {
            Client::new(Some(who)).send(port, "t: in").expect("let in");
        }
        for (port, who) in ports.into_iter().zip([&foreign, &known]) {
            let _ = Client::new(Some(who)).send(port, "t: a stranger");
        }
        let stopped = daemon.stop();
        assert_eq!(messages(&stopped), ["own  in", "plain  in"], "{module}");
        dir = stopped.dir;
        for file in ["out", "port0", "port1", "pid"] {
            let _ = std::fs::remove_file(dir.path().join(file));
        }
    }
}

/// Both spellings of the priority string reach the handshake.
#[test]
fn the_priority_string_says_which_versions_and_ciphers_are_spoken() {
    const OLD: &str = "TLSv1.2";
    const NEW: &str = "TLSv1.3";

    /// Versions, and the cipher where that is said.
    type Spoken<'a> = &'a [(&'a str, Option<&'a str>)];
    let cases: &[(&str, &str, Spoken<'_>)] = &[
        ("ossl", "", &[(OLD, None), (NEW, None)]),
        ("ossl", "MinProtocol=TLSv1.3", &[(NEW, None)]),
        ("ossl", "MaxProtocol=TLSv1.2", &[(OLD, None)]),
        (
            "ossl",
            r"CipherString=ECDHE-ECDSA-AES128-GCM-SHA256\nCiphersuites=TLS_CHACHA20_POLY1305_SHA256",
            &[
                (OLD, Some("ECDHE-ECDSA-AES128-GCM-SHA256")),
                (NEW, Some("TLS_CHACHA20_POLY1305_SHA256")),
            ],
        ),
        ("gtls", "NORMAL", &[(OLD, None), (NEW, None)]),
        ("gtls", "NORMAL:-VERS-TLS1.3", &[(OLD, None)]),
        ("gtls", "NORMAL:-VERS-ALL:+VERS-TLS1.3", &[(NEW, None)]),
        (
            "gtls",
            "NORMAL:-CIPHER-ALL:+AES-128-GCM",
            &[(OLD, Some("ECDHE-ECDSA-AES128-GCM-SHA256")), (NEW, Some("TLS_AES_128_GCM_SHA256"))],
        ),
    ];
    for (driver, priority, expected) in cases {
        if reference() && *driver == "gtls" {
            continue; // Its driver is in a package of its own.
        }
        let input = format!(
            r#"streamDriver.name="{driver}" streamDriver.authMode="anon" gnutlsPriorityString="{priority}""#
        );
        let (mut daemon, _) = Site::new().start(&[&input]);
        let port = daemon.port("port0");
        let spoken: Vec<_> = [(OLD, SslVersion::TLS1_2), (NEW, SslVersion::TLS1_3)]
            .into_iter()
            .filter_map(|(name, version)| {
                let stream = Client::new(None).version(version).connect(port).ok()?;
                Some((name, stream.ssl().current_cipher().expect("a cipher").name().to_owned()))
            })
            .collect();
        let is_expected = spoken.len() == expected.len()
            && spoken.iter().zip(*expected).all(|((version, cipher), (name, wanted))| {
                version == name && wanted.is_none_or(|wanted| wanted == cipher)
            });
        assert!(is_expected, "{driver} {priority:?}: {spoken:?}");
        daemon.stop();
    }
}
