use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result};
use serde::Serialize;
use zkverdict::{
    CalibrationFile, CompileOptions, HostSpeed, Model,
    circuits::Candidate,
    compile,
    models::{Calibration, Graph, ModelError, Op, TreeFacts, TreeNode},
    onnx::{ModelSummary, TensorSummary, summarize},
    verifier::Digest,
};

use super::{Status, facts};
use crate::{
    args::Inspect,
    failure::hinted,
    output::beside,
    printer::{Printer, Report, Style, pairs, seconds, thousands},
    settings::Settings,
};

#[derive(Debug, Serialize)]
struct Inspected {
    model: String,
    digest: Digest,
    bytes: usize,
    producer: String,
    ir_version: i64,
    operator_sets: BTreeMap<String, i64>,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    /// Operators with how often they occur, as the file has them.
    operators: BTreeMap<String, usize>,
    nodes: usize,
    initializers: usize,
    /// Weights that a proof depends on; none where the model is refused.
    parameters: Option<usize>,
    /// What holds of each ensemble of trees, whatever the input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trees: Vec<TreeFacts>,
    /// Outputs that a proof gives exactly as ONNX Runtime does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exact_outputs: Vec<String>,
    notes: Vec<String>,
    provable: bool,
    refusal: Option<String>,
    layout: Option<Candidate>,
    /// What the layout was counted with: `calibration`, or `estimate` on inputs of zero.
    layout_from: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Tensor {
    name: String,
    element: String,
    shape: Vec<String>,
}

pub(super) fn run(args: &Inspect, settings: &Settings, printer: &Printer) -> Result<Status> {
    let bytes = fs::read(&args.model)
        .map_err(|error| hinted(format!("{}: {error}", args.model.display()), "check the path"))?;
    let summary = summarize(&bytes).with_context(|| format!("the model {} cannot be used", args.model.display()))?;
    let loaded = Model::load(&args.model);
    let mut inspected = Inspected::new(args, &bytes, summary);
    match &loaded {
        Ok(model) => inspected.plan(args, model, settings),
        Err(error) => inspected.refusal = Some(error.to_string()),
    }
    printer.result(&inspected)?;
    Ok(if inspected.refusal.is_none() {
        Status::Done
    } else {
        Status::Failed
    })
}

impl Inspected {
    fn new(args: &Inspect, bytes: &[u8], summary: ModelSummary) -> Self {
        let mut operators = BTreeMap::new();
        for node in &summary.nodes {
            *operators.entry(node.operator.clone()).or_insert(0) += 1;
        }
        let name = args.model.file_stem().unwrap_or_default();
        Self {
            model: name.to_string_lossy().into_owned(),
            digest: Digest::of(bytes),
            bytes: bytes.len(),
            producer: summary.producer,
            ir_version: summary.ir_version,
            operator_sets: summary
                .operator_sets
                .into_iter()
                .map(|(domain, version)| {
                    (
                        if domain.is_empty() {
                            "ai.onnx".to_owned()
                        } else {
                            domain
                        },
                        version,
                    )
                })
                .collect(),
            inputs: summary.inputs.into_iter().map(Tensor::from).collect(),
            outputs: summary.outputs.into_iter().map(Tensor::from).collect(),
            operators,
            nodes: summary.nodes.len(),
            initializers: summary.initializers,
            parameters: None,
            trees: Vec::new(),
            exact_outputs: Vec::new(),
            notes: Vec::new(),
            provable: false,
            refusal: None,
            layout: None,
            layout_from: None,
        }
    }

    fn plan(&mut self, args: &Inspect, model: &Model, settings: &Settings) {
        self.notes.clone_from(&model.graph.notes);
        self.parameters = Some(parameters(&model.graph));
        self.trees = model.graph.tree_facts();
        let outputs = model.graph.outputs.iter().zip(model.graph.exact_outputs());
        self.exact_outputs = outputs
            .filter(|(_, exact)| *exact)
            .map(|(output, _)| output.name.clone())
            .collect();
        let beside = beside(&args.model, "calibration.json");
        let (calibration, from) = match CalibrationFile::load(&beside, model) {
            Ok(calibration) => (Ok(calibration), "calibration"),
            Err(_) => (estimate(model), "estimate"),
        };
        let options = CompileOptions {
            objective: settings.objective(None),
            ..CompileOptions::default()
        };
        match calibration.and_then(|calibration| compile(model, &calibration, &options)) {
            Ok(planned) => {
                self.provable = true;
                self.layout = Some(planned.file.plan.on(HostSpeed::known().factors()));
                self.layout_from = Some(from);
            }
            // Zero is no category of this model: only samples can tell its layout.
            Err(zkverdict::Error::Model(ModelError::UnknownCategory { .. })) => self.provable = true,
            Err(error) => self.refusal = Some(error.to_string()),
        }
    }
}

/// Ranges around zero: enough to count rows, not to measure errors.
fn estimate(model: &Model) -> Result<CalibrationFile, zkverdict::Error> {
    let sample = model.graph.inputs.iter().map(|input| vec![0.0; input.len()]).collect();
    CalibrationFile::measure(model, &[sample], Calibration::DEFAULT_MARGIN)
}

fn parameters(graph: &Graph) -> usize {
    graph
        .nodes
        .iter()
        .map(|node| match &node.op {
            Op::Affine { rows } => rows
                .iter()
                .map(|row| row.terms.len() + usize::from(row.bias != 0.0))
                .sum(),
            Op::Singles { rows } => rows.iter().map(|row| row.steps.len()).sum(),
            Op::Compare { thresholds, .. } => thresholds.len(),
            Op::TreeEnsemble(ensemble) => {
                let nodes = ensemble.trees.iter().flat_map(|tree| &tree.nodes);
                let of_node = |node: &TreeNode| match node {
                    TreeNode::Branch { .. } => 1,
                    TreeNode::Leaf { weights } => weights.len(),
                };
                nodes.map(of_node).sum()
            }
            _ => 0,
        })
        .sum()
}

impl From<TensorSummary> for Tensor {
    fn from(tensor: TensorSummary) -> Self {
        Self {
            name: tensor.name,
            element: tensor.element,
            shape: tensor.shape,
        }
    }
}

impl Report for Inspected {
    fn render(&self, style: Style) -> String {
        let sets: Vec<String> = self
            .operator_sets
            .iter()
            .map(|(domain, version)| format!("{domain} {version}"))
            .collect();
        let operators: Vec<String> = self
            .operators
            .iter()
            .map(|(operator, count)| match count {
                1 => operator.clone(),
                count => format!("{operator} ×{count}"),
            })
            .collect();
        let mut rows = vec![
            ("sha256", self.digest.to_string()),
            ("producer", self.producer.clone()),
            ("opsets", format!("{}, IR {}", sets.join(", "), self.ir_version)),
            ("inputs", list(&self.inputs)),
            ("outputs", list(&self.outputs)),
            ("nodes", format!("{}: {}", self.nodes, operators.join(", "))),
        ];
        if let Some(parameters) = self.parameters {
            rows.push(("parameters", thousands(parameters as u64)));
        }
        rows.extend(facts::rows(&self.trees));
        if !self.exact_outputs.is_empty() {
            let text = format!("{} (int8: exact, bit for bit)", self.exact_outputs.join(", "));
            rows.push(("exact outputs", text));
        }
        for note in &self.notes {
            rows.push(("note", note.clone()));
        }
        if let Some(layout) = &self.layout {
            rows.push((
                "layout",
                format!(
                    "2^{} rows, {} advice columns, {} CPU, {} gas{}",
                    layout.k,
                    layout.advice_columns,
                    seconds(layout.prove_cpu_s),
                    thousands(layout.verify_gas),
                    match self.layout_from {
                        Some("estimate") => " (estimate; calibrate to know)",
                        _ => "",
                    }
                ),
            ));
        }
        let verdict = match &self.refusal {
            None => style.good("can be proven"),
            Some(reason) => format!("{}: {reason}", style.bad("cannot be proven")),
        };
        format!(
            "{} ({} bytes)\n{}{verdict}\n",
            style.bold(&self.model),
            thousands(self.bytes as u64),
            pairs(style, 2, &rows)
        )
    }
}

fn list(tensors: &[Tensor]) -> String {
    let texts: Vec<String> = tensors
        .iter()
        .map(|tensor| format!("{} {}[{}]", tensor.name, tensor.element, tensor.shape.join(", ")))
        .collect();
    texts.join(", ")
}
