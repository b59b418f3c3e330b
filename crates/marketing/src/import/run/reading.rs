//! The thread that reads the file, and how far it is.

use std::io::Read;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::super::{FileFault, Finished, ImportReader, Input, Mapping, Opened, RowFate, Settings};
use super::{ImportError, Progress, Tell};

/// Rows handed on together.
const ROWS: usize = 2_048;
/// So many such batches wait at most.
const BATCHES: usize = 4;

/// A file whose columns are known.
pub(super) struct Reading<R> {
    reader: ImportReader<R>,
    give: mpsc::Sender<Vec<RowFate>>,
    tell: Tell,
}

impl<R: Read + Send + 'static> Reading<R> {
    /// Looks at the beginning of a file. Nothing of the import has begun then.
    pub(super) async fn open(
        reader: R,
        input: Input,
        mapping: Option<Mapping>,
        settings: Settings,
        tell: Tell,
    ) -> Result<(Self, mpsc::Receiver<Vec<RowFate>>), ImportError> {
        let opening = tokio::task::spawn_blocking(move || {
            let opened = Opened::read(reader, input)?;
            let mapping = mapping.unwrap_or_else(|| Mapping::suggest(opened.header()));
            opened.import(&mapping, settings)
        });
        let reader = opening.await.map_err(|_| ImportError::Broken)??;
        let (give, fates) = mpsc::channel(BATCHES);
        Ok((Self { reader, give, tell }, fates))
    }

    /// Reads to the end of the file, or until nobody takes rows any more.
    pub(super) fn begin(self) -> JoinHandle<Result<Finished, FileFault>> {
        tokio::task::spawn_blocking(move || {
            let Self { mut reader, give, tell } = self;
            // A fault comes again from `finish`.
            while let Ok(Some(rows)) = reader.next_batch(ROWS) {
                tell(Progress::Read(reader.octets()));
                if give.blocking_send(rows).is_err() {
                    break;
                }
            }
            drop(give);
            reader.finish()
        })
    }
}
