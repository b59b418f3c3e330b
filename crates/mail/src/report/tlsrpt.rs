//! The document of a report on TLS, taken out of its message.
//!
//! Invariants: pure; a message has one such document or is none; what is larger than [`ATTACHMENT_OCTETS_MAX`] is not
//! looked into. Never: what the document says (whoever reads it first asks who signed it).
//! Standards: RFC 8460 §5.3, RFC 6522.

use super::mime::Mail;

/// Octets of a document as it comes, compressed or not.
pub const ATTACHMENT_OCTETS_MAX: usize = 1024 * 1024;
/// The same in base64, with the fields and the text for people beside it.
const MESSAGE_OCTETS_MAX: usize = 2 * ATTACHMENT_OCTETS_MAX;
const GZIP: &str = "application/tlsrpt+gzip";
const JSON: &str = "application/tlsrpt+json";

/// How a document is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// RFC 1952.
    Gzip,
    /// Not at all.
    Plain,
}

/// A document, without transfer encoding.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// How it is packed.
    pub packing: Packing,
    /// Its octets, at most [`ATTACHMENT_OCTETS_MAX`].
    pub octets: Vec<u8>,
}

impl std::fmt::Debug for Attachment {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Attachment").field("packing", &self.packing).field("octets", &self.octets.len()).finish()
    }
}

/// The one document of a message. Nothing when there is none, there are several, or it is too large.
#[must_use]
pub fn tls_report(message: &[u8]) -> Option<Attachment> {
    if message.len() > MESSAGE_OCTETS_MAX {
        return None;
    }
    let mail = Mail::read(message);
    // RFC 8460 §5.3: report-type is tlsrpt. Some send the document alone.
    if mail.report_type.as_deref().is_some_and(|kind| kind != "tlsrpt") {
        return None;
    }
    let mut documents = mail.parts.iter().filter(|part| [GZIP, JSON].contains(&part.media.as_str()));
    let (Some(document), None) = (documents.next(), documents.next()) else { return None };
    if document.octets().len() > ATTACHMENT_OCTETS_MAX {
        return None;
    }
    let packing = if document.media == GZIP { Packing::Gzip } else { Packing::Plain };
    Some(Attachment { packing, octets: document.octets().to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(media: &str, content: &str) -> String {
        format!("--b\r\nContent-Type: {media}\r\n\r\n{content}\r\n")
    }

    fn report(kind: &str, parts: &[String]) -> Vec<u8> {
        let head =
            format!("From: <a@b.example>\r\nContent-Type: multipart/report; report-type={kind}; boundary=b\r\n\r\n");
        format!("{head}{}--b--\r\n", parts.concat()).into_bytes()
    }

    #[test]
    fn rfc8460_5_3_the_document_is_a_part_of_a_report_or_the_message_itself() {
        let text = part("text/plain", "for people");
        let found = tls_report(&report("\"tlsrpt\"", &[text, part(JSON, "{}")])).unwrap();
        assert_eq!((found.packing, found.octets.trim_ascii()), (Packing::Plain, &b"{}"[..]));
        let alone = b"From: <a@b.example>\r\nContent-Type: Application/TLSRPT+gzip; name=x\r\n\
            Content-Transfer-Encoding: base64\r\n\r\nH4sI\r\n";
        let found = tls_report(alone).unwrap();
        assert_eq!((found.packing, found.octets), (Packing::Gzip, vec![0x1f, 0x8b, 0x08]));
    }

    #[test]
    fn rfc8460_5_3_what_has_another_kind_none_several_or_too_much_is_none() {
        let document = part(JSON, "{}");
        assert_eq!(tls_report(&report("delivery-status", std::slice::from_ref(&document))), None);
        assert_eq!(tls_report(&report("tlsrpt", &[part("application/json", "{}")])), None);
        assert_eq!(tls_report(&report("tlsrpt", &[document.clone(), document])), None);
        let much = " ".repeat(ATTACHMENT_OCTETS_MAX + 1);
        assert_eq!(tls_report(&report("tlsrpt", &[part(JSON, &much)])), None);
        assert!(tls_report(&report("tlsrpt", &[part(JSON, &much[..ATTACHMENT_OCTETS_MAX - 2])])).is_some());
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_harm(octets in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let _ = tls_report(&octets);
            let _ = tls_report(&[b"Content-Type: application/tlsrpt+gzip\r\n\r\n", &octets[..]].concat());
        }
    }
}
