//! Faults of HTTP as text: they come back as they were, and bad ones are refused by field.

use std::time::Duration;

use murphy_core::Probability;
use murphy_fault::{After, Fault, GrpcCode, HttpStatus, Leg, Plan};

fn all() -> Plan {
    let always = Probability::ALWAYS;
    let second = Duration::from_secs(1);
    let faults = [
        Fault::stalled_body(Leg::Request, After::Bytes(100), always).giving_up(second),
        Fault::truncated_body(Leg::Reply, After::Frames(3), always),
        Fault::reset_body(Leg::Reply, After::Messages(1), always),
        Fault::lost_trailers(Leg::Reply, always),
        Fault::refused(always)
            .status(HttpStatus::SERVICE_UNAVAILABLE)
            .retry_after(2 * second)
            .try_header("x-b", "2")
            .and_then(|f| f.try_header("x-a", "1"))
            .unwrap(),
        Fault::refused_after_work(always).code(GrpcCode::DataLoss),
        Fault::lost_reply(always)
            .giving_up(second)
            .code(GrpcCode::Aborted)
            .requested(),
    ];
    faults.into_iter().fold(Plan::new(), |p, f| p.with("a", f))
}

#[test]
fn faults_of_http_come_back_from_toml_and_json_as_they_were() {
    let plan = all();
    assert_eq!(Plan::from_toml(&plan.to_toml()).unwrap(), plan);
    assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan);
}

#[test]
fn they_are_described_in_words() {
    let text = all().describe();
    for line in [
        "stalled-request: stall the request's body after 100 bytes; 100 % of calls; reset after 1s",
        "truncated-reply: truncate the reply's body after 3 frames; 100 % of calls",
        "reset-reply: reset the reply's body after 1 message; 100 % of calls",
        "lost-reply-trailers: lose the reply's trailers; 100 % of calls",
        "refused: refuse before the work; 100 % of calls; answers 503; says to come back after 2s; with `x-a: 1`; with `x-b: 2`",
        "refused-after-work: refuse after the work; 100 % of calls; answers `data-loss`",
        "lost-reply: lose the reply; 100 % of calls, only where the request's header asks for it; refused after 1s; answers `aborted`",
    ] {
        assert!(text.lines().any(|l| l.trim() == line), "{line}\nin\n{text}");
    }
}

#[test]
fn a_bad_fault_of_http_is_refused_by_field_value_and_remedy() {
    for (lines, want) in [
        (
            "kind = \"stal\"\nleg = \"reply\"",
            "plan: `fault[0].kind` is `stal`: no such word; did you mean `stall`?",
        ),
        (
            "kind = \"stall\"\nbytes = 1",
            "plan: `fault[0].leg` is `missing`: a fault names its leg",
        ),
        (
            "kind = \"stall\"\nleg = \"reply\"",
            "plan: `fault[0].bytes` is `missing`: exactly one of bytes, frames, messages",
        ),
        (
            "kind = \"reset\"\nleg = \"reply\"\nbytes = 1\nframes = 2",
            "plan: `fault[0].bytes` is `1 byte and 2 frames`: exactly one of bytes, frames, messages",
        ),
        (
            "kind = \"truncate\"\nleg = \"reply\"\nbytes = 1\ngive_up = \"1s\"",
            "plan: `fault[0].give_up` is `set`: a fault of kind `truncate` has no `give_up`",
        ),
        (
            "kind = \"lose-trailers\"\nleg = \"reply\"\nbytes = 1",
            "plan: `fault[0].bytes` is `set`: a fault of kind `lose-trailers` has no `bytes`",
        ),
        (
            "kind = \"refuse\"\nleg = \"request\"\nstatus = 99",
            "plan: `fault[0].status` is `99`: write one from 200 to 599",
        ),
        (
            "kind = \"refuse\"\nleg = \"request\"\nstatus = 503\ncode = \"aborted\"",
            "plan: `fault[0].status` is `503`: a refusal has a `status` of HTTP or a `code` of gRPC, not both",
        ),
        (
            "kind = \"refuse\"\nleg = \"request\"\ncode = \"unavailabel\"",
            "plan: `fault[0].code` is `unavailabel`: no such word; did you mean `unavailable`?",
        ),
        (
            "kind = \"refuse\"\nleg = \"request\"\nheaders = { \"content-length\" = \"1\" }",
            "plan: `fault[0].headers` is `content-length`: how a message is framed",
        ),
        (
            "kind = \"loss\"\nleg = \"request\"\nstatus = 503",
            "plan: `fault[0].status` is `set`: a fault of kind `loss` has no `status`",
        ),
        (
            "kind = \"refuse\"\nleg = \"request\"\nretry_afer = \"1s\"",
            "plan: `fault[0].retry_afer` is `retry_afer`: no field has this name; did you mean `retry_after`?",
        ),
    ] {
        let text = format!("version = 1\n[[fault]]\nsite = \"a\"\nprobability = 1\n{lines}\n");
        let error = Plan::from_toml(&text).unwrap_err().to_string();
        assert!(error.starts_with(want), "{error}\nnot\n{want}");
    }
}
