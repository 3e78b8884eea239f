//! Sample files in every format, and what is wrong with them.

use std::path::PathBuf;

use npyz::WriterBuilder;
use tempfile::TempDir;
use zkverdict_model::{Element, Graph, Input};
use zkverdict_onnx::{OnnxError, Place, Sample, SampleProblem, read_columns, read_samples, read_samples_ignoring};

fn graph(inputs: &[(&str, &[usize], Element)]) -> Graph {
    Graph {
        inputs: inputs
            .iter()
            .map(|&(name, shape, element)| Input {
                name: name.to_owned(),
                shape: shape.to_vec(),
                element,
            })
            .collect(),
        nodes: Vec::new(),
        outputs: Vec::new(),
        notes: Vec::new(),
    }
}

fn single() -> Graph {
    graph(&[("x", &[1, 3], Element::Float32)])
}

fn columns() -> Graph {
    graph(&[
        ("age", &[1, 1], Element::Float32),
        ("job", &[1, 1], Element::Int64),
        ("own", &[1, 1], Element::Bool),
    ])
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn read(name: &str, bytes: impl AsRef<[u8]>, graph: &Graph) -> Result<Vec<Sample>, SampleProblem> {
    let folder = Folder::new();
    read_samples(&folder.write(name, bytes), graph).map_err(problem)
}

fn problem(error: OnnxError) -> SampleProblem {
    match error {
        OnnxError::Samples { problem, .. } => problem,
        other => panic!("{other}"),
    }
}

fn rows(samples: Result<Vec<Sample>, SampleProblem>) -> Vec<Vec<Vec<f64>>> {
    samples.unwrap().into_iter().map(|sample| sample.inputs).collect()
}

#[test]
fn json_in_its_forms() {
    let one = vec![vec![vec![1.0, 2.0, 3.0]]];
    let two = vec![vec![vec![1.0, 2.0, 3.0]], vec![vec![4.0, 5.0, 6.0]]];
    for text in [
        r#"{"input_data": [[1, 2, 3]]}"#,
        r#"{"input_data": [[[1, 2, 3]]], "output_data": [[0.5]]}"#,
        r#"{"input_data": [1, 2, 3]}"#,
        "[[1, 2, 3]]",
        "[1, 2, 3]",
        r#"{"x": [1, 2, 3]}"#,
        r#"[{"x": [[1, 2, 3]]}]"#,
        "\u{feff}[[1, 2, 3]]",
    ] {
        assert_eq!(rows(read("a.json", text, &single())), one, "{text}");
    }
    for text in [
        r#"{"input_data": [[1, 2, 3, 4, 5, 6]]}"#,
        r#"{"input_data": [[1, 2, 3], [4, 5, 6]]}"#,
        "[[1, 2, 3], [4, 5, 6]]",
        r#"{"x": [[1, 2, 3], [4, 5, 6]]}"#,
        r#"[{"x": [1, 2, 3]}, {"x": [4, 5, 6]}]"#,
    ] {
        assert_eq!(rows(read("a.JSON", text, &single())), two, "{text}");
    }
    let people = vec![
        vec![vec![30.0], vec![2.0], vec![1.0]],
        vec![vec![40.5], vec![3.0], vec![0.0]],
    ];
    for text in [
        r#"{"input_data": [[30, 40.5], [2, 3], [1, 0]]}"#,
        r#"{"age": [30, 40.5], "job": [2, 3], "own": [true, false]}"#,
        r#"[{"own": true, "age": 30, "job": 2}, {"own": 0, "age": 40.5, "job": 3}]"#,
    ] {
        assert_eq!(rows(read("a.json", text, &columns())), people, "{text}");
    }
}

#[test]
fn values_are_rounded_to_float32_as_onnx_runtime_sees_them() {
    let got = rows(read("a.json", "[[0.1, 16777217, 0]]", &single()));
    assert_eq!(got, [[[f64::from(0.1f32), 16_777_216.0, 0.0]]]);
    let double = graph(&[("x", &[1, 1], Element::Float64)]);
    assert_eq!(rows(read("a.json", "[[0.1]]", &double)), [[[0.1]]]);
}

#[test]
fn json_problems() {
    let single = |text: &str| read("a.json", text, &single()).unwrap_err();
    let columns = |text: &str| read("a.json", text, &columns()).unwrap_err();
    assert!(matches!(single(""), SampleProblem::Empty));
    assert!(matches!(single("[]"), SampleProblem::Empty));
    assert!(matches!(single("{\"input_data\": []}"), SampleProblem::Empty));
    assert!(matches!(single("[[1, 2,"), SampleProblem::Json { .. }));
    assert!(matches!(single("[[1, 2, NaN]]"), SampleProblem::Json { .. }));
    assert!(matches!(single(&"[".repeat(100_000)), SampleProblem::Json { .. }));
    assert!(matches!(single("3"), SampleProblem::JsonForm { .. }));
    assert!(matches!(
        single("[[1, 2]]"),
        SampleProblem::Length {
            expected: 3,
            got: 2,
            ..
        }
    ));
    assert!(matches!(
        single("[[1, 2, 3], [4]]"),
        SampleProblem::Length { got: 1, .. }
    ));
    assert!(matches!(single("{\"y\": [1, 2, 3]}"), SampleProblem::Extra { name } if name == "y"));
    assert!(matches!(single("{}"), SampleProblem::Missing { .. }));
    assert!(matches!(single("[[1, 1e300, 3]]"), SampleProblem::NotFinite { .. }));
    assert!(matches!(
        single("[[1, 2, 3, 4, \"red\", 6]]"),
        SampleProblem::NotNumber {
            place: Place::Value {
                sample: 1,
                position: 1,
                ..
            },
            ..
        }
    ));
    assert!(matches!(single("[[1, null, 3]]"), SampleProblem::NotNumber { .. }));
    assert!(matches!(
        columns("[[1], [2]]"),
        SampleProblem::Lists { expected: 3, got: 2 }
    ));
    assert!(matches!(columns("[[1, 2], [2], [0]]"), SampleProblem::Counts { .. }));
    assert!(matches!(columns("[[1], [2.5], [0]]"), SampleProblem::NotInteger { .. }));
    assert!(matches!(
        columns("[[1], [1e17], [0]]"),
        SampleProblem::NotInteger { .. }
    ));
    assert!(matches!(columns("[[1], [2], [3]]"), SampleProblem::NotBool { .. }));
    let text = read("a.json", b"[[1, \xff]]", &self::single()).unwrap_err();
    assert!(matches!(text, SampleProblem::Text { position: 5 }));
}

#[test]
fn csv_by_position_and_by_name() {
    let got = rows(read("a.csv", "a,b,c\n1, 2 ,3\n4,5,6e-1\n", &single()));
    assert_eq!(got, [[[1.0, 2.0, 3.0]], [[4.0, 5.0, f64::from(0.6f32)]]]);
    let got = rows(read("a.csv", "own,job,age\r\ntrue,2,30\r\n0,3,40.5\r\n", &columns()));
    assert_eq!(got, [[[30.0], [2.0], [1.0]], [[40.5], [3.0], [0.0]]]);
    let folder = Folder::new();
    let path = folder.write("a.csv", "a,label,b,c\n1,good,2,3\n");
    assert!(matches!(
        problem(read_samples(&path, &single()).unwrap_err()),
        SampleProblem::Columns { expected: 3, got: 4 }
    ));
    let got = read_samples_ignoring(&path, &single(), &["label".to_owned()]).unwrap();
    assert_eq!(
        got,
        [Sample {
            inputs: vec![vec![1.0, 2.0, 3.0]]
        }]
    );
}

#[test]
fn csv_problems() {
    let single = |text: &str| read("a.csv", text, &single()).unwrap_err();
    let columns = |text: &str| read("a.csv", text, &columns()).unwrap_err();
    assert!(matches!(single(""), SampleProblem::Empty));
    assert!(matches!(single("a,b,c\n"), SampleProblem::Empty));
    assert!(matches!(single("1,2,3\n4,5,6\n"), SampleProblem::NoHeader));
    assert!(matches!(single("a,b,b\n1,2,3\n"), SampleProblem::ColumnTwice { .. }));
    assert!(matches!(
        single("a,b,c\n1,2,3\n4,5\n"),
        SampleProblem::Ragged {
            line: 3,
            expected: 3,
            got: 2
        }
    ));
    let message = single("a,b,c\n1,2,3\n4,red,6\n").to_string();
    assert_eq!(
        message,
        "line 3, column \"b\": \"red\" is not a number; encode it as the training did"
    );
    assert!(matches!(single("a,b,c\n1,,3\n"), SampleProblem::NotNumber { .. }));
    assert!(matches!(single("a,b,c\n1,nan,3\n"), SampleProblem::NotFinite { .. }));
    assert!(matches!(single("a,b,c\n1,inf,3\n"), SampleProblem::NotFinite { .. }));
    assert!(matches!(
        single("a,b\n1,2\n"),
        SampleProblem::Columns { expected: 3, got: 2 }
    ));
    assert!(matches!(columns("age,job\n1,2\n"), SampleProblem::Missing { .. }));
    assert!(matches!(
        columns("age,job,own,id\n1,2,1,9\n"),
        SampleProblem::Extra { .. }
    ));
    assert!(matches!(
        columns("age,job,own\n1,2.5,1\n"),
        SampleProblem::NotInteger { .. }
    ));
}

fn npy<T>(shape: &[u64], values: &[T], fortran: bool) -> Vec<u8>
where
    T: npyz::AutoSerialize,
{
    let mut bytes = Vec::new();
    let order = if fortran { npyz::Order::Fortran } else { npyz::Order::C };
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(shape)
        .order(order)
        .writer(&mut bytes)
        .begin_nd()
        .unwrap();
    writer.extend(values).unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn numpy_arrays() {
    let six: Vec<f64> = (1..7).map(f64::from).collect();
    let two = vec![vec![vec![1.0, 2.0, 3.0]], vec![vec![4.0, 5.0, 6.0]]];
    for shape in [&[2, 3][..], &[2, 1, 3]] {
        assert_eq!(rows(read("a.npy", npy(shape, &six, false), &single())), two);
    }
    let small: Vec<u8> = (1..7).collect();
    assert_eq!(rows(read("a.npy", npy(&[2, 3], &small, false), &single())), two);
    for shape in [&[3][..], &[1, 3]] {
        let got = rows(read("a.npy", npy(shape, &[1i64, 2, 3], false), &single()));
        assert_eq!(got, [[[1.0, 2.0, 3.0]]]);
    }
    let problem = |bytes: Vec<u8>| read("a.npy", bytes, &single()).unwrap_err();
    assert!(matches!(problem(Vec::new()), SampleProblem::Empty));
    assert!(matches!(
        problem(npy(&[6], &six, false)),
        SampleProblem::ArrayShape { .. }
    ));
    assert!(matches!(
        problem(npy(&[3, 2], &six, false)),
        SampleProblem::ArrayShape { .. }
    ));
    assert!(matches!(
        problem(npy(&[2, 3], &six, true)),
        SampleProblem::ArrayOrder { .. }
    ));
    assert!(matches!(
        problem(npy(&[3], &[1.0, f64::NAN, 2.0], false)),
        SampleProblem::NotFinite { .. }
    ));
    assert!(matches!(
        problem(npy(&[0, 3], &[0f64; 0], false)),
        SampleProblem::ArrayShape { .. }
    ));
    let whole = npy(&[2, 3], &six, false);
    assert!(matches!(
        problem(whole[..whole.len() - 1].to_vec()),
        SampleProblem::Array { .. }
    ));
    for length in 1..whole.len() {
        let _ = problem(whole[..length].to_vec());
    }
    let nested = format!("{{'descr': {}", "(".repeat(4_000));
    let mut deep = b"\x93NUMPY\x01\x00".to_vec();
    deep.extend((nested.len() as u16).to_le_bytes());
    deep.extend(nested.as_bytes());
    assert!(matches!(problem(deep), SampleProblem::Array { .. }));
    let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296, 3), }\n";
    let mut bomb = b"\x93NUMPY\x01\x00".to_vec();
    bomb.extend((header.len() as u16).to_le_bytes());
    bomb.extend(header.as_bytes());
    assert!(matches!(problem(bomb), SampleProblem::ArraySize { .. }));
    assert!(matches!(
        read("a.npy", npy(&[3], &[1.0, 2.0, 3.0], false), &columns()),
        Err(SampleProblem::OneArray { inputs: 3 })
    ));
}

fn npz(arrays: &[(&str, &[u64], &[f64])]) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = npyz::npz::NpzWriter::new(&mut bytes);
    for (name, shape, values) in arrays {
        let mut array = writer
            .array(name, Default::default())
            .unwrap()
            .default_dtype()
            .shape(shape)
            .begin_nd()
            .unwrap();
        array.extend(values.iter()).unwrap();
        array.finish().unwrap();
    }
    drop(writer);
    bytes.into_inner()
}

#[test]
fn numpy_archives() {
    let people = npz(&[
        ("own", &[2, 1], &[1.0, 0.0]),
        ("age", &[2, 1], &[30.0, 40.5]),
        ("job", &[2], &[2.0, 3.0]),
    ]);
    assert_eq!(
        rows(read("a.npz", people, &columns())),
        [[[30.0], [2.0], [1.0]], [[40.5], [3.0], [0.0]]]
    );
    let alone = npz(&[("arr_0", &[1, 3], &[1.0, 2.0, 3.0])]);
    assert_eq!(rows(read("a.npz", alone, &single())), [[[1.0, 2.0, 3.0]]]);
    let problem = |bytes: Vec<u8>| read("a.npz", bytes, &columns()).unwrap_err();
    assert!(matches!(
        problem(npz(&[("age", &[1], &[3.0])])),
        SampleProblem::Missing { .. }
    ));
    let extra = npz(&[
        ("own", &[1], &[1.0]),
        ("age", &[1], &[30.0]),
        ("job", &[1], &[2.0]),
        ("label", &[1], &[2.0]),
    ]);
    assert!(matches!(problem(extra), SampleProblem::Extra { name } if name == "label"));
    assert!(matches!(problem(b"PK\x03\x04".to_vec()), SampleProblem::Array { .. }));
}

#[test]
fn unknown_endings_and_missing_files() {
    assert!(matches!(
        read("a.txt", "1", &single()),
        Err(SampleProblem::Format { .. })
    ));
    let missing = read_samples(&PathBuf::from("no/such/file.json"), &single()).unwrap_err();
    assert!(matches!(missing, OnnxError::Read { .. }), "{missing}");
    assert!(missing.to_string().contains("no/such/file.json"));
}

/// What stands beside the samples, in every format the same.
#[test]
fn columns_by_their_names() {
    let folder = Folder::new();
    let array = npz(&[
        ("x", &[2, 3], &[0.0; 6]),
        ("good", &[2], &[1.0, 0.0]),
        ("age", &[2, 1], &[30.0, 40.5]),
    ]);
    let files = [
        ("a.csv", b"good,x1,x2,x3,age\n1,0,0,0,30\n0,0,0,0,40.5\n".to_vec()),
        (
            "a.json",
            br#"{"input_data": [[0,0,0],[0,0,0]], "age": [30, 40.5], "good": [1.0, 0]}"#.to_vec(),
        ),
        (
            "b.json",
            br#"[{"x": [0,0,0], "age": 30, "good": 1}, {"x": [0,0,0], "age": [40.5], "good": 0.0}]"#.to_vec(),
        ),
        ("a.npz", array),
    ];
    for (name, bytes) in files {
        let path = folder.write(name, bytes);
        assert_eq!(
            read_columns(&path, &["age", "good"]).unwrap(),
            [["30", "40.5"], ["1", "0"]],
            "{name}"
        );
        let missing = problem(read_columns(&path, &["good", "sex"]).unwrap_err());
        assert!(
            matches!(&missing, SampleProblem::NoColumn { column, found } if column == "sex" && found.contains(&"age".to_owned())),
            "{name}: {missing}"
        );
    }
    let words = folder.write("c.json", r#"{"good": ["yes", "no"], "own": [true, false]}"#);
    assert_eq!(
        read_columns(&words, &["good", "own"]).unwrap(),
        [["yes", "no"], ["true", "false"]]
    );
    let refused = |name: &str, bytes: &[u8]| problem(read_columns(&folder.write(name, bytes), &["good"]).unwrap_err());
    assert!(matches!(refused("a.npy", b""), SampleProblem::NoNames));
    assert!(matches!(refused("a.parquet", b""), SampleProblem::Format { .. }));
    assert!(matches!(refused("a.json", b"{"), SampleProblem::Json { .. }));
    assert!(matches!(refused("a.json", b"[[1, 2]]"), SampleProblem::NoColumn { .. }));
    for value in ["null", "{}", "[1, 2]", "[[1]]"] {
        let got = refused("a.json", format!(r#"{{"good": [1, {value}]}}"#).as_bytes());
        assert!(
            matches!(
                &got,
                SampleProblem::NotNumber {
                    place: Place::Value { sample: 1, .. },
                    ..
                }
            ),
            "{value}: {got}"
        );
    }
    let pairs = npz(&[("good", &[2, 2], &[0.0; 4])]);
    assert!(matches!(refused("a.npz", &pairs), SampleProblem::ArrayShape { .. }));
    assert!(matches!(refused("a.npz", b"PK"), SampleProblem::Array { .. }));
}
