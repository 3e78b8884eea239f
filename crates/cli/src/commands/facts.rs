//! What can be said of a model's trees before any input, in words.

use zkverdict::models::{ScoreFacts, TreeFacts, Variable};

use crate::printer::thousands;

/// Names that are written out before the rest is counted.
const NAMED: usize = 12;

/// Lines about every ensemble.
pub(super) fn rows(ensembles: &[TreeFacts]) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    for facts in ensembles {
        rows.push((
            "trees",
            format!(
                "{}, {} branches, depth {}",
                thousands(facts.trees as u64),
                thousands(facts.branches as u64),
                facts.depth
            ),
        ));
        rows.push(("features used", list(&facts.used)));
        if !facts.unused.is_empty() {
            rows.push(("features unused", list(&facts.unused)));
        }
        let several = facts.scores.len() > 1;
        for (target, score) in facts.scores.iter().enumerate() {
            let of = if several {
                format!(" of score {target}")
            } else {
                String::new()
            };
            rows.extend(score_rows(score, &of));
        }
        rows.extend(facts.skipped.iter().map(|skipped| ("not looked into", skipped.clone())));
    }
    rows
}

fn score_rows(score: &ScoreFacts, of: &str) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let (Some(low), Some(high)) = (score.low, score.high) {
        rows.push((
            "range",
            format!("{low:.6} to {high:.6}{of}, before any sigmoid or softmax"),
        ));
    }
    for (direction, variables) in [("increasing", &score.increasing), ("decreasing", &score.decreasing)] {
        if !variables.is_empty() {
            rows.push(("monotone", format!("{direction}{of} in {}", list(variables))));
        }
    }
    rows
}

fn list(variables: &[Variable]) -> String {
    let mut names: Vec<String> = variables.iter().take(NAMED).map(ToString::to_string).collect();
    if variables.is_empty() {
        names.push("none".to_owned());
    }
    if let Some(more) = variables.len().checked_sub(NAMED).filter(|more| *more > 0) {
        names.push(format!("and {} more", thousands(more as u64)));
    }
    names.join(", ")
}
