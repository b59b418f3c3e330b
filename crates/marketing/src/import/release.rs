//! Rows that wait for their provenance are let go: what they lack is named, and they come in as an import of its own.
//!
//! Invariants: it is the same way as for a file, with the same judgement: whoever objects stays out, what a row says
//! itself stands before what is said of all, a row that still lacks something waits on with the new import; the rows
//! leave the old import only after the new one is in force, so a crash between the two lets a row wait twice, and never
//! lets one be lost. Never: a wish changed (GDPR Art. 21(3)).

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use model::BatchId;
use serde_json::Value;
use store::Store;
use tokio::sync::mpsc;

use super::{
    Delimiter, Encoding, Field, Format, HeaderRow, ImportError, Imported, Input, Mapping, Mode, Plan, Tell, run,
};

/// Rows read at once.
const PAGE: usize = 256;
/// Pages that wait for the reader.
const PAGES: usize = 2;

/// The columns that the rows are written in again.
const COLUMNS: [Field; 11] = [
    Field::Email,
    Field::GivenAt,
    Field::Method,
    Field::Source,
    Field::Notice,
    Field::Basis,
    Field::Purpose,
    Field::Language,
    Field::Confirmed,
    Field::SoftOptIn,
    Field::Obtained,
];

/// Lets the waiting rows of an import go, as far as `plan` says what they lack. `plan` is of any format: of it only
/// what is said of the whole file counts.
///
/// # Errors
/// [`ImportError`]: then every row waits as before. [`store::Error::NotFound`] when the controller has no such import,
/// or it is not done.
pub async fn release(store: &Arc<Store>, from: BatchId, plan: Plan, tell: &Tell) -> Result<Imported, ImportError> {
    let absent = store::Error::NotFound { what: "import that is done" };
    let view = store.import_view(plan.controller, from).await?.filter(|view| view.state == "done").ok_or(absent)?;
    let controller = plan.controller;
    let (give, pages) = mpsc::channel(PAGES);
    let reading = tokio::spawn(read(Arc::clone(store), plan.controller, from, give));
    let mapping = COLUMNS.into_iter().fold(Mapping::new(), |mapping, field| mapping.field(field, field.as_str()));
    let plan = Plan {
        input: Input {
            format: Format::Csv { delimiter: Delimiter::Comma },
            encoding: Encoding::Utf8OrMark,
            header: HeaderRow::First,
        },
        mapping: Some(mapping),
        // What no instruction covers any more is not among them: those rows wait on.
        purposes: if plan.purposes.is_empty() {
            let mut meant = purposes(store, controller, &view.about);
            meant.retain(|id| plan.within.contains(id));
            meant
        } else {
            plan.purposes
        },
        mode: Mode::Write,
        ..plan
    };
    let imported = run(store, plan, Pages { pages, now: Cursor::default() }, None, tell).await?;
    // The file that was read ended, so this has.
    let last = reading.await.map_err(|_| ImportError::Broken)??;
    store.rows_released(controller, from, last).await?;
    Ok(imported)
}

/// For what the rows were meant, where they do not say it themselves.
fn purposes(store: &Store, controller: model::ControllerId, about: &str) -> Vec<model::PurposeId> {
    let about: Value = serde_json::from_str(about).unwrap_or_default();
    let names: Vec<&str> = about["purposes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let known = store.purposes(controller).into_iter();
    known.filter(|one| one.ended.is_none() && names.contains(&one.name.as_str())).map(|one| one.id).collect()
}

/// Gives the waiting rows as a file; answers the last line.
async fn read(
    store: Arc<Store>,
    controller: model::ControllerId,
    from: BatchId,
    give: mpsc::Sender<io::Result<String>>,
) -> store::Result<u64> {
    let mut page = COLUMNS.map(Field::as_str).join(",");
    page.push_str("\r\n");
    let mut last = 0;
    loop {
        let rows = match store.quarantined(controller, from, last, PAGE).await {
            Ok(rows) => rows,
            Err(error) => {
                // No half file may count as a whole one.
                let _ = give.send(Err(io::ErrorKind::Other.into())).await;
                return Err(error);
            }
        };
        let Some(end) = rows.last().map(|row| row.line) else { break };
        last = end;
        // Of a person who was erased meanwhile there is nothing.
        for row in rows.into_iter().filter_map(|row| row.row) {
            page.push_str(&line(&serde_json::from_str(&row).unwrap_or_default()));
        }
        if give.send(Ok(std::mem::take(&mut page))).await.is_err() {
            return Ok(last);
        }
    }
    let _ = give.send(Ok(page)).await;
    Ok(last)
}

/// RFC 4180 §2, every cell in quotes.
fn line(row: &Value) -> String {
    let cells = COLUMNS.map(|field| {
        let text = cell(row, field);
        format!("\"{}\"", text.replace('"', "\"\""))
    });
    format!("{}\r\n", cells.join(","))
}

fn cell(row: &Value, field: Field) -> String {
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    match field {
        Field::Email => text("address"),
        Field::GivenAt => moment(&row["given_us"]),
        Field::Purpose => {
            let names: Vec<&str> = row["purposes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            names.join(";")
        }
        Field::Confirmed => match row["confirmed"].as_bool() {
            Some(true) => "yes".to_owned(),
            Some(false) => "no".to_owned(),
            None => moment(&row["confirmed"]),
        },
        Field::Method
        | Field::Source
        | Field::Notice
        | Field::Basis
        | Field::Language
        | Field::SoftOptIn
        | Field::Obtained => text(field.as_str()),
        Field::Attribute => String::new(),
    }
}

fn moment(micros: &Value) -> String {
    let at = micros.as_i64().and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok());
    at.map_or_else(String::new, |at| at.to_string())
}

/// Pages, for a thread that reads.
struct Pages {
    pages: mpsc::Receiver<io::Result<String>>,
    now: Cursor<String>,
}

impl Read for Pages {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.now.read(room)?;
            if count > 0 || room.is_empty() {
                return Ok(count);
            }
            match self.pages.blocking_recv() {
                Some(page) => self.now = Cursor::new(page?),
                None => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rfc4180_a_row_is_written_so_that_it_is_read_as_it_was() {
        let row = json!({"address": "\"a,b\"@dest.example", "source": "the \"fair\"",
            "given_us": 1_740_787_200_000_000_i64, "purposes": ["news", "offers"], "confirmed": false});
        let expected = "\"\"\"a,b\"\"@dest.example\",\"2025-03-01T00:00:00Z\",\"\",\"the \"\"fair\"\"\",\"\",\"\",\
                        \"news;offers\",\"\",\"no\",\"\",\"\"\r\n";
        assert_eq!(line(&row), expected);
    }
}
