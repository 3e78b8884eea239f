//! Errors and saturation in words.

use zkverdict::models::{Fidelity, FormatChoice, Saturated};

use crate::printer::{thousands, tiny};

/// Nodes that are named in one line.
const NAMED: usize = 3;

/// Errors in words.
pub(super) fn errors(fidelity: &Fidelity) -> String {
    format!(
        "at most {} on {} samples{}",
        tiny(fidelity.max_error),
        thousands(fidelity.samples as u64),
        decisions(fidelity)
    )
}

/// Equal decisions, after a comma; nothing where there are none.
pub(super) fn decisions(fidelity: &Fidelity) -> String {
    match fidelity.decisions {
        0 => String::new(),
        all => format!(", {} of {all} decisions equal", fidelity.equal_decisions),
    }
}

/// Saturated values with the nodes that have most of them; nothing where there are none.
pub(super) fn saturation(fidelity: &Fidelity) -> Option<String> {
    (fidelity.saturated_values > 0).then(|| {
        format!(
            "{} of {} values ({}), in {} samples: {}",
            thousands(fidelity.saturated_values as u64),
            thousands(fidelity.limited_values as u64),
            share(fidelity.saturated_values, fidelity.limited_values),
            thousands(fidelity.saturated as u64),
            nodes(&fidelity.saturated_nodes)
        )
    })
}

/// The first of some nodes.
pub(super) fn nodes(nodes: &[Saturated]) -> String {
    let named = nodes.iter().map(|node| {
        let (values, of) = (thousands(node.values as u64), thousands(node.of as u64));
        format!("{} {values} of {of}", node.name)
    });
    first(named, nodes.len())
}

/// The first of some formats.
pub(super) fn formats(formats: &[FormatChoice]) -> String {
    let named = formats
        .iter()
        .map(|format| format!("{} {:+} bits", format.name, format.finer));
    first(named, formats.len())
}

fn first(texts: impl Iterator<Item = String>, count: usize) -> String {
    let mut texts: Vec<String> = texts.take(NAMED).collect();
    if count > NAMED {
        texts.push(format!("and {} more", count - NAMED));
    }
    texts.join(", ")
}

/// A share in per cent.
pub(super) fn share(part: usize, whole: usize) -> String {
    format!("{} %", tiny(100.0 * part as f64 / whole.max(1) as f64))
}
