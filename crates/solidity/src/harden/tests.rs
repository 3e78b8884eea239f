use super::*;

const EXPECTED: Expected = Expected {
    public_inputs: 1,
    points: 1,
    scalars: 1,
};

const BODY: &str = "
mstore(0xa0, mod(calldataload(0x0), f_q))
{
let x := calldataload(0x20)
mstore(0xc0, x)
let y := calldataload(0x40)
mstore(0xe0, y)
success := and(validate_ec_point(x, y), success)
}
mstore(0x100, keccak256(0x80, 128))
{
let hash := mload(0x100)
mstore(0x120, mod(hash, f_q))
mstore(0x140, hash)
}
mstore(0x160, mod(calldataload(0x60), f_q))
mstore(0x180, mulmod(mload(0x160), 7, f_q))
success := and(eq(staticcall(gas(), 0x5, 0x180, 0xc0, 0x1a0, 0x20), 1), success)
success := and(eq(staticcall(gas(), 0x7, 0x180, 0x60, 0x180, 0x40), 1), success)
success := and(eq(staticcall(gas(), 0x6, 0x180, 0x80, 0x180, 0x40), 1), success)
success := and(eq(staticcall(gas(), 0x8, 0x180, 0x180, 0x180, 0x20), 1), success)
success := and(eq(mload(0x180), 1), success)
";

fn emitted(body: &str) -> String {
    format!("{}\n{body}\n{}", PROLOGUE.join("\n"), EPILOGUE.join("\n"))
}

fn refused(from: &str, to: &str) -> SolidityError {
    let changed = BODY.replace(from, to);
    assert_ne!(changed, BODY, "the test must change something");
    harden(&emitted(&changed), EXPECTED).expect_err("the change must be refused")
}

#[test]
fn rewrites_every_trap() {
    let Hardened { body, layout } = harden(&emitted(BODY), EXPECTED).unwrap();
    assert_eq!(layout.proof_length(), 96);
    assert_eq!(layout.public_inputs, 1);
    assert_eq!(
        layout.items().collect::<Vec<_>>(),
        [(0, WordKind::Point), (64, WordKind::Scalar)]
    );
    assert!(!body.contains("gas()"));
    assert!(!body.contains("mod(calldataload"));
    // The public input stands behind the proof and its own length: 100 + 96 + 32.
    assert!(body.contains("let v := calldataload(0xe4)"));
    assert!(body.contains("let x := calldataload(0x64)"));
    let check = body.find("if iszero(success) { break }").unwrap();
    let first_call = body.find("staticcall").unwrap();
    let last_read = body.rfind("calldataload").unwrap();
    assert!(last_read < check && check < first_call);
}

#[test]
fn refuses_an_unknown_frame() {
    let unknown = emitted(BODY).replace("fallback(", "receive(");
    assert!(matches!(
        harden(&unknown, EXPECTED),
        Err(SolidityError::UnknownFrame { part: "first lines" })
    ));
    let unknown = emitted(BODY).replace("return(0, 0)", "return(0, 32)");
    assert!(matches!(
        harden(&unknown, EXPECTED),
        Err(SolidityError::UnknownFrame { part: "last lines" })
    ));
}

#[test]
fn refuses_unknown_statements() {
    for (from, to) in [
        ("mstore(0x140, hash)", "sstore(0, hash)"),
        ("mstore(0x140, hash)", "mstore(0x40, hash)"),
        ("mstore(0x140, hash)", "mstore(0x140, hash) success := 1"),
        ("mstore(0x140, hash)", "success := 1"),
        ("mstore(0x140, hash)", "f_q := 1"),
        ("mstore(0x140, hash)", "mstore(0x140, calldataload(0))"),
        ("mstore(0x140, hash)", "mstore(0x140, gas())"),
        (
            "success := and(validate_ec_point(x, y), success)",
            "success := validate_ec_point(x, y)",
        ),
        (
            "success := and(validate_ec_point(x, y), success)",
            "success := and(validate_ec_point(y, x), success)",
        ),
        ("gas(), 0x7, 0x180, 0x60", "gas(), 0x7, 0x180, 0x80"),
        ("gas(), 0x7,", "gas(), 0x9,"),
        (
            "mload(0x180), 1), success)",
            "mload(0x180), 1), success)\nmstore(0x180, 1)",
        ),
        ("mstore(0xe0, y)", "mstore(0xe0, x)"),
        ("eq(mload(0x180), 1)", "eq(mload(0x160), 1)"),
        ("eq(mload(0x180), 1)", "eq(mload(0x180), 0)"),
    ] {
        let error = refused(from, to);
        assert!(matches!(error, SolidityError::UnknownStatement { .. }), "{to}: {error}");
    }
}

#[test]
fn refuses_wrong_counts_and_orders() {
    for (from, to) in [
        (
            "success := and(eq(staticcall(gas(), 0x5, 0x180, 0xc0, 0x1a0, 0x20), 1), success)\n",
            "",
        ),
        ("success := and(eq(mload(0x180), 1), success)", ""),
        (
            "success := and(eq(staticcall(gas(), 0x7, 0x180, 0x60, 0x180, 0x40), 1), success)\n",
            "",
        ),
    ] {
        let error = refused(from, to);
        assert!(matches!(error, SolidityError::PatternCount { .. }), "{from}: {error}");
    }
    assert!(matches!(
        refused("calldataload(0x40)", "calldataload(0x60)"),
        SolidityError::ReadOrder {
            expected: 0x40,
            got: 0x60
        }
    ));
    assert!(matches!(
        refused(
            "mstore(0x160, mod(calldataload(0x60), f_q))",
            "success := and(eq(staticcall(gas(), 0x5, 0x180, 0xc0, 0x1a0, 0x20), 1), success)\n\
             mstore(0x160, mod(calldataload(0x60), f_q))"
        ),
        SolidityError::PrecompileBeforeInput { .. }
    ));
    for expected in [
        Expected {
            public_inputs: 2,
            ..EXPECTED
        },
        Expected { points: 2, ..EXPECTED },
        Expected { points: 0, ..EXPECTED },
        Expected { scalars: 0, ..EXPECTED },
        Expected { scalars: 2, ..EXPECTED },
    ] {
        assert!(harden(&emitted(BODY), expected).is_err(), "{expected:?}");
    }
}
