//! Private keys from PEM files.

use std::fs;
use std::io;
use std::path::Path;

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};

/// Loads a key that `passphrase` opens, or that is not encrypted.
///
/// # Errors
/// The file cannot be read, holds no key, or has another passphrase.
pub fn load<E: From<io::Error> + From<ErrorStack>>(
    file: &Path,
    passphrase: &[u8],
) -> Result<PKey<Private>, E> {
    // Without a callback OpenSSL would ask the terminal for a passphrase.
    let key = PKey::private_key_from_pem_callback(&fs::read(file)?, |room| {
        let Some(room) = room.get_mut(..passphrase.len()) else { return Ok(0) };
        room.copy_from_slice(passphrase);
        Ok(passphrase.len())
    });
    Ok(key?)
}
