//! The report: numbers that add up, problems that are bounded, and a file that harms no spreadsheet.

use super::super::{Echo, Field, Input, Mapping, Opened, PROBLEMS_KEPT, Problem, ReportFormat, ReportWriter, What};
use super::*;

const MIXED: &str = "email,source,consent date\n\
    a@example.com,fair,2021-03-04\n\
    b@example.com,,2021-03-04\n\
    nobody,fair,2021-03-04\n\
    A@example.com,fair,2021-03-04\n\
    \n\
    c@example.com,fair,03/04/2021\n\
    d@example.com,=1+1,2021-03-04\n\
    e@example.com,fair\n";

fn mixed() -> (Vec<RowFate>, Finished) {
    all(MIXED.as_bytes(), Input::of(CSV), Provenance { source: None, given: None, ..whole() })
}

fn written(fates: &[RowFate], format: ReportFormat, echo: Echo) -> String {
    let mut writer = ReportWriter::new(Vec::new(), format, echo).unwrap();
    for fate in fates {
        writer.write(fate).unwrap();
    }
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

#[test]
fn art5_2_counts_add_up_to_the_rows_read() {
    let (fates, finished) = mixed();
    let report = finished.report;
    assert_eq!((report.rows, report.contacts, report.quarantined), (7, 2, 1));
    assert_eq!((report.duplicates, report.malformed, report.blank, report.formulas), (1, 3, 1, 1));
    let reasons: Vec<_> = report.reasons.iter().map(|(code, count)| (*code, *count)).collect();
    assert_eq!(reasons, [("address", 1), ("cell-count", 1), ("date-ambiguous", 1)]);
    assert!(report.reconciles());
    // Header, rows and blank lines are all the lines there are.
    assert_eq!(1 + report.rows + report.blank, finished.digest.lines);
    assert_eq!(fates.len(), 7);
    let mut wrong = report.clone();
    wrong.rows += 1;
    assert!(!wrong.reconciles());
    let mut wrong = report;
    wrong.reasons.clear();
    assert!(!wrong.reconciles());
}

#[test]
fn problems_are_kept_in_order_up_to_the_limit_and_the_rest_is_counted() {
    let report = mixed().1.report;
    let lines: Vec<u64> = report.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [3, 4, 5, 7, 8, 9]);
    let Problem { what: What::Formulas(fields), .. } = report.problems[4] else { panic!("{report:?}") };
    assert!(fields.contains(Field::Source) && !fields.contains(Field::Email));
    let text = format!("email\n{}", "nobody\n".repeat(PROBLEMS_KEPT + 5));
    let report = all(text.as_bytes(), Input::of(CSV), whole()).1.report;
    assert_eq!((report.problems.len(), report.problems_left_out), (PROBLEMS_KEPT, 5));
    let mut settings = settings(whole());
    settings.problems = usize::MAX;
    let text = format!("email\n{}", "nobody\n".repeat(10_001));
    let opened = Opened::read(text.as_bytes(), Input::of(CSV)).unwrap();
    let mapping = Mapping::suggest(opened.header());
    let mut reader = opened.import(&mapping, settings).unwrap();
    while reader.next_row().unwrap().is_some() {}
    assert_eq!((reader.report().problems.len(), reader.report().problems_left_out), (10_000, 1));
}

#[test]
fn cells_that_a_spreadsheet_takes_for_formulas_are_flagged_and_kept_as_they_are() {
    for cell in ["=1+1", "+49 30 1", "-1", "@SUM(A1)", "\"\t=1\"", "\"\rx\"", "\"\nx\"", "  =1", "＝1"] {
        let fates = csv(&format!("email,source\na@example.com,{cell}\n"));
        let row = contact(&fates[0]);
        assert!(row.details.formulas.contains(Field::Source), "{cell}");
        assert_eq!(&*row.evidence.source, cell.trim_matches('"').trim());
    }
    for cell in ["1+1", "x=1", "'=1", "\"\"\"=1\"\"\"", "fair"] {
        let fates = csv(&format!("email,source\na@example.com,{cell}\n"));
        assert!(contact(&fates[0]).details.formulas.is_empty(), "{cell}");
    }
    // In every field that is text; not in columns that nobody mapped.
    let text = "email,notice,purpose,note,other\n=a@example.com,=n,=p,=t,x\nb@example.com,n,p,t,=x\n";
    let opened = Opened::read(text.as_bytes(), Input::of(CSV)).unwrap();
    let mapping = Mapping::suggest(opened.header()).attribute("note", "note");
    let fates = opened.import(&mapping, settings(whole())).unwrap().next_batch(9).unwrap().unwrap();
    let flagged: Vec<Field> = fates[0].formulas().iter().collect();
    assert_eq!(flagged, [Field::Email, Field::Notice, Field::Purpose, Field::Attribute]);
    assert!(fates[1].formulas().is_empty());
}

#[test]
fn rfc4180_the_written_report_is_read_by_another_reader_and_has_a_record_for_each_row() {
    let (fates, _) = mixed();
    let text = written(&fates, ReportFormat::Csv, Echo::Nothing);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let told: Vec<(&str, &str)> = records.iter().map(|record| (&record[0], &record[1])).collect();
    let expected = [
        ("2", "contact"),
        ("3", "quarantine"),
        ("4", "malformed"),
        ("5", "duplicate"),
        ("7", "malformed"),
        ("8", "contact"),
        ("9", "malformed"),
    ];
    assert_eq!(told, expected);
    let why = |record: &csv::StringRecord| [record[2].to_owned(), record[3].to_owned(), record[4].to_owned()];
    assert_eq!(&records[1][6], "source");
    assert_eq!(why(&records[2]), ["address", "1", "email"]);
    assert_eq!(&records[3][5], "2");
    assert_eq!(why(&records[4]), ["date-ambiguous", "3", "given_at"]);
    assert_eq!(&records[5][7], "source");
    assert!(!text.contains("example"));
}

#[test]
fn art5_1c_addresses_are_in_the_report_only_when_they_are_asked_for_and_then_harmless() {
    let fates = csv("email\n=cmd|x@example.com\n\"\"\"a,b\"\"@example.com\"\nada@example.com\nnobody\n");
    for format in [ReportFormat::Csv, ReportFormat::JsonLines] {
        assert!(!written(&fates, format, Echo::Nothing).contains("example"));
        assert!(!written(&fates, format, Echo::Address).contains("nobody"));
    }
    let text = written(&fates, ReportFormat::Csv, Echo::Address);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let echoed: Vec<String> = reader.records().map(|record| record.unwrap()[9].to_owned()).collect();
    assert_eq!(echoed, ["'=cmd|x@example.com", "\"a,b\"@example.com", "ada@example.com", ""]);
}

#[test]
fn rfc8259_the_written_report_is_json_lines() {
    let (fates, _) = mixed();
    let text = written(&fates, ReportFormat::JsonLines, Echo::Address);
    let objects: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 7);
    assert_eq!(objects[0], serde_json::json!({"line": 2, "fate": "contact", "address": "a@example.com"}));
    let quarantine = serde_json::json!({
        "line": 3, "fate": "quarantine", "missing": ["source"], "address": "b@example.com"
    });
    assert_eq!(objects[1], quarantine);
    assert_eq!(objects[2]["reason"], "address");
    assert_eq!(objects[2]["column"], 1);
    assert!(objects[2].get("address").is_none());
    assert_eq!(objects[3]["first_line"], 2);
    assert_eq!(objects[5]["formulas"], serde_json::json!(["source"]));
}
