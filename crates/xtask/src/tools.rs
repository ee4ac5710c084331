//! What a machine needs beside cargo, and how it gets there.

use std::io::{BufRead, IsTerminal, Write};
use std::process::{Command, Stdio};

use anyhow::bail;

use crate::run::succeed;
use crate::workspace::Workspace;

/// Something that is on a machine, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tool {
    /// Answers `--version` if it is there.
    probe: &'static [&'static str],
    source: Source,
    needed_by: &'static str,
    /// Only where a member depends on this crate.
    wanted_for: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// A Debian package.
    Debian(&'static str),
    /// A component of the toolchain.
    Component(&'static str),
    /// A program from the crate registry. Only running the benchmarks needs one.
    Program(&'static str),
}

const TOOLS: &[Tool] = &[
    Tool {
        probe: &["cargo", "fmt"],
        source: Source::Component("rustfmt"),
        needed_by: "the format check",
        wanted_for: None,
    },
    Tool {
        probe: &["cargo", "clippy"],
        source: Source::Component("clippy"),
        needed_by: "the lints",
        wanted_for: None,
    },
    Tool {
        probe: &["valgrind"],
        source: Source::Debian("valgrind"),
        needed_by: "the benchmarks that count instructions",
        wanted_for: Some("gungraun"),
    },
    Tool {
        probe: &["gungraun-runner"],
        source: Source::Program("gungraun-runner@0.20.0"),
        needed_by: "running the benchmarks that count instructions",
        wanted_for: Some("gungraun"),
    },
    Tool {
        probe: &["protoc"],
        source: Source::Debian("protobuf-compiler"),
        needed_by: "the etcd client's build",
        wanted_for: Some("etcd-client"),
    },
    Tool {
        // What Debian keeps apart from the compiler; the last word is the script's name.
        probe: &[
            "sh",
            "-c",
            "ls /usr/include/google/protobuf/descriptor.proto",
        ],
        source: Source::Debian("libprotobuf-dev"),
        needed_by: "the etcd client's build",
        wanted_for: Some("etcd-client"),
    },
    Tool {
        probe: &["etcd"],
        source: Source::Debian("etcd-server"),
        needed_by: "the tests of leases in etcd",
        wanted_for: Some("etcd-client"),
    },
    Tool {
        // Debian keeps its programs out of the way, by version.
        probe: &["sh", "-c", "ls /usr/lib/postgresql/*/bin/initdb"],
        source: Source::Debian("postgresql"),
        needed_by: "the tests of leases in PostgreSQL",
        wanted_for: Some("tokio-postgres"),
    },
    Tool {
        probe: &["redis-server"],
        source: Source::Debian("redis-server"),
        needed_by: "the tests of what is kept in Redis",
        wanted_for: Some("redis"),
    },
    Tool {
        probe: &["chromium"],
        source: Source::Debian("chromium"),
        needed_by: "the tests that look at pages",
        wanted_for: Some("tokio-tungstenite"),
    },
];

/// Installs what `workspace` needs and this machine lacks: unasked as root and in CI, else after
/// a question, else (nobody to ask) not at all, with the line that would do it.
///
/// What only running the benchmarks needs is left out unless `bench` is set.
pub(crate) fn install(workspace: &Workspace, bench: bool) -> anyhow::Result<()> {
    let missing: Vec<Tool> = wanted(TOOLS, workspace)
        .filter(|tool| bench || !matches!(tool.source, Source::Program(_)))
        .filter(|tool| !is_there(tool))
        .collect();
    if missing.is_empty() {
        println!("nothing is missing");
        return Ok(());
    }
    for tool in &missing {
        println!("missing: {}, for {}", tool.probe.join(" "), tool.needed_by);
    }
    let is_root = is_root();
    let commands = commands(&missing, is_root);
    let lines: Vec<String> = commands.iter().map(|words| words.join(" ")).collect();
    let in_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    if !is_root && !in_ci && !confirmed(&lines)? {
        bail!("to install what is missing: {}", lines.join(" && "));
    }
    for words in &commands {
        println!("{}", words.join(" "));
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .env("DEBIAN_FRONTEND", "noninteractive");
        succeed(&mut command)?;
    }
    Ok(())
}

fn wanted<'a>(tools: &'a [Tool], workspace: &'a Workspace) -> impl Iterator<Item = Tool> + 'a {
    let is_wanted = |tool: &&Tool| {
        tool.wanted_for
            .is_none_or(|name| workspace.depends_on(name))
    };
    tools.iter().filter(is_wanted).copied()
}

fn is_there(tool: &Tool) -> bool {
    let mut command = Command::new(tool.probe[0]);
    command.args(&tool.probe[1..]).arg("--version");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// The commands that bring `missing` here.
fn commands(missing: &[Tool], is_root: bool) -> Vec<Vec<&'static str>> {
    let mut debian = Vec::new();
    let mut components = Vec::new();
    let mut programs = Vec::new();
    for tool in missing {
        match tool.source {
            Source::Debian(name) => debian.push(name),
            Source::Component(name) => components.push(name),
            Source::Program(name) => programs.push(name),
        }
    }
    let mut commands = Vec::new();
    if !components.is_empty() {
        commands.push([vec!["rustup", "component", "add"], components].concat());
    }
    if !programs.is_empty() {
        commands.push([vec!["cargo", "install", "--locked"], programs].concat());
    }
    if !debian.is_empty() {
        let sudo = if is_root { vec![] } else { vec!["sudo"] };
        let install = vec!["apt-get", "install", "-y", "--no-install-recommends"];
        commands.push([sudo.clone(), vec!["apt-get", "update"]].concat());
        commands.push([sudo, install, debian].concat());
    }
    commands
}

/// Asks on the terminal; without one the answer is no.
fn confirmed(lines: &[String]) -> anyhow::Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Ok(false);
    }
    print!("run `{}`? [y/N] ", lines.join(" && "));
    std::io::stdout().flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(source: Source, wanted_for: Option<&'static str>) -> Tool {
        Tool {
            probe: &["no-such-binary"],
            source,
            needed_by: "a test",
            wanted_for,
        }
    }

    #[test]
    fn a_tool_is_wanted_where_its_crate_is() {
        let metadata = r#"{ "packages": [{ "name": "bench", "publish": [],
            "dependencies": [{ "name": "gungraun" }] }] }"#;
        let workspace: Workspace = serde_json::from_str(metadata).expect("metadata");
        let tools = [
            tool(Source::Component("rustfmt"), None),
            tool(Source::Debian("valgrind"), Some("gungraun")),
            tool(Source::Debian("protobuf-compiler"), Some("etcd-client")),
        ];
        assert_eq!(wanted(&tools, &workspace).collect::<Vec<_>>(), tools[..2]);
    }

    #[test]
    fn what_is_missing_is_seen() {
        let mut none = tool(Source::Debian("none"), None);
        assert!(!is_there(&none));
        none.probe = &["sh", "-c", "ls /no/such/file"];
        assert!(!is_there(&none));
        none.probe = &["sh", "-c", "ls /"];
        assert!(is_there(&none));
    }

    #[test]
    fn packages_come_from_a_fresh_list_and_as_root() {
        let missing = [
            tool(Source::Debian("valgrind"), None),
            tool(Source::Component("clippy"), None),
            tool(Source::Debian("protobuf-compiler"), None),
            tool(Source::Program("runner@1.2.3"), None),
        ];
        let lines = |is_root| -> Vec<String> {
            let commands = commands(&missing, is_root);
            commands.iter().map(|words| words.join(" ")).collect()
        };
        let install = "apt-get install -y --no-install-recommends valgrind protobuf-compiler";
        assert_eq!(
            lines(true),
            [
                "rustup component add clippy",
                "cargo install --locked runner@1.2.3",
                "apt-get update",
                install
            ]
        );
        assert_eq!(
            lines(false)[2..],
            ["sudo apt-get update".to_owned(), format!("sudo {install}")]
        );
        assert!(commands(&[], true).is_empty());
    }
}
