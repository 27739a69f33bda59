//! TLS of an action: how omfwd spells the stream driver's parameters.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use crate::actions::OutputEnv;
use crate::param::{Args, Problem};
use crate::tls::client::Connector;
use crate::tls::driver::{End, Reader, Spelling};

static SPELLING: Spelling = Spelling {
    module: "omfwd",
    strict_module: "omfwd",
    plain: "omfwd action uses protocol=\"tcp\" with streamdriver.mode=\"0\" (plain TCP without TLS); see \
            https://docs.rsyslog.com/doc/faq/tls_mode0_disables_tls.html",
    name: "streamDriver",
    mode: "streamDriverMode",
    auth: "streamDriverAuthMode",
    peers: "streamDriverPermittedPeers",
    revocation: None,
};
const PLAIN_UDP: &str = "omfwd action uses protocol=\"udp\" (without TLS); see \
                         https://docs.rsyslog.com/doc/faq/tls_mode0_disables_tls.html";
const EXPIRED: &str = "streamDriver.permitExpiredCerts";
const EXTRA_CA_FILES: &str = "streamDriver.caExtraFiles";
/// What the module may say for its actions.
const SHARED: [&str; 5] = [
    EXTRA_CA_FILES,
    "streamDriver.CAFile",
    "streamDriver.CRLFile",
    "streamDriver.KeyFile",
    "streamDriver.CertFile",
];

/// The driver in mode 1, or `None` for what is not encrypted.
///
/// # Errors
/// A combination that makes no sense, or a file that cannot be used.
pub(super) fn connector(
    args: &Args,
    module: &Args,
    tcp: bool,
    env: &OutputEnv<'_>,
) -> Result<Option<Connector>, Problem> {
    // As in the reference, a word that is none of these does not cost the action.
    let expired = args.text(EXPIRED).unwrap_or_default();
    let is_sound = ["on", "off", "warn"].iter().any(|word| expired.eq_ignore_ascii_case(word));
    if !is_sound {
        let text = format!(
            "streamdriver.permitExpiredCerts must be 'warn', 'off' or 'on' but is '{expired}' - ignoring parameter, \
             using 'off' instead."
        );
        (env.report)(Problem::error(text).at(EXPIRED).code(2207));
    }
    if !tcp {
        env.secure.warning(PLAIN_UDP).into_iter().for_each(|problem| (env.report)(problem));
        return Ok(None);
    }
    let peers = args.str(SPELLING.peers).unwrap_or_default().split(|byte| *byte == b',');
    let defaults = Args::defaults(&[super::params::MODULE.params]);
    let of = |name| match name {
        EXPIRED if !is_sound => &defaults,
        name if SHARED.contains(&name) && !args.given(name) && module.given(name) => module,
        _ => args,
    };
    let extra = of(EXTRA_CA_FILES).str(EXTRA_CA_FILES).map(|list| {
        let files = list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let files = files.filter(|file| !file.is_empty());
        files.map(|file| PathBuf::from(OsStr::from_bytes(file))).collect()
    });
    let reader = Reader {
        spelling: &SPELLING,
        end: End::Client,
        of: &of,
        peers: peers.filter(|peer| !peer.is_empty()).map(<[u8]>::to_vec).collect(),
        extra_ca_files: extra,
        defaults: env.tls,
        secure: env.secure,
    };
    let mut problems = Vec::new();
    let settings = reader.settings(&mut problems);
    problems.into_iter().for_each(env.report);
    let sni = args.text("streamDriverRemoteSNI").filter(|name| !name.is_empty());
    settings?.map(|settings| Connector::open(settings, sni)).transpose()
}
