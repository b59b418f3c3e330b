//! Accounts: all of them are read together, and changed one by one.

use crate::engine::{
    AgreementRow, Change, ControllerRow, CredentialRow, DomainRow, EntryRow, InstructionRow, OrderRow, PolicyRows,
    PurposeRow, StreamRow,
};
use crate::error::{Error, Result};
use crate::sqlite::facts::{moment, moment_if_any, unsigned};
use crate::sqlite::query::{fault, is_conflict, many, prepared, run};
use crate::sqlite::{ledger_rows, rows, settle};
use crate::statement::{self as sql, Statement};
use model::Timestamp;
use rusqlite::{Connection, Params, params};

/// See [`crate::engine::Engine::policy`]. The connection is in a transaction.
pub(super) fn read(connection: &Connection) -> Result<PolicyRows> {
    Ok(PolicyRows {
        version: 0,
        controllers: many(connection, &sql::CONTROLLERS, [], |row| {
            Ok(ControllerRow { id: row.get(0)?, name: row.get(1)?, shown: row.get(2)?, tag_number: row.get(3)? })
        })?,
        agreements: agreements(connection)?,
        instructions: instructions(connection)?,
        streams: many(connection, &sql::STREAMS, [], |row| {
            Ok(StreamRow {
                id: row.get(0)?,
                controller: row.get(1)?,
                name: row.get(2)?,
                kind: row.get(3)?,
                purpose: row.get(4)?,
                purposes: row.get(5)?,
                terms: row.get(6)?,
            })
        })?,
        purposes: purposes(connection)?,
        domains: domains(connection)?,
        credentials: credentials(connection)?,
        orders: many(connection, &sql::QUEUE_ORDERS, [], |row| {
            Ok(OrderRow {
                controller: row.get(0)?,
                kind: row.get(1)?,
                by: row.get(2)?,
                site: row.get(3)?,
                stream: row.get(4)?,
                message: row.get(5)?,
                made: moment(row, 6)?,
                reason: row.get(7)?,
            })
        })?,
    })
}

fn purposes(connection: &Connection) -> Result<Vec<PurposeRow>> {
    many(connection, &sql::PURPOSES, [], |row| {
        Ok(PurposeRow {
            id: row.get(0)?,
            controller: row.get(1)?,
            name: row.get(2)?,
            kind: row.get(3)?,
            parent: row.get(4)?,
            bases: row.get(5)?,
            reference: row.get(6)?,
            texts: row.get(7)?,
            ended: moment_if_any(row, 8)?,
        })
    })
}

fn agreements(connection: &Connection) -> Result<Vec<AgreementRow>> {
    many(connection, &sql::AGREEMENTS, [], |row| {
        Ok(AgreementRow {
            id: row.get(0)?,
            controller: row.get(1)?,
            version: row.get(2)?,
            state: row.get(3)?,
            from: moment(row, 4)?,
            until: moment_if_any(row, 5)?,
            document: row.get(6)?,
        })
    })
}

fn instructions(connection: &Connection) -> Result<Vec<InstructionRow>> {
    many(connection, &sql::INSTRUCTIONS, [], |row| {
        Ok(InstructionRow {
            id: row.get(0)?,
            controller: row.get(1)?,
            version: row.get(2)?,
            state: row.get(3)?,
            from: moment(row, 4)?,
            operations: row.get(5)?,
            streams: row.get(6)?,
            messages_per_day_max: unsigned(row.get(7)?),
        })
    })
}

fn domains(connection: &Connection) -> Result<Vec<DomainRow>> {
    many(connection, &sql::DOMAINS, [], |row| {
        Ok(DomainRow {
            id: row.get(0)?,
            controller: row.get(1)?,
            name: row.get(2)?,
            verified: moment_if_any(row, 3)?,
            rsa_selector: row.get(4)?,
            rsa_key: row.get(5)?,
            ed25519_selector: row.get(6)?,
            ed25519_key: row.get(7)?,
            return_path: row.get(8)?,
        })
    })
}

fn credentials(connection: &Connection) -> Result<Vec<CredentialRow>> {
    many(connection, &sql::CREDENTIALS, [], |row| {
        Ok(CredentialRow {
            id: row.get(0)?,
            controller: row.get(1)?,
            username: row.get(2)?,
            password: row.get(3)?,
            key_name: row.get(4)?,
            key: row.get(5)?,
            default_stream: row.get(6)?,
            streams: row.get(7)?,
            expires: moment_if_any(row, 8)?,
            revoked: moment_if_any(row, 9)?,
            scram: row.get(10)?,
            scopes: row.get(11)?,
            note: row.get(12)?,
            made: moment_if_any(row, 13)?,
        })
    })
}

/// Makes changes; answers how many rows each touched. What touched none did not happen, so the ledger has no entry
/// of it (GDPR Art. 5(2): the log says what was done, not what was asked).
pub(super) fn change_all(connection: &Connection, changes: &[(Change, Option<EntryRow>)]) -> Result<Vec<usize>> {
    let mut touched = Vec::with_capacity(changes.len());
    for (one, entry) in changes {
        let rows = change(connection, one)?;
        if rows > 0 {
            ledger_rows::append(connection, entry.as_slice())?;
        }
        touched.push(rows);
    }
    Ok(touched)
}

fn change(connection: &Connection, change: &Change) -> Result<usize> {
    match change {
        Change::Controller { id, name, at } => {
            insert(connection, &sql::CONTROLLER_INSERT, "controller", params![id, name, at.micros()])
        }
        Change::Agreement(row) => agreement(connection, row),
        Change::AgreementState { controller, state, until } => {
            run(connection, &sql::AGREEMENT_STATE, params![controller, state, until.map(Timestamp::micros)])
        }
        Change::Instruction(row) => instruction(connection, row),
        Change::InstructionState { controller, state } => {
            run(connection, &sql::INSTRUCTION_STATE, params![controller, state])
        }
        Change::Stream(row) => {
            let values = params![row.id, row.controller, row.name, row.kind, row.purpose, row.purposes, row.terms];
            insert(connection, &sql::STREAM_INSERT, "stream", values)
        }
        Change::Purpose { row, at } => purpose(connection, row, *at),
        Change::Rows(writes) => rows::write(connection, writes),
        Change::Domain(row) => domain(connection, row),
        Change::Credential(row) => credential(connection, row),
        Change::Revoke { controller, id, at } => {
            run(connection, &sql::CREDENTIAL_REVOKE, params![controller, id, at.micros()])
        }
        Change::Suppress(row) => settle::suppress(connection, row),
        Change::Restrict { controller, tag, kind, at } => {
            run(connection, &sql::RESTRICT, params![controller, tag, kind, at.micros()])
        }
    }
}

pub(super) fn insert(
    connection: &Connection,
    statement: &Statement,
    what: &'static str,
    values: impl Params,
) -> Result<usize> {
    match prepared(connection, statement)?.execute(values) {
        Err(error) if is_conflict(&error) => Err(Error::Exists { what }),
        outcome => outcome.map_err(fault),
    }
}

fn agreement(connection: &Connection, row: &AgreementRow) -> Result<usize> {
    let until = row.until.map(Timestamp::micros);
    let values = params![row.id, row.controller, row.version, row.state, row.from.micros(), until, row.document];
    insert(connection, &sql::AGREEMENT_INSERT, "agreement", values)
}

fn instruction(connection: &Connection, row: &InstructionRow) -> Result<usize> {
    run(connection, &sql::INSTRUCTION_SUPERSEDE, [row.controller])?;
    // A number beyond the column's range means `as many as there are`.
    let max = i64::try_from(row.messages_per_day_max).unwrap_or(i64::MAX);
    let values =
        params![row.id, row.controller, row.version, row.state, row.from.micros(), row.operations, row.streams, max];
    insert(connection, &sql::INSTRUCTION_INSERT, "instruction", values)
}

fn purpose(connection: &Connection, row: &PurposeRow, at: Timestamp) -> Result<usize> {
    let values = params![
        row.id,
        row.controller,
        row.name,
        row.kind,
        row.parent,
        row.bases,
        row.reference,
        row.texts,
        at.micros()
    ];
    insert(connection, &sql::PURPOSE_INSERT, "purpose", values)
}

fn domain(connection: &Connection, row: &DomainRow) -> Result<usize> {
    let values = params![
        row.id,
        row.controller,
        row.name,
        row.verified.map(Timestamp::micros),
        row.rsa_selector,
        row.rsa_key,
        row.ed25519_selector,
        row.ed25519_key,
    ];
    insert(connection, &sql::DOMAIN_INSERT, "domain", values)
}

fn credential(connection: &Connection, row: &CredentialRow) -> Result<usize> {
    let values = params![
        row.id,
        row.controller,
        row.username,
        row.password,
        row.key_name,
        row.key,
        row.default_stream,
        row.streams,
        row.expires.map(Timestamp::micros),
        row.revoked.map(Timestamp::micros),
        row.scram,
        row.scopes,
        row.note,
        row.made.map(Timestamp::micros),
    ];
    insert(connection, &sql::CREDENTIAL_INSERT, "credential", values)
}
