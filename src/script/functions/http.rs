//! fmhttp: asks a web server. The request itself is the daemon's ([`Environment::fetch`]): nothing here does I/O.
//!
//! [`Environment::fetch`]: super::Environment::fetch

use std::sync::Arc;

use super::{Function, Kind, Otherwise, Returned, Run, Setup};
use crate::param::{Class, Module};

/// Gets what a URL stands for; an error says why that is not possible.
pub type Fetch = dyn Fn(&str) -> Result<Vec<u8>, String> + Send + Sync;

/// The module that this function comes with.
pub(super) static MODULE: Module = Module {
    name: "fmhttp",
    class: Class::Function,
    builtin: false,
    summary: "The function http_request().",
    module_params: &[],
    params: &[],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="fmhttp")
set $!owner = http_request("http://127.0.0.1:8080/owner-of/" & $hostname);
action(type="omfile" file="/var/log/all")"#],
};

/// The functions of this file.
pub(super) static FUNCTIONS: &[Function] = &[Function {
    name: "http_request",
    args: 1..=1,
    doc: "What a web server answers to a GET of this URL, whatever its status; 0 if it does not answer. The rules wait for \
          it, 30 s at most.",
    examples: &[("http_request('nowhere')", "0")],
    kind: Kind::Prepare(http_request, Otherwise::Number(0)),
}];

#[expect(clippy::unnecessary_wraps, reason = "what all that is prepared returns")]
fn http_request(setup: &Setup<'_>) -> Result<Run, String> {
    let fetch: Option<Arc<Fetch>> = setup.environment.fetch.cloned();
    Ok(Box::new(move |call, out| {
        let url = call.text(0, |url| String::from_utf8_lossy(url).into_owned());
        let answer = match &fetch {
            Some(fetch) => fetch(&url),
            None => Err("there is nobody to ask".to_owned()),
        };
        match answer {
            Ok(text) => {
                out.extend_from_slice(&text);
                Returned::Text
            }
            Err(why) => {
                log::error!(
                    code = 2027;
                    "rainerscript: http_request to failed, URL: '{url}', error {why}"
                );
                Returned::Number(0)
            }
        }
    }))
}
