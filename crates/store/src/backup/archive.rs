//! An archive: a line that says what it is, then chunks sealed under one key, each at its place alone, the last one
//! marked; in them, files one after the other.
//!
//! Invariants: a chunk that was moved, left out or cut off does not open; nothing of a file is handed out before its
//! chunk opened. Never: more than two chunks in memory; an archive under its name that is not whole.

use crate::error::{Error, Result};
use crate::folder::private_file;
use crate::vault::crypto::{self, Key};
use model::ids::hex;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// Octets of a chunk before it is sealed.
const CHUNK: usize = 1024 * 1024;
const MAGIC: &str = "postern-backup 1 ";
/// Octets of the first line.
const HEAD_OCTETS: usize = MAGIC.len() + 5 + 32 + 1;
/// Octets of a file's name at most.
const NAME_MAX: usize = 64;

/// Which of the two of a backup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    /// Everything but keys.
    Main,
    /// Keys, and that of the other one.
    Keys,
}

impl Part {
    /// Four letters, in the first line and in the file's name.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Keys => "keys",
        }
    }
}

/// An archive that is written.
pub(super) struct Writer {
    path: PathBuf,
    part: PathBuf,
    file: File,
    key: Key,
    head: Vec<u8>,
    number: u64,
    buffer: Vec<u8>,
}

impl Writer {
    /// Begins one beside the name that it gets when it is whole.
    pub(super) fn create(path: &Path, part: Part, id: [u8; 16], key: Key) -> Result<Self> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".part");
        let beside = PathBuf::from(beside);
        let file = private_file(&beside)?;
        let head = format!("{MAGIC}{} {}\n", part.word(), hex(&id)).into_bytes();
        let mut writer =
            Self { path: path.to_owned(), part: beside, file, key, head, number: 0, buffer: Vec::with_capacity(CHUNK) };
        writer
            .file
            .set_len(0)
            .and_then(|()| writer.file.write_all(&writer.head))
            .map_err(|error| writer.failed(&error))?;
        Ok(writer)
    }

    /// A file of these octets.
    pub(super) fn put(&mut self, name: &str, octets: &[u8]) -> Result<()> {
        self.begin(name, octets.len() as u64)?;
        self.write(octets)
    }

    /// A file as it is on disk. One that is gone meanwhile is left out.
    pub(super) fn put_file(&mut self, name: &str, path: &Path) -> Result<bool> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened.map_err(|error| Error::file(path, &error))?,
        };
        let length = file.metadata().map_err(|error| Error::file(path, &error))?.len();
        self.begin(name, length)?;
        let (mut left, mut reader) = (length, file.take(length));
        let mut buffer = vec![0; 64 * 1024];
        while left > 0 {
            let read = reader.read(&mut buffer).map_err(|error| Error::file(path, &error))?;
            if read == 0 {
                return Err(Error::File { file: path.display().to_string(), reason: "it became shorter".to_owned() });
            }
            self.write(buffer.get(..read).unwrap_or_default())?;
            left = left.saturating_sub(read as u64);
        }
        Ok(true)
    }

    /// Ends it: durable, and under its name.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.write(&0_u16.to_be_bytes())?;
        self.seal(true)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let ended = self
            .file
            .sync_all()
            .and_then(|()| std::fs::rename(&self.part, &self.path))
            .and_then(|()| File::open(folder)?.sync_all())
            .and_then(|()| self.file.metadata());
        ended.map(|of| of.len()).map_err(|error| self.failed(&error))
    }

    fn begin(&mut self, name: &str, length: u64) -> Result<()> {
        let octets = u16::try_from(name.len()).ok().filter(|_| name.len() <= NAME_MAX);
        let octets = octets.ok_or_else(|| Error::Engine("a file of the store has too long a name".into()))?;
        self.write(&octets.to_be_bytes())?;
        self.write(name.as_bytes())?;
        self.write(&length.to_be_bytes())
    }

    fn write(&mut self, mut octets: &[u8]) -> Result<()> {
        while !octets.is_empty() {
            let room = CHUNK.saturating_sub(self.buffer.len()).min(octets.len());
            let (now, later) = octets.split_at(room);
            self.buffer.extend_from_slice(now);
            octets = later;
            if self.buffer.len() == CHUNK {
                self.seal(false)?;
            }
        }
        Ok(())
    }

    fn seal(&mut self, is_last: bool) -> Result<()> {
        let sealed = crypto::seal(&self.key, &context(&self.head, self.number, is_last), &self.buffer)?;
        let length = u32::try_from(sealed.len()).map_err(|_| Error::Full)?;
        let written = self
            .file
            .write_all(&[u8::from(is_last)])
            .and_then(|()| self.file.write_all(&length.to_be_bytes()))
            .and_then(|()| self.file.write_all(&sealed));
        written.map_err(|error| self.failed(&error))?;
        self.number += 1;
        self.buffer.clear();
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::file(&self.part, error)
    }
}

/// An archive that is read.
pub(super) struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    key: Key,
    head: Vec<u8>,
    number: u64,
    chunk: Vec<u8>,
    at: usize,
    is_last: bool,
}

impl Reader {
    /// Which part of which backup a file says that it is.
    pub(super) fn id(path: &Path, part: Part) -> Result<[u8; 16]> {
        let mut head = vec![0; HEAD_OCTETS];
        let mut file = File::open(path).map_err(|error| Error::file(path, &error))?;
        file.read_exact(&mut head).map_err(|_| not_one(path, part))?;
        let text = String::from_utf8(head).map_err(|_| not_one(path, part))?;
        let digits = text.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix(part.word()));
        let digits = digits.and_then(|rest| rest.strip_prefix(' ')).and_then(|rest| rest.strip_suffix('\n'));
        digits.and_then(octets_of).ok_or_else(|| not_one(path, part))
    }

    pub(super) fn open(path: &Path, part: Part, key: Key) -> Result<Self> {
        let id = Self::id(path, part)?;
        let mut file = BufReader::new(File::open(path).map_err(|error| Error::file(path, &error))?);
        let head = format!("{MAGIC}{} {}\n", part.word(), hex(&id)).into_bytes();
        file.read_exact(&mut vec![0; head.len()]).map_err(|error| Error::file(path, &error))?;
        let (chunk, path) = (Vec::new(), path.to_owned());
        Ok(Self { path, file, key, head, number: 0, chunk, at: 0, is_last: false })
    }

    /// The next file's name and length; nothing at the end.
    pub(super) fn next_file(&mut self) -> Result<Option<(String, u64)>> {
        let mut length = [0; 2];
        self.fill(&mut length)?;
        let octets = usize::from(u16::from_be_bytes(length));
        if octets == 0 {
            return if self.is_last && self.at == self.chunk.len() { Ok(None) } else { Err(self.damaged()) };
        }
        if octets > NAME_MAX {
            return Err(self.damaged());
        }
        let mut name = vec![0; octets];
        self.fill(&mut name)?;
        let mut length = [0; 8];
        self.fill(&mut length)?;
        let name = String::from_utf8(name).map_err(|_| self.damaged())?;
        Ok(Some((name, u64::from_be_bytes(length))))
    }

    /// Hands out the octets of the file that was named last.
    pub(super) fn copy(&mut self, mut length: u64, to: &mut impl Write, path: &Path) -> Result<()> {
        while length > 0 {
            if self.at == self.chunk.len() {
                self.next_chunk()?;
            }
            let room = usize::try_from(length).unwrap_or(usize::MAX).min(self.chunk.len() - self.at);
            let octets = self.chunk.get(self.at..self.at + room).unwrap_or_default();
            to.write_all(octets).map_err(|error| Error::file(path, &error))?;
            self.at += room;
            length -= room as u64;
        }
        Ok(())
    }

    fn fill(&mut self, octets: &mut [u8]) -> Result<()> {
        let (length, mut to) = (octets.len() as u64, octets);
        let path = self.path.clone();
        self.copy(length, &mut to, &path)
    }

    fn next_chunk(&mut self) -> Result<()> {
        if self.is_last {
            return Err(self.damaged());
        }
        let mut head = [0; 5];
        self.file.read_exact(&mut head).map_err(|_| self.damaged())?;
        let [last, length @ ..] = head;
        let length = u32::from_be_bytes(length) as usize;
        if last > 1 || length > CHUNK + crypto::OVERHEAD {
            return Err(self.damaged());
        }
        let mut sealed = vec![0; length];
        self.file.read_exact(&mut sealed).map_err(|_| self.damaged())?;
        self.is_last = last == 1;
        let context = context(&self.head, self.number, self.is_last);
        self.chunk = crypto::open(&self.key, &context, &sealed, "backup").map_err(|_| self.damaged())?;
        self.at = 0;
        self.number += 1;
        // An empty chunk is the end of something that ends elsewhere.
        if self.chunk.is_empty() { Err(self.damaged()) } else { Ok(()) }
    }

    fn damaged(&self) -> Error {
        Error::File {
            file: self.path.display().to_string(),
            reason: "this backup is damaged or cut short, or its keys are another's".to_owned(),
        }
    }
}

fn not_one(path: &Path, part: Part) -> Error {
    let reason = match part {
        Part::Main => "this is no main part of a backup of Postern's (postern-main-….backup)",
        Part::Keys => "this is no part with keys of a backup of Postern's (postern-keys-….backup)",
    };
    Error::File { file: path.display().to_string(), reason: reason.to_owned() }
}

fn context(head: &[u8], number: u64, is_last: bool) -> Vec<u8> {
    [head, &number.to_be_bytes(), &[u8::from(is_last)]].concat()
}

fn octets_of(text: &str) -> Option<[u8; 16]> {
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let octets: Option<Vec<u8>> = text.as_bytes().chunks(2).map(octet).collect();
    octets?.try_into().ok()
}
