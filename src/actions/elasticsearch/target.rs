//! Whom requests go to, and what goes with each of them: servers, credentials, headers, query parameters, the proxy
//! and TLS. Nothing of this is made of messages.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use openssl::base64::encode_block as base64;
use openssl::ssl::SslVersion;
use ureq::Proxy;
use ureq::ProxyProtocol;
use ureq::http::{HeaderName, HeaderValue, header};

use super::meta::escape_query;
use crate::param::{Args, Problem};
use crate::tls::http as tls;

/// Whom requests go to.
pub(super) struct Target {
    pub(super) servers: Vec<Server>,
    /// Whether servers take turns.
    pub(super) balances: bool,
    /// Headers of every request, the credentials among them.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Query parameters of requests with documents, escaped, as in `a=b&c=d`.
    pub(super) query: String,
    pub(super) proxy: Option<Proxy>,
    /// How long a connection may be idle to be used again.
    pub(super) idle: Duration,
    pub(super) tls: tls::Options,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// Base URL, ending in `/`.
    pub(super) url: String,
    /// The same without credentials, for messages.
    pub(super) shown: String,
}

impl Target {
    /// Checks the arguments. `note` gets what is wrong with them; the target is `None` then.
    pub(super) fn new(args: &Args, mut note: impl FnMut(Problem)) -> Option<Self> {
        let servers = servers(args).map_err(&mut note).ok();
        let headers = headers(args).map_err(&mut note).ok();
        let query = query(args).map_err(&mut note).ok();
        let proxy = proxy(args).map_err(&mut note).ok();
        let tls = tls_options(args).map_err(&mut note).ok();
        let idle = args.int("idleConnectionTimeout").and_then(|msec| u64::try_from(msec).ok());
        Some(Self {
            servers: servers?,
            balances: args.bool("loadBalance"),
            headers: headers?,
            query: query?,
            proxy: proxy?,
            idle: Duration::from_millis(idle.unwrap_or(0)),
            tls: tls?,
        })
    }
}

fn servers(args: &Args) -> Result<Vec<Server>, Problem> {
    let port = args.int("serverport").unwrap_or(9200);
    let scheme = if args.bool("useHttps") { "https" } else { "http" };
    let mut servers = Vec::new();
    for server in args.array("server").unwrap_or_default() {
        let server = String::from_utf8_lossy(server).trim_end_matches('/').to_owned();
        let (scheme, rest) = match server.split_once("://") {
            Some((own, rest)) => (own.to_ascii_lowercase(), rest),
            None => (scheme.to_owned(), server.as_str()),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        // An IPv6 address has its colons in brackets.
        let has_port = host.rsplit_once(']').map_or(host, |(_, port)| port).contains(':');
        let port = if has_port { String::new() } else { format!(":{port}") };
        let slash = if path.is_empty() { "" } else { "/" };
        if host.is_empty() || !matches!(scheme.as_str(), "http" | "https") {
            let text =
                format!("omelasticsearch: server '{server}' is no host and no http or https URL");
            return Err(Problem::error(text).at("server"));
        }
        let url = |authority| format!("{scheme}://{authority}{port}/{path}{slash}");
        servers.push(Server { url: url(authority), shown: url(host) });
    }
    if servers.is_empty() {
        return Err(Problem::error("omelasticsearch: server is empty").at("server"));
    }
    Ok(servers)
}

/// The headers that are configured, and the credentials.
fn headers(args: &Args) -> Result<Vec<(HeaderName, HeaderValue)>, Problem> {
    const HEADERS: &str = "headers";
    let authorization = authorization(args)?;
    let refuse = |text: String, help: &str| {
        let text = format!("omelasticsearch: headers: {text}");
        Err(Problem::error(text).at(HEADERS).help(help))
    };
    let mut headers = Vec::new();
    for (number, line) in (1..).zip(args.array(HEADERS).unwrap_or_default()) {
        let colon = line.iter().position(|c| *c == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = HeaderValue::from_bytes(value.get(1..).unwrap_or_default().trim_ascii());
        let name = HeaderName::from_bytes(name.trim_ascii());
        // The value may be a secret, so it is not told.
        let (Ok(name), Ok(mut value), true) = (name, value, colon < line.len()) else {
            return refuse(format!("number {number} is no header"), "write \"Name: value\"");
        };
        let is_ours = [
            header::CONTENT_TYPE,
            header::CONTENT_ENCODING,
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
        ]
        .contains(&name);
        if is_ours || (name == header::AUTHORIZATION && authorization.is_some()) {
            return refuse(format!("{name} is made by omelasticsearch"), "leave it out");
        }
        value.set_sensitive(true);
        headers.push((name, value));
    }
    if let Some(value) = authorization {
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
            let text = "omelasticsearch: apikey has a character that no header may have";
            Problem::error(text).at("apikey")
        })?;
        headers.push((header::AUTHORIZATION, value));
    }
    Ok(headers)
}

/// Value of the Authorization header.
fn authorization(args: &Args) -> Result<Option<String>, Problem> {
    let refuse = |text: &str, at| Err(Problem::error(format!("omelasticsearch: {text}")).at(at));
    let (user, password) = (args.str("uid"), args.str("pwd"));
    match (args.str("apikey"), user) {
        (Some(_), Some(_)) => refuse("apikey and uid are both given; give one of them", "apikey"),
        (Some(key), None) if key.contains(&b':') => Ok(Some(format!("ApiKey {}", base64(key)))),
        (Some(key), None) => Ok(Some(format!("ApiKey {}", String::from_utf8_lossy(key)))),
        (None, None) if password.is_some() => {
            refuse("password is provided, but no uid - action definition invalid", "pwd")
        }
        (None, None) => Ok(None),
        (None, Some(user)) => {
            let both = [user, b":", password.unwrap_or_default()].concat();
            Ok(Some(format!("Basic {}", base64(&both))))
        }
    }
}

fn query(args: &Args) -> Result<String, Problem> {
    const PARAMETERS: &str = "parameters";
    let mut query = Vec::new();
    for parameter in args.array(PARAMETERS).unwrap_or_default() {
        let mut parts = parameter.splitn(2, |c| *c == b'=');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next());
        let said = String::from_utf8_lossy(parameter);
        if name.is_empty() {
            let text = format!("omelasticsearch: parameters: \"{said}\" is no name=value");
            return Err(Problem::error(text).at(PARAMETERS));
        }
        if [&b"filter_path"[..], b"timeout"].contains(&name) {
            let text =
                format!("omelasticsearch: parameters: \"{said}\" is made by omelasticsearch");
            return Err(Problem::error(text)
                .at(PARAMETERS)
                .help("leave it out; timeout is a parameter of the action"));
        }
        if !query.is_empty() {
            query.push(b'&');
        }
        escape_query(name, &mut query);
        if let Some(value) = value {
            query.push(b'=');
            escape_query(value, &mut query);
        }
    }
    Ok(String::from_utf8_lossy(&query).into_owned())
}

fn proxy(args: &Args) -> Result<Option<Proxy>, Problem> {
    let Some(url) = args.text("proxyUrl") else { return Ok(None) };
    let proxy = Proxy::new(&url)
        .ok()
        .filter(|proxy| matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https));
    // It may have a password, so it is not told.
    let wrong = || {
        Problem::error("omelasticsearch: proxyUrl is no URL of an HTTP proxy")
            .at("proxyUrl")
            .help("write http://host:port or http://user:password@host:port, or https:// likewise")
    };
    proxy.ok_or_else(wrong).map(Some)
}

fn tls_options(args: &Args) -> Result<tls::Options, Problem> {
    let path = |name| args.str(name).map(|path| PathBuf::from(OsStr::from_bytes(path)));
    let options = tls::Options {
        authorities: path("tls.caCert"),
        certificate: path("tls.myCert"),
        key: path("tls.myPrivKey"),
        passphrase: args.str("tls.keyPassphrase").map(<[u8]>::to_vec),
        version: match args.str("tls.tlsVersion") {
            Some(b"TLSv1.2") => Some(SslVersion::TLS1_2),
            Some(b"TLSv1.3") => Some(SslVersion::TLS1_3),
            _ => None,
        },
        suites: args.text("tls.cipherSuites"),
        groups: args.text("tls.keyExchangeGroups"),
        takes_any: args.bool("allowUnsignedCerts"),
        skips_name: args.bool("skipVerifyHost"),
    };
    if options.certificate.is_some() != options.key.is_some() {
        return Err(Problem::error(
            "omelasticsearch: tls.myCert and tls.myPrivKey belong together; one is missing",
        )
        .at(if options.key.is_none() { "tls.myCert" } else { "tls.myPrivKey" }));
    }
    // One by one, to name the one at fault.
    for (param, alone) in [
        ("tls.cipherSuites", tls::Options { suites: options.suites.clone(), ..Default::default() }),
        (
            "tls.keyExchangeGroups",
            tls::Options { groups: options.groups.clone(), ..Default::default() },
        ),
    ] {
        if let Err(why) = alone.builder() {
            let value = args.text(param).unwrap_or_default();
            let text = format!("omelasticsearch: OpenSSL does not take {param} \"{value}\": {why}");
            return Err(Problem::error(text).at(param));
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::super::parameters::MODULE;
    use super::*;
    use crate::param::Value;

    fn check(params: &[(&'static str, Value)]) -> Result<Target, Vec<Problem>> {
        let mut args = Args::defaults(&[MODULE.params]);
        for (name, value) in params {
            args.set(name, value.clone());
        }
        let mut problems = Vec::new();
        Target::new(&args, |problem| problems.push(problem)).ok_or(problems)
    }

    fn text(value: &str) -> Value {
        Value::Str(value.as_bytes().to_vec())
    }

    fn list(values: &[&str]) -> Value {
        Value::Array(values.iter().map(|value| value.as_bytes().to_vec()).collect())
    }

    #[test]
    fn servers_are_completed() {
        for (server, https, url, shown) in [
            ("h", false, "http://h:9200/", ""),
            ("h:1", true, "https://h:1/", ""),
            ("http://h", true, "http://h:9200/", ""),
            ("https://h/es/", false, "https://h:9200/es/", ""),
            ("[::1]", false, "http://[::1]:9200/", ""),
            ("[::1]:5", false, "http://[::1]:5/", ""),
            ("http://u:p@h/x", false, "http://u:p@h:9200/x/", "http://h:9200/x/"),
        ] {
            let target = check(&[("server", list(&[server])), ("useHttps", Value::Bool(https))]);
            let shown = if shown.is_empty() { url } else { shown };
            let expected = Server { url: url.to_owned(), shown: shown.to_owned() };
            assert_eq!(target.map(|target| target.servers).ok(), Some(vec![expected]), "{server}");
        }
    }

    /// `Name: value` of all headers.
    fn lines(params: &[(&'static str, Value)]) -> Vec<String> {
        let target = check(params).unwrap_or_else(|problems| panic!("{problems:?}"));
        let line = |(name, value): &(HeaderName, HeaderValue)| {
            format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))
        };
        target.headers.iter().map(line).collect()
    }

    #[test]
    fn headers_and_credentials() {
        let basic = [("uid", text("Aladdin")), ("pwd", text("open sesame"))];
        assert_eq!(lines(&basic), ["authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]);
        let key = |key| lines(&[("apikey", text(key))]);
        assert_eq!(key("id:key"), ["authorization: ApiKey aWQ6a2V5"]);
        assert_eq!(key("aWQ6a2V5"), ["authorization: ApiKey aWQ6a2V5"]);
        assert_eq!(base64(b"ab"), "YWI=");
        let own = list(&["X-Tenant:  blue: a ", "authorization: Bearer x"]);
        assert_eq!(lines(&[("headers", own)]), ["x-tenant: blue: a", "authorization: Bearer x"]);
    }

    #[test]
    fn parameters_are_escaped() {
        let given = list(&["refresh", "routing=a b&c=d", "x="]);
        let query = check(&[("parameters", given)]).map(|target| target.query);
        assert_eq!(query.ok().as_deref(), Some("refresh&routing=a%20b%26c%3Dd&x="));
    }

    /// Row 47 of `spec/elastic-tcp.md` section 10, and others. What may be secret is not told.
    #[test]
    fn what_is_refused_is_named() {
        for (params, at) in [
            (vec![("apikey", text("a:b")), ("uid", text("u"))], "apikey"),
            (vec![("apikey", text("secret\n"))], "apikey"),
            (vec![("pwd", text("p"))], "pwd"),
            (vec![("headers", list(&["secret"]))], "headers"),
            (vec![("headers", list(&["secret thing: x"]))], "headers"),
            (vec![("headers", list(&["Content-Type: secret"]))], "headers"),
            (vec![("headers", list(&["Authorization: secret"])), ("uid", text("u"))], "headers"),
            (vec![("parameters", list(&["=x"]))], "parameters"),
            (vec![("parameters", list(&["filter_path=took"]))], "parameters"),
            (vec![("proxyUrl", text("ftp://u:secret@h"))], "proxyUrl"),
            (vec![("proxyUrl", text("socks5://u:secret@h"))], "proxyUrl"),
            (vec![("tls.myCert", text("c"))], "tls.myCert"),
            (vec![("tls.cipherSuites", text("NO_SUCH_SUITE"))], "tls.cipherSuites"),
            (vec![("tls.keyExchangeGroups", text("no-such-group"))], "tls.keyExchangeGroups"),
            (vec![("server", list(&["ftp://x"]))], "server"),
        ] {
            let problems = check(&params).err().unwrap_or_default();
            assert_eq!(problems.first().and_then(|p| p.param), Some(at));
            assert!(problems.iter().all(|problem| !problem.text.contains("secret")));
        }
        assert!(check(&[("proxyUrl", text("http://u:p@h:3128"))]).is_ok());
    }
}
