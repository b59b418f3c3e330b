//! The message as programs hand it over on standard input, made one that a submission server takes: line ends, an
//! author with a domain, recipients with domains.

use super::options::Options;
use super::settings::Settings;
use mail::address::Address;
use mail::header::{HeaderBlock, Limits, named_recipients, parse_mailbox};
use mail::message::canonical_crlf;

/// What is handed over.
#[derive(Debug)]
pub(super) struct Letter {
    /// The sender of the envelope; nothing for the null one.
    pub(super) sender: Option<Address>,
    /// Recipients, each once.
    pub(super) to: Vec<Address>,
    /// CRLF-canonical, ending in a line end.
    pub(super) content: Vec<u8>,
}

/// What is at fault, in one sentence and without an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The line.
    Usage(String),
    /// The message.
    Data(String),
    /// The settings.
    Settings(String),
}

/// Makes it.
///
/// # Errors
/// [`Fault`].
pub(super) fn write(input: &[u8], options: &Options, settings: &Settings) -> Result<Letter, Fault> {
    let from = Address::parse(&settings.from).map_err(|fault| Fault::Settings(format!("from: {fault}")))?;
    let local = settings.local.as_deref().map(Address::parse).transpose();
    let local = local.map_err(|fault| Fault::Settings(format!("local: {fault}")))?;
    let mut content = with_header(&canonical_crlf(ended(input, options.ignores_dots)));
    if !content.ends_with(b"\r\n") {
        content.extend_from_slice(b"\r\n");
    }
    let content = with_author(content, options, &from)?;
    let block = HeaderBlock::scan(&content, Limits::INBOUND).map_err(|fault| Fault::Data(fault.to_string()))?;
    let mut to = Vec::new();
    for word in &options.to {
        to.push(recipient(word, local.as_ref())?);
    }
    if options.from_message {
        to.extend(named(&block, local.as_ref())?);
    }
    let mut seen = std::collections::HashSet::new();
    to.retain(|address| seen.insert(address.clone()));
    if to.is_empty() {
        let what = if options.from_message { "the message names no recipient" } else { "name recipients, or give -t" };
        return Err(Fault::Usage(what.to_owned()));
    }
    let sender = match options.sender.as_deref().map(|text| text.trim_matches(['<', '>'])) {
        Some("") => None,
        Some(text) => Some(Address::parse(text).unwrap_or(from)),
        None => Some(from),
    };
    Ok(Letter { sender, to, content })
}

/// Up to a line with a dot alone, unless dots are passed over.
fn ended(input: &[u8], ignores_dots: bool) -> &[u8] {
    if ignores_dots {
        return input;
    }
    let mut start = 0;
    for line in input.split_inclusive(|octet| *octet == b'\n') {
        if matches!(line, b".\n" | b".\r\n" | b".") {
            return input.get(..start).unwrap_or(input);
        }
        start += line.len();
    }
    input
}

/// Without the line of a mailbox file before it; with an empty line before a text that has no header block.
fn with_header(input: &[u8]) -> Vec<u8> {
    let mut input = input;
    if input.starts_with(b"From ") {
        let end = input.windows(2).position(|two| two == b"\r\n").map_or(input.len(), |at| at + 2);
        input = input.get(end..).unwrap_or_default();
    }
    let first = input.split(|octet| *octet == b'\r').next().unwrap_or_default();
    let name = first.split(|octet| *octet == b':').next().unwrap_or_default();
    let is_field = name.len() < first.len() && mail::header::is_field_name(name);
    let before: &[u8] = if is_field || first.is_empty() { b"" } else { b"\r\n" };
    [before, input].concat()
}

/// With an author who has a domain. One that names none, as those of cron, is that of the settings.
fn with_author(content: Vec<u8>, options: &Options, from: &Address) -> Result<Vec<u8>, Fault> {
    let block = HeaderBlock::scan(&content, Limits::INBOUND).map_err(|fault| Fault::Data(fault.to_string()))?;
    let field = block.first("From");
    if block.count("From") > 1 || field.is_some_and(|field| parse_mailbox(&field.unfolded()).is_ok()) {
        return Ok(content);
    }
    let name: String = options.name.iter().flat_map(|name| name.chars()).filter(|c| is_plain(*c)).collect();
    let line = match name.trim() {
        "" => format!("From: <{}>\r\n", from.to_wire()),
        name => format!("From: \"{name}\" <{}>\r\n", from.to_wire()),
    };
    let cut = field.map_or(0..0, mail::header::Field::range);
    let (before, behind) = (content.get(..cut.start).unwrap_or_default(), content.get(cut.end..).unwrap_or_default());
    Ok([line.as_bytes(), before, behind].concat())
}

fn is_plain(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '"' | '\\') || c == ' '
}

fn recipient(word: &str, local: Option<&Address>) -> Result<Address, Fault> {
    match (Address::parse(word.trim().trim_start_matches('<').trim_end_matches('>')), local) {
        (Ok(address), _) => Ok(address),
        (Err(_), Some(local)) if is_local(word) => Ok(local.clone()),
        (Err(_), None) if is_local(word) => {
            Err(Fault::Data("a recipient has no domain, and the settings name nobody for such (`local`)".to_owned()))
        }
        (Err(fault), _) => Err(Fault::Data(format!("a recipient is no address: {fault}"))),
    }
}

fn is_local(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_.+".contains(&octet))
}

/// Those of To, Cc and Bcc; a To that is one name without a domain is for whom such mail goes to.
fn named(block: &HeaderBlock<'_>, local: Option<&Address>) -> Result<Vec<Address>, Fault> {
    match named_recipients(block) {
        Ok(found) => Ok(found),
        Err((field, fault)) => {
            let value = block.first(field).map(mail::header::Field::unfolded).unwrap_or_default();
            let value = String::from_utf8_lossy(&value).trim().to_owned();
            let others = ["Cc", "Bcc"].iter().all(|name| block.first(name).is_none());
            if field == "To" && others && is_local(&value) {
                return recipient(&value, local).map(|address| vec![address]);
            }
            Err(Fault::Data(format!("{field}: {fault}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(local: Option<&str>) -> Settings {
        let local = local.map(|local| format!("local = \"{local}\"\n")).unwrap_or_default();
        toml::from_str(&format!("server = \"127.0.0.1:1\"\nfrom = \"cron@sample.example\"\n{local}")).unwrap()
    }

    fn letter(words: &[&str], input: &str, local: Option<&str>) -> Result<(Vec<String>, String), Fault> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let options = super::super::options::read(&words).unwrap();
        let letter = write(input.as_bytes(), &options, &settings(local))?;
        Ok((letter.to.iter().map(Address::to_wire).collect(), String::from_utf8(letter.content).unwrap()))
    }

    #[test]
    fn what_cron_hands_over_has_an_author_and_a_recipient_with_domains() {
        let input = "From: \"(Cron Daemon)\" <root>\nTo: root\nSubject: Cron <root@host> true\n\nout\n";
        let (to, content) =
            letter(&["-FCronDaemon", "-i", "-oem", "root"], input, Some("admin@sample.example")).unwrap();
        assert_eq!(to, ["admin@sample.example"]);
        assert!(content.starts_with("From: \"CronDaemon\" <cron@sample.example>\r\nTo: root\r\n"), "{content}");
        assert!(!content.contains("<root>"), "{content}");
        assert!(matches!(letter(&["-i", "root"], input, None), Err(Fault::Data(_))));
    }

    #[test]
    fn what_php_hands_over_says_itself_to_whom() {
        let input = "To: ada@dest.example, Bob <bob@dest.example>\nBcc: cem@dest.example\nFrom: a@sample.example\n\nx";
        let (to, content) = letter(&["-t", "-i"], input, None).unwrap();
        assert_eq!(to, ["ada@dest.example", "bob@dest.example", "cem@dest.example"]);
        assert!(content.ends_with("\r\n\r\nx\r\n"), "{content}");
        assert_eq!(letter(&["-t", "ada@dest.example"], input, None).unwrap().0.len(), 3, "each once");
        assert!(matches!(letter(&["-t"], "From: a@sample.example\n\nx", None), Err(Fault::Usage(_))));
        assert!(matches!(letter(&["-t"], "To: ada@dest.example, eve\n\nx", None), Err(Fault::Data(_))));
    }

    #[test]
    fn a_dot_ends_the_message_unless_it_is_ignored_and_a_bare_text_is_a_body() {
        let input = "hello\n.\nbehind\n";
        assert!(letter(&["a@x.example"], input, None).unwrap().1.ends_with("\r\n\r\nhello\r\n"));
        let whole = letter(&["-i", "a@x.example"], input, None).unwrap().1;
        assert!(whole.ends_with("\r\n\r\nhello\r\n.\r\nbehind\r\n"), "{whole}");
        assert!(whole.starts_with("From: <cron@sample.example>\r\n\r\n"), "{whole}");
        let mbox = letter(&["a@x.example"], "From me now\nSubject: s\n\nb\n", None).unwrap().1;
        assert_eq!(mbox, "From: <cron@sample.example>\r\nSubject: s\r\n\r\nb\r\n");
    }

    #[test]
    fn a_sender_of_the_envelope_is_taken_and_may_be_nobody() {
        let sender = |line: &[&str]| {
            let words: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
            let options = super::super::options::read(&words).unwrap();
            let letter = write(b"Subject: s\n\nb\n", &options, &settings(None)).unwrap();
            letter.sender.map(|address| address.to_wire())
        };
        assert_eq!(sender(&["-f", "<>", "a@x.example"]), None);
        assert_eq!(sender(&["-fb@sample.example", "a@x.example"]).as_deref(), Some("b@sample.example"));
        assert_eq!(sender(&["-f", "www-data", "a@x.example"]).as_deref(), Some("cron@sample.example"));
        assert_eq!(sender(&["a@x.example"]).as_deref(), Some("cron@sample.example"));
    }
}
