//! Finding a text in octets, whatever it was dressed in: plain, base64 at any offset, hexadecimal, percent, UTF-16,
//! quoted-printable, and in small letters.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::fmt::Write as _;

/// Everything that a text may look like.
pub(crate) fn forms(text: &str) -> Vec<(String, Vec<u8>)> {
    let mut forms = Vec::new();
    let lower = text.to_ascii_lowercase();
    for (case, text) in [("", text), ("small letters, ", lower.as_str())] {
        let mut add = |name: &str, octets: Vec<u8>| forms.push((format!("{case}{name}"), octets));
        add("plain", text.into());
        add("UTF-16LE", text.encode_utf16().flat_map(u16::to_le_bytes).collect());
        add("UTF-16BE", text.encode_utf16().flat_map(u16::to_be_bytes).collect());
        for (name, before, upper) in [
            ("hexadecimal", "", false),
            ("HEXADECIMAL", "", true),
            ("percent", "%", true),
            ("quoted-printable", "=", true),
        ] {
            let mut out = String::new();
            for octet in text.bytes() {
                let _ = if upper { write!(out, "{before}{octet:02X}") } else { write!(out, "{before}{octet:02x}") };
            }
            add(name, out.into());
        }
        for offset in 0..3_usize {
            let shifted = [vec![0; offset], text.into()].concat();
            let encoded = STANDARD_NO_PAD.encode(&shifted).into_bytes();
            // Only the letters that are made of the text alone.
            let (first, end) = ((offset * 8).div_ceil(6), shifted.len() * 8 / 6);
            add(&format!("base64 at {offset}"), encoded.get(first..end).unwrap().to_vec());
        }
    }
    forms
}

/// The forms of `text` that stand in `octets`.
pub(crate) fn found(text: &str, octets: &[u8]) -> Vec<String> {
    let stands = |form: &[u8]| memchr::memmem::find(octets, form).is_some();
    forms(text).into_iter().filter(|(_, form)| stands(form)).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_found_where_it_was_planted_and_nowhere_else() {
        let canary = "Kn4rRy7Zq2WxPb";
        for (name, form) in forms(canary) {
            let planted = [b"before ".as_slice(), &form, b" after"].concat();
            assert!(found(canary, &planted).contains(&name), "{name}");
            let mut broken = planted.clone();
            broken[9] ^= 2;
            assert!(!found(canary, &broken).contains(&name), "{name}");
        }
        let long = base64::engine::general_purpose::STANDARD.encode(format!("x{canary}y"));
        assert!(!found(canary, long.as_bytes()).is_empty());
        assert!(found(canary, b"Kn4rRy7Zq2WxPc").is_empty());
    }
}
