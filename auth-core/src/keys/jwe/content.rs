//! Authenticated encryption of the content (RFC 7518 §5).

use aws_lc_rs::cipher::{
    AES_128, AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use subtle::ConstantTimeEq;

use crate::keys::jwe::ContentEncryption;

/// A key and an initialization vector of the lengths of their algorithm; each vector once.
pub(super) struct ContentKey<'a> {
    pub(super) enc: ContentEncryption,
    pub(super) key: &'a [u8],
    pub(super) iv: &'a [u8],
    /// What is authenticated beside the content.
    pub(super) aad: &'a [u8],
}

impl ContentKey<'_> {
    /// The ciphertext and its tag; `None` if a length is wrong.
    pub(super) fn seal(&self, plaintext: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut content = plaintext.to_vec();
        if let Some(key) = self.gcm()? {
            let nonce = Nonce::try_assume_unique_for_key(self.iv).ok()?;
            let aad = Aad::from(self.aad);
            let tag = key.seal_in_place_separate_tag(nonce, aad, &mut content).ok()?;
            return Some((content, tag.as_ref().to_vec()));
        }
        let (_, encryption_key) = self.halves();
        let iv = FixedLength::<16>::try_from(self.iv).ok()?;
        PaddedBlockEncryptingKey::cbc_pkcs7(cbc(encryption_key)?)
            .ok()?
            .less_safe_encrypt(&mut content, EncryptionContext::Iv128(iv))
            .ok()?;
        let tag = self.mac(&content);
        Some((content, tag))
    }

    /// The content; `None` for whatever is wrong.
    pub(super) fn open(&self, ciphertext: &[u8], tag: &[u8]) -> Option<Vec<u8>> {
        if let Some(key) = self.gcm()? {
            let nonce = Nonce::try_assume_unique_for_key(self.iv).ok()?;
            let mut sealed = [ciphertext, tag].concat();
            let opened = key.open_in_place(nonce, Aad::from(self.aad), &mut sealed).ok()?.len();
            sealed.truncate(opened);
            return Some(sealed);
        }
        // Nothing is unpadded before it is authentic: there is no oracle.
        if !bool::from(self.mac(ciphertext).ct_eq(tag)) {
            return None;
        }
        let (_, encryption_key) = self.halves();
        let iv = FixedLength::<16>::try_from(self.iv).ok()?;
        let mut content = ciphertext.to_vec();
        let opened = PaddedBlockDecryptingKey::cbc_pkcs7(cbc(encryption_key)?)
            .ok()?
            .decrypt(&mut content, DecryptionContext::Iv128(iv))
            .ok()?
            .len();
        content.truncate(opened);
        Some(content)
    }

    /// The key of a GCM algorithm, `Some(None)` for another one.
    fn gcm(&self) -> Option<Option<LessSafeKey>> {
        if self.key.len() != self.enc.key_len() {
            return None;
        }
        let algorithm = match self.enc {
            ContentEncryption::A128Gcm => &AES_128_GCM,
            ContentEncryption::A256Gcm => &AES_256_GCM,
            ContentEncryption::A128CbcHs256 | ContentEncryption::A256CbcHs512 => return Some(None),
        };
        UnboundKey::new(algorithm, self.key).ok().map(LessSafeKey::new).map(Some)
    }

    /// The key of the MAC, and that of the cipher (RFC 7518 §5.2.2.1).
    fn halves(&self) -> (&[u8], &[u8]) {
        self.key.split_at(self.key.len() / 2)
    }

    /// Over the header, the vector, the ciphertext and the length of the header in bits; the first half of it.
    fn mac(&self, ciphertext: &[u8]) -> Vec<u8> {
        let algorithm = match self.enc {
            ContentEncryption::A256CbcHs512 => hmac::HMAC_SHA512,
            _ => hmac::HMAC_SHA256,
        };
        let (mac_key, _) = self.halves();
        let mut mac = hmac::Context::with_key(&hmac::Key::new(algorithm, mac_key));
        for part in [self.aad, self.iv, ciphertext, &(self.aad.len() as u64 * 8).to_be_bytes()] {
            mac.update(part);
        }
        let mac = mac.sign();
        mac.as_ref()[..mac.as_ref().len() / 2].to_vec()
    }
}

fn cbc(key: &[u8]) -> Option<UnboundCipherKey> {
    let algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
    UnboundCipherKey::new(algorithm, key).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7518 Appendix B.1.
    #[test]
    fn the_example_of_the_standard_is_sealed_as_it_says() {
        let key: Vec<u8> = (0..32).collect();
        let iv = 0x1af3_8c2d_c2b9_6ffd_d866_9409_2341_bc04_u128.to_be_bytes();
        let content = ContentKey {
            enc: ContentEncryption::A128CbcHs256,
            key: &key,
            iv: &iv,
            aad: b"The second principle of Auguste Kerckhoffs",
        };
        let plaintext =
            b"A cipher system must not be required to be secret, and it must be able to fall \
                          into the hands of the enemy without inconvenience";
        let (ciphertext, tag) = content.seal(plaintext).unwrap();
        assert_eq!(ciphertext[..8], [0xc8, 0x0e, 0xdf, 0xa3, 0x2d, 0xdf, 0x39, 0xd5]);
        assert_eq!(tag, 0x652c_3fa3_6b0a_7c5b_3219_fab3_a30b_c1c4_u128.to_be_bytes());
        assert_eq!(content.open(&ciphertext, &tag).unwrap(), plaintext);
    }

    #[test]
    fn what_was_changed_anywhere_is_not_opened() {
        for enc in ContentEncryption::ALL {
            let (key, iv) = (vec![7; enc.key_len()], vec![3; enc.iv_len()]);
            let content = ContentKey { enc, key: &key, iv: &iv, aad: b"header" };
            let (ciphertext, tag) = content.seal(b"content").unwrap();
            assert_eq!(content.open(&ciphertext, &tag).unwrap(), b"content");
            assert_eq!(tag.len(), enc.tag_len());
            let changed = |bytes: &[u8]| bytes.iter().map(|byte| byte ^ 1).collect::<Vec<u8>>();
            assert_eq!(content.open(&changed(&ciphertext), &tag), None, "{enc}");
            assert_eq!(content.open(&ciphertext, &changed(&tag)), None, "{enc}");
            assert_eq!(content.open(&ciphertext, &tag[..tag.len() - 1]), None, "{enc}");
            assert_eq!(ContentKey { aad: b"other", ..content }.open(&ciphertext, &tag), None);
            let other = changed(&iv);
            let content = ContentKey { enc, key: &key, iv: &other, aad: b"header" };
            assert_eq!(content.open(&ciphertext, &tag), None, "{enc}");
            let short = ContentKey { key: &key[1..], ..content };
            assert_eq!(short.seal(b"content"), None, "{enc}");
        }
    }
}
