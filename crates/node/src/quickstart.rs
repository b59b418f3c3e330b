//! `postern quickstart`: from nothing to a node that may send, in one go: the settings file, the operator, the first
//! controller with agreement, instruction, domain keys and credential, and a list of what is left to do.
//!
//! Invariants: a person at a terminal and a file of answers go the same way; nothing is made before every answer that
//! is there was judged; what exists already is said and stays as it is. Secrets are shown once, or written once to a
//! file for their owner alone.

mod asking;
mod left;
mod questions;
mod records;

use crate::config::values::{Given, Layer, Origin};
use crate::config::{Values, build, file, keys, reference};
use crate::files;
use crate::settings::{Joining, Settings, homing};
use anyhow::{Context as _, bail};
use asking::Asking;
use duties::controller::{Admission, admit};
use duties::operator::{self, Operator, Signatory};
use duties::profile::{self, Profile};
use mail::address::Domain;
use model::ControllerId;
use questions::Answers;
use records::Published;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{Created, Roles, Store, Verified};

/// The arguments of `postern quickstart`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Answers as TOML or JSON, instead of questions at the terminal.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// The settings file. Written if it says nothing yet but where the data folder is; otherwise used as it is.
    #[arg(long, value_name = "FILE", default_value = "postern.toml")]
    config: PathBuf,
    /// The data folder, where the settings file does not name one.
    #[arg(long, value_name = "DIR", default_value = "postern-data")]
    data: PathBuf,
    /// Write the credential there as JSON, readable by you alone, instead of showing it.
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Do not ask DNS and do not try ports at the end.
    #[arg(long)]
    offline: bool,
}

/// Asks, makes, checks, and says what is left.
///
/// # Errors
/// When an answer is wrong or missing, with all of them named; when something cannot be made.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    if let Some(file) = arguments.credentials.as_deref().filter(|file| file.exists()) {
        bail!("{} exists, and may hold a credential; name another file", file.display());
    }
    let mut asking = Asking::begin(arguments.answers.as_deref())?;
    let plan = Plan::of(&arguments, &mut asking)?;
    if let Some(file) = &arguments.credentials {
        // Whether it can be written is known before there is anything to write.
        files::write(file, b"").and_then(|()| files::remove(file))?;
    }
    plan.say();
    plan.write()?;
    files::data_folder(&plan.settings.data)?;
    let joining = Joining {
        name: "quickstart".to_owned(),
        roles: Roles::NONE,
        homing: homing(&plan.settings.delivery),
        region: plan.settings.region.clone(),
    };
    let opened = plan.settings.store.open(&plan.settings.data, joining).await;
    let made = match opened {
        Ok(store) => {
            let made = make(&store, &mut asking, &arguments).await;
            store.close().await;
            made
        }
        Err(error) => Err(error).context("quickstart works on a data folder that no node uses; stop the node first"),
    };
    // Run by root for a service with an account of its own, what was made belongs to that.
    files::give_to_owner(&plan.settings.data);
    let made = made?;
    left::say(&plan, &made, arguments.offline).await;
    Ok(())
}

/// The settings of the node, and the file in which they stand.
pub(crate) struct Plan {
    pub(crate) file: PathBuf,
    pub(crate) settings: Settings,
    pub(crate) state: FileState,
    text: String,
}

/// What becomes of the settings file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FileState {
    /// It was not there.
    New,
    /// It said nothing but where the data folder is.
    Filled,
    /// It is used as it is.
    Kept,
}

/// What a node on the open Internet has, unless an answer says otherwise.
const DOORS: [(keys::Name, &str); 4] = [
    (keys::SUBMISSION.name, "0.0.0.0:587"),
    (keys::SUBMISSION_TLS.name, "0.0.0.0:465"),
    (keys::HTTPS.name, "0.0.0.0:443"),
    (keys::HTTP.name, "127.0.0.1:8025"),
];

impl Plan {
    fn of(arguments: &Arguments, asking: &mut Asking) -> anyhow::Result<Self> {
        let path = std::path::absolute(&arguments.config)?;
        let (said, state) = match path.exists() {
            false => (Layer::new(), FileState::New),
            true => {
                let (layer, problems) = file::read(&path)?;
                if !problems.is_empty() {
                    bail!("{}; mend {} first", problems.join("; "), path.display());
                }
                let empty = layer.keys().all(|name| [keys::DATA.name, keys::LOG.name].contains(name));
                (layer, if empty { FileState::Filled } else { FileState::Kept })
            }
        };
        let layer = if state == FileState::Kept { said } else { chosen(said, arguments, asking)? };
        let (values, faults) = Values::of(vec![layer]);
        if !faults.is_empty() {
            bail!(faults.join("; "));
        }
        let settings = build::settings(&values)?;
        Ok(Self { file: path, settings, state, text: reference::written(&values) })
    }

    fn say(&self) {
        let file = self.file.display();
        asking::tell(&match self.state {
            FileState::New => format!("Settings: {file} is written."),
            FileState::Filled => format!("Settings: {file} said nothing yet; it is written, the old one is beside it."),
            FileState::Kept => format!("Settings: {file} exists, and stays as it is."),
        });
    }

    fn write(&self) -> anyhow::Result<()> {
        if self.state == FileState::Kept {
            return Ok(());
        }
        if self.state == FileState::Filled {
            let mut before = self.file.as_os_str().to_owned();
            before.push(".before");
            std::fs::copy(&self.file, &before).context("cannot keep the settings file as it was")?;
        }
        let text = format!(
            "# Settings of Postern, written by postern quickstart. All keys: postern config template\n\n{}",
            self.text
        );
        // No secret is in it, and the node may run under another account than who writes it.
        std::fs::write(&self.file, text).with_context(|| format!("cannot write {}", self.file.display()))
    }
}

/// What the answers say of the node, over what the file says already.
fn chosen(mut layer: Layer, arguments: &Arguments, asking: &mut Asking) -> anyhow::Result<Layer> {
    let by_default = |text: String| Given { texts: vec![text], origin: Origin::Flag };
    let data = std::path::absolute(&arguments.data)?.display().to_string();
    layer.entry(keys::DATA.name).or_insert_with(|| by_default(data));
    let own_doors = asking.settings().keys().any(|name| name.starts_with("listen."));
    if !own_doors {
        layer.extend(DOORS.map(|(name, address)| (name, by_default(address.to_owned()))));
    }
    layer.extend(asking.settings().clone());
    for (name, text) in asking.node()? {
        layer.insert(name, by_default(text));
    }
    Ok(layer)
}

/// What there is now.
pub(crate) struct Made {
    pub(crate) domain: Domain,
    pub(crate) records: Published,
    /// It can do marketing.
    pub(crate) newsletter: bool,
    /// Somebody was admitted, rather than found.
    pub(crate) new: bool,
}

async fn make(store: &Arc<Store>, asking: &mut Asking, arguments: &Arguments) -> anyhow::Result<Made> {
    operate(store, asking).await?;
    let answers = asking.controller()?;
    let domain = Domain::parse(&answers.domain)?;
    let known = store.controller_named(&answers.account);
    let made = match known {
        Some(controller) => found(store, controller, &answers, &domain)?,
        None => admitted(store, &answers, &domain, arguments).await?,
    };
    Ok(made)
}

/// Who runs it.
async fn operate(store: &Arc<Store>, asking: &mut Asking) -> anyhow::Result<()> {
    if let Some(known) = operator::load(store).await? {
        asking::tell(&format!(
            "Operator: {} is known, and stays. Another one is said by postern serve --operator FILE.",
            known.name
        ));
        return Ok(());
    }
    let operator = asking.operator()?;
    operator::keep(store, &operator).await?;
    asking::tell(&format!("Operator: {} is the processor of every agreement.", operator.name));
    Ok(())
}

/// A controller who is there already: nothing of his is touched.
fn found(store: &Store, controller: ControllerId, answers: &Answers, domain: &Domain) -> anyhow::Result<Made> {
    let id = store.public_id(controller);
    let (_, known) = store.from_domain(controller, domain);
    let Some(known) = known else {
        bail!(
            "controller {} ({id}) exists, and {domain} is no verified domain of his; choose another account",
            answers.account
        );
    };
    asking::tell(&format!(
        "Controller: {} ({id}) exists. Nothing of it was changed, and its secrets are not shown again.",
        answers.account
    ));
    if store.instruction_in_force(controller).is_none() {
        asking::tell("  It has no instruction in force, so nothing of it is sent: see postern agreement list.");
    }
    let signers = store.dkim_signers(controller, known).context("the domain has no keys")?;
    let keys = signers.iter().map(|signer| {
        let name = format!("{}._domainkey.{}", signer.selector(), signer.domain());
        Ok((name, signer.key().public_dns_value()?))
    });
    let keys = keys.collect::<anyhow::Result<Vec<_>>>()?;
    let newsletter = store.streams(controller).iter().any(|stream| stream.kind == model::stream::StreamKind::Marketing);
    Ok(Made { records: Published::of(domain, keys), domain: domain.clone(), newsletter, new: false })
}

async fn admitted(store: &Store, answers: &Answers, domain: &Domain, arguments: &Arguments) -> anyhow::Result<Made> {
    let signatory = Signatory { name: answers.signatory.clone(), capacity: answers.capacity.clone() };
    let admission = Admission {
        name: &answers.account,
        identity: [&answers.name, &answers.address, &answers.contact],
        signatory: &signatory,
        domain,
        verified: Verified::Yes,
        preset: answers.preset,
        username: &answers.account,
        messages_per_day_max: answers.messages_per_day,
    };
    let admitted = admit(store, &admission).await?;
    let id = store.public_id(admitted.controller);
    let records = Published::of(domain, admitted.dns);
    // Before anything else can fail: it is known nowhere else.
    hand_over(&admitted.credential, &id, &records, arguments);
    let profile = Profile {
        name: answers.name.clone(),
        postal_address: format!("{}\n{}", answers.name, answers.address.replace(", ", "\n")),
        email: answers.contact.clone(),
        telephone: None,
        officer: None,
        privacy_policy: None,
        accent: None,
        authority: None,
        sender: answers.sender.clone(),
    };
    profile::keep(store, admitted.controller, &profile).await?;
    asking::tell(&format!(
        "Controller: {} ({id}) is admitted.\n  The agreement from the built-in template is signed by both sides: \
         {} for the controller.\n  The instruction of the preset {:?} is in force, for at most {} messages a day.",
        answers.account,
        answers.signatory,
        answers.preset.as_str(),
        answers.messages_per_day
    ));
    Ok(Made { domain: domain.clone(), records, newsletter: admitted.newsletter.is_some(), new: true })
}

/// Shows the credential once, or writes it once.
fn hand_over(credential: &Created, controller: &str, records: &Published, arguments: &Arguments) {
    let show = || {
        asking::tell(&format!(
            "Credential, shown this once; keep it where passwords are kept:\n  SMTP login     {}\n  \
             SMTP password  {}\n  API key        {}",
            credential.username, credential.password, credential.api_key
        ));
    };
    let Some(file) = &arguments.credentials else { return show() };
    let told = json!({
        "controller": controller,
        "smtp": {"username": credential.username, "password": credential.password},
        "api_key": credential.api_key,
        "dns": records.described(),
    });
    let written = serde_json::to_vec_pretty(&told).map_err(Into::into).and_then(|octets| files::write(file, &octets));
    match written {
        Ok(()) => asking::tell(&format!("Credential: in {}, for you alone.", file.display())),
        // A secret that nobody saw would be lost.
        Err(_) => show(),
    }
}

/// As the questions have them.
fn operator_of(said: [String; 5]) -> Operator {
    let [name, address, contact, signatory, capacity] = said;
    Operator { name, address, contact, signatory: Signatory { name: signatory, capacity } }
}

/// The name of a path for people, as it was given.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
