//! A failure says how to repeat itself; a success says nothing.
//!
//! What is printed is seen from outside: the test runs this binary again, as its own child.

use std::process::Command;

use murphy_core::Seed;

const ROLE: &str = "MURPHY_TEST_ROLE";

#[test]
fn the_seed_is_printed_by_a_panic_and_by_nothing_else() {
    if let Ok(role) = std::env::var(ROLE) {
        return child(&role);
    }
    let stderr = |role: &str| {
        let output = Command::new(std::env::current_exe().expect("this binary"))
            .args([
                "the_seed_is_printed_by_a_panic_and_by_nothing_else",
                "--exact",
                "--nocapture",
            ])
            .env(ROLE, role)
            .env(Seed::VARIABLE, "0xC0FFEE")
            .output()
            .expect("this binary runs");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };

    let (passed, said) = stderr("fails");
    assert!(
        !passed && said.contains("to repeat this failure: MURPHY_SEED=0xc0ffee\n"),
        "{said}"
    );

    let (passed, said) = stderr("passes");
    assert!(passed && !said.contains("MURPHY_SEED"), "{said}");

    // Held outside of what panics: the panic is caught before the guard goes.
    let (passed, said) = stderr("catches");
    assert!(passed && !said.contains("MURPHY_SEED"), "{said}");
}

/// A guard that cannot print must not turn a panic into an abort.
#[cfg(unix)]
#[test]
fn a_panic_is_still_a_panic_where_nobody_reads_standard_error() {
    use std::process::Stdio;
    if std::env::var(ROLE).is_ok() {
        return;
    }
    let (reader, writer) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
    drop(reader);
    let status = Command::new(std::env::current_exe().expect("this binary"))
        .args([
            "the_seed_is_printed_by_a_panic_and_by_nothing_else",
            "--exact",
            "--nocapture",
        ])
        .env(ROLE, "fails")
        .env(Seed::VARIABLE, "0xC0FFEE")
        .stdout(Stdio::null())
        .stderr(std::os::fd::OwnedFd::from(writer))
        .status()
        .expect("this binary runs");
    assert_eq!(status.code(), Some(101), "{status}");
}

fn child(role: &str) {
    let _guard = Seed::resolve(None)
        .expect("a seed in the environment")
        .report_on_panic();
    match role {
        "fails" => panic!("as planned"),
        "catches" => assert!(std::panic::catch_unwind(|| panic!("as planned")).is_err()),
        _ => {}
    }
}
