//! `postern agreement`: the operator's side of agreements, on a data folder that no node uses.

use crate::settings::{Joining, StoreArguments, StoreSettings};
use anyhow::Context as _;
use duties::agreement::{self, Paper};
use duties::document::agreement::ProcessingAgreement;
use duties::operator::Signatory;
use model::agreement::AgreementState;
use model::ids::hex;
use model::{ControllerId, DocumentId};
use std::path::PathBuf;
use std::sync::Arc;
use store::permission::Side;
use store::{BodyPlacement, CreateKey, Homing, Roles, Store};

/// How what is signed here is signed.
const METHOD: &str = "cli";

/// Arguments of `agreement`.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// List a controller's agreements and who signed them.
    List(Whose),
    /// Print one as people read it, or its canonical JSON.
    Show {
        #[command(flatten)]
        whose: Whose,
        /// The agreement (doc_…).
        id: String,
        /// Print the octets under the hash.
        #[arg(long)]
        json: bool,
    },
    /// Sign for the operator, the processor. With the controller's signature the agreement is concluded.
    Sign {
        #[command(flatten)]
        whose: Whose,
        /// The agreement (doc_…).
        id: String,
        /// Who signs.
        #[arg(long)]
        name: String,
        /// In which capacity.
        #[arg(long)]
        capacity: String,
    },
    /// Suspend it for the operator: nothing of the controller's is processed until it is taken up again.
    Suspend(One),
    /// Take up what the operator suspended.
    Resume(One),
    /// End it.
    End(One),
}

#[derive(clap::Args, Debug)]
struct Whose {
    /// The controller's name or id (ctl_…).
    #[arg(long, value_name = "NAME|ID")]
    controller: String,
    /// The data folder. On SQLite no node may use it meanwhile; on PostgreSQL name an empty one, for this command
    /// alone.
    #[arg(long, value_name = "DIR", default_value = "postern-data")]
    data: PathBuf,
    #[command(flatten)]
    store: StoreArguments,
    /// The key over all keys. Without it, master.key in the data folder.
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
}

#[derive(clap::Args, Debug)]
struct One {
    #[command(flatten)]
    whose: Whose,
    /// The agreement (doc_…).
    id: String,
}

/// Lists, shows, signs, moves.
///
/// # Errors
/// When the data folder is in use, or what is asked cannot be done.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let whose = match &arguments.action {
        Action::List(whose) | Action::Show { whose, .. } | Action::Sign { whose, .. } => whose,
        Action::Suspend(one) | Action::Resume(one) | Action::End(one) => &one.whose,
    };
    let settings = StoreSettings {
        place: whose.store.place()?,
        bodies: BodyPlacement::Rows,
        master_key: whose.master_key.clone(),
        create_key: CreateKey::Never,
    };
    let joining = Joining { name: "agreement".to_owned(), roles: Roles::NONE, homing: Homing::ByDomain, region: None };
    let store = settings.open(&whose.data, joining).await?;
    let outcome = work(&store, whose, &arguments.action).await;
    store.close().await;
    say(&outcome?);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
fn say(text: &str) {
    println!("{}", text.trim_end());
}

async fn work(store: &Arc<Store>, whose: &Whose, action: &Action) -> anyhow::Result<String> {
    let named = store.controller_named(&whose.controller);
    let controller = named.or_else(|| store.parse_public::<ControllerId>(&whose.controller));
    let controller = controller.with_context(|| format!("there is no controller {:?}", whose.controller))?;
    let document = |text: &str| -> anyhow::Result<DocumentId> {
        store.parse_public(text).with_context(|| format!("{text:?} is no agreement"))
    };
    let turned = |one: Result<Paper, agreement::NotAgreed>| Ok(line(store, &one?));
    match action {
        Action::List(_) => {
            let papers = agreement::papers(store, controller).await?;
            Ok(papers.iter().map(|paper| line(store, paper)).collect::<Vec<_>>().join("\n"))
        }
        Action::Show { id, json, .. } => {
            let found = agreement::document(store, controller, document(id)?).await?;
            let (found, _) = found.with_context(|| format!("there is no agreement {id:?}"))?;
            if *json {
                return Ok(String::from_utf8(found.canonical().to_vec())?);
            }
            Ok(found.page::<ProcessingAgreement>()?.text())
        }
        Action::Sign { id, name, capacity, .. } => {
            let by = Signatory { name: name.clone(), capacity: capacity.clone() };
            turned(agreement::sign(store, controller, document(id)?, (Side::Processor, &by, METHOD)).await)
        }
        Action::Suspend(one) => {
            let (id, to) = (document(&one.id)?, AgreementState::Suspended);
            turned(agreement::turn(store, controller, id, to, Side::Processor).await)
        }
        Action::Resume(one) => {
            let (id, to) = (document(&one.id)?, AgreementState::InForce);
            turned(agreement::turn(store, controller, id, to, Side::Processor).await)
        }
        Action::End(one) => {
            let (id, to) = (document(&one.id)?, AgreementState::Ended);
            turned(agreement::turn(store, controller, id, to, Side::Processor).await)
        }
    }
}

fn line(store: &Store, paper: &Paper) -> String {
    let sides: Vec<&str> = paper.signatures.iter().map(|signature| signature.side.as_str()).collect();
    let signed = if sides.is_empty() { "nobody".to_owned() } else { sides.join(" and ") };
    format!(
        "{}  version {}  {}  signed by {signed}  sha256 {}",
        store.public_id(paper.id),
        paper.version,
        paper.state().as_str(),
        hex(&paper.sha256)
    )
}
