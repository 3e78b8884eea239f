//! Typed graph, fixed-point formats, calibration, and the reference evaluator.

mod graph;

pub use graph::{
    AffineRow, Comparison, Element, Graph, Input, Node, Norm, Op, Output, OutputKind, ValueId,
};
