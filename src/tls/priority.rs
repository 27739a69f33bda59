//! `gnutlsPriorityString`: which protocol versions and ciphers are used.
//!
//! Two spellings, told apart by the equals sign, whatever the driver: OpenSSL's commands (`MinProtocol=TLSv1.2`,
//! `CipherString=…`, `Ciphersuites=…`, separated by line feeds or semicolons) and GnuTLS's priorities
//! (`SECURE128:-VERS-TLS1.2`), which are translated into such commands.

use std::ffi::CString;

use openssl::error::ErrorStack;
use openssl::ssl::{SslContextBuilder, SslMethod};

use super::context::reason;
use super::gnutls;
use crate::sys::tls::Commands;

/// Commands of `SSL_CONF_cmd(3)`, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Priority(Vec<(String, String)>);

impl Priority {
    /// Reads either spelling, and tries the result on a context that is thrown away.
    ///
    /// # Errors
    /// What is wrong, in the reference's words where it has some.
    pub fn parse(text: &str) -> Result<Self, String> {
        let commands = if text.contains('=') { commands(text)? } else { gnutls::translate(text)? };
        let priority = Self(commands);
        let mut scratch =
            SslContextBuilder::new(SslMethod::tls_server()).map_err(|why| why.to_string())?;
        priority.apply(&mut scratch)?;
        Ok(priority)
    }

    /// Carries out the commands.
    ///
    /// # Errors
    /// In the reference's words.
    pub fn apply(&self, context: &mut SslContextBuilder) -> Result<(), String> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut target = Commands::new(context).map_err(|why| why.to_string())?;
        for (name, value) in &self.0 {
            let failed = |code: i32, why: &ErrorStack| {
                format!(
                    "Failed to add OpenSSL command {name}:'{value}' in net_ossl_apply_tlscgfcmd with error '{code}': {}",
                    if code == -2 { "no such command".to_owned() } else { reason(why) }
                )
            };
            let (Ok(name_c), Ok(value_c)) =
                (CString::new(name.as_str()), CString::new(value.as_str()))
            else {
                return Err(failed(-2, &ErrorStack::get()));
            };
            target.command(&name_c, &value_c).map_err(|(code, why)| failed(code, &why))?;
        }
        target
            .finish()
            .map_err(|why| format!("Error: setting openssl command parameters: {}", reason(&why)))
    }
}

fn commands(text: &str) -> Result<Vec<(String, String)>, String> {
    let lines = text.split(['\n', ';']).map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| match line.split_once('=') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            None => Err(format!("'{line}' is not an OpenSSL command such as MinProtocol=TLSv1.2")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<String>, String> {
        let show = |(name, value): &(String, String)| format!("{name}={value}");
        Priority::parse(text).map(|priority| priority.0.iter().map(show).collect())
    }

    #[test]
    fn openssl_commands_are_separated_by_line_feeds_or_semicolons() {
        assert_eq!(
            parsed("MinProtocol=TLSv1.2\nCipherString=HIGH;\n MaxProtocol = TLSv1.3"),
            Ok(vec![
                "MinProtocol=TLSv1.2".to_owned(),
                "CipherString=HIGH".to_owned(),
                "MaxProtocol=TLSv1.3".to_owned(),
            ])
        );
        assert_eq!(parsed(""), Ok(vec![]));
    }

    #[test]
    fn what_openssl_does_not_take_is_named() {
        for (text, part) in [
            ("NoSuchCommand=1", "Failed to add OpenSSL command NoSuchCommand:'1' "),
            ("MinProtocol=TLSv9", "Failed to add OpenSSL command MinProtocol:'TLSv9' "),
            ("CipherString=nonsense", "CipherString:'nonsense'"),
            ("MinProtocol=TLSv1.2;what", "'what' is not an OpenSSL command"),
            ("Certificate=/etc/passwd", "no such command"),
        ] {
            let why = parsed(text).expect_err(text);
            assert!(why.contains(part), "{text}: {why}");
        }
    }
}
