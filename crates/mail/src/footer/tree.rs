//! Walks the MIME tree and picks the texts that a footer goes into.
//!
//! Each octet is looked at once for each level around it, of which there are at most [`DEPTH_MAX`].
//! Never: a part without a delimiter line on both sides, a look into attachments or forwarded messages.
//! Standards: RFC 2046 §5.1.

use std::ops::Range;

use memchr::memmem::Finder;

use super::entity::{Entity, Inner, Kind, Untyped};
use super::slot::{Place, Slot};
use super::{DEPTH_MAX, PARTS_MAX, TextKind, Unfit};
use crate::header::HeaderBlock;

/// Kinds of text.
#[derive(Clone, Copy, Default)]
struct Kinds {
    plain: bool,
    html: bool,
}

impl Kinds {
    fn one(kind: TextKind) -> Self {
        Self { plain: kind == TextKind::Plain, html: kind == TextKind::Html }
    }

    fn or(self, other: Self) -> Self {
        Self { plain: self.plain || other.plain, html: self.html || other.html }
    }

    fn without(self, other: Self) -> Self {
        Self { plain: self.plain && !other.plain, html: self.html && !other.html }
    }

    fn has(self, kind: TextKind) -> bool {
        match kind {
            TextKind::Plain => self.plain,
            TextKind::Html => self.html,
        }
    }
}

/// The texts of a message that a footer goes into, in the order of the message.
pub(super) fn slots<'m>(block: HeaderBlock<'m>, body: &'m [u8]) -> Result<Vec<Slot<'m>>, Unfit> {
    let mut walk = Walk { body, parts: 1, boundaries: Vec::new(), slots: Vec::new() };
    let top = Entity { block, content: 0..body.len(), place: Place::Whole };
    walk.visit(top, Untyped::Text, Kinds { plain: true, html: true })?;
    Ok(walk.slots)
}

struct Walk<'m> {
    body: &'m [u8],
    parts: usize,
    /// Of the multiparts around the part that is looked at.
    boundaries: Vec<Vec<u8>>,
    slots: Vec<Slot<'m>>,
}

impl<'m> Walk<'m> {
    /// Picks what is wanted from a part and says which kinds were found.
    fn visit(&mut self, entity: Entity<'m>, untyped: Untyped, wanted: Kinds) -> Result<Kinds, Unfit> {
        match entity.kind(untyped)? {
            Kind::Other => Ok(Kinds::default()),
            Kind::Text(kind, _) if !wanted.has(kind) => Ok(Kinds::default()),
            Kind::Text(kind, content_type) => {
                let content = self.body.get(entity.content.clone()).unwrap_or_default();
                let boundaries = self.boundaries.clone();
                self.slots.push(Slot::read(entity, kind, content_type.as_ref(), content, boundaries)?);
                Ok(Kinds::one(kind))
            }
            Kind::Mixed(inner) => {
                let mut found = Kinds::default();
                self.each(inner, entity.content, |walk, part, untyped| {
                    found = found.or(walk.visit(part, untyped, wanted.without(found))?);
                    Ok(())
                })?;
                Ok(found)
            }
            // RFC 2046 §5.1.4: the reader chooses the version that is shown, so that each needs the footer.
            Kind::Alternative(inner) => {
                let mut found = Kinds::default();
                self.each(inner, entity.content, |walk, part, untyped| {
                    found = found.or(walk.visit(part, untyped, wanted)?);
                    Ok(())
                })?;
                Ok(found)
            }
        }
    }

    /// Visits the parts of a multipart.
    fn each(
        &mut self,
        inner: Inner,
        content: Range<usize>,
        mut visit: impl FnMut(&mut Self, Entity<'m>, Untyped) -> Result<(), Unfit>,
    ) -> Result<(), Unfit> {
        if self.boundaries.len() >= DEPTH_MAX {
            return Err(Unfit::TooDeep);
        }
        let spans = split(self.body, &inner.boundary, content, &mut self.parts)?;
        let mut parts = spans.into_iter().map(|span| Entity::read(self.body, span)).collect::<Result<Vec<_>, _>>()?;
        // RFC 2387 §3.2: a root that is named is the text; what else there is serves it. Without a name it is the
        // first, which is where a search in order begins.
        if let Some(root) = &inner.root {
            let is_root = |part: &Entity<'_>| {
                part.block.first("Content-ID").is_some_and(|field| field.unfolded().as_slice() == root.as_slice())
            };
            let at = parts.iter().position(is_root).ok_or(Unfit::Malformed)?;
            parts = parts.into_iter().skip(at).take(1).collect();
        }
        self.boundaries.push(inner.boundary);
        for part in parts {
            visit(self, part, inner.untyped)?;
        }
        self.boundaries.pop();
        Ok(())
    }
}

/// Where the parts of a multipart lie in the body, each with the CRLF before its closing delimiter line. `parts`: how
/// many there are so far, at most [`PARTS_MAX`].
pub(crate) fn split(
    body: &[u8],
    boundary: &[u8],
    content: Range<usize>,
    parts: &mut usize,
) -> Result<Vec<Range<usize>>, Unfit> {
    let octets = body.get(content.clone()).unwrap_or_default();
    let delimiter = [b"--", boundary].concat();
    let mut spans = Vec::new();
    let mut open = None;
    let mut closed = false;
    for at in Finder::new(&delimiter).find_iter(octets) {
        let Some((line, after)) = delimiter_line(octets, at, delimiter.len()) else { continue };
        // What follows the closing line is text for some readers and parts for others.
        if closed {
            return Err(Unfit::Malformed);
        }
        if let Some(start) = open.take() {
            *parts += 1;
            if *parts > PARTS_MAX {
                return Err(Unfit::TooManyParts);
            }
            spans.push(content.start + start..content.start + at);
        }
        match line {
            Delimiter::Open => open = Some(after),
            Delimiter::Close => closed = true,
        }
    }
    // RFC 2046 §5.1.1: a multipart is closed and has a part; one that was cut off is not repaired.
    if closed && !spans.is_empty() { Ok(spans) } else { Err(Unfit::Malformed) }
}

#[derive(Clone, Copy)]
enum Delimiter {
    Open,
    Close,
}

/// Whether the delimiter found at `at` is a delimiter line (RFC 2046 §5.1.1), and where the next line begins.
fn delimiter_line(octets: &[u8], at: usize, length: usize) -> Option<(Delimiter, usize)> {
    let begins_line = at == 0 || octets.get(..at)?.ends_with(b"\r\n");
    if !begins_line {
        return None;
    }
    let rest = octets.get(at + length..)?;
    let (rest, end) = match memchr::memchr(b'\n', rest) {
        Some(lf) => (rest.get(..lf.saturating_sub(1))?, Some(at + length + lf + 1)),
        None => (rest, None),
    };
    match (rest.trim_ascii_end(), end) {
        (b"", Some(end)) => Some((Delimiter::Open, end)),
        // Padding may stand behind the two hyphens, never before them.
        (b"--", _) => Some((Delimiter::Close, octets.len())),
        _ => None,
    }
}
