use crate::harness::{Work, pipeline, snapshot};

#[test]
fn the_development_srs_says_that_it_is_unsafe() {
    let work = Work::empty();
    snapshot!(work.run("srs dev -k 6"), @r"
    status 0
    --- stdout
    UNSAFE development SRS
      size    2^6 powers of tau
      from    generated for development
      sha256  [DIGEST] (as halo2's raw form)
    wrote development-6.srs
    --- stderr
    warning: UNSAFE: this is the development SRS; everybody can forge proofs under it. Use it for trials only.
    ");
    let json = work.run("srs show development-6.srs --json").expect_status(0).json();
    assert_eq!(json["unsafe_srs"], true);
    assert_eq!(json["ceremony"], "development");
    assert_eq!(json["k"], 6);
    snapshot!(work.run("srs dev -k 99"), @r"
    status 2
    --- stderr
    error: k = 99 is outside 1 to 28
    ");
}

#[test]
fn imports_are_checked() {
    let work = pipeline().with(&["dev.srs", "approved.json"]);
    // halo2's raw form is what an artifact ends with.
    let artifact = work.read("dev.srs");
    let raw = &artifact[artifact.len() - (4 + 2 * 512 * 64 + 2 * 128)..];
    work.write("raw-9.bin", raw);
    snapshot!(work.run("srs import raw-9.bin"), @r"
    status 0
    --- stdout
    UNSAFE development SRS
      size    2^9 powers of tau
      from    raw-9.bin (halo2 raw parameters)
      sha256  [DIGEST] (as halo2's raw form)
    wrote raw-9.srs
    --- stderr
    warning: UNSAFE: this is the development SRS; everybody can compute its secret and forge proofs
    ");
    assert!(work.read("raw-9.srs").ends_with(raw));
    let mut forged = raw.to_vec();
    forged.swap(4 + 64, 4 + 65);
    work.write("forged.bin", forged);
    let said = work.run("srs import forged.bin --format halo2-raw").expect_status(2);
    assert!(said.stderr.contains("curve"), "{said}");
    assert!(!work.path("forged.srs").exists());
    snapshot!(work.run("srs import approved.json"), @r"
    status 2
    --- stderr
    error: approved.json is not an SRS but JSON text; name the binary file
    ");
    snapshot!(work.run("srs import missing.ptau"), @r"
    status 2
    --- stderr
    error: cannot open missing.ptau: No such file or directory (os error 2)
    hint: check the path
    ");
    snapshot!(work.run("srs show approved.json"), @r"
    status 2
    --- stderr
    error: approved.json is not a zkverdict SRS artifact; make one from it with `zkverdict srs import`
    ");
}
