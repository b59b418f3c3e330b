//! What the way out says in each language, what it is put into, and what is refused.

use super::*;
use mail::header::{HeaderBlock, Limits};

const HEAD: &str = "From: shop@sample.example\r\nSubject: News\r\n\r\n";
const BODY: &str = "Dear reader.\r\n";

fn pages() -> Pages {
    Pages::parse("https://mail.example/post/").unwrap()
}

fn way_out(language: Language) -> WayOut {
    WayOut {
        list_id: "offers.news.sample.example".into(),
        title: "Offers & <more>".into(),
        sender: "Jack \"the\" Ship's Ltd".into(),
        language,
        links: pages().links("token-u", "token-p", None),
    }
}

/// Head and body as text.
fn with(head: &str, body: &str, way_out: &WayOut, footer: Footer) -> (String, String) {
    let (head, body) = put(head.as_bytes(), &Bytes::from(body.to_owned()), way_out, footer).unwrap();
    (String::from_utf8(head.to_vec()).unwrap(), String::from_utf8(body.to_vec()).unwrap())
}

fn fits(head: &str, body: &str, footer: Footer) -> Result<(), Misfit> {
    ensure_fits(Some(&pages()), footer, head.as_bytes(), body.as_bytes())
}

#[test]
fn eprivacy13_4_the_footer_says_who_for_what_and_the_three_ways_in_every_language() {
    for (language, unsubscribe, sentence) in [
        (Language::English, "Unsubscribe", "You receive this message from"),
        (Language::German, "Abbestellen", "Sie erhalten diese Nachricht von"),
        (Language::French, "Se désabonner", "Vous recevez ce message de"),
        (Language::Spanish, "Darse de baja", "Recibe este mensaje de"),
        (Language::Dutch, "Uitschrijven", "U ontvangt dit bericht van"),
    ] {
        let head = HEAD.replace(
            "\r\n\r\n",
            "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        );
        let (_, plain) = with(&head, "Chère lectrice.\r\n", &way_out(language), Footer::Add);
        assert!(plain.starts_with("Chère lectrice.\r\n\r\n____"), "{plain}");
        assert!(plain.contains(&format!("{sentence} Jack \"the\" Ship's Ltd ")), "{plain}");
        assert!(plain.contains("Offers & <more>.\r\n"), "{plain}");
        assert!(plain.contains(&format!("\r\n{unsubscribe}")), "{plain}");
        for page in ["u/token-u", "p/token-p", "w/token-p"] {
            assert_eq!(plain.matches(&format!(" https://mail.example/post/{page}\r\n")).count(), 1, "{plain}");
        }
        let head = head.replace("text/plain", "text/html");
        let (_, html) = with(&head, "<body><p>Chère lectrice.</p></body>\r\n", &way_out(language), Footer::Add);
        assert!(html.contains(&format!("<div lang=\"{}\"", language.tag())), "{html}");
        assert!(html.contains("Jack &quot;the&quot; Ship&#39;s Ltd"), "{html}");
        assert!(html.contains("Offers &amp; &lt;more&gt;.</p>"), "{html}");
        assert!(html.contains(&format!("<a href=\"https://mail.example/post/u/token-u\">{unsubscribe}</a>")), "{html}");
        assert!(html.contains("href=\"https://mail.example/post/p/token-p\""), "{html}");
        assert!(html.contains("href=\"https://mail.example/post/w/token-p\""), "{html}");
        assert!(html.find("</div>").unwrap() < html.find("</body>").unwrap(), "{html}");
    }
}

#[test]
fn rfc3282_2_the_language_is_the_first_that_the_message_names_else_english() {
    let of = |value: &str| Language::of(format!("From: a@b.example\r\n{value}\r\n").as_bytes());
    assert_eq!(of("Content-Language: de\r\n"), Language::German);
    assert_eq!(of("content-language: DE-at, fr\r\n"), Language::German);
    assert_eq!(of("Content-Language:\r\n nl\r\n"), Language::Dutch);
    for english in ["", "Content-Language: en-GB\r\n", "Content-Language: it, de\r\n", "Content-Language: deutsch\r\n"]
    {
        assert_eq!(of(english), Language::English, "{english}");
    }
    assert_eq!(Language::of(b"no header"), Language::English);
}

#[test]
fn rfc8058_3_1_there_is_one_field_of_each_name_and_it_is_ours() {
    let own = "List-Unsubscribe: <mailto:x@y.example>\r\nList-Id: <theirs.y.example>\r\n\
               List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nFrom: shop@sample.example\r\n\r\n";
    for (footer, grows) in [(Footer::Add, true), (Footer::HeadersAlone, false)] {
        let (head, body) = with(own, BODY, &way_out(Language::English), footer);
        let block = HeaderBlock::scan(head.as_bytes(), Limits::SUBMISSION).unwrap();
        let value = |name: &str| {
            assert_eq!(block.count(name), 1, "{name}");
            String::from_utf8(block.first(name).unwrap().unfolded()).unwrap().trim().to_owned()
        };
        assert_eq!(value("List-Unsubscribe"), "<https://mail.example/post/u/token-u>");
        assert_eq!(value("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
        assert_eq!(value("List-Id"), "\"Offers & <more>\" <offers.news.sample.example>");
        assert_eq!(body != BODY, grows, "{footer:?}");
    }
}

#[test]
fn headers_alone_go_into_a_message_of_any_structure_and_share_its_body() {
    let signed = "From: shop@sample.example\r\nMIME-Version: 1.0\r\n\
                  Content-Type: multipart/signed; boundary=b; protocol=\"application/pgp-signature\"\r\n\r\n";
    assert!(matches!(fits(signed, "--b\r\n", Footer::Add), Err(Misfit::Footer(_))));
    assert_eq!(fits(signed, "--b\r\n", Footer::HeadersAlone), Ok(()));
    let body = Bytes::from_static(b"--b\r\n");
    let (_, same) = put(signed.as_bytes(), &body, &way_out(Language::English), Footer::HeadersAlone).unwrap();
    assert!(std::ptr::eq(body.as_ptr(), same.as_ptr()), "a copy was made");
    let refused = put(signed.as_bytes(), &body, &way_out(Language::English), Footer::Add);
    assert!(matches!(refused, Err(Misfit::Footer(_))));
}

#[test]
fn eprivacy13_4_without_pages_nothing_fits() {
    for footer in [Footer::Add, Footer::HeadersAlone] {
        assert_eq!(ensure_fits(None, footer, HEAD.as_bytes(), BODY.as_bytes()), Err(Misfit::NoPages));
        assert_eq!(fits(HEAD, BODY, footer), Ok(()));
    }
}

#[test]
fn what_fits_at_the_door_can_be_put_however_long_the_names_are() {
    // As many fields as leave just room for ours.
    let fields = |count: usize| format!("From: a@b.example\r\n{}\r\n", "X: 1\r\n".repeat(count));
    let count = (900..1_000).rev().find(|count| fits(&fields(*count), BODY, Footer::Add).is_ok()).unwrap();
    let mut longest = way_out(Language::French);
    longest.title = "é".repeat(5_000);
    longest.sender = "Ö\r\n\u{2028}".repeat(5_000);
    let domain = vec!["d".repeat(60); 4].join(".");
    let name = "n".repeat(500);
    longest.list_id = list_id(Named { name: &name, id: i64::MAX }, Named { name: &name, id: i64::MIN }, &domain);
    longest.links = pages().links(&"t".repeat(TOKEN_OCTETS_MAX), "p", None);
    let (head, body) = with(&fields(count), BODY, &longest, Footer::Add);
    assert!(HeaderBlock::scan(head.as_bytes(), Limits::SUBMISSION).is_ok());
    assert!(body.lines().all(|line| line.len() <= 998), "{body}");
    assert!(fits(&fields(count + 1), BODY, Footer::Add).is_err());
}

#[test]
fn rfc2919_2_a_list_id_is_stable_has_three_labels_and_tells_names_apart() {
    let named = |name, id| Named { name, id };
    let id = |aim, stream| list_id(aim, stream, "Sample.example");
    assert_eq!(id(named("Offers", 1), named("news", 2)), "offers.news.sample.example");
    assert_eq!(id(named("Offers", 9), named("news", 8)), "offers.news.sample.example", "the numbers are not in it");
    // Twins: what is no label has its number, so that two names stay two.
    let (one, other) = (id(named("Angebote für", 1), named("n", 2)), id(named("Angebote fur!", 3), named("n", 2)));
    assert_eq!((one.as_str(), other.as_str()), ("angebote-f-r-1.n.sample.example", "angebote-fur-3.n.sample.example"));
    for name in ["", "-", "..", "ü", "a\r\nBcc: x@y.example", &"x".repeat(300)] {
        let text = list_id(named(name, 7), named(name, -7), &vec!["d".repeat(60); 4].join("."));
        assert!(ListId::new(&text, None).is_ok(), "{text}");
    }
}

#[test]
fn rfc8058_3_1_pages_are_at_an_https_address_alone() {
    for right in ["https://mail.example", "https://mail.example/", "https://127.0.0.1:8032", "https://m.example/a/b"] {
        assert!(Pages::parse(right).is_ok(), "{right}");
    }
    let long = format!("https://mail.example/{}", "x".repeat(PAGES_OCTETS_MAX));
    for wrong in [
        "",
        "mail.example",
        "http://mail.example",
        "https://",
        "https://a@b.example",
        "https://a.example?x",
        "https://a.example/#x",
        &long,
    ] {
        assert_eq!(Pages::parse(wrong), Err(PagesError), "{wrong}");
    }
}

#[test]
fn what_fits_still_fits_when_the_controller_s_own_host_name_comes_into_force() {
    let longest = pages().longest();
    assert_eq!(longest.base().len(), HOST_ADDRESS_OCTETS_MAX);
    assert_eq!(Pages::parse(longest.base()), Ok(longest.clone()));
    // One that is longer already stays what it is.
    let long = Pages::parse(&format!("{}/{}", longest.base(), "x".repeat(20))).unwrap();
    assert_eq!(long.longest(), long);
}
