//! Pages for recipients: complete in every language, escaped, without script or third party, and accessible as far
//! as text can show it.

use std::collections::BTreeSet;

use http_body_util::BodyExt;

use super::gallery::{NOTICE, Picture, Sample, friendly, pictures, snippet};
use super::*;

const HOSTILE: &str = "<script>alert('x')</script>\" onload=x {controller} & <b>";

fn hostile() -> Sample<'static> {
    const PURPOSES: &[Purpose<'static>] = &[
        Purpose { id: HOSTILE, title: HOSTILE, description: HOSTILE },
        Purpose { id: "2", title: HOSTILE, description: HOSTILE },
    ];
    let notice = Notice { short: HOSTILE, full: HOSTILE, language: Language::German, version: HOSTILE };
    Sample { controller: HOSTILE, text: HOSTILE, purposes: PURPOSES, notice, accent: None, id: HOSTILE }
}

/// Every page of the friendly sample.
fn all() -> Vec<(Language, Picture)> {
    let of = |language| pictures(&friendly(), language).into_iter().map(move |picture| (language, picture));
    Language::ALL.into_iter().flat_map(of).collect()
}

/// The tags of a page, without comments and closing tags: `input type="text" …`.
fn tags(html: &str) -> Vec<&str> {
    let begun = html.split('<').skip(1).filter_map(|rest| Some(rest.split_once('>')?.0));
    begun.filter(|tag| !tag.starts_with(['/', '!'])).collect()
}

fn named<'h>(html: &'h str, name: &str) -> Vec<&'h str> {
    tags(html).into_iter().filter(|tag| tag.split_whitespace().next() == Some(name)).collect()
}

/// The value of an attribute of a tag.
fn attribute<'h>(tag: &'h str, name: &str) -> Option<&'h str> {
    Some(tag.split_once(&format!(" {name}=\""))?.1.split_once('"')?.0)
}

/// Text without tags, entities resolved.
fn text_of(html: &str) -> String {
    let mut pieces = html.split('<');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        text.push_str(piece.split_once('>').map_or("", |(_, after)| after));
    }
    let entities = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    entities.iter().fold(text, |text, (entity, sign)| text.replace(entity, sign))
}

fn title(html: &str) -> String {
    text_of(html.split_once("<title>").unwrap().1.split_once("</title>").unwrap().0)
}

fn page_named(language: Language, name: &str) -> String {
    let found = pictures(&friendly(), language).into_iter().find(|picture| picture.name == name);
    found.map(|picture| picture.html).unwrap()
}

#[test]
fn every_page_speaks_its_language_and_has_one_heading_and_the_landmarks() {
    for (language, Picture { name, html }) in all() {
        let head = format!("<html lang=\"{}\" dir=\"ltr\">", language.tag());
        assert!(html.contains(&head), "{name}");
        for landmark in ["h1", "main", "header", "footer", "title"] {
            assert_eq!(named(&html, landmark).len(), 1, "{language:?} {name}: {landmark}");
        }
        assert!(!html.contains("{controller}") && !html.contains("{date}"), "{language:?} {name}");
        assert_eq!(named(&html, "a")[0], "a class=\"skip\" href=\"#content\"", "{name}");
    }
}

#[test]
fn the_pages_differ_from_language_to_language() {
    let english = pictures(&friendly(), Language::English);
    for (language, Picture { name, html }) in all().into_iter().filter(|(language, _)| *language != Language::English) {
        let same = english.iter().find(|picture| picture.name == name).unwrap();
        assert_ne!(title(&same.html), title(&html), "{language:?} {name}");
    }
}

#[test]
fn wcag_2_4_2_titles_tell_pages_apart() {
    for language in Language::ALL {
        let shown = pictures(&friendly(), language);
        // "Why" and "wish" are one page each, whatever the basis and the right; so are a request to confirm, whoever
        // asked, and the choices of who objected.
        let again = |name: &str| {
            name.starts_with("why-")
                || name.starts_with("wish-")
                || ["confirm-link", "preferences-objected"].contains(&name)
        };
        let titles: Vec<String> = shown.iter().filter(|one| !again(one.name)).map(|one| title(&one.html)).collect();
        let unique: BTreeSet<&String> = titles.iter().collect();
        assert_eq!(unique.len(), titles.len(), "{language:?} {titles:?}");
    }
}

#[test]
fn what_controllers_write_is_escaped_everywhere() {
    for language in Language::ALL {
        for Picture { name, html } in pictures(&hostile(), language) {
            assert!(named(&html, "script").is_empty() && named(&html, "b").is_empty(), "{name}");
            for tag in tags(&html) {
                // Outside of quotation marks no tag has an attribute of theirs.
                let outside: String = tag.split('"').step_by(2).collect();
                assert!(!outside.contains("onload") && !outside.contains("alert"), "{name}: {tag}");
            }
        }
        let html = snippet(&hostile(), language);
        assert!(named(&html, "script").is_empty() && named(&html, "b").is_empty());
    }
}

#[test]
fn nothing_comes_from_elsewhere_and_there_is_no_script() {
    for (_, Picture { name, html }) in all() {
        for tag in tags(&html) {
            let element = tag.split_whitespace().next().unwrap();
            assert!(
                !matches!(element, "script" | "iframe" | "object" | "embed" | "style" | "video" | "base"),
                "{name}"
            );
            assert!(!tag.contains(" style=\"") && !tag.contains(" on"), "{name}: {tag}");
            if let Some(source) = attribute(tag, "src") {
                assert!(source.starts_with("data:image/png;base64,"), "{name}: {source}");
            }
            let Some(href) = attribute(tag, "href") else { continue };
            let ours = href.starts_with('#') || (href.starts_with('/') && !href.starts_with("//"));
            let given = ["https://linden.example/privacy", "https://authority.example/", "mailto:hello@linden.example"];
            let icon = element == "link" && href == "data:,";
            assert!(ours || icon || (element == "a" && given.contains(&href)), "{name}: {href}");
            if href.starts_with("https:") {
                assert_eq!(attribute(tag, "referrerpolicy"), Some("no-referrer"), "{name}");
            }
        }
    }
    let style = [STYLE.to_owned(), Accent::parse("#123456").unwrap().style()].concat();
    assert!(!style.contains("url(") && !style.contains("@import") && !style.contains("http"));
}

#[test]
fn every_form_is_a_post_to_this_site() {
    for (_, Picture { name, html }) in all() {
        for form in named(&html, "form") {
            assert_eq!(attribute(form, "method"), Some("post"), "{name}");
            assert!(attribute(form, "action").unwrap().starts_with('/'), "{name}");
        }
        assert!(!html.contains("formaction") && !html.contains("formmethod"), "{name}");
        assert_eq!(named(&html, "form").len(), html.matches("name=\"form_token\"").count(), "{name}");
    }
}

#[test]
fn wcag_1_3_1_every_field_has_a_label_and_every_reference_a_target() {
    for (_, Picture { name, html }) in all() {
        let ids: Vec<&str> = tags(&html).into_iter().filter_map(|tag| attribute(tag, "id")).collect();
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(unique.len(), ids.len(), "{name}: an id twice");
        let labels: BTreeSet<&str> =
            named(&html, "label").into_iter().filter_map(|tag| attribute(tag, "for")).collect();
        for field in ["input", "select", "textarea"].into_iter().flat_map(|element| named(&html, element)) {
            let labelled = attribute(field, "id").is_some_and(|id| labels.contains(id));
            assert!(labelled || attribute(field, "type") == Some("hidden"), "{name}: {field}");
        }
        for tag in tags(&html) {
            let references =
                ["aria-describedby", "aria-labelledby", "for"].into_iter().filter_map(|one| attribute(tag, one));
            for id in references.flat_map(str::split_whitespace) {
                assert!(unique.contains(id), "{name}: {id}");
            }
            if let Some(id) = attribute(tag, "href").and_then(|href| href.strip_prefix('#')) {
                assert!(unique.contains(id), "{name}: #{id}");
            }
        }
        assert_eq!(named(&html, "fieldset").len(), named(&html, "legend").len(), "{name}");
    }
}

#[test]
fn art7_2_each_purpose_has_its_own_box_and_none_is_ticked_beforehand() {
    for language in Language::ALL {
        let html = page_named(language, "sign-up");
        let boxes: Vec<&str> =
            named(&html, "input").into_iter().filter(|tag| tag.contains("type=\"checkbox\"")).collect();
        assert_eq!(boxes.len(), 3);
        assert!(boxes.iter().all(|tag| !tag.contains("checked") && attribute(tag, "name") == Some("purpose")));
        let embedded = snippet(&friendly(), language);
        assert_eq!(embedded.matches("type=\"checkbox\"").count(), 3);
        assert!(!embedded.contains("checked"));
    }
}

#[test]
fn what_was_ticked_stays_ticked_when_the_form_is_shown_again() {
    let sample = friendly();
    let typed = Typed { email: "ada@dest.example", purposes: &["offers", "unknown"], language: Language::Dutch };
    let contact = Contact { postal_address: "", email: None, telephone: None, officer: None, privacy_policy: None };
    let branding = Branding { controller: "Shop", accent: None, logo: None, contact };
    let form = SignUp {
        frame: Frame { language: Language::English, branding: Some(branding), processor: "P", here: None },
        send: Post { action: "/f", token: None },
        intro: "",
        purposes: sample.purposes,
        notice: sample.notice,
        form_version: "1",
        typed: Some(typed),
        faults: &[SignUpFault::Stale],
    };
    let html = askama::Template::render(&form).unwrap();
    let ticked: Vec<&str> =
        named(&html, "input").into_iter().filter(|tag| tag.ends_with("aria-describedby=\"purpose-2-text\"")).collect();
    assert!(ticked.len() == 1 && ticked[0].contains("value=\"offers\" checked"));
    assert_eq!(html.matches(" checked").count(), 1);
    assert!(html.contains("value=\"nl\" lang=\"nl\" selected"));
    assert_eq!(html.matches("ada@dest.example").count(), 1, "the address is in its field and nowhere else");
    assert!(!title(&html).contains("ada") && !html.contains("form_token"));
}

#[test]
fn wcag_3_3_1_faults_are_told_in_a_summary_and_at_the_field() {
    let html = page_named(Language::English, "sign-up-faults");
    let email = named(&html, "input").into_iter().find(|tag| attribute(tag, "id") == Some("email")).unwrap();
    assert_eq!(attribute(email, "aria-invalid"), Some("true"));
    assert_eq!(attribute(email, "aria-describedby"), Some("email-fault email-hint"));
    for anchor in ["#form", "#email", "#purpose-1"] {
        assert!(html.contains(&format!("<li><a href=\"{anchor}\">")), "{anchor}");
    }
    let fresh = page_named(Language::English, "sign-up");
    assert!(!fresh.contains("aria-invalid") && !fresh.contains("role=\"alert\""));
}

#[test]
fn people_do_not_meet_the_trap_for_programs() {
    let html = page_named(Language::English, "sign-up");
    let trap = named(&html, "input").into_iter().find(|tag| attribute(tag, "name") == Some("homepage")).unwrap();
    assert!(trap.contains("tabindex=\"-1\"") && trap.contains("autocomplete=\"off\"") && trap.contains("value=\"\""));
    assert!(html.contains("<div class=\"trap\" aria-hidden=\"true\">"));
    assert!(snippet(&friendly(), Language::English).contains("<div hidden>"));
}

#[test]
fn art7_1_the_notice_is_shown_in_its_very_words() {
    for language in Language::ALL {
        for name in ["sign-up", "confirm", "why", "preferences"] {
            let html = page_named(language, name);
            let layers: Vec<String> = html
                .split("<div class=\"words\" lang=\"en\">")
                .skip(1)
                .map(|rest| text_of(rest.split_once("</div>").unwrap().0))
                .collect();
            assert!(layers.iter().any(|layer| layer == NOTICE.short), "{name}");
            assert!(layers.iter().any(|layer| layer == NOTICE.full), "{name}");
        }
    }
}

#[test]
fn a_notice_is_marked_with_its_own_language() {
    for Picture { name, html } in pictures(&hostile(), Language::French) {
        if ["sign-up", "confirm", "why"].contains(&name) {
            assert!(html.contains("<div class=\"words\" lang=\"de\">"), "{name}");
        }
    }
}

#[test]
fn art7_3_everything_can_be_left_with_one_button() {
    let html = page_named(Language::English, "preferences");
    let form = html.split("action=\"/u/x\"").nth(1).unwrap().split_once("</form>").unwrap().0;
    assert!(form.contains("name=\"scope\" value=\"all\"") && form.matches("<button").count() == 1);
    let html = page_named(Language::English, "unsubscribe");
    assert!(html.contains("name=\"scope\" value=\"purpose\"") && html.contains("name=\"scope\" value=\"all\""));
    assert!(!html.contains("type=\"email\"") && !html.contains("<textarea"), "no address and no reason to type");
}

#[test]
fn gpc_a_browser_that_asks_not_to_be_tracked_is_not_asked() {
    let asked = page_named(Language::English, "preferences");
    assert!(asked.contains("name=\"tracking\"") && !asked.contains("name=\"tracking\" value=\"on\" checked"));
    let signalled = page_named(Language::English, "preferences-saved");
    assert!(!signalled.contains("name=\"tracking\"") && signalled.contains("Global Privacy Control"));
    let silent = page_named(Language::English, "preferences-stale");
    assert!(!silent.contains("name=\"tracking\"") && !silent.contains("Global Privacy Control"));
}

#[test]
fn a_break_always_has_an_end() {
    let values = |name: &str| -> Vec<String> {
        let html = page_named(Language::English, name);
        let radios = named(&html, "input").into_iter().filter(|tag| attribute(tag, "name") == Some("pause"));
        radios.map(|tag| format!("{}{}", attribute(tag, "value").unwrap(), tag.contains("checked"))).collect()
    };
    assert_eq!(values("preferences"), ["nonetrue", "weekfalse", "monthfalse", "quarterfalse"]);
    assert_eq!(values("preferences-saved"), ["keeptrue", "nonefalse", "weekfalse", "monthfalse", "quarterfalse"]);
}

#[test]
fn art12_2_every_right_has_its_button() {
    for language in Language::ALL {
        let html = page_named(language, "why");
        for right in Right::ALL {
            let button = format!("name=\"right\" value=\"{}\"", right.word());
            assert_eq!(html.matches(&button).count(), 1, "{right:?}");
        }
        assert!(!page_named(language, "why-contract").contains("value=\"withdraw\""), "there is no consent");
    }
}

#[test]
fn the_page_for_an_unusable_link_names_no_controller() {
    for language in Language::ALL {
        let html = page_named(language, "help-link");
        assert!(!html.contains("Linden") && !html.contains("/accent/"));
    }
}

#[test]
fn the_words_of_fields_lead_back() {
    assert!(Right::ALL.into_iter().all(|one| Right::from_word(one.word()) == Some(one)));
    assert!(Frequency::ALL.into_iter().all(|one| Frequency::from_word(one.word()) == Some(one)));
    assert!(Pause::ALL.into_iter().all(|one| Pause::from_word(one.word()) == Some(one)));
    assert_eq!(Scope::from_word("all"), Some(Scope::All));
    assert_eq!(Scope::from_word("purpose"), Some(Scope::Purpose));
    assert!(Right::from_word("").is_none() && Frequency::from_word("daily").is_none());
    assert!(Pause::from_word("forever").is_none() && Scope::from_word("ALL").is_none());
}

#[tokio::test]
async fn an_answer_tells_its_language_and_style_sheets_may_be_kept() {
    let frame = Frame { language: Language::Spanish, branding: None, processor: "P", here: None };
    let response = respond(&Help { frame, kind: HelpKind::LinkUnusable });
    assert_eq!(response.headers()["content-language"], "es");
    assert_eq!(response.status().as_u16(), 200);
    for sheet in [style(), accent_style(Accent::parse("#123456").unwrap())] {
        assert_eq!(sheet.headers()["content-type"], "text/css; charset=utf-8");
        let octets = sheet.into_body().collect().await.unwrap().to_bytes();
        assert!(octets.starts_with(b":root"));
    }
}
