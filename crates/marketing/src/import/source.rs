//! The octets of a file: hashed as they are read, and turned into UTF-8 in pieces of bounded size.
//!
//! Invariants: each octet is hashed once, in order; a piece handed out is valid UTF-8 and ends between characters;
//! offsets are octets of the file, whatever its encoding. Never: more than one buffer of text, a NUL handed on.

use std::io::{self, Read};

use aws_lc_rs::digest::{Context, SHA256};
use encoding_rs::{Decoder, DecoderResult};

use super::{Encoding, FileFault};

/// Octets read at a time.
const BUFFER_OCTETS: usize = 64 * 1024;
/// Stands for what could not be decoded: never part of UTF-8, so it is found like any other wrong octet.
const UNDECODED: u8 = 0xFF;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Text: [`Source::text`].
    Text,
    /// Octets that are no character.
    Wrong { offset: u64 },
    /// A NUL; nothing is read beyond it.
    Nul { offset: u64 },
    /// The end.
    End,
}

/// How many octets of the file a character of the text was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    Utf8,
    Utf16,
    One,
}

pub(super) struct Source<R> {
    reader: R,
    hash: Context,
    octets: u64,
    raw: Box<[u8]>,
    decoder: Option<Decoder>,
    width: Width,
    text: Vec<u8>,
    /// Of `text`: what is before it has been used.
    at: usize,
    /// Of `text`: valid up to here.
    valid_to: usize,
    /// Octets at `valid_to` that are no character.
    wrong: usize,
    /// Offset in the file of the first octet of `text`.
    base: u64,
    ended: bool,
    nul: bool,
}

impl<R: Read> Source<R> {
    /// Reads the first buffer and finds the encoding.
    pub(super) fn open(reader: R, said: Encoding) -> Result<Self, FileFault> {
        let mut source = Self {
            reader,
            hash: Context::new(&SHA256),
            octets: 0,
            raw: vec![0; BUFFER_OCTETS].into_boxed_slice(),
            decoder: None,
            width: Width::Utf8,
            text: Vec::with_capacity(BUFFER_OCTETS + 4),
            at: 0,
            valid_to: 0,
            wrong: 0,
            base: 0,
            ended: false,
            nul: false,
        };
        let mut filled = 0;
        while filled < BUFFER_OCTETS && !source.ended {
            let octets = source.read_raw(filled)?;
            filled += octets;
            source.ended = octets == 0;
        }
        let mark = source.choose(filled, said)?;
        source.base = mark as u64;
        source.decode(mark, filled);
        source.measure();
        Ok(source)
    }

    /// The encoding by its mark or as said; the octets of the mark.
    fn choose(&mut self, filled: usize, said: Encoding) -> Result<usize, FileFault> {
        let first = self.raw.get(..filled).unwrap_or_default();
        let (encoding, mark) = encoding_rs::Encoding::for_bom(first).unwrap_or_else(|| {
            let encoding = match said {
                Encoding::Utf8OrMark => encoding_rs::UTF_8,
                Encoding::Utf16Le => encoding_rs::UTF_16LE,
                Encoding::Utf16Be => encoding_rs::UTF_16BE,
                Encoding::Windows1252 => encoding_rs::WINDOWS_1252,
            };
            (encoding, 0)
        });
        let utf8 = encoding == encoding_rs::UTF_8;
        if (utf8 || encoding == encoding_rs::WINDOWS_1252)
            && matches!(first, [0, 1..=255, 0, 1..=255, ..] | [1..=255, 0, 1..=255, 0, ..])
        {
            return Err(FileFault::Utf16Unmarked);
        }
        self.width = match encoding {
            _ if utf8 => Width::Utf8,
            encoding if encoding == encoding_rs::WINDOWS_1252 => Width::One,
            _ => Width::Utf16,
        };
        self.decoder = (!utf8).then(|| encoding.new_decoder_without_bom_handling());
        Ok(mark)
    }

    /// Whether the file has no octet of text.
    pub(super) fn is_empty(&self) -> bool {
        self.ended && self.text.is_empty() && !self.nul
    }

    /// Makes the next piece ready.
    pub(super) fn next(&mut self) -> Result<Next, FileFault> {
        loop {
            if self.at < self.valid_to {
                return Ok(Next::Text);
            }
            if self.wrong > 0 {
                return Ok(Next::Wrong { offset: self.offset() });
            }
            if self.nul {
                return Ok(Next::Nul { offset: self.offset() });
            }
            if self.ended {
                return Ok(Next::End);
            }
            self.fill()?;
        }
    }

    /// The piece that [`Next::Text`] announced.
    pub(super) fn text(&self) -> &[u8] {
        self.text.get(self.at..self.valid_to).unwrap_or_default()
    }

    /// So much of the piece has been used.
    pub(super) fn advance(&mut self, octets: usize) {
        self.at = (self.at + octets).min(self.valid_to);
    }

    /// Goes on behind what [`Next::Wrong`] announced.
    pub(super) fn skip_wrong(&mut self) {
        self.at = self.valid_to + self.wrong;
        self.measure();
    }

    /// Octets read so far.
    pub(super) const fn octets(&self) -> u64 {
        self.octets
    }

    /// Reads what is left without looking at it; SHA-256 and number of all octets of the file.
    pub(super) fn drain(mut self) -> Result<([u8; 32], u64), FileFault> {
        while !self.ended {
            self.ended = self.read_raw(0)? == 0;
        }
        let digest = self.hash.finish();
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest.as_ref());
        Ok((sha256, self.octets))
    }

    fn read_raw(&mut self, from: usize) -> Result<usize, FileFault> {
        loop {
            let room = self.raw.get_mut(from..).unwrap_or_default();
            match self.reader.read(room) {
                Ok(octets) => {
                    // A reader that claims more than the room it had is not believed.
                    let read = room.get(..octets).ok_or(FileFault::Read(io::ErrorKind::InvalidData))?;
                    self.hash.update(read);
                    self.octets += octets as u64;
                    return Ok(octets);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn fill(&mut self) -> Result<(), FileFault> {
        let used = self.text.get(..self.at).unwrap_or_default();
        self.base += width_of(self.width, used);
        // What stays are at most three octets: a character that the last buffer cut in two.
        self.text.drain(..self.at);
        self.at = 0;
        let octets = self.read_raw(0)?;
        self.ended = octets == 0;
        self.decode(0, octets);
        self.measure();
        Ok(())
    }

    /// Appends `raw[from..to]` to the text.
    fn decode(&mut self, from: usize, to: usize) {
        let before = self.text.len();
        let mut raw = self.raw.get(from..to).unwrap_or_default();
        let Some(decoder) = &mut self.decoder else {
            self.text.extend_from_slice(raw);
            self.stop_at_nul(before);
            return;
        };
        loop {
            let start = self.text.len();
            let room = decoder.max_utf8_buffer_length_without_replacement(raw.len()).unwrap_or(raw.len() * 3 + 4);
            self.text.resize(start + room, 0);
            let free = self.text.get_mut(start..).unwrap_or_default();
            let (result, read, written) = decoder.decode_to_utf8_without_replacement(raw, free, self.ended);
            self.text.truncate(start + written);
            raw = raw.get(read..).unwrap_or_default();
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => self.text.push(UNDECODED),
            }
        }
        self.stop_at_nul(before);
    }

    fn stop_at_nul(&mut self, from: usize) {
        let new = self.text.get(from..).unwrap_or_default();
        if let Some(nul) = memchr::memchr(0, new) {
            self.text.truncate(from + nul);
            self.nul = true;
        }
    }

    /// How far the text from `at` on is valid, and what is wrong there.
    fn measure(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        (self.valid_to, self.wrong) = match std::str::from_utf8(rest) {
            Ok(_) => (self.text.len(), 0),
            Err(error) => {
                let left = rest.len() - error.valid_up_to();
                let cut = if self.ended || self.nul { left } else { 0 };
                (self.at + error.valid_up_to(), error.error_len().unwrap_or(cut))
            }
        };
    }

    fn offset(&self) -> u64 {
        self.base + width_of(self.width, self.text.get(..self.at).unwrap_or_default())
    }
}

/// Octets of the file that a piece of text was.
fn width_of(width: Width, text: &[u8]) -> u64 {
    let characters = || text.iter().filter(|octet| !matches!(octet, 0x80..=0xBF)).count() as u64;
    match width {
        Width::Utf8 => text.len() as u64,
        Width::One => characters(),
        // Characters of four octets are two units, and what could not be decoded is one.
        Width::Utf16 => 2 * (characters() + text.iter().filter(|octet| matches!(octet, 0xF0..=0xF7)).count() as u64),
    }
}
