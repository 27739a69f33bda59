//! imtcp's TLS: how it spells the parameters (`spec/imtcp.md` section 7).

use std::time::Duration;

use super::conf::Statement;
use crate::param::{Problem, SecureDefaults};
use crate::tls::Settings;
use crate::tls::driver::{End, Reader, Spelling};
use crate::tls::settings::Defaults;

static SPELLING: Spelling = Spelling {
    module: "imtcp",
    strict_module: "imtcp input",
    plain: "imtcp input uses streamdriver.mode=\"0\" (plain TCP without TLS); see \
            https://docs.rsyslog.com/doc/faq/tls_mode0_disables_tls.html",
    name: "streamDriver.name",
    mode: "streamDriver.mode",
    auth: "streamDriver.authMode",
    peers: "permittedPeer",
    revocation: Some("streamDriver.TlsRevocationCheck"),
};
const TIMEOUT: &str = "streamDriver.handshakeTimeout";
const HANDSHAKES: &str = "streamDriver.maxHandshakes";

/// The driver in mode 1, or `None` for plain TCP; the input survives what is added to `problems`.
///
/// # Errors
/// A combination that costs the input.
pub(super) fn settings(
    statement: &Statement<'_>,
    (defaults, secure): (&Defaults, SecureDefaults),
    problems: &mut Vec<Problem>,
) -> Result<Option<Settings>, Problem> {
    let peers = statement.of(SPELLING.peers).array(SPELLING.peers).unwrap_or_default();
    let reader = Reader {
        spelling: &SPELLING,
        end: End::Server,
        of: &|name| statement.of(name),
        peers: peers.to_vec(),
        extra_ca_files: None,
        defaults,
        secure,
    };
    let settings = reader.settings(problems)?;
    Ok(settings.map(|settings| Settings {
        handshake_patience: Duration::from_secs(statement.count(TIMEOUT) as u64),
        handshakes_max: statement.count(HANDSHAKES),
        ..settings
    }))
}
