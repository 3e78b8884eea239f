//! The entries of a decision tree's tables: its subtrees as field elements.

use halo2_proofs::halo2curves::bn256::Fr;
use zkverdict_model::{Subtree, Subtrees, TreePath};

use crate::{
    CircuitError,
    chips::tree::{WEIGHT_LIMBS, nodes_limbs, split_limbs},
    field::{from_i128, power_of_two},
};

/// Cuts a tree into subtrees.
///
/// # Errors
/// Features, splits or weights that do not fit their limbs.
pub(crate) fn subtrees(path: &TreePath, limb_bits: u32) -> Result<Subtrees, CircuitError> {
    let split_limbs = split_limbs(path.committed.is_some());
    let mut nodes = path.levels.iter().flatten();
    let mut weights = path.leaves.iter().flat_map(|leaf| &leaf.weights);
    let small = |number: u32, limbs: u32| u64::from(number) >> (limbs * limb_bits) == 0;
    let fits = nodes.all(|node| small(node.feature, 1) && small(node.split, split_limbs))
        && weights.all(|weight| (0..1 << (WEIGHT_LIMBS * limb_bits)).contains(weight));
    if fits {
        return Ok(Subtrees::new(path, limb_bits));
    }
    Err(CircuitError::TreeTooWide {
        node: path.name.clone(),
        limb_bits,
    })
}

/// The entries of a tree's tables: of the upper levels, then of the last level for each output.
pub(crate) fn entries(subtrees: &Subtrees, path: &TreePath, limb_bits: u32) -> Vec<Fr> {
    let entries = subtrees.entries(path.weights());
    entries
        .map(|(subtree, output)| entry(subtree, path, output, limb_bits))
        .collect()
}

/// The table's entry: the nodes' digits and, in the last level, twelve for the leaves' weights.
pub(crate) fn entry(subtree: &Subtree, path: &TreePath, output: usize, limb_bits: u32) -> Fr {
    let limbs = split_limbs(path.committed.is_some());
    let feature_place = power_of_two(limbs * limb_bits);
    let node_place = power_of_two((1 + limbs) * limb_bits);
    let node = |split: &zkverdict_model::Split| {
        Fr::from(u64::from(split.split)) + Fr::from(u64::from(split.feature)) * feature_place
    };
    let nodes = subtree.nodes.iter().rev();
    let nodes = nodes.fold(Fr::zero(), |sum, split| sum * node_place + node(split));
    let leaves = subtree.weights(path, output).map_or(Fr::zero(), |weights| {
        joined(&weights, WEIGHT_LIMBS * limb_bits) * power_of_two(nodes_limbs(limbs) * limb_bits)
    });
    nodes + leaves
}

/// `Σ 2^(bits·j) · numbers[j]`
pub(crate) fn joined(numbers: &[i64], bits: u32) -> Fr {
    let place = power_of_two(bits);
    let numbers = numbers.iter().rev();
    numbers.fold(Fr::zero(), |sum, number| sum * place + from_i128((*number).into()))
}
