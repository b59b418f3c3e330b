//! `postern sendmail`: what programs call as `/usr/sbin/sendmail`. Reads a message on standard input and hands it over
//! by SMTP, to a submission port with a login, or to a trusted listener of this machine.
//!
//! Invariants: it ends with 0 only when the server has taken the message for all recipients; otherwise with a code of
//! sysexits.h, which cron, PHP and mail programs know. Never: a queue of its own, an address in what it complains of
//! but in the server's own words.

mod letter;
mod options;
mod settings;
mod smtp;

use letter::Fault;
use smtp::Failed;
use std::io::Read as _;
use std::path::PathBuf;

/// Octets of a message: as many as submission takes.
const MESSAGE_MAX: u64 = 25 * 1024 * 1024;

/// Arguments of `sendmail`.
#[derive(clap::Args, Debug)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(super) struct Arguments {
    /// The file that says where mail is handed over, and as whom.
    #[arg(long, value_name = "FILE", env = "POSTERN_SENDMAIL", default_value = "/etc/postern/sendmail.toml")]
    settings: PathBuf,
    /// Options of sendmail (-t -i -oi -f -F -r -N -R -V; others that programs give are passed over), then recipients.
    #[arg(value_name = "OPTIONS|RECIPIENTS", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// It was not handed over. The code is one of sysexits.h.
#[derive(Debug)]
pub(super) struct NotSent {
    /// With which the program ends.
    pub(super) code: u8,
    why: String,
}

impl std::fmt::Display for NotSent {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.why)
    }
}

impl std::error::Error for NotSent {}

/// The command line is wrong.
const EX_USAGE: u8 = 64;
/// The message is.
const EX_DATAERR: u8 = 65;
/// The server does not take it, and never will.
const EX_UNAVAILABLE: u8 = 69;
/// Standard input cannot be read.
const EX_IOERR: u8 = 74;
/// Try again later.
const EX_TEMPFAIL: u8 = 75;
/// The login is refused.
const EX_NOPERM: u8 = 77;
/// The settings are wrong.
const EX_CONFIG: u8 = 78;

fn not(code: u8) -> impl Fn(String) -> NotSent {
    move |why| NotSent { code, why }
}

/// Hands a message over.
///
/// # Errors
/// [`NotSent`].
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    // Everything here waits for one thing after the other, and the process does nothing else.
    Ok(tokio::task::spawn_blocking(move || work(&arguments)).await??)
}

fn work(arguments: &Arguments) -> Result<(), NotSent> {
    let options = options::read(&arguments.words).map_err(not(EX_USAGE))?;
    if options.queue {
        // Nothing ever waits here: it is with the server, or it was not taken.
        return Ok(());
    }
    let settings = settings::read(&arguments.settings).map_err(not(EX_CONFIG))?;
    let mut input = Vec::new();
    let read = std::io::stdin().lock().take(MESSAGE_MAX + 1).read_to_end(&mut input);
    read.map_err(|error| not(EX_IOERR)(format!("standard input cannot be read: {error}")))?;
    if u64::try_from(input.len()).unwrap_or(u64::MAX) > MESSAGE_MAX {
        return Err(not(EX_DATAERR)("the message is larger than 25 MiB".to_owned()));
    }
    let letter = letter::write(&input, &options, &settings).map_err(|fault| match fault {
        Fault::Usage(why) => not(EX_USAGE)(why),
        Fault::Data(why) => not(EX_DATAERR)(why),
        Fault::Settings(why) => not(EX_CONFIG)(why),
    })?;
    smtp::hand_over(&letter, &options, &settings).map(drop).map_err(|failed| match failed {
        Failed::Later(why) => not(EX_TEMPFAIL)(why),
        Failed::Never(why) => not(EX_UNAVAILABLE)(why),
        Failed::Login(why) => not(EX_NOPERM)(why),
        Failed::Settings(why) => not(EX_CONFIG)(why),
    })
}
