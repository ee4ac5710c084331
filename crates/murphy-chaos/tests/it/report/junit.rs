//! JUnit XML: that a parser reads it, and counts what the outcome says.

use super::*;

/// Tests, failures, errors and skipped, as the suite says and as its cases do.
fn counts(xml: &str) -> [usize; 4] {
    let document = roxmltree::Document::parse(xml).expect("XML");
    let suite = document.descendants().find(|n| n.has_tag_name("testsuite"));
    let suite = suite.expect("a suite");
    let said = ["tests", "failures", "errors", "skipped"].map(|name| {
        let said = suite.attribute(name).expect(name);
        said.parse::<usize>().expect(name)
    });
    let cases = || suite.children().filter(|n| n.has_tag_name("testcase"));
    let with = |tag| {
        cases()
            .filter(|c| c.children().any(|n| n.has_tag_name(tag)))
            .count()
    };
    let counted = [
        cases().count(),
        with("failure"),
        with("error"),
        with("skipped"),
    ];
    assert_eq!(said, counted, "{xml}");
    said
}

#[test]
fn what_passed_failed_and_is_undecided_is_counted() {
    let outcome = exploring("junit-passed", 200).run(passes);
    let parts = outcome.phases.len();
    assert_eq!(counts(&read("junit-passed", "junit.xml")), [parts, 0, 0, 0]);

    let outcome = exploring("junit-failed", 200).run(fails);
    let clean = outcome.phases.iter().filter(|p| p.failed == 0).count();
    assert_eq!(
        counts(&read("junit-failed", "junit.xml")),
        [clean + 1, 1, 0, 0]
    );

    let outcome = exploring("junit-undecided", 5).run(passes);
    assert_eq!(outcome.verdict, Verdict::Undecided);
    let parts = outcome.phases.len();
    assert_eq!(
        counts(&read("junit-undecided", "junit.xml")),
        [parts + 1, 0, 1, 0]
    );

    let outcome = exploring("junit-gap", 200).expecting("rain").run(passes);
    let parts = outcome.phases.len();
    assert_eq!(counts(&outcome.to_junit()), [parts + 1, 1, 0, 0]);

    assert_eq!(counts(&skipped("junit-skipped").to_junit()), [1, 0, 0, 1]);
}

#[test]
fn what_no_xml_may_contain_is_left_out_and_the_rest_is_text() {
    const HOSTILE: &str = "]]></failure><b>&\"'\u{0}\u{1b}[31m\u{ffff} it is heard";
    let explored = explore(HOSTILE).artifacts(target("junit-hostile"));
    let outcome = explored.budget(Budget::runs(100)).run(async |w: World| {
        always!(heard(&w).await, HOSTILE, "{HOSTILE}");
    });
    let xml = outcome.to_junit();
    assert_eq!(counts(&xml)[1], 1);
    let document = roxmltree::Document::parse(&xml).expect("XML");
    let failed = document.descendants().find(|n| n.has_tag_name("failure"));
    let case = failed.and_then(|n| n.parent()).expect("a case");
    let name = case.attribute("name").expect("a name");
    assert!(name.starts_with("]]></failure><b>&\"'"), "{name}");
    assert!(name.ends_with("it is heard"), "{name}");
    assert!(case.descendants().all(|n| !n.has_tag_name("b")));
}
