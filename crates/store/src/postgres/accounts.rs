//! Accounts: all of them are read as one picture, and changed one by one.
//!
//! Invariants: a change raises the counters of those whom it concerns before it does anything else, in ascending
//! order; what changed is told after the commit and before the answer, also when nobody waits for the answer any more;
//! pictures that are told follow one another, because each is read after its commit and while no other is.

use super::db::{Db, Fault, Param, Repeat, column, glance, many, one, run, transact};
use super::rows::{moment, moment_if_any, number, octets};
use super::{Core, general, ledger_rows};
use crate::engine::{
    AgreementRow, Change, Changed, ControllerRow, CredentialRow, DomainRow, EntryRow, InstructionRow, OrderRow,
    PolicyRows, PurposeRow, StreamRow, SuppressionRow,
};
use crate::error::{Error, Result};
use crate::facts::write_restriction;
use crate::statement::{self as sql, Statement};
use deadpool_postgres::Transaction;
use model::Timestamp;
use model::person::Restriction;
use std::collections::BTreeSet;

/// The counter of the accounts.
pub(super) const ACCOUNTS: i64 = -1;
/// The counter of secrets destroyed.
pub(super) const ERASURES: i64 = -2;

/// See [`crate::engine::Engine::policy`].
pub(super) async fn policy(db: &Db) -> Result<PolicyRows> {
    let read: Result<_, Fault> = glance!(db, tx => { read(&tx).await });
    read.map_err(Fault::into_error)
}

async fn read(tx: &Transaction<'_>) -> Result<PolicyRows, Fault> {
    let version = one(tx, &sql::ACCOUNTS_VERSION, &[]).await?;
    let version = version.map(|row| column(&row, 0, "generation.value")).transpose()?.unwrap_or(0);
    let controllers = many(tx, &sql::CONTROLLERS, &[]).await?;
    let controllers = controllers
        .iter()
        .map(|row| {
            Ok(ControllerRow {
                id: column(row, 0, "controller.id")?,
                name: column(row, 1, "controller.name")?,
                shown: column(row, 2, "controller.shown")?,
                tag_number: column(row, 3, "controller.tag_number")?,
            })
        })
        .collect::<Result<_, Fault>>()?;
    Ok(PolicyRows {
        version,
        controllers,
        agreements: agreements(tx).await?,
        instructions: instructions(tx).await?,
        streams: streams(tx).await?,
        purposes: purposes(tx).await?,
        domains: domains(tx).await?,
        credentials: credentials(tx).await?,
        orders: orders(tx).await?,
    })
}

async fn orders(tx: &Transaction<'_>) -> Result<Vec<OrderRow>, Fault> {
    let rows = many(tx, &sql::QUEUE_ORDERS, &[]).await?;
    let order = |row| {
        Ok(OrderRow {
            controller: column(row, 0, "queue_order.controller")?,
            kind: column(row, 1, "queue_order.kind")?,
            by: column(row, 2, "queue_order.given_by")?,
            site: column(row, 3, "queue_order.site")?,
            stream: column(row, 4, "queue_order.stream")?,
            message: column(row, 5, "queue_order.message")?,
            made: moment(row, 6, "queue_order.made")?,
            reason: column(row, 7, "queue_order.reason")?,
        })
    };
    rows.iter().map(order).collect()
}

async fn agreements(tx: &Transaction<'_>) -> Result<Vec<AgreementRow>, Fault> {
    let rows = many(tx, &sql::AGREEMENTS, &[]).await?;
    let agreement = |row| {
        Ok(AgreementRow {
            id: column(row, 0, "agreement.id")?,
            controller: column(row, 1, "agreement.controller")?,
            version: number(row, 2, "agreement.version")?,
            state: column(row, 3, "agreement.state")?,
            from: moment(row, 4, "agreement.starts")?,
            until: moment_if_any(row, 5, "agreement.ends")?,
            document: octets(row, 6, "agreement.document")?,
        })
    };
    rows.iter().map(agreement).collect()
}

async fn instructions(tx: &Transaction<'_>) -> Result<Vec<InstructionRow>, Fault> {
    let rows = many(tx, &sql::INSTRUCTIONS, &[]).await?;
    let instruction = |row| {
        Ok(InstructionRow {
            id: column(row, 0, "instruction.id")?,
            controller: column(row, 1, "instruction.controller")?,
            version: number(row, 2, "instruction.version")?,
            state: column(row, 3, "instruction.state")?,
            from: moment(row, 4, "instruction.starts")?,
            operations: column(row, 5, "instruction.operations")?,
            streams: column(row, 6, "instruction.streams")?,
            messages_per_day_max: number(row, 7, "instruction.messages_per_day_max")?,
        })
    };
    rows.iter().map(instruction).collect()
}

async fn streams(tx: &Transaction<'_>) -> Result<Vec<StreamRow>, Fault> {
    let rows = many(tx, &sql::STREAMS, &[]).await?;
    let stream = |row| {
        Ok(StreamRow {
            id: column(row, 0, "stream.id")?,
            controller: column(row, 1, "stream.controller")?,
            name: column(row, 2, "stream.name")?,
            kind: column(row, 3, "stream.kind")?,
            purpose: column(row, 4, "stream.purpose")?,
            purposes: column(row, 5, "stream.purposes")?,
            terms: column(row, 6, "stream.terms")?,
        })
    };
    rows.iter().map(stream).collect()
}

async fn purposes(tx: &Transaction<'_>) -> Result<Vec<PurposeRow>, Fault> {
    let rows = many(tx, &sql::PURPOSES, &[]).await?;
    let purpose = |row| {
        Ok(PurposeRow {
            id: column(row, 0, "purpose.id")?,
            controller: column(row, 1, "purpose.controller")?,
            name: column(row, 2, "purpose.name")?,
            kind: column(row, 3, "purpose.kind")?,
            parent: column(row, 4, "purpose.parent")?,
            bases: column(row, 5, "purpose.bases")?,
            reference: column(row, 6, "purpose.reference")?,
            texts: column(row, 7, "purpose.texts")?,
            ended: moment_if_any(row, 8, "purpose.ended")?,
        })
    };
    rows.iter().map(purpose).collect()
}

async fn domains(tx: &Transaction<'_>) -> Result<Vec<DomainRow>, Fault> {
    let rows = many(tx, &sql::DOMAINS, &[]).await?;
    let domain = |row| {
        Ok(DomainRow {
            id: column(row, 0, "domain.id")?,
            controller: column(row, 1, "domain.controller")?,
            name: column(row, 2, "domain.name")?,
            verified: moment_if_any(row, 3, "domain.verified")?,
            rsa_selector: column(row, 4, "domain.rsa_selector")?,
            rsa_key: column(row, 5, "domain.rsa_key")?,
            ed25519_selector: column(row, 6, "domain.ed25519_selector")?,
            ed25519_key: column(row, 7, "domain.ed25519_key")?,
            return_path: column(row, 8, "domain.return_path")?,
        })
    };
    rows.iter().map(domain).collect()
}

async fn credentials(tx: &Transaction<'_>) -> Result<Vec<CredentialRow>, Fault> {
    let rows = many(tx, &sql::CREDENTIALS, &[]).await?;
    let credential = |row| {
        Ok(CredentialRow {
            id: column(row, 0, "credential.id")?,
            controller: column(row, 1, "credential.controller")?,
            username: column(row, 2, "credential.username")?,
            password: octets(row, 3, "credential.password")?,
            key_name: column(row, 4, "credential.key_name")?,
            key: octets(row, 5, "credential.key")?,
            default_stream: column(row, 6, "credential.default_stream")?,
            streams: column(row, 7, "credential.streams")?,
            expires: moment_if_any(row, 8, "credential.expires")?,
            revoked: moment_if_any(row, 9, "credential.revoked")?,
            scram: column(row, 10, "credential.scram")?,
            scopes: column(row, 11, "credential.scopes")?,
            note: column(row, 12, "credential.note")?,
            made: moment_if_any(row, 13, "credential.made")?,
        })
    };
    rows.iter().map(credential).collect()
}

/// See [`crate::engine::Engine::change`].
///
/// Crash before the commit ⇒ nothing happened. After it ⇒ it has, and other nodes learn of it by the counters. A
/// COMMIT that was not answered is [`Error::Unknown`]: a second run would not find what the first one touched.
pub(super) async fn change(core: &Core, changes: &[(Change, Option<EntryRow>)]) -> Result<Vec<usize>> {
    let moving = changes.iter().filter(|(change, _)| change.moves_permission());
    let controllers: BTreeSet<i64> = moving.map(|(change, _)| change.controller()).collect();
    let is_account = changes.iter().any(|(change, _)| change.is_account());
    let erases = changes.iter().any(|(change, _)| is_erasure(change));
    let mut counters = controllers.clone();
    counters.extend(is_account.then_some(ACCOUNTS));
    counters.extend(erases.then_some(ERASURES));
    let counters: Vec<i64> = counters.into_iter().collect();

    let touched: Result<_, Fault> = transact!(core.main, Repeat::Never, tx => {
        if erases {
            // GDPR Art. 17: acceptances that are under way end first, and those that follow see the erasure.
            run(&tx, &sql::INTAKE_ALONE, &[]).await?;
        }
        raise(&tx, &counters).await?;
        change_all(&tx, changes).await
    });
    let touched = touched.map_err(Fault::into_error)?;

    let controllers = controllers.into_iter().collect();
    if !is_account {
        core.tell(Changed { controllers, policy: None });
        return Ok(touched);
    }
    let _one_at_a_time = core.telling.lock().await;
    let picture = policy(&core.main).await;
    let is_read = picture.is_ok();
    core.tell(Changed { controllers, policy: picture.ok() });
    // It has happened, but is not in force here yet: the counters will tell this node too.
    if is_read { Ok(touched) } else { Err(Error::Unknown) }
}

fn is_erasure(change: &Change) -> bool {
    matches!(change, Change::Restrict { kind, .. } if *kind == write_restriction(Restriction::Erased))
}

/// Raises counters. Ascending and each once, so that two changes never wait for each other in a ring.
pub(super) async fn raise(tx: &Transaction<'_>, counters: &[i64]) -> Result<(), Fault> {
    run(tx, &sql::GENERATIONS_RAISE, &[&counters]).await.map(drop)
}

/// Makes changes; answers how many rows each touched. What touched none did not happen, so the ledger has no entry
/// of it (GDPR Art. 5(2): the log says what was done, not what was asked).
async fn change_all(tx: &Transaction<'_>, changes: &[(Change, Option<EntryRow>)]) -> Result<Vec<usize>, Fault> {
    let (mut touched, mut entries) = (Vec::with_capacity(changes.len()), Vec::new());
    for (change, entry) in changes {
        let rows = change_one(tx, change).await?;
        if rows > 0 {
            entries.extend(entry);
        }
        touched.push(rows);
    }
    // Last: an entry's number is taken after everything that it rests on was read.
    ledger_rows::add(tx, &entries).await?;
    Ok(touched)
}

async fn change_one(tx: &Transaction<'_>, change: &Change) -> Result<usize, Fault> {
    match change {
        Change::Controller { id, name, at } => {
            insert(tx, &sql::CONTROLLER_INSERT, "controller", &[id, name, &at.micros()]).await
        }
        Change::Agreement(row) => agreement(tx, row).await,
        Change::AgreementState { controller, state, until } => {
            run(tx, &sql::AGREEMENT_STATE, &[controller, state, &until.map(Timestamp::micros)]).await
        }
        Change::Instruction(row) => instruction(tx, row).await,
        Change::InstructionState { controller, state } => run(tx, &sql::INSTRUCTION_STATE, &[controller, state]).await,
        Change::Stream(row) => {
            let values: [Param<'_>; 7] =
                [&row.id, &row.controller, &row.name, &row.kind, &row.purpose, &row.purposes, &row.terms];
            insert(tx, &sql::STREAM_INSERT, "stream", &values).await
        }
        Change::Purpose { row, at } => purpose(tx, row, *at).await,
        Change::Rows(writes) => general::write(tx, writes).await,
        Change::Domain(row) => domain(tx, row).await,
        Change::Credential(row) => credential(tx, row).await,
        Change::Revoke { controller, id, at } => {
            run(tx, &sql::CREDENTIAL_REVOKE, &[controller, id, &at.micros()]).await
        }
        Change::Suppress(row) => suppress(tx, row).await,
        Change::Restrict { controller, tag, kind, at } => {
            run(tx, &sql::RESTRICT, &[controller, &tag.as_slice(), kind, &at.micros()]).await
        }
    }
}

pub(super) async fn insert(
    tx: &Transaction<'_>,
    statement: &Statement,
    what: &'static str,
    values: &[Param<'_>],
) -> Result<usize, Fault> {
    match run(tx, statement, values).await {
        Err(Fault::Conflict) => Err(Error::Exists { what }.into()),
        outcome => outcome,
    }
}

async fn agreement(tx: &Transaction<'_>, row: &AgreementRow) -> Result<usize, Fault> {
    let (version, from, until) = (i64::from(row.version), row.from.micros(), row.until.map(Timestamp::micros));
    let values: [Param<'_>; 7] =
        [&row.id, &row.controller, &version, &row.state, &from, &until, &row.document.as_slice()];
    insert(tx, &sql::AGREEMENT_INSERT, "agreement", &values).await
}

async fn instruction(tx: &Transaction<'_>, row: &InstructionRow) -> Result<usize, Fault> {
    run(tx, &sql::INSTRUCTION_SUPERSEDE, &[&row.controller]).await?;
    // A number beyond the column's range means `as many as there are`.
    let max = i64::try_from(row.messages_per_day_max).unwrap_or(i64::MAX);
    let (version, from) = (i64::from(row.version), row.from.micros());
    let values: [Param<'_>; 8] =
        [&row.id, &row.controller, &version, &row.state, &from, &row.operations, &row.streams, &max];
    insert(tx, &sql::INSTRUCTION_INSERT, "instruction", &values).await
}

async fn purpose(tx: &Transaction<'_>, row: &PurposeRow, at: Timestamp) -> Result<usize, Fault> {
    let at = at.micros();
    let values: [Param<'_>; 9] =
        [&row.id, &row.controller, &row.name, &row.kind, &row.parent, &row.bases, &row.reference, &row.texts, &at];
    insert(tx, &sql::PURPOSE_INSERT, "purpose", &values).await
}

async fn domain(tx: &Transaction<'_>, row: &DomainRow) -> Result<usize, Fault> {
    let verified = row.verified.map(Timestamp::micros);
    let values: [Param<'_>; 8] = [
        &row.id,
        &row.controller,
        &row.name,
        &verified,
        &row.rsa_selector,
        &row.rsa_key,
        &row.ed25519_selector,
        &row.ed25519_key,
    ];
    insert(tx, &sql::DOMAIN_INSERT, "domain", &values).await
}

async fn credential(tx: &Transaction<'_>, row: &CredentialRow) -> Result<usize, Fault> {
    let [expires, revoked, made] = [row.expires, row.revoked, row.made].map(|at| at.map(Timestamp::micros));
    let values: [Param<'_>; 14] = [
        &row.id,
        &row.controller,
        &row.username,
        &row.password.as_slice(),
        &row.key_name,
        &row.key.as_slice(),
        &row.default_stream,
        &row.streams,
        &expires,
        &revoked,
        &row.scram,
        &row.scopes,
        &row.note,
        &made,
    ];
    insert(tx, &sql::CREDENTIAL_INSERT, "credential", &values).await
}

async fn suppress(tx: &Transaction<'_>, row: &SuppressionRow) -> Result<usize, Fault> {
    let (since, until) = (row.since.micros(), row.until.map(Timestamp::micros));
    let values: [Param<'_>; 7] =
        [&row.controller, &row.tag.as_slice(), &row.scope, &row.reason, &since, &until, &row.address];
    run(tx, &sql::SUPPRESS, &values).await
}
