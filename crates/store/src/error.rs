//! What can go wrong in the store, and whether trying again helps.

mod bodies;
mod unfit;

pub use bodies::BodiesUnfit;
pub use unfit::Unfit;

/// Does trying again help?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Temper {
    /// Yes: say 451 or 503.
    Temporary,
    /// No.
    Permanent,
}

/// A failure of the store. No variant's text holds an address, a subject or a body.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the folder.
    #[error("the data folder {folder} is in use by another process; stop that one first or choose another folder")]
    Locked {
        /// The folder.
        folder: String,
    },
    /// The master key is missing.
    #[error(
        "the master key file {file} is missing, but the store holds data sealed under it; restore the file from your \
         backup of keys, or copy it from another node of the store"
    )]
    MasterKeyMissing {
        /// Where it was looked for.
        file: String,
    },
    /// The master key does not open this folder.
    #[error("the master key in {file} does not open this data folder; it belongs to another installation")]
    MasterKeyWrong {
        /// Where it was read.
        file: String,
    },
    /// The master key file is not one.
    #[error("the master key file {file} is not 32 bytes in base64; restore it from your backup of keys")]
    MasterKeyMalformed {
        /// Where it was read.
        file: String,
    },
    /// The database was made by a newer version.
    #[error("the data were written by a newer version (schema {found}, this binary knows {known}); upgrade this node")]
    NewerSchema {
        /// Version in the database.
        found: i64,
        /// Version this binary knows.
        known: i64,
    },
    /// A copy into this store was not finished.
    #[error(
        "this store is the target of a copy that was not finished (table {table}); give the same `postern store copy` \
         again until it says that both are the same, or empty the store"
    )]
    HalfCopied {
        /// The first table that is not whole.
        table: String,
    },
    /// A controller's tags were being put under a new key when it was cut short.
    #[error(
        "the tags of controller {controller} are on their way under a new key, and that was cut short; run \
         `postern key rotate tags` for it again: it goes on where it stopped, and nothing is lost"
    )]
    TagsOnTheirWay {
        /// Its public id.
        controller: String,
    },
    /// Nodes serve that must not while this is done.
    #[error("nodes use this store: {names}; stop them first, and start them again when this has ended")]
    NodesServe {
        /// What they are called.
        names: String,
    },
    /// The disk is full. Nothing of the request was kept.
    #[error("the disk is full; nothing was kept of this request")]
    Full,
    /// The engine refused or failed; nothing of the request was kept.
    #[error("the database failed: {0}")]
    Engine(String),
    /// It is not known whether the commit took place. On SQLite the process ends and recovers from the file; on
    /// PostgreSQL it goes on.
    #[error("the database could not say whether the commit took place; looking again, or restarting, is safe")]
    Unknown,
    /// The database cannot be used as it is. Said at start.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The place for large bodies cannot be used as it is. Said at start.
    #[error(transparent)]
    BodiesUnfit(#[from] BodiesUnfit),
    /// A large body could not be put or had.
    #[error("bodies in {place}: {reason}")]
    Bodies {
        /// Where.
        place: String,
        /// What happened.
        reason: String,
    },
    /// The store is closing.
    #[error("the store is closing")]
    Closed,
    /// A file could not be written or read.
    #[error("file {file}: {reason}")]
    File {
        /// Which file.
        file: String,
        /// The operating system's words.
        reason: String,
    },
    /// Sealed bytes did not open: damaged, or sealed under another key.
    #[error("a sealed {what} could not be opened: it is damaged or its key was destroyed")]
    Sealed {
        /// What it was.
        what: &'static str,
    },
    /// A log folder holds another tree than the store. Nothing is signed over it.
    #[error(
        "the log folder {folder} contradicts the store: somebody else changed it, or the store is older than it; \
         find out which, move the folder away, then run `postern ledger rebuild`"
    )]
    LogContradicts {
        /// The folder.
        folder: String,
    },
    /// The log of what must outlive a restore cannot be used as it is. Said at start, and before anything is served.
    #[error("the log of tombstones {file} {reason}")]
    Tombstones {
        /// Which file.
        file: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// A row says something this version does not understand.
    #[error("the database holds an unknown value in {column}")]
    Row {
        /// Which column.
        column: &'static str,
    },
    /// GDPR Art. 7(3): what the person withdrew is not put back by somebody else.
    #[error("this person withdrew; only the person himself can consent anew")]
    Withdrawn,
    /// The person was erased: nothing can be kept about him.
    #[error("this person was erased, and nothing is kept about him")]
    Erased,
    /// A stream's terms ask for what cannot be kept.
    #[error("these terms cannot be kept: {0}")]
    Terms(#[from] crate::accounts::NotKeepable),
    /// Nothing by that name.
    #[error("there is no such {what}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
    /// Something by that name is there already.
    #[error("there is already a {what} of that name")]
    Exists {
        /// What.
        what: &'static str,
    },
}

impl Error {
    /// Does trying again help?
    #[must_use]
    pub const fn temper(&self) -> Temper {
        match self {
            Self::Full | Self::Engine(_) | Self::Unknown | Self::Closed | Self::File { .. } => Temper::Temporary,
            Self::Bodies { .. } => Temper::Temporary,
            Self::BodiesUnfit(unfit) => unfit.temper(),
            Self::Unfit(unfit) => unfit.temper(),
            _ => Temper::Permanent,
        }
    }

    pub(crate) fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::File { file: path.display().to_string(), reason: error.to_string() }
    }
}

/// The store's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
