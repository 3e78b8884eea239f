use crate::harness::{Work, snapshot};

#[test]
fn the_overview_lists_every_command() {
    snapshot!(Work::empty().run("-h"), @r"
    status 0
    --- stdout
    Prove what a machine-learning model decided, and let any Ethereum contract check it

    Usage: zkverdict [OPTIONS] <COMMAND>

    Commands:
      demo         Tell the whole story on embedded parts: a private applicant, a proof, a contract that checks it
      inspect      Show what an ONNX file declares, whether it can be proven, and how
      calibrate    Measure ranges and errors on sample data
      compile      Compile a calibrated model to a circuit
      setup        Make the proving and verifying key of a circuit
      prove        Prove what the model decides about one sample
      verify       Verify a proof natively and show what it says
      commit       Make, open and check commitments to inputs, outputs and models, without a proof
      attest       Commit to somebody's inputs and sign the commitment, for a contract that accepts attested inputs only
      audit        Prove how good and how fair a model is on a labelled table, without showing the table
      contract     Generate, compile and try the verifier contract of a key
      simulate     Deploy a contract on the embedded chain and send it a proof
      gas          Show where the gas of a model's contracts goes, style by style
      deploy       Deploy a contract on a chain
      submit       Submit a proof to a deployed contract
      status       Show what became of a transaction: unknown, pending, included, confirmed or failed, and why
      anvil        Start anvil, print its endpoint, and stop it on Ctrl-C or at the end of the input
      srs          Import, make and show structured reference strings (powers of tau)
      run          Run the fixed-point model beside the floats, without a proof
      bench        Run the whole pipeline once in a temporary folder and report what it costs
      doctor       Check that this machine has what zkverdict needs, with a remedy for each thing missing
      completions  Print a completion script for a shell
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    Global options:
          --json           Print the result as JSON
          --config <FILE>  Read this configuration file instead of zkverdict.toml
    ");
}

#[test]
fn every_command_has_a_summary_and_an_example() {
    let work = Work::empty();
    let commands = [
        "demo",
        "inspect",
        "calibrate",
        "compile",
        "setup",
        "prove",
        "verify",
        "audit compile",
        "audit trees",
        "audit data",
        "audit open",
        "audit check",
        "commit make",
        "commit model",
        "commit open",
        "commit check",
        "contract",
        "simulate",
        "gas",
        "deploy",
        "submit",
        "status",
        "anvil",
        "srs import",
        "srs dev",
        "srs show",
        "run",
        "bench",
        "completions",
    ];
    for command in commands {
        let long = work.run(&format!("{command} --help")).expect_status(0);
        assert!(
            long.stdout.contains(&format!("\nExample: zkverdict {command}")),
            "{command}: {long}"
        );
        assert!(long.stdout.contains("--json"), "{command}: {long}");
        let short = work.run(&format!("{command} -h")).expect_status(0);
        assert!(!short.stdout.contains("Example:"), "{command}: {short}");
        let summary = short.stdout.lines().next().unwrap();
        assert!(summary.len() > 20 && !summary.ends_with('.'), "{command}: {summary}");
    }
}

#[test]
fn the_long_help_explains_configuration_and_exit_status() {
    let help = Work::empty().run("--help").expect_status(0).stdout;
    assert!(help.contains("flags win over environment variables"), "{help}");
    assert!(
        help.contains("Exit status: 0 done, 1 the proof or check failed, 2 wrong usage"),
        "{help}"
    );
}

#[test]
fn mistakes_in_usage_are_status_2() {
    let work = Work::empty();
    snapshot!(work.run("audit trees model.circuit"), @r"
    status 2
    --- stderr
    error: the following required arguments were not provided:
      --claim <CLAIM>

    Usage: zkverdict audit trees --claim <CLAIM> <CIRCUIT>

    For more information, try '--help'.
    ");
    snapshot!(work.run("demo astrology"), @r"
    status 2
    --- stderr
    error: invalid value 'astrology' for '[STORY]'
      [possible values: credit, diagnosis, audit]

    For more information, try '--help'.
    ");
    snapshot!(work.run("submit a --proof b --address 0x1 --anvil"), @r"
    status 2
    --- stderr
    error: the argument '--address <A>' cannot be used with '--anvil'

    Usage: zkverdict submit --proof <FILE>... --address <A> <CONTRACT>

    For more information, try '--help'.
    ");
}

#[test]
fn the_version_is_on_stdout() {
    snapshot!(Work::empty().run("--version"), @r"
    status 0
    --- stdout
    zkverdict 0.1.0
    ");
}

#[test]
fn completions_name_the_commands() {
    let work = Work::empty();
    let script = work.run("completions bash").expect_status(0).stdout;
    assert!(
        script.contains("zkverdict__") && script.contains("--proving-key"),
        "{script}"
    );
    let json = work.run("completions zsh --json").expect_status(0).json();
    assert_eq!(json["shell"], "zsh");
    assert!(json["script"].as_str().unwrap().starts_with("#compdef zkverdict"));
}
