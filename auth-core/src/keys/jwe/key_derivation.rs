//! The key of the content from an agreement (RFC 7518 §4.6.2, NIST SP 800-56A §5.8.1).

use ring::digest::{Context, SHA256};
use zeroize::Zeroizing;

use crate::keys::jwe::ContentEncryption;

/// Concat KDF with SHA-256 of the agreed secret; `apu` and `apv` say who the parties are.
pub(super) fn derive(
    agreed: &[u8],
    enc: ContentEncryption,
    apu: &[u8],
    apv: &[u8],
) -> Zeroizing<Vec<u8>> {
    let length = enc.key_len();
    let mut key = Zeroizing::new(Vec::with_capacity(length + 32));
    let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    for round in 1_u32.. {
        if key.len() >= length {
            break;
        }
        let mut hash = Context::new(&SHA256);
        hash.update(&round.to_be_bytes());
        hash.update(agreed);
        for part in [enc.name().as_bytes(), apu, apv] {
            hash.update(&size(part.len()));
            hash.update(part);
        }
        hash.update(&size(length * 8));
        key.extend_from_slice(hash.finish().as_ref());
    }
    key.truncate(length);
    key
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    /// RFC 7518 Appendix C.
    #[test]
    fn the_example_of_the_standard_is_derived_as_it_says() {
        let agreed = [
            158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49,
            110, 163, 218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196,
        ];
        let key = derive(&agreed, ContentEncryption::A128Gcm, b"Alice", b"Bob");
        assert_eq!(URL_SAFE_NO_PAD.encode(&*key), "VqqN6vgjbSBcIijNcacQGg");
    }

    #[test]
    fn a_long_key_takes_two_rounds() {
        let key = derive(&[1; 32], ContentEncryption::A256CbcHs512, b"", b"");
        assert_eq!(key.len(), 64);
        assert_ne!(key[..32], key[32..]);
    }
}
