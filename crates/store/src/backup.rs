//! Backup and restore of a store on SQLite, beside the node that serves it (`architecture.md` §3, law.md R45).
//!
//! A backup is two files in two places. The main one holds everything but keys, sealed under a key of its own; the
//! other one holds the keys, and that key, sealed under the master key, which is in neither. The main database is read
//! first and the keys second, so that no key is missing that something refers to. A main part is noise as soon as its
//! keys part is gone: those older than [`KEYS_KEPT_DAYS`] are removed by the next backup.
//! Invariants: each part gets its name when it is whole and durable; a restore makes a folder that was not there, whole
//! or not at all. What waited in it may have been sent since: whoever restores marks it so ([`Store::doubt_queue`]).
//! Never: a key in the main part; the master key in either.

mod archive;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::open::CreateKey;
#[cfg(doc)]
use crate::open::Store;
use crate::sqlite::snapshot::{self, Snapshot};
use crate::vault::{Key, MasterKey, Vault, crypto};
use archive::{Part, Reader, Writer};
use model::Timestamp;
use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Days after which a keys part is removed, and its main part noise with it (law.md R45).
pub const KEYS_KEPT_DAYS: u32 = 35;

const MAIN_DB: &str = "main.db";
const KEYS_DB: &str = "keys.db";
const MAIN_KEY: &str = "main.key";
const BODIES: &str = "bodies/";
const KEY_USE: &str = "backup of keys";

/// What is to be kept, and where.
#[derive(Clone, Debug)]
pub struct BackupPlan {
    /// The data folder. A node may serve it meanwhile.
    pub data: PathBuf,
    /// The file of the master key.
    pub master_key: PathBuf,
    /// The folder for main parts.
    pub to: PathBuf,
    /// The folder for keys parts, which is another.
    pub keys_to: PathBuf,
    /// Days that keys parts are kept.
    pub keep_days: u32,
    /// The present moment.
    pub now: Timestamp,
}

/// What was kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backup {
    /// The main part.
    pub main: PathBuf,
    /// Its octets.
    pub main_octets: u64,
    /// The part with the keys.
    pub keys: PathBuf,
    /// Its octets.
    pub keys_octets: u64,
    /// Bodies of messages in it that lie in files.
    pub bodies: u64,
    /// Keys parts that were removed, because their days are over.
    pub removed: Vec<PathBuf>,
}

/// What is to be put back, and where.
#[derive(Clone, Debug)]
pub struct RestorePlan {
    /// The main part.
    pub main: PathBuf,
    /// The part with the keys.
    pub keys: PathBuf,
    /// The file of the master key.
    pub master_key: PathBuf,
    /// The data folder: it is made.
    pub data: PathBuf,
}

/// Makes a backup. Works for as long as it takes to read everything: call it where that hinders nobody.
///
/// # Errors
/// Those of files, of the databases and of the master key. What was begun has no name then, and hinders no other.
pub fn back_up(plan: &BackupPlan) -> Result<Backup> {
    for folder in [&plan.to, &plan.keys_to] {
        if !folder.is_dir() {
            let reason = "there is no such folder: make or mount it first";
            return Err(Error::File { file: folder.display().to_string(), reason: reason.to_owned() });
        }
    }
    let same = |one: &Path, other: &Path| -> std::io::Result<bool> {
        let (one, other) = (std::fs::metadata(one)?, std::fs::metadata(other)?);
        Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
    };
    if same(&plan.to, &plan.keys_to).map_err(|error| Error::file(&plan.keys_to, &error))? {
        let reason = "keys lie elsewhere than what they open: name another folder for them";
        return Err(Error::File { file: plan.keys_to.display().to_string(), reason: reason.to_owned() });
    }
    let master = MasterKey::load(&plan.master_key, CreateKey::Never, true)?;
    Vault::fits(&master, &snapshot::keys(&plan.data.join(KEYS_DB))?)?;
    let (id, key) = (crypto::random()?, crypto::new_key()?);
    let stamp = stamp(plan.now);
    let named = |folder: &Path, part: Part| folder.join(format!("postern-{}-{stamp}.backup", part.word()));
    let (main, keys) = (named(&plan.to, Part::Main), named(&plan.keys_to, Part::Keys));
    let (main_octets, bodies) = main_part(plan, &main, id, key.clone())?;
    let keys_octets = keys_part(plan, &keys, id, &key, &master)?;
    let removed = remove_old(plan, &keys)?;
    Ok(Backup { main, main_octets, keys, keys_octets, bodies, removed })
}

fn main_part(plan: &BackupPlan, path: &Path, id: [u8; 16], key: Key) -> Result<(u64, u64)> {
    let mut archive = Writer::create(path, Part::Main, id, key)?;
    let folder = plan.data.join("bodies");
    let (mut kept, mut bodies) = (HashSet::new(), 0);
    // Before the rows, so that what they refer to is not gone by then; and after them what came meanwhile.
    let mut keep = |archive: &mut Writer| -> Result<()> {
        for name in body_names(&folder)? {
            if !kept.contains(&name) && archive.put_file(&format!("{BODIES}{name}"), &folder.join(&name))? {
                bodies += 1;
                kept.insert(name);
            }
        }
        Ok(())
    };
    keep(&mut archive)?;
    database(&mut archive, &plan.data, MAIN_DB)?;
    keep(&mut archive)?;
    Ok((archive.finish()?, bodies))
}

fn keys_part(plan: &BackupPlan, path: &Path, id: [u8; 16], key: &Key, master: &MasterKey) -> Result<u64> {
    let mut archive = Writer::create(path, Part::Keys, id, master.derived(KEY_USE))?;
    archive.put(MAIN_KEY, key.as_slice())?;
    database(&mut archive, &plan.data, KEYS_DB)?;
    archive.finish()
}

/// A backup without its database is none.
fn database(archive: &mut Writer, data: &Path, name: &str) -> Result<()> {
    let snapshot = Snapshot::take(data, name)?;
    if archive.put_file(name, snapshot.path())? {
        return Ok(());
    }
    let reason = "a node that started, or another backup, removed it meanwhile: try again";
    Err(Error::File { file: snapshot.path().display().to_string(), reason: reason.to_owned() })
}

/// Puts a backup back into a folder that is made: the folder has its name when everything is in it and durable.
///
/// # Errors
/// When the folder is there; when a part is damaged, or the two are not of one backup; those of files and of the
/// master key.
pub fn restore(plan: &RestorePlan) -> Result<()> {
    if plan.data.try_exists().map_err(|error| Error::file(&plan.data, &error))? {
        let reason = "it is there already: a backup is restored into a folder that is not";
        return Err(Error::File { file: plan.data.display().to_string(), reason: reason.to_owned() });
    }
    if Reader::id(&plan.main, Part::Main)? != Reader::id(&plan.keys, Part::Keys)? {
        let reason = "this part with keys is of another backup than the main part";
        return Err(Error::File { file: plan.keys.display().to_string(), reason: reason.to_owned() });
    }
    let master = MasterKey::load(&plan.master_key, CreateKey::Never, true)?;
    let mut beside = plan.data.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    match std::fs::remove_dir_all(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::file(&beside, &error)),
        // What a restore that was cut short left.
        _ => {}
    }
    for folder in [beside.clone(), beside.join("bodies")] {
        let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|error| Error::file(&folder, &error))?;
    }
    let key = unpack_keys(plan, &beside, &master)?;
    unpack_main(plan, &beside, key)?;
    Vault::fits(&master, &snapshot::keys(&beside.join(KEYS_DB))?)?;
    let parent = plan.data.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let named = File::open(&beside)
        .and_then(|folder| folder.sync_all())
        .and_then(|()| std::fs::rename(&beside, &plan.data))
        .and_then(|()| File::open(parent)?.sync_all());
    named.map_err(|error| Error::file(&plan.data, &error))
}

fn unpack_keys(plan: &RestorePlan, to: &Path, master: &MasterKey) -> Result<Key> {
    let mut archive = Reader::open(&plan.keys, Part::Keys, master.derived(KEY_USE))?;
    let mut key = None;
    while let Some((name, length)) = archive.next_file()? {
        match name.as_str() {
            MAIN_KEY if length == 32 => {
                let mut octets = [0; 32];
                archive.copy(length, &mut octets.as_mut_slice(), &plan.keys)?;
                key = Some(Key::new(octets));
            }
            KEYS_DB => unpack(&mut archive, length, &to.join(KEYS_DB))?,
            _ => return Err(strange(&plan.keys)),
        }
    }
    key.ok_or_else(|| strange(&plan.keys))
}

fn unpack_main(plan: &RestorePlan, to: &Path, key: Key) -> Result<()> {
    let mut archive = Reader::open(&plan.main, Part::Main, key)?;
    let mut is_there = false;
    while let Some((name, length)) = archive.next_file()? {
        match name.strip_prefix(BODIES) {
            Some(body) if is_body(body) => unpack(&mut archive, length, &to.join("bodies").join(body))?,
            None if name == MAIN_DB => {
                is_there = true;
                unpack(&mut archive, length, &to.join(MAIN_DB))?;
            }
            _ => return Err(strange(&plan.main)),
        }
    }
    if is_there { Ok(()) } else { Err(strange(&plan.main)) }
}

fn unpack(archive: &mut Reader, length: u64, path: &Path) -> Result<()> {
    let mut file = crate::folder::private_file(path)?;
    archive.copy(length, &mut file, path)?;
    file.sync_all().map_err(|error| Error::file(path, &error))
}

fn strange(path: &Path) -> Error {
    let reason = "this backup holds something else than it should; a newer version may have made it";
    Error::File { file: path.display().to_string(), reason: reason.to_owned() }
}

/// Removes keys parts whose days are over, by the day in their names.
fn remove_old(plan: &BackupPlan, newest: &Path) -> Result<Vec<PathBuf>> {
    let days = i64::from(plan.keep_days.min(KEYS_KEPT_DAYS));
    let oldest = stamp(Timestamp::from_micros(plan.now.micros().saturating_sub(days.saturating_mul(86_400_000_000))));
    let failed = |error: &std::io::Error| Error::file(&plan.keys_to, error);
    let mut removed = Vec::new();
    for entry in std::fs::read_dir(&plan.keys_to).map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        let name = entry.file_name();
        let made = name.to_str().and_then(|name| name.strip_prefix("postern-keys-")?.strip_suffix(".backup"));
        if made.is_some_and(|made| is_stamp(made) && made < oldest.as_str()) && entry.path() != newest {
            std::fs::remove_file(entry.path()).map_err(|error| Error::file(&entry.path(), &error))?;
            removed.push(entry.path());
        }
    }
    Ok(removed)
}

fn body_names(folder: &Path) -> Result<Vec<String>> {
    let failed = |error: &std::io::Error| Error::file(folder, error);
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| failed(&error))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| failed(&error))?.file_name();
        names.extend(name.to_str().filter(|name| is_body(name)).map(str::to_owned));
    }
    Ok(names)
}

/// The name of a body that is whole: 16 hex digits.
fn is_body(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'))
}

/// A moment as it stands in names: in order, and without characters that shells take for something.
fn stamp(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_microsecond(at.micros()).unwrap_or(jiff::Timestamp::MAX);
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn is_stamp(text: &str) -> bool {
    text.len() == 16 && text.ends_with('Z') && text.starts_with(|first: char| first.is_ascii_digit())
}
