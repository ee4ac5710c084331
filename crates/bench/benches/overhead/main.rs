//! t
fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).map(|s| s.as_str()) == Some("--only") {
        let case = bench::cases::all().into_iter().find(|c| c.name() == args[2]).unwrap();
        let mut run = case.build();
        run(10000);
        run(args[3].parse().unwrap());
        return;
    }
    for case in bench::cases::all() { println!("{}", case.name()); }
}
