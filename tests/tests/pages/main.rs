//! Pages of failures, in a real browser, from `file://`: nothing complains, what failed is seen, by whoever looks with
//! whatever width and light, with a mouse or without.
//!
//! With `MURPHY_SCREENSHOTS` set to a directory, pictures of the pages are left there (as base64 of PNG).

mod browser;
mod subjects;

use std::fs;
use std::path::{Path, PathBuf};

use browser::{Browser, View};
use serde_json::{Value, json};
use subjects::Subject;

const VIEWS: [View; 4] = [
    View {
        width: 1280,
        dark: false,
    },
    View {
        width: 1280,
        dark: true,
    },
    View {
        width: 400,
        dark: false,
    },
    View {
        width: 400,
        dark: true,
    },
];

/// Functions of the page's that the tests call.
const EYES: &str = include_str!("eyes.js");

async fn see(browser: &mut Browser, function: &str, argument: &str) -> Value {
    let call = format!("({EYES}).{function}({})", json!(argument));
    browser.run(&call).await
}

fn written(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).expect("a file");
    path
}

async fn keep_a_picture(browser: &mut Browser, subject: &Subject, view: View) {
    let Some(directory) = std::env::var_os("MURPHY_SCREENSHOTS") else {
        return;
    };
    let light = if view.dark { "dark" } else { "light" };
    let name = format!("{}-{}-{light}.png.base64", subject.name, view.width);
    fs::write(Path::new(&directory).join(name), browser.picture().await).expect("a file");
}

#[tokio::test]
async fn every_page_opens_without_a_complaint_and_shows_what_failed() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut browser = Browser::start().await;
    for subject in subjects::all() {
        let file = written(
            directory.path(),
            &format!("{}.html", subject.name),
            &subject.html,
        );
        for view in VIEWS {
            let about = format!("{}, {view:?}", subject.name);
            browser.open(&file, view).await;
            keep_a_picture(&mut browser, &subject, view).await;
            assert_eq!(browser.complaints(), [""; 0], "{about}");
            let seen = see(&mut browser, "at_a_glance", &subject.message).await;
            assert_eq!(seen, "visible", "{about}: {}", subject.message);
            for text in &subject.also {
                assert_eq!(
                    see(&mut browser, "rendered", text).await,
                    true,
                    "{about}: {text}"
                );
            }
            assert_eq!(
                see(&mut browser, "scrolls_sideways", "").await,
                false,
                "{about}"
            );
            assert_eq!(
                see(&mut browser, "hard_to_read", "").await,
                json!([]),
                "{about}"
            );
            assert_eq!(
                see(&mut browser, "foreign_elements", "").await,
                0,
                "{about}"
            );
        }
    }
    browser.close().await;
}

#[tokio::test]
async fn a_page_is_read_with_a_keyboard() {
    let directory = tempfile::tempdir().expect("a directory");
    let subject = subjects::double_charge();
    let file = written(directory.path(), "page.html", &subject.html);
    let mut browser = Browser::start().await;
    browser.open(&file, VIEWS[2]).await;
    let (mut reached, mut opened) = (Vec::new(), 0);
    for _ in 0..20 {
        browser.press("Tab", 9, "").await;
        let at = see(&mut browser, "focused", "").await;
        let at = at.as_str().expect("a name").to_owned();
        if at == "SUMMARY" {
            browser.press("Enter", 13, "\r").await;
            opened += 1;
        }
        reached.push(at);
        if reached.last().is_some_and(|at| at == "BODY") {
            break;
        }
    }
    for place in ["PRE.command", "DIV.scroll", "SUMMARY"] {
        assert!(reached.iter().any(|at| at == place), "{place}: {reached:?}");
    }
    let row = "pay → client: reply lost: the work was done";
    assert!(
        opened > 0 && see(&mut browser, "rendered", row).await == true,
        "{reached:?}"
    );
    browser.close().await;
}

/// The tests would notice: each of these pages has one thing wrong with it.
#[tokio::test]
async fn what_is_wrong_with_a_page_is_noticed() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut browser = Browser::start().await;
    let page =
        |body: &str| format!("<!doctype html><meta charset=utf-8><title>x</title><body>{body}");
    for (name, body) in [
        (
            "an error of the console",
            "<script>console.error('no')</script>",
        ),
        (
            "a warning of the console",
            "<script>console.warn('no')</script>",
        ),
        ("an exception", "<script>throw new Error('no')</script>"),
        ("an image from elsewhere", "<img src='gone.png'>"),
        (
            "what the page itself forbids",
            "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\"><style>p{}</style>",
        ),
    ] {
        let file = written(directory.path(), "wrong.html", &page(body));
        browser.open(&file, VIEWS[0]).await;
        assert!(!browser.complaints().is_empty(), "{name}");
    }
    for (body, want) in [
        ("<p>charged twice", "visible"),
        ("<p>charged once", "not rendered"),
        ("<p style='display:none'>charged twice", "not rendered"),
        ("<p style='visibility:hidden'>charged twice", "not rendered"),
        ("<p style='opacity:0'>charged twice", "hidden"),
        ("<p style='font-size:0'>charged twice", "too small"),
        ("<p style='margin-top:900px'>charged twice", "out of sight"),
        (
            "<p style='margin-left:2000px'>charged twice",
            "out of sight",
        ),
        (
            "<p>charged twice<div style='position:fixed;inset:0;background:#fff'></div>",
            "covered",
        ),
    ] {
        let file = written(directory.path(), "hidden.html", &page(body));
        browser.open(&file, VIEWS[0]).await;
        assert_eq!(
            see(&mut browser, "at_a_glance", "charged twice").await,
            want,
            "{body}"
        );
    }
    let file = written(
        directory.path(),
        "pale.html",
        &page("<p style='color:#ccc'>pale</p><div style='width:3000px'>wide</div><b>bold</b>"),
    );
    browser.open(&file, VIEWS[0]).await;
    assert_eq!(see(&mut browser, "hard_to_read", "").await, json!(["pale"]));
    assert_eq!(see(&mut browser, "scrolls_sideways", "").await, true);
    assert_eq!(see(&mut browser, "foreign_elements", "").await, 1);
    browser.close().await;
}
