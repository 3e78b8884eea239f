//! A Foundry project around a contract: verifier, a consumer with the model's outputs as Solidity types, a test with a
//! real proof, a script that deploys both. `forge build` and `forge test` accept it as it is.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use zkverdict_evm::{B256, CREATE2_DEPLOYER, U256, key_code_hash};
use zkverdict_model::{Format, OutputKind};
use zkverdict_solidity::{
    SOLC_VERSION,
    compact::{key_digest, key_init_code},
};
use zkverdict_verifier::write_atomically;

use crate::{ContractFile, Error, Field, Role, Style, VerifyingKeyFile};

/// What Solidity reserves, and what the generated consumer itself uses, among the names that tensors might have.
const RESERVED: [&str; 44] = [
    "abstract",
    "address",
    "after",
    "anonymous",
    "apply",
    "auto",
    "bool",
    "bytes",
    "byte",
    "case",
    "constant",
    "contract",
    "default",
    "define",
    "delete",
    "do",
    "else",
    "enum",
    "error",
    "event",
    "false",
    "final",
    "for",
    "function",
    "if",
    "import",
    "in",
    "int",
    "is",
    "let",
    "mapping",
    "match",
    "new",
    "null",
    "of",
    "override",
    "return",
    "static",
    "string",
    "true",
    "type",
    "uint",
    "var",
    "while",
];

/// What the reference style needs to compile at all.
const REFERENCE_OPTIMIZER: &str = "
[profile.default.optimizer_details]
peephole = true
inliner = true
jumpdestRemover = true
orderLiterals = true
deduplicate = true
cse = true
constantOptimizer = false
yul = false
";

/// The files of a Foundry project, not yet written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundryProject {
    /// Path within the project, and content.
    pub files: Vec<(PathBuf, String)>,
}

impl FoundryProject {
    /// The project of a contract, with the model's key where it stands apart from the verifier.
    ///
    /// # Errors
    /// [`Error::OtherContract`]: the contract was not made from this key.
    pub fn new(contract: &ContractFile, key: &VerifyingKeyFile) -> Result<Self, Error> {
        let optimizer = match contract.style {
            // Foundry's own default.
            Style::Compact | Style::Embedded => "",
            Style::Reference => REFERENCE_OPTIMIZER,
        };
        contract.expect_key(key)?;
        let compiled = &contract.build.compiled;
        let verifier = &compiled.contract_name;
        let model = contract.contract.strip_suffix("Verifier").unwrap_or(&contract.contract);
        let consumer = format!("{model}Consumer");
        let key_library = format!("{model}Key");
        let tensors = tensors(&key.schema);
        let words = key.known.words();
        let mut fields = String::new();
        let mut decode = String::new();
        let mut assertions = String::new();
        for tensor in &tensors {
            fields.push_str(&tensor.declaration());
            decode.push_str(&tensor.decoding());
            assertions.push_str(&tensor.assertions(&words));
        }
        let mut values = pins(contract, &key_library);
        values.extend([
            ("MODEL", one_line(&key.name)),
            ("SRS", one_line(&key.srs)),
            ("VERIFIER", verifier.clone()),
            ("CONSUMER", consumer.clone()),
            ("KEY", format!("0x{}", hex::encode(contract.verifying_key.0))),
            ("SOLC", SOLC_VERSION.to_string()),
            ("OPTIMIZER", optimizer.to_owned()),
            ("COUNT", key.schema.len().to_string()),
            ("SCHEMA", schema_rows(&key.schema)),
            ("FIELDS", fields),
            ("DECODE", decode),
            ("ASSERTIONS", assertions),
            ("PROOF", hex::encode(&key.known.proof)),
            ("PUBLIC_INPUTS", public_inputs(&words)),
            ("DEPLOYER", CREATE2_DEPLOYER.to_string()),
        ]);
        let fill = |template: &str| {
            values.iter().fold(template.to_owned(), |text, (name, value)| {
                text.replace(&format!("{{{{{name}}}}}"), value)
            })
        };
        let file = |path: String, content: String| (PathBuf::from(path), content);
        let key_file = compiled.key.is_some().then(|| {
            file(
                format!("src/{key_library}.sol"),
                fill(include_str!("../templates/Key.sol")),
            )
        });
        Ok(Self {
            files: [
                file(
                    "foundry.toml".to_owned(),
                    fill(include_str!("../templates/foundry.toml")),
                ),
                file("README.md".to_owned(), fill(include_str!("../templates/README.md"))),
                file(format!("src/{verifier}.sol"), compiled.source.clone()),
                file(
                    format!("src/{consumer}.sol"),
                    fill(include_str!("../templates/Consumer.sol")),
                ),
                file(
                    "src/libraries/FixedPoint.sol".to_owned(),
                    include_str!("../contracts/FixedPoint.sol").to_owned(),
                ),
                file(
                    "src/libraries/VerdictContext.sol".to_owned(),
                    include_str!("../contracts/VerdictContext.sol").to_owned(),
                ),
                file(
                    format!("test/{consumer}.t.sol"),
                    fill(include_str!("../templates/Consumer.t.sol")),
                ),
                file(
                    "script/Deploy.s.sol".to_owned(),
                    fill(include_str!("../templates/Deploy.s.sol")),
                ),
            ]
            .into_iter()
            .chain(key_file)
            .collect(),
        })
    }

    /// Writes the files into a folder, which is created. The consumer is its owner's to finish, so nothing that is there
    /// already is written over.
    ///
    /// # Errors
    /// [`Error::InTheWay`], before anything is written; I/O.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let targets: Vec<PathBuf> = self.files.iter().map(|(path, _)| folder.join(path)).collect();
        if let Some(path) = targets.iter().find(|path| path.exists()) {
            return Err(Error::InTheWay { path: path.clone() });
        }
        for (path, (_, content)) in targets.iter().zip(&self.files) {
            let io = |source| Error::Io {
                path: path.clone(),
                source,
            };
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(io)?;
            }
            write_atomically(path, content.as_bytes()).map_err(io)?;
        }
        Ok(())
    }
}

/// What the files say about the key: a consumer pins the digest that its own verifier names, or the code of the key's
/// contract beside the shape of the verifier. Addresses are those of `zkverdict deploy`.
fn pins(contract: &ContractFile, library: &str) -> Vec<(&'static str, String)> {
    let compiled = &contract.build.compiled;
    let address = |init_code: &[u8]| CREATE2_DEPLOYER.create2_from_code(B256::ZERO, init_code).to_string();
    let mut values = vec![("VERIFIER_ADDRESS", address(&compiled.init_code))];
    let Some(key) = &compiled.key else {
        let digest = format!("0x{}", hex::encode(contract.verifying_key.0));
        values.extend([
            ("INTERFACE", "IVerdictVerifier".to_owned()),
            ("VERIFIER_ROLE", "checks proofs of this model".to_owned()),
            ("DEPLOYED", "the verifier".to_owned()),
            (
                "PIN_ERRORS",
                "    /// @notice The verifier belongs to another model.
    error AnotherVerifier(bytes32 expected, bytes32 got);
"
                .to_owned(),
            ),
            (
                "PINS",
                format!(
                    "    /// @notice The digest of the only verifying key that this contract relies on.
    bytes32 public constant VERIFYING_KEY_DIGEST = {digest};
"
                ),
            ),
            (
                "CHECK_PINS",
                "        bytes32 digest = verifier_.VERIFYING_KEY_DIGEST();
        if (digest != VERIFYING_KEY_DIGEST) revert AnotherVerifier(VERIFYING_KEY_DIGEST, digest);
"
                .to_owned(),
            ),
        ]);
        let without = [
            "KEY_STATE",
            "KEY_PARAMETER",
            "KEY_PARAMETER_PLAIN",
            "KEY_ARGUMENT",
            "KEY_LAST",
            "KEY_IMPORT",
            "KEY_VARIABLE",
            "CREATE_KEY",
            "PLACE_KEY",
            "KEY_ROW",
        ];
        values.extend(without.map(|name| (name, String::new())));
        return values;
    };
    let shape = contract.sharing().map(|sharing| sharing.shape).unwrap_or_default();
    let init_code = key_init_code(key);
    let (key_address, code_hash) = (address(&init_code), key_code_hash(key));
    values.extend([
        ("INTERFACE", "IShapeVerifier".to_owned()),
        (
            "VERIFIER_ROLE",
            "checks proofs of every model of its shape, under a key".to_owned(),
        ),
        ("DEPLOYED", "verifier and key".to_owned()),
        (
            "PIN_ERRORS",
            "    /// @notice The verifier is for models of another shape.
    error AnotherVerifier(bytes32 expected, bytes32 got);

    /// @notice The contract holds another key.
    error AnotherKey(bytes32 expected, bytes32 got);
"
            .to_owned(),
        ),
        (
            "PINS",
            format!(
                "    /// @notice The shape of the model.
    bytes32 public constant SHAPE = 0x{shape};

    /// @notice The hash of the code of the only key that this contract relies on.
    bytes32 public constant KEY_CODE_HASH = {code_hash};
"
            ),
        ),
        (
            "CHECK_PINS",
            "        bytes32 shape = verifier_.SHAPE();
        if (shape != SHAPE) revert AnotherVerifier(SHAPE, shape);
        if (key_.codehash != KEY_CODE_HASH) revert AnotherKey(KEY_CODE_HASH, key_.codehash);
        key = key_;
"
            .to_owned(),
        ),
        (
            "KEY_STATE",
            "
    /// @notice The contract that holds the model's key. Its code cannot change.
    address public immutable key;
"
            .to_owned(),
        ),
        ("KEY_PARAMETER", ", address key_".to_owned()),
        ("KEY_PARAMETER_PLAIN", ", address key".to_owned()),
        ("KEY_ARGUMENT", "key, ".to_owned()),
        ("KEY_LAST", ", key".to_owned()),
        (
            "KEY_IMPORT",
            format!("import {{{library}}} from \"../src/{library}.sol\";\n"),
        ),
        ("KEY_VARIABLE", "    address private key;\n".to_owned()),
        (
            "CREATE_KEY",
            format!(
                "        bytes memory initCode = {library}.INIT_CODE;
        address created;
        assembly (\"memory-safe\") {{
            created := create(0, add(initCode, 0x20), mload(initCode))
        }}
        key = created;
"
            ),
        ),
        (
            "PLACE_KEY",
            format!("        key = _place({library}.INIT_CODE, {key_address});\n"),
        ),
        (
            "KEY_ROW",
            format!("| `src/{library}.sol` | this model's key, as the init code of the contract that holds it |\n"),
        ),
        ("KEY_LIBRARY", library.to_owned()),
        ("KEY_DIGEST", format!("0x{}", hex::encode(key_digest(key)))),
        ("KEY_INIT_CODE", hex::encode(init_code)),
    ]);
    values
}

/// A tensor among the public inputs: where its elements stand, and what they are.
struct Tensor<'a> {
    identifier: String,
    /// The position of the first element among the public inputs.
    start: usize,
    elements: Vec<&'a Field>,
}

/// Inputs and outputs in order; the context is none of them.
fn tensors(schema: &[Field]) -> Vec<Tensor<'_>> {
    let mut tensors: Vec<Tensor<'_>> = Vec::new();
    let mut taken = BTreeSet::new();
    for (position, field) in schema
        .iter()
        .enumerate()
        .filter(|(_, field)| field.role != Role::Context)
    {
        match tensors.last_mut() {
            Some(tensor) if tensor.elements[0].name == field.name && tensor.elements[0].role == field.role => {
                tensor.elements.push(field);
            }
            _ => tensors.push(Tensor {
                identifier: identifier(&field.name, &mut taken),
                start: position,
                elements: vec![field],
            }),
        }
    }
    tensors
}

/// A tensor's name as an identifier of Solidity that no other tensor has.
fn identifier(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut identifier: String = name
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' })
        .collect();
    if !identifier.starts_with(|first: char| first.is_ascii_alphabetic()) {
        identifier.insert_str(0, "tensor");
    }
    let sized = |word: &str| {
        let stem = word.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == 'x');
        ["uint", "int", "bytes", "fixed", "ufixed"].contains(&stem)
    };
    while RESERVED.contains(&identifier.as_str()) || sized(&identifier) || !taken.insert(identifier.clone()) {
        identifier.push('_');
    }
    identifier
}

impl Tensor<'_> {
    fn field(&self) -> &Field {
        self.elements[0]
    }

    fn solidity_type(&self) -> &'static str {
        let is_word = self.field().float32 || self.field().committed.is_some();
        match (&self.field().kind, is_word) {
            (Some(OutputKind::Bool), _) => "bool",
            (Some(OutputKind::Index), _) | (_, true) => "uint256",
            (Some(OutputKind::StringLabel(_)), _) => "string",
            _ => "int256",
        }
    }

    fn declaration(&self) -> String {
        let count = self.elements.len();
        let array = if count == 1 {
            String::new()
        } else {
            format!("[{count}]")
        };
        let role = role(self.field().role);
        let meaning = match &self.field().kind {
            Some(OutputKind::IntLabel(_) | OutputKind::StringLabel(_)) => "the label",
            Some(OutputKind::Bool) => "a bit",
            Some(OutputKind::Index) => "an index",
            _ if self.field().committed.is_some() => "a salted hash",
            _ if self.field().float32 => "places of float32 numbers in the order of floats",
            _ => "with 18 decimals",
        };
        let named: Vec<&str> = self
            .elements
            .iter()
            .filter_map(|field| field.element.as_deref())
            .collect();
        let meaning = if named.is_empty() {
            meaning.to_owned()
        } else {
            one_line(&format!("of {}", named.join(", and of ")))
        };
        format!(
            "        // The {role} {:?}, {meaning}.\n        {}{array} {};\n",
            one_line(&self.field().name),
            self.solidity_type(),
            self.identifier
        )
    }

    fn decoding(&self) -> String {
        let count = self.elements.len();
        let target = format!("decision.{}", self.identifier);
        if count == 1 {
            return format!(
                "        {target} = {};\n",
                self.expression(self.field(), &self.start.to_string())
            );
        }
        let alike = self.elements.iter().all(|field| field.format == self.field().format);
        if alike {
            let value = self.expression(self.field(), &format!("{} + i", self.start));
            return format!(
                "        for (uint256 i = 0; i < {count}; ++i) {{\n            {target}[i] = {value};\n        }}\n"
            );
        }
        self.elements
            .iter()
            .enumerate()
            .fold(String::new(), |mut text, (index, field)| {
                let value = self.expression(field, &(self.start + index).to_string());
                writeln!(text, "        {target}[{index}] = {value};").expect("strings take text");
                text
            })
    }

    /// The value of the public input at a position.
    fn expression(&self, field: &Field, position: &str) -> String {
        let cell = format!("publicInputs[{position}]");
        let Format { zero, scale } = field.format;
        match &field.kind {
            Some(OutputKind::Bool) => format!("{cell} == 1"),
            Some(OutputKind::Index) => cell,
            Some(OutputKind::IntLabel(labels)) => {
                let labels: Vec<String> = labels.iter().map(|label| format!("int256({label})")).collect();
                format!("[{}][{cell}]", labels.join(", "))
            }
            Some(OutputKind::StringLabel(labels)) => {
                let labels: Vec<String> = labels
                    .iter()
                    .map(|label| format!("string({})", literal(label)))
                    .collect();
                format!("[{}][{cell}]", labels.join(", "))
            }
            _ if field.float32 || field.committed.is_some() => cell,
            _ => format!("FixedPoint.toWad({cell}, Format({{zero: {zero}, scale: {scale}}}))"),
        }
    }

    /// What the decision must be on public inputs, computed here.
    fn assertions(&self, words: &[U256]) -> String {
        let mut text = String::new();
        for (index, field) in self.elements.iter().enumerate() {
            let element = if self.elements.len() == 1 {
                String::new()
            } else {
                format!("[{index}]")
            };
            let value = format!("decision.{}{element}", self.identifier);
            let word = words[self.start + index];
            let condition = match &field.kind {
                Some(OutputKind::Bool) => format!("{value} == {}", word == U256::from(1)),
                Some(OutputKind::IntLabel(labels)) => format!("{value} == {}", labels[word.to::<usize>()]),
                Some(OutputKind::StringLabel(labels)) => format!(
                    "keccak256(bytes({value})) == keccak256(bytes({}))",
                    literal(&labels[word.to::<usize>()])
                ),
                Some(OutputKind::Index) => format!("{value} == {word}"),
                _ if field.float32 || field.committed.is_some() => format!("{value} == {word}"),
                _ => format!("{value} == {}", wad(word, field.format)),
            };
            writeln!(
                text,
                "        require({condition}, {});",
                literal(&format!("{}{element}", self.identifier))
            )
            .expect("strings take text");
        }
        text
    }
}

/// `(cell − zero)/2^scale` with 18 decimals, rounded down.
fn wad(cell: U256, format: Format) -> String {
    let zero = U256::from(format.zero.unsigned_abs());
    let (negative, distance) = match (format.zero < 0, cell >= zero) {
        (true, _) => (false, cell + zero),
        (false, true) => (false, cell - zero),
        (false, false) => (true, zero - cell),
    };
    let scaled = distance * U256::from(10).pow(U256::from(18));
    let shift = usize::try_from(format.scale.unsigned_abs()).unwrap_or(usize::MAX);
    let number = if format.scale < 0 {
        scaled << shift
    } else if negative {
        (scaled + (U256::from(1) << shift) - U256::from(1)) >> shift
    } else {
        scaled >> shift
    };
    format!("{}{number}", if negative && !number.is_zero() { "-" } else { "" })
}

fn public_inputs(words: &[U256]) -> String {
    words.iter().enumerate().fold(String::new(), |mut text, (index, word)| {
        writeln!(text, "        publicInputs[{index}] = {word:#x};").expect("strings take text");
        text
    })
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Context => "context",
        Role::Input => "input",
        Role::Output => "output",
        Role::ModelCommitment => "commitment to the model",
        Role::InputCommitment => "commitment to the inputs",
        Role::OutputCommitment => "commitment to the outputs",
    }
}

fn schema_rows(schema: &[Field]) -> String {
    schema
        .iter()
        .enumerate()
        .fold(String::new(), |mut text, (position, field)| {
            let role = role(field.role);
            let Format { zero, scale } = field.format;
            let element = field.element.clone().unwrap_or_else(|| field.index.to_string());
            let name = one_line(&format!("{}[{element}]", field.name)).replace('|', "\\|");
            writeln!(text, "| {position} | {name} | {role} | {zero} | {scale} |").expect("strings take text");
            text
        })
}

/// Text that stays within its line of a comment, and is no tag of NatSpec.
fn one_line(text: &str) -> String {
    text.replace('@', " ")
        .chars()
        .map(|letter| {
            if letter.is_control() || "\u{2028}\u{2029}".contains(letter) {
                ' '
            } else {
                letter
            }
        })
        .filter(|letter| !('\u{202a}'..='\u{202e}').contains(letter) && !('\u{2066}'..='\u{2069}').contains(letter))
        .collect()
}

/// Text as a string literal of Solidity.
fn literal(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => escaped.extend(['\\', char::from(byte)]),
            b' '..=b'~' => escaped.push(char::from(byte)),
            _ => write!(escaped, "\\x{byte:02x}").expect("strings take text"),
        }
    }
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers_of_their_own() {
        let mut taken = BTreeSet::new();
        let names = ["label", "label", "output:0", "1", "uint8", "return", "fixed128x18", ""];
        let identifiers: Vec<String> = names.iter().map(|name| identifier(name, &mut taken)).collect();
        assert_eq!(
            identifiers,
            [
                "label",
                "label_",
                "output_0",
                "tensor1",
                "uint8_",
                "return_",
                "fixed128x18_",
                "tensor"
            ]
        );
    }

    #[test]
    fn numbers_round_down_on_both_sides_of_zero() {
        let wad = |cell: u64, zero, scale| wad(U256::from(cell), Format { scale, zero });
        assert_eq!(wad(58_982, 0, 16), "899993896484375000");
        assert_eq!(wad(0, 32_768, 12), "-8000000000000000000");
        assert_eq!(wad(5, -3, 0), "8000000000000000000");
        assert_eq!(wad(3, 0, -2), "12000000000000000000");
        // 10^18/2^19 is no whole number.
        assert_eq!(wad(1, 0, 19), "1907348632812");
        assert_eq!(wad(0, 1, 19), "-1907348632813");
    }

    #[test]
    fn text_cannot_leave_its_literal_or_comment() {
        assert_eq!(literal("a\"b\\c\nü"), r#""a\"b\\c\x0a\xc3\xbc""#);
        assert_eq!(one_line("a\n@b\u{202e}c"), "a  bc");
    }
}
