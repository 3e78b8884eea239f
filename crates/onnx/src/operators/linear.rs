//! MatMul, Gemm, Einsum: sums of products, affine where one factor is constant.

use std::collections::{BTreeMap, BTreeSet};

use super::{Call, Results, arithmetic::aligned, quantized, same_type};
use crate::{
    Refusal,
    shape::{broadcast, expansion, lattice, strides},
    tensor::{Element, Tensor, Value},
};

/// Positions in two operands whose elements are multiplied, to be added up.
type Pairs = Vec<(usize, usize)>;

/// Matrix product with NumPy's rules for vectors and batches.
pub(super) fn matmul(call: &mut Call<'_>) -> Results {
    call.arity(2, 2, "2")?;
    only_one_constant(call)?;
    if let Some(results) = quantized::matmul_of_reals(call)? {
        return Ok(results);
    }
    let (left, right) = (call.floats(0)?, call.floats(1)?);
    same_type(left.data_type, right.data_type)?;
    let (shape, rows) = pairs(call, &left, &right)?;
    let elements = call
        .builder
        .products(&call.label, &left.elements, &right.elements, rows)?;
    Ok(vec![call.number_tensor(left.data_type, shape, elements)])
}

/// Shape of a matrix product, and the pairs of positions that each of its elements multiplies.
pub(super) fn pairs(call: &mut Call<'_>, left: &Tensor, right: &Tensor) -> Result<(Vec<usize>, Vec<Pairs>), Refusal> {
    let (left_batch, m, k) = match left.shape.as_slice() {
        [] => return Err(no_scalar(left)),
        &[k] => (Vec::new(), None, k),
        [batch @ .., m, k] => (batch.to_vec(), Some(*m), *k),
    };
    let (right_batch, k_right, n) = match right.shape.as_slice() {
        [] => return Err(no_scalar(right)),
        &[k] => (Vec::new(), k, None),
        [batch @ .., k, n] => (batch.to_vec(), *k, Some(*n)),
    };
    let mismatch = || Refusal::Shapes {
        left: left.shape.clone(),
        right: right.shape.clone(),
    };
    let batch = broadcast(&left_batch, &right_batch).ok_or_else(mismatch)?;
    if k != k_right {
        return Err(mismatch());
    }
    let shape: Vec<usize> = batch.iter().copied().chain(m).chain(n).collect();
    let (m, n) = (m.unwrap_or(1), n.unwrap_or(1));
    let count = call.builder.charge_shape(&shape)?;
    call.builder.charge_terms(count.saturating_mul(k))?;
    let left_matrices = expansion(&left_batch, &batch).ok_or_else(mismatch)?;
    let right_matrices = expansion(&right_batch, &batch).ok_or_else(mismatch)?;
    let mut rows = Vec::with_capacity(count);
    for (a, b) in left_matrices.into_iter().zip(right_matrices) {
        product((a * m * k, b * k * n), [m, k, n], &mut rows)?;
    }
    Ok((shape, rows))
}

/// `alpha·A'·B' + beta·C`.
pub(super) fn gemm(call: &mut Call<'_>) -> Results {
    call.arity(2, 3, "2 or 3")?;
    only_one_constant(call)?;
    let alpha = call.attributes.float("alpha")?.unwrap_or(1.0);
    let beta = call.attributes.float("beta")?.unwrap_or(1.0);
    let transpose_left = call.attributes.flag("transA", false)?;
    let transpose_right = call.attributes.flag("transB", false)?;
    if alpha == 1.0
        && beta == 1.0
        && !transpose_left
        && let Some(results) = quantized::gemm_of_reals(call, transpose_right)?
    {
        return Ok(results);
    }
    let left = transposed(call.floats(0)?, transpose_left)?;
    let right = transposed(call.floats(1)?, transpose_right)?;
    same_type(left.data_type, right.data_type)?;
    let (&[m, k], &[k_right, n]) = (left.shape.as_slice(), right.shape.as_slice()) else {
        return Err(Refusal::Shapes {
            left: left.shape,
            right: right.shape,
        });
    };
    if k != k_right {
        return Err(Refusal::Shapes {
            left: left.shape,
            right: right.shape,
        });
    }
    let shape = vec![m, n];
    let count = call.builder.charge_shape(&shape)?;
    call.builder.charge_terms(count.saturating_mul(k))?;
    let mut pairs = Vec::with_capacity(count);
    product((0, 0), [m, k, n], &mut pairs)?;
    let products = call
        .builder
        .products(&call.label, &left.elements, &right.elements, pairs)?;
    let addend = match call.optional(2) {
        Some(_) => {
            let addend = call.floats(2)?;
            same_type(left.data_type, addend.data_type)?;
            aligned(&addend, &shape)?.collect()
        }
        None => vec![Element::Fixed(0.0); count],
    };
    let parts = [(products.as_slice(), alpha), (addend.as_slice(), beta)];
    let elements = call.builder.combine(&call.label, &parts, 0.0)?;
    Ok(vec![call.number_tensor(left.data_type, shape, elements)])
}

/// Refuses a product of two constants, which is not folded.
fn only_one_constant(call: &Call<'_>) -> Result<(), Refusal> {
    match (&*call.value(0)?, &*call.value(1)?) {
        (Value::Constant(_), Value::Constant(_)) => Err(Refusal::OnlyConstants),
        _ => Ok(()),
    }
}

fn no_scalar(tensor: &Tensor) -> Refusal {
    Refusal::Rank {
        shape: tensor.shape.clone(),
        expected: "a vector or a matrix is needed",
    }
}

pub(super) fn transposed(tensor: Tensor, transpose: bool) -> Result<Tensor, Refusal> {
    let &[rows, columns] = tensor.shape.as_slice() else {
        return Err(Refusal::Rank {
            shape: tensor.shape,
            expected: "a matrix is needed",
        });
    };
    if !transpose {
        return Ok(tensor);
    }
    let indices = lattice(&[(0..columns).collect(), (0..rows).map(|row| row * columns).collect()]);
    let elements = super::pick(&tensor.elements, &indices)?;
    Ok(Tensor {
        shape: vec![columns, rows],
        elements,
        ..tensor
    })
}

/// Appends the pairs of a product of matrices that start at these positions: one row per element of the result.
fn product(
    (left, right): (usize, usize),
    [m, k, n]: [usize; 3],
    rows: &mut Vec<Vec<(usize, usize)>>,
) -> Result<(), Refusal> {
    if k == 0 || n == 0 || m == 0 {
        return Err(Refusal::Empty { shape: vec![m, k, n] });
    }
    for line in 0..m {
        for column in 0..n {
            rows.push((0..k).map(|i| (left + line * k + i, right + i * n + column)).collect());
        }
    }
    Ok(())
}

/// A sum of products over named axes, of one or two operands; `...` is refused.
pub(super) fn einsum(call: &mut Call<'_>) -> Results {
    call.arity(1, 2, "1 or 2")?;
    let equation = call
        .attributes
        .text("equation")?
        .ok_or(Refusal::MissingAttribute { attribute: "equation" })?;
    let equation: String = equation.chars().filter(|letter| !letter.is_whitespace()).collect();
    let unsupported = || Refusal::AttributeValue {
        attribute: "equation",
        value: equation.clone(),
        supported: "one or two operands with letters for axes, without `...`",
    };
    let (operands, result) = match equation.split_once("->") {
        Some((operands, result)) => (operands, Some(result.to_owned())),
        None => (equation.as_str(), None),
    };
    let terms: Vec<Vec<char>> = operands.split(',').map(|term| term.chars().collect()).collect();
    let letters_only = terms.iter().flatten().all(char::is_ascii_alphabetic);
    let result: Vec<char> = match result {
        Some(result) => result.chars().collect(),
        // Letters that appear once, in alphabetical order.
        None => {
            let mut letters: Vec<char> = terms.concat();
            letters.sort_unstable();
            let all = letters.clone();
            letters.dedup();
            let once = |letter: &char| all.iter().filter(|other| *other == letter).count() == 1;
            letters.into_iter().filter(once).collect()
        }
    };
    let distinct: BTreeSet<char> = result.iter().copied().collect();
    if !letters_only || terms.len() != call.operands.len() || distinct.len() != result.len() {
        return Err(unsupported());
    }
    let tensors = (0..terms.len())
        .map(|position| call.floats(position))
        .collect::<Result<Vec<_>, _>>()?;
    let mut sizes: BTreeMap<char, usize> = BTreeMap::new();
    for (tensor, term) in tensors.iter().zip(&terms) {
        if tensor.shape.len() != term.len() {
            return Err(unsupported());
        }
        for (&letter, &size) in term.iter().zip(&tensor.shape) {
            if *sizes.entry(letter).or_insert(size) != size {
                return Err(Refusal::Shapes {
                    left: tensor.shape.clone(),
                    right: vec![size],
                });
            }
        }
    }
    let shape = result
        .iter()
        .map(|letter| sizes.get(letter).copied().ok_or_else(unsupported))
        .collect::<Result<Vec<_>, _>>()?;
    let summed: Vec<char> = sizes
        .keys()
        .copied()
        .filter(|letter| !distinct.contains(letter))
        .collect();
    let count = call.builder.charge_shape(&shape)?;
    let per_element = summed
        .iter()
        .filter_map(|letter| sizes.get(letter))
        .fold(1usize, |product, &size| product.saturating_mul(size));
    call.builder.charge_terms(count.saturating_mul(per_element))?;
    // Offsets of an operand over some axes; a letter that stands twice walks a diagonal.
    let offsets = |operand: usize, letters: &[char]| -> Vec<usize> {
        let (Some(term), Some(tensor)) = (terms.get(operand), tensors.get(operand)) else {
            return vec![
                0;
                if letters == result.as_slice() {
                    count
                } else {
                    per_element
                }
            ];
        };
        let strides = strides(&tensor.shape);
        let axes: Vec<Vec<usize>> = letters
            .iter()
            .map(|letter| {
                let places = term.iter().zip(&strides).filter(|(other, _)| *other == letter);
                let stride: usize = places.map(|(_, stride)| stride).sum();
                (0..sizes.get(letter).copied().unwrap_or(1))
                    .map(|c| c * stride)
                    .collect()
            })
            .collect();
        lattice(&axes)
    };
    let (left_outer, right_outer) = (offsets(0, &result), offsets(1, &result));
    let (left_inner, right_inner) = (offsets(0, &summed), offsets(1, &summed));
    let rows: Vec<Vec<(usize, usize)>> = left_outer
        .iter()
        .zip(&right_outer)
        .map(|(a, b)| {
            let inner = left_inner.iter().zip(&right_inner);
            inner.map(|(i, j)| (a + i, b + j)).collect()
        })
        .collect();
    let Some(left) = tensors.first() else {
        return Err(Refusal::OnlyConstants);
    };
    let one = vec![Element::Fixed(1.0)];
    let right = match tensors.get(1) {
        Some(right) => {
            same_type(left.data_type, right.data_type)?;
            &right.elements
        }
        None => &one,
    };
    if tensors.iter().all(Tensor::is_fixed) {
        return Err(Refusal::OnlyConstants);
    }
    let elements = call.builder.products(&call.label, &left.elements, right, rows)?;
    Ok(vec![call.number_tensor(left.data_type, shape, elements)])
}
