//! Challenges as raw DEFLATE (RFC 1951): as they are while they are short, compressed when a URL would grow long.

use std::borrow::Cow;

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// What is longer, in bytes, is compressed. To compress what is shorter takes more time than all else that is
/// done for a question, and would save a few hundred characters.
const MAX_PLAIN: usize = 1024;
/// The longest text after inflation, in bytes.
const MAX_INFLATED: usize = 64 * 1024;
/// The first byte of a stream that is one stored block (§3.2.3).
const ONE_STORED_BLOCK: u8 = 1;

pub(super) fn deflate(text: &[u8]) -> Vec<u8> {
    match u16::try_from(text.len()) {
        Ok(length) if text.len() <= MAX_PLAIN => {
            let header = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
            [&[ONE_STORED_BLOCK], &*header, text].concat()
        }
        _ => compress_to_vec(text, 6),
    }
}

/// The text, unless it is too long, or this is no DEFLATE.
pub(super) fn inflate(deflated: &[u8]) -> Option<Cow<'_, [u8]>> {
    if let [ONE_STORED_BLOCK, low, high, _, _, text @ ..] = deflated
        && usize::from(u16::from_le_bytes([*low, *high])) == text.len()
    {
        return Some(Cow::Borrowed(text));
    }
    decompress_to_vec_with_limit(deflated, MAX_INFLATED).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_comes_back() {
        for length in [0, 1, 5, 255, 256, MAX_PLAIN, MAX_PLAIN + 1, 20_000, MAX_INFLATED] {
            let text: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let deflated = deflate(&text);
            assert_eq!(inflate(&deflated).as_deref(), Some(&*text), "{length}");
            // Whoever knows nothing of this file reads the same.
            assert_eq!(decompress_to_vec_with_limit(&deflated, MAX_INFLATED).unwrap(), text);
        }
    }

    #[test]
    fn what_is_too_long_or_no_stream_is_nothing() {
        assert_eq!(inflate(&deflate(&vec![7; MAX_INFLATED + 1])), None);
        assert_eq!(
            inflate(&compress_to_vec(b"a compressed one", 6)).as_deref(),
            Some(&b"a compressed one"[..])
        );
        for broken in [&[][..], &[1], &[1, 2, 0, 0xFD, 0xFF, 7], &[0xFF; 40]] {
            assert_eq!(inflate(broken), None, "{broken:?}");
        }
    }
}
