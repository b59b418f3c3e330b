//! `postern credential`: credentials of a controller's systems, beside no node of the same data folder.

use super::house::House;
use super::said::say;
use anyhow::Context as _;
use model::{ControllerId, CredentialId};
use serde_json::json;
use store::{CredentialPlan, CredentialView, Mode, Scope, Scopes, Store, to_send};

/// Subcommands of `postern credential`.
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// Make one. Its secrets are printed once, as JSON, and kept only as hashes.
    Create(Create),
    /// List them without their secrets, as JSON Lines.
    List(List),
    /// Revoke one: it is refused from then on.
    Revoke(Revoke),
}

/// Arguments of `create`.
#[derive(clap::Args, Debug)]
pub(super) struct Create {
    #[command(flatten)]
    house: House,
    /// A stream it may use, the default first. `*` for every one, those included that an instruction adds later.
    #[arg(long, value_name = "NAME", required = true)]
    stream: Vec<String>,
    /// For SMTP alone.
    #[arg(long, conflicts_with = "api")]
    smtp: bool,
    /// For HTTP alone.
    #[arg(long)]
    api: bool,
    /// What it may do further, by HTTP: `people` (consents, lists, imports, rights), `authority` (agreements,
    /// instructions, profile, host names), `credentials` (make, list and revoke others).
    #[arg(long, value_name = "WORD", value_delimiter = ',')]
    scopes: Vec<String>,
    /// For trying out: what it sends passes the gate, is queued, signed and told of, and nothing of it leaves.
    #[arg(long)]
    sandbox: bool,
    /// What it is for.
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
}

/// Arguments of `list`.
#[derive(clap::Args, Debug)]
pub(super) struct List {
    #[command(flatten)]
    house: House,
}

/// Arguments of `revoke`.
#[derive(clap::Args, Debug)]
pub(super) struct Revoke {
    #[command(flatten)]
    house: House,
    /// The credential (crd_…).
    #[arg(value_name = "ID")]
    id: String,
}

/// Runs one.
///
/// # Errors
/// When it was not done, saying why.
pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let house = match &command {
        Command::Create(Create { house, .. })
        | Command::List(List { house })
        | Command::Revoke(Revoke { house, .. }) => house,
    };
    let (store, controller) = house.open("credential", "/v1/credentials").await?;
    let outcome = work(&store, controller, &command).await;
    store.close().await;
    outcome
}

async fn work(store: &Store, controller: ControllerId, command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Create(asked) => {
            let scopes = asked.scopes()?;
            let streams = store.streams_for(controller, &asked.stream)?;
            let mode = if asked.sandbox { Mode::Sandbox } else { Mode::Live };
            let plan = CredentialPlan { streams, scopes, mode, note: asked.note.clone() };
            let made = store.make_credential(controller, &plan).await?;
            let mut shown = json!({"id": store.public_id(made.id)});
            if plan.scopes.contains(&Scope::Smtp) {
                shown["smtp"] = json!({"username": made.username, "password": made.password});
            }
            if plan.scopes.contains(&Scope::Api) {
                shown["api_key"] = json!(made.api_key);
            }
            say(&format!("{shown:#}"));
        }
        Command::List(_) => {
            for known in store.credentials_of(controller).await? {
                say(&line(store, &known).to_string());
            }
        }
        Command::Revoke(asked) => {
            let id = store.parse_public::<CredentialId>(&asked.id);
            let id = id.with_context(|| format!("{:?} is no credential", asked.id))?;
            match store.revoke_credential(controller, id).await {
                Err(store::Error::NotFound { .. }) => {
                    anyhow::bail!("there is no such credential of this controller that is not revoked yet")
                }
                done => done?,
            }
            say("revoked");
        }
    }
    Ok(())
}

impl Create {
    fn scopes(&self) -> anyhow::Result<Scopes> {
        let mut scopes = match (self.smtp, self.api) {
            (true, _) => Scopes::from([Scope::Smtp]),
            (_, true) => Scopes::from([Scope::Api]),
            (false, false) => to_send(),
        };
        for word in &self.scopes {
            scopes.insert(Scope::from_word(word).context("--scopes is of smtp, api, people, authority, credentials")?);
        }
        Ok(scopes)
    }
}

fn line(store: &Store, known: &CredentialView) -> serde_json::Value {
    let scopes: Vec<&str> = known.scopes.iter().map(|scope| scope.as_str()).collect();
    let seconds = |at: Option<model::Timestamp>| at.map(|at| at.micros() / 1_000_000);
    json!({
        "id": store.public_id(known.id),
        "username": known.username,
        "key_begins": known.key_name,
        "streams": known.streams.clone().unwrap_or_else(|| vec!["*".to_owned()]),
        "scopes": scopes,
        "sandbox": known.mode == Mode::Sandbox,
        "note": known.note,
        "made": seconds(known.made),
        "expires": seconds(known.expires),
        "revoked": seconds(known.revoked),
    })
}
