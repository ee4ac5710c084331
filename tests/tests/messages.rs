//! What the compiler says to somebody who puts the layer where it does not fit: it names the
//! setter. Each snippet is checked in a crate of its own, against the crates in this workspace.

use std::path::Path;
use std::process::Command;

/// A snippet that must not compile, and what its error says.
const SNIPPETS: &[(&str, &str, &[&str])] = &[
    (
        "a service that is not `Send`",
        "let purse = std::rc::Rc::new(7u64);
         let service = site.layer().layer(service_fn(move |n: u64| {
             let purse = std::rc::Rc::clone(&purse);
             async move { Ok::<u64, Infallible>(n + *purse) }
         }));
         drop(service.oneshot(7));",
        &["goes to tokio's executor", "`.local()`"],
    ),
    (
        "a request that borrows",
        "let text = String::from(\"borrowed\");
         let service = site.layer().layer(service_fn(|r: &str| {
             let length = r.len();
             async move { Ok::<usize, Infallible>(length) }
         }));
         drop(service.oneshot(&*text));",
        &["borrowed value does not live long enough", "`'static`"],
    ),
    (
        "a call that is not `Send`",
        "let purse = std::rc::Rc::new(7u64);
         drop(site.run(\"key\", move || async move { *purse }).into_future());",
        &["goes to tokio's executor", "`.local()`"],
    ),
    (
        "a service that is not `Clone`",
        "struct Once;
         impl tower::Service<u64> for Once {
             type Response = u64;
             type Error = Infallible;
             type Future = std::future::Ready<Result<u64, Infallible>>;
             fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
                 std::task::Poll::Ready(Ok(()))
             }
             fn call(&mut self, n: u64) -> Self::Future { std::future::ready(Ok(n)) }
         }
         is_a_service(site.layer().layer(Once));",
        &["Clone` is not satisfied", "Once"],
    ),
    (
        "a refusal of another type",
        "let refusing = site.layer().refusing(|m: &Marker| Err::<u64, String>(m.to_string()));
         is_a_service(refusing.layer(service_fn(|n: u64| async move { Ok::<u64, Infallible>(n) })));",
        &["Infallible", "String"],
    ),
    (
        "a body that cannot be faulted",
        "fn is_one(_: impl tower::Service<http::Request<String>>) {}
         is_one(site.layer().http().layer(service_fn(|_: http::Request<String>| async {
             Ok::<_, Infallible>(http::Response::new(String::new()))
         })));",
        &["`String` cannot be put around another body", "`.http_replies()`", "`.http_with(..)`"],
    ),
    (
        "a guard that nobody holds",
        "let plan = murphy_fault::Plan::new();
         chaos.arm(&plan, murphy_fault::TimeLimit::None).unwrap();",
        &["dropping the guard disarms at once"],
    ),
];

#[test]
fn the_compiler_names_the_setter() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("messages");
    let bins = scratch.join("src/bin");
    std::fs::create_dir_all(&bins).unwrap();
    let manifest = format!(
        "[package]\nname = \"messages\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
         murphy-core = {{ path = {core:?} }}\nmurphy-fault = {{ path = {fault:?}, features = [\"http\"] }}\n\
         http = \"1\"\ntower = {{ version = \"0.5\", features = [\"util\"] }}\n",
        core = tests.join("../crates/murphy-core"),
        fault = tests.join("../crates/murphy-fault"),
    );
    std::fs::write(scratch.join("Cargo.toml"), manifest).unwrap();
    // The versions that the workspace has, and so nothing to download.
    std::fs::copy(tests.join("../Cargo.lock"), scratch.join("Cargo.lock")).unwrap();
    for (n, (name, snippet, _)) in SNIPPETS.iter().enumerate() {
        std::fs::write(bins.join(format!("s{n}.rs")), program(name, snippet)).unwrap();
    }

    for (n, (name, _, says)) in SNIPPETS.iter().enumerate() {
        let output = Command::new(env!("CARGO"))
            .args(["check", "--offline", "--quiet", "--bin", &format!("s{n}")])
            .current_dir(&scratch)
            .env("CARGO_TARGET_DIR", scratch.join("target"))
            .output()
            .expect("cargo check");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{name} compiles");
        for words in *says {
            assert!(error.contains(words), "{name}: no {words:?} in\n{error}");
        }
    }
}

fn program(name: &str, snippet: &str) -> String {
    format!(
        "//! {name}\n#![deny(unused_must_use)]\n#![expect(unused_imports, reason = \"not all use all\")]\n\
         use std::convert::Infallible;\nuse std::future::IntoFuture;\nuse murphy_fault::{{Chaos, Marker}};\n\
         use tower::{{Layer, ServiceExt, service_fn}};\n\
         fn is_a_service(_: impl tower::Service<u64>) {{}}\n\
         fn main() {{\n let chaos = Chaos::new(murphy_core::Seed::new(42));\n let site = chaos.site(\"a->b\");\n{snippet}\n}}\n"
    )
}
