//! The log's file: a line that says what it is, then sealed records, each with its length before it.
//!
//! Invariants: records are numbered without gaps from the first that is kept, and each opens at its own place alone;
//! what was appended is durable before anybody is told; one process writes at a time, by the kernel's lock. What a
//! crash left of a record at the end is cut off: nobody was told of it.
//! Never: a tag or a controller in clear; a log made in the place of one that is missing.

use crate::error::{Error, Result};
use crate::folder::private_file;
use crate::vault::crypto::{self, Key};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::ids::hex;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// The file in its folder.
const NAME: &str = "tombstones.log";
/// What is written beside it, and then put in its place.
const NEXT: &str = "tombstones.log.next";
const FORMAT: &str = "tombstones";
const VERSION: u32 = 1;
/// Octets of the first line at most.
const HEAD_MAX: u64 = 4_096;
/// Octets of a sealed record at most: a thousand persons with everything that can stand of them.
const RECORD_MAX: usize = 64 * 1024 * 1024;
const KEY_LABEL: &[u8] = b"tombstones key";

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    postern: String,
    version: u32,
    /// Which log: a store knows its own.
    id: String,
    /// The number of the first record.
    first: u64,
    /// The key of the records, sealed under a key of the store's.
    key: String,
}

/// A place in it.
pub(super) struct Cursor {
    number: u64,
    at: u64,
}

impl Cursor {
    const fn step(&mut self, octets: usize) {
        self.number += 1;
        self.at += 4 + octets as u64;
    }
}

/// An open log.
pub(super) struct Log {
    path: PathBuf,
    file: File,
    id: [u8; 16],
    key: Key,
    first: u64,
    /// Number of the record after the last.
    next: u64,
    /// Where it begins.
    end: u64,
}

impl Log {
    /// Opens the log in a folder; nothing when there is none.
    pub(super) fn open(dir: &Path, under: &Key) -> Result<Option<Self>> {
        let path = dir.join(NAME);
        if !path.try_exists().map_err(|error| Error::file(&path, &error))? {
            return Ok(None);
        }
        let file = private_file(&path)?;
        let mut log = Self::read_head(path, file, under)?;
        log.find_end()?;
        Ok(Some(log))
    }

    /// Makes an empty one. The folder is made when it is not there, but none of those above it: what is not there is
    /// not mounted.
    pub(super) fn create(dir: &Path, id: [u8; 16], under: &Key) -> Result<Self> {
        let made = std::fs::DirBuilder::new().mode(0o700).create(dir);
        match made {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(Error::file(dir, &error)),
            _ => {}
        }
        let key = crypto::new_key()?;
        Self::write_head(dir, id, 1, &key, under)?;
        Self::open(dir, under)?.ok_or_else(|| unfit(&dir.join(NAME), "is not there right after it was made"))
    }

    /// A file with a first line alone gets its name when it is whole.
    fn write_head(dir: &Path, id: [u8; 16], first: u64, key: &Key, under: &Key) -> Result<File> {
        let (path, next) = (dir.join(NAME), dir.join(NEXT));
        let sealed = crypto::seal(under, KEY_LABEL, key.as_slice())?;
        let head =
            Head { postern: FORMAT.to_owned(), version: VERSION, id: hex(&id), first, key: STANDARD.encode(sealed) };
        let mut line = serde_json::to_vec(&head).map_err(|error| Error::Engine(error.to_string()))?;
        line.push(b'\n');
        let mut file = private_file(&next)?;
        let written = file
            .set_len(0)
            .and_then(|()| file.write_all(&line))
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::rename(&next, &path))
            .and_then(|()| File::open(dir)?.sync_all());
        written.map_err(|error| Error::file(&path, &error))?;
        Ok(file)
    }

    fn read_head(path: PathBuf, file: File, under: &Key) -> Result<Self> {
        let mut line = Vec::new();
        let mut reader = BufReader::new(&file).take(HEAD_MAX);
        reader.read_until(b'\n', &mut line).map_err(|error| Error::file(&path, &error))?;
        let head: Head =
            serde_json::from_slice(&line).map_err(|_| unfit(&path, "does not begin as such a log does"))?;
        if head.postern != FORMAT || head.version != VERSION || line.last() != Some(&b'\n') || head.first == 0 {
            return Err(unfit(&path, "was written by another version"));
        }
        let id = id_of(&head.id).ok_or_else(|| unfit(&path, "does not say which log it is"))?;
        let sealed = STANDARD.decode(&head.key).map_err(|_| unfit(&path, "has no key"))?;
        let key = crypto::open(under, KEY_LABEL, &sealed, "key of the log of tombstones")
            .map_err(|_| unfit(&path, "is another store's: its keys do not open it"))?;
        let key = <[u8; 32]>::try_from(key).map_err(|_| unfit(&path, "has no key"))?;
        let end = line.len() as u64;
        Ok(Self { path, file, id, key: Key::new(key), first: head.first, next: head.first, end })
    }

    /// Which log it is.
    pub(super) const fn id(&self) -> [u8; 16] {
        self.id
    }

    /// Number of the first record that it has, or would have.
    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// Number of the last record; one less than the first when there is none.
    pub(super) const fn last(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    /// The device it lies on.
    pub(super) fn device(&self) -> Option<u64> {
        self.file.metadata().ok().map(|of| of.dev())
    }

    /// Goes on to where it ends by now: others may have written.
    fn find_end(&mut self) -> Result<()> {
        let length = self.file.metadata().map_err(|error| Error::file(&self.path, &error))?.len();
        if length < self.end {
            return Err(unfit(&self.path, "is shorter than it was: somebody else changed it"));
        }
        while let Some(octets) = self.length_at(self.end, length)? {
            self.end += 4 + octets as u64;
            self.next += 1;
        }
        Ok(())
    }

    /// How long the record at a place is; nothing when none is whole there.
    fn length_at(&mut self, at: u64, length: u64) -> Result<Option<usize>> {
        if at + 4 > length {
            return Ok(None);
        }
        let mut octets = [0; 4];
        let read = self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.read_exact(&mut octets));
        read.map_err(|error| Error::file(&self.path, &error))?;
        let octets = u32::from_be_bytes(octets) as usize;
        Ok((octets <= RECORD_MAX && at + 4 + octets as u64 <= length).then_some(octets))
    }

    /// Where the record after `after` begins.
    pub(super) fn behind(&mut self, after: u64) -> Result<Cursor> {
        self.find_end()?;
        let mut cursor = Cursor { number: self.first, at: self.head_octets()? };
        while cursor.number <= after && cursor.number < self.next {
            let octets = self.length_at(cursor.at, self.end)?.ok_or_else(|| self.broken(cursor.number))?;
            cursor.step(octets);
        }
        Ok(cursor)
    }

    /// The next records, a few at once, with their numbers; none at the end. One that does not open is told, with its
    /// number.
    pub(super) fn read(&mut self, cursor: &mut Cursor, most: usize) -> Result<Vec<(u64, Vec<u8>)>> {
        let mut records = Vec::new();
        while records.len() < most && cursor.number < self.next {
            let number = cursor.number;
            let octets = self.length_at(cursor.at, self.end)?.ok_or_else(|| self.broken(number))?;
            let mut sealed = vec![0; octets];
            self.file.read_exact(&mut sealed).map_err(|error| Error::file(&self.path, &error))?;
            let opened = crypto::open(&self.key, &context(self.id, number), &sealed, "tombstone");
            records.push((number, opened.map_err(|_| self.broken(number))?));
            cursor.step(octets);
        }
        Ok(records)
    }

    /// Appends a record, durable when it returns. Answers its number; nothing when another process writes just now.
    pub(super) fn append(&mut self, plain: &[u8]) -> Result<Option<u64>> {
        match self.file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
            Err(std::fs::TryLockError::Error(error)) => return Err(Error::file(&self.path, &error)),
        }
        let appended = self.append_locked(plain);
        let unlocked = self.file.unlock().map_err(|error| Error::file(&self.path, &error));
        let number = appended?;
        unlocked?;
        Ok(Some(number))
    }

    fn append_locked(&mut self, plain: &[u8]) -> Result<u64> {
        self.find_end()?;
        let number = self.next;
        let sealed = crypto::seal(&self.key, &context(self.id, number), plain)?;
        let length = u32::try_from(sealed.len()).ok().filter(|_| sealed.len() <= RECORD_MAX);
        let length = length.ok_or_else(|| unfit(&self.path, "was given a record that is too long"))?;
        let mut octets = length.to_be_bytes().to_vec();
        octets.extend_from_slice(&sealed);
        let written = self
            .file
            .set_len(self.end)
            .and_then(|()| self.file.seek(SeekFrom::Start(self.end)))
            .and_then(|_| self.file.write_all(&octets))
            .and_then(|()| self.file.sync_all());
        written.map_err(|error| Error::file(&self.path, &error))?;
        self.end += octets.len() as u64;
        self.next += 1;
        Ok(number)
    }

    fn head_octets(&mut self) -> Result<u64> {
        let mut line = Vec::new();
        let read = self
            .file
            .seek(SeekFrom::Start(0))
            .and_then(|_| BufReader::new(&self.file).take(HEAD_MAX).read_until(b'\n', &mut line));
        read.map_err(|error| Error::file(&self.path, &error))?;
        Ok(line.len() as u64)
    }

    fn broken(&self, number: u64) -> Error {
        Error::Tombstones {
            file: self.path.display().to_string(),
            reason: format!("is damaged at record {number}; take a whole copy of it"),
        }
    }

    /// Says what is wrong with it.
    pub(super) fn unfit(&self, reason: &str) -> Error {
        unfit(&self.path, reason)
    }
}

/// Where there is no log.
pub(super) fn missing(dir: &Path) -> Error {
    unfit(&dir.join(NAME), "is not there, but this store has written to one: name the folder where it is, or mount it")
}

fn unfit(path: &Path, reason: &str) -> Error {
    Error::Tombstones { file: path.display().to_string(), reason: reason.to_owned() }
}

fn context(id: [u8; 16], number: u64) -> Vec<u8> {
    [b"tombstone ".as_slice(), &id, &number.to_be_bytes()].concat()
}

fn id_of(text: &str) -> Option<[u8; 16]> {
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let octets: Option<Vec<u8>> = text.as_bytes().chunks(2).map(octet).collect();
    octets?.try_into().ok()
}
