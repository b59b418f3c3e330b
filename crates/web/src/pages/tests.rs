//! Pages: every rule has its place, and no page needs anything from elsewhere.

use super::*;
use http_body_util::BodyExt;

async fn text_of(response: Response) -> String {
    let octets = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(octets.to_vec()).unwrap()
}

#[tokio::test]
async fn every_rule_and_fault_has_an_anchor() {
    let text = text_of(get_rules().await).await;
    for rule in Rule::ALL {
        assert!(text.contains(&format!("id=\"{}\"", rule.id())), "{}", rule.id());
        assert!(text.contains(rule.row().article), "{}", rule.id());
    }
    for fault in Fault::ALL {
        assert!(text.contains(&format!("id=\"{}\"", fault.row().id)), "{}", fault.row().id);
    }
}

#[tokio::test]
async fn rfc9457_3_1_1_the_type_of_a_problem_leads_to_its_explanation() {
    for id in ["suppressed", "malformed"] {
        let response = get_problem(Path(id.to_owned())).await;
        assert_eq!(response.headers()["location"], format!("/help/rules#{id}"));
    }
    assert_eq!(get_problem(Path("https:evil".to_owned())).await.status().as_u16(), 404);
}

#[tokio::test]
async fn pages_have_no_script_and_no_third_party() {
    let start = text_of(page(&Start { base_url: "https://mail.example\"><script>" })).await;
    assert!(!start.contains("<script"), "what a template is given is escaped");
    for text in [start.as_str(), STYLE, &text_of(get_rules().await).await] {
        assert!(!text.contains("src=\"http") && !text.contains("url(") && !text.contains("@import"));
        assert!(!text.contains("style=") && !text.contains("onclick"), "the policy would block it");
    }
}
