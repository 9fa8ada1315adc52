//! Texts of any bytes, one after another in a member of a sorted set, in the order of the texts.
//!
//! A zero byte inside a text is written as `00 FF`, and `00 01` ends it: so a text sorts before its own
//! continuation, and the end is the only place where `01` follows a zero.

const ZERO: u8 = 0x00;
const INSIDE: u8 = 0xFF;
const END: u8 = 0x01;

/// The text, escaped and ended.
pub(crate) fn ended(text: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(text.len() + 2);
    for byte in text {
        escaped.push(*byte);
        if *byte == ZERO {
            escaped.push(INSIDE);
        }
    }
    escaped.extend([ZERO, END]);
    escaped
}

/// The first text, and what follows it.
pub(crate) fn split(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut text = Vec::new();
    let mut rest = bytes;
    loop {
        match rest {
            [ZERO, END, after @ ..] => return Some((text, after)),
            [ZERO, INSIDE, after @ ..] => {
                text.push(ZERO);
                rest = after;
            }
            [ZERO, ..] | [] => return None,
            [byte, after @ ..] => {
                text.push(*byte);
                rest = after;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&[u8]; 9] =
        [b"", b"\0", b"\0\0", b"\0\x01", b"\0\xff", b"\x01", b"a", b"a\0", b"\xff\0\x01"];

    #[test]
    fn the_order_is_kept_whatever_follows() {
        for a in TEXTS {
            for b in TEXTS {
                for (after_a, after_b) in [(&b""[..], &b"z"[..]), (b"\xff", b""), (b"m", b"m")] {
                    let (left, right) = ([ended(a), after_a.into()], [ended(b), after_b.into()]);
                    let told = left.concat().cmp(&right.concat());
                    assert_eq!(told, (a, after_a).cmp(&(b, after_b)), "{a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn texts_are_read_back() {
        for text in TEXTS {
            let joined = [ended(text), b"key".to_vec()].concat();
            assert_eq!(split(&joined), Some((text.to_vec(), &b"key"[..])));
        }
        for damaged in [&b"abc"[..], b"a\0", b"a\0b"] {
            assert_eq!(split(damaged), None);
        }
    }
}
