//! `postern key`: keys in the place of others, beside no node of the same store.

use super::house::{Folder, House};
use super::said::say;

/// Subcommands of `postern key`.
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// Put a new key in the place of one that is in use.
    #[command(subcommand)]
    Rotate(Rotate),
}

/// Which key.
#[derive(clap::Subcommand, Debug)]
pub(super) enum Rotate {
    /// The key under which a controller's people are found. All that is kept of them is put under a new one in one
    /// commit; links in mails and names of people (per_…) that were given out go on working. When it is cut short, no
    /// node starts until it was run again.
    Tags(Tags),
    /// The key over all keys. The new one takes the place of the file; the old one stays beside it as .old, for backups
    /// that were made under it. Where several nodes share the store, copy the new file to each of them.
    Master(Links),
    /// The key under which links in mails are sealed, for all controllers. Links under the keys before go on working.
    Links(Links),
}

/// Arguments of `tags`.
#[derive(clap::Args, Debug)]
pub(super) struct Tags {
    #[command(flatten)]
    house: House,
}

/// Arguments of `links` and of `master`.
#[derive(clap::Args, Debug)]
pub(super) struct Links {
    #[command(flatten)]
    folder: Folder,
}

/// Runs one.
///
/// # Errors
/// When it was not done, saying why.
pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Rotate(which) = command;
    match which {
        Rotate::Tags(asked) => {
            let (store, controller) = asked.house.open_to_move_tags().await?;
            let outcome = store.rotate_tags(controller).await;
            store.close().await;
            let rotated = outcome?;
            say(&format!("key number {} of tags is in use; people under it: {}", rotated.number, rotated.persons));
        }
        Rotate::Links(asked) => {
            let store = asked.folder.open("keys", "stop it first").await?;
            let outcome = store.rotate_link_key().await;
            store.close().await;
            outcome?;
            say("links are sealed under a new key from now on");
        }
        Rotate::Master(asked) => {
            let store = asked.folder.open("keys", "stop it first").await?;
            let outcome = store.rotate_master_key().await;
            store.close().await;
            outcome?;
            say("everything is sealed under a new master key; copy it to a safe place, and make a backup");
        }
    }
    Ok(())
}
