//! Content in eight bits for a peer that does not offer 8BITMIME: written anew in seven, before it is signed.
//!
//! It is done for each attempt, of the content as it was taken in: what the next peer offers is not known before.
//! Never: an alteration of what is signed, encrypted or forwarded. Such content stays as it is, and then it does not
//! leave (5.6.3).
//! Standards: RFC 6152 §3.

use bytes::Bytes;
use mail::seven_bit::{SevenBit, Unaltered, seven_bit};
use store::Content;

/// Up to this size it is done where it stands; more would delay others on the same thread.
const SMALL_OCTETS_MAX: usize = 64 * 1024;

/// The content in seven bits, or as it is where it cannot be.
pub(super) async fn in_seven_bits(content: Content) -> Content {
    if content.body.is_ascii() {
        return content;
    }
    let made = if content.body.len() <= SMALL_OCTETS_MAX {
        seven_bit(&content.head, &content.body)
    } else {
        // Handles to the same octets, not copies.
        let (head, body) = (content.head.clone(), content.body.clone());
        let work = tokio::task::spawn_blocking(move || seven_bit(&head, &body));
        work.await.unwrap_or(Err(Unaltered::Malformed))
    };
    match made {
        Ok(SevenBit { head, body }) => {
            let head = head.map_or_else(|| content.head.clone(), Bytes::from);
            Content { head, body: Bytes::from(body), ..content }
        }
        Err(unaltered) => {
            tracing::debug!(%unaltered, "content in eight bits could not be written in seven");
            content
        }
    }
}
