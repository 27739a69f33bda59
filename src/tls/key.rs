//! Private keys from PEM text.

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};

/// A key that `passphrase` opens, or that is not encrypted.
///
/// # Errors
/// The text holds no key, or one with another passphrase.
pub fn load(pem: &[u8], passphrase: &[u8]) -> Result<PKey<Private>, ErrorStack> {
    // Without a callback OpenSSL would ask the terminal for a passphrase.
    PKey::private_key_from_pem_callback(pem, |room| {
        let Some(room) = room.get_mut(..passphrase.len()) else { return Ok(0) };
        room.copy_from_slice(passphrase);
        Ok(passphrase.len())
    })
}
