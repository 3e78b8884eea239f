//! MatMul and Gemm with one constant factor.

use super::{Call, Results, arithmetic::aligned, same_type};
use crate::{
    Refusal,
    builder::Row,
    shape::{broadcast, element_count, expansion, lattice},
    tensor::{Element, Tensor, Value},
};

/// Matrix product with NumPy's rules for vectors and batches.
pub(super) fn matmul(call: &mut Call<'_>) -> Results {
    call.arity(2, 2, "2")?;
    only_one_constant(call)?;
    let (left, right) = (call.floats(0)?, call.floats(1)?);
    same_type(left.data_type, right.data_type)?;
    let (left_batch, m, k) = match left.shape.as_slice() {
        [] => return Err(no_scalar(&left)),
        &[k] => (Vec::new(), None, k),
        [batch @ .., m, k] => (batch.to_vec(), Some(*m), *k),
    };
    let (right_batch, k_right, n) = match right.shape.as_slice() {
        [] => return Err(no_scalar(&right)),
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
        product(
            matrix(&left.elements, a, m, k).ok_or_else(mismatch)?,
            matrix(&right.elements, b, k, n).ok_or_else(mismatch)?,
            k,
            n,
            &mut rows,
        )?;
    }
    let elements = call.builder.affine(&call.label, rows)?;
    Ok(vec![call.number_tensor(left.data_type, shape, elements)])
}

/// `alpha·A'·B' + beta·C`.
pub(super) fn gemm(call: &mut Call<'_>) -> Results {
    call.arity(2, 3, "2 or 3")?;
    only_one_constant(call)?;
    let alpha = call.attributes.float("alpha")?.unwrap_or(1.0);
    let beta = call.attributes.float("beta")?.unwrap_or(1.0);
    let transpose_left = call.attributes.flag("transA", false)?;
    let transpose_right = call.attributes.flag("transB", false)?;
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
    let mut rows = Vec::with_capacity(count);
    product(&left.elements, &right.elements, k, n, &mut rows)?;
    for row in &mut rows {
        row.scale(alpha);
    }
    if call.optional(2).is_some() {
        let addend = call.floats(2)?;
        same_type(left.data_type, addend.data_type)?;
        for (row, element) in rows.iter_mut().zip(aligned(&addend, &shape)?) {
            row.add(element, beta);
        }
    }
    let elements = call.builder.affine(&call.label, rows)?;
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

fn transposed(tensor: Tensor, transpose: bool) -> Result<Tensor, Refusal> {
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

/// Matrix `position` of a batch.
fn matrix(elements: &[Element], position: usize, rows: usize, columns: usize) -> Option<&[Element]> {
    let size = element_count(&[rows, columns])?;
    let start = position.checked_mul(size)?;
    elements.get(start..start.checked_add(size)?)
}

/// Appends one row per element of `left · right`.
fn product(left: &[Element], right: &[Element], k: usize, n: usize, rows: &mut Vec<Row>) -> Result<(), Refusal> {
    if k == 0 || n == 0 {
        return Err(Refusal::Empty { shape: vec![k, n] });
    }
    for line in left.chunks_exact(k) {
        for column in 0..n {
            let mut row = Row::default();
            for (&a, &b) in line.iter().zip(right.iter().skip(column).step_by(n)) {
                row.add_product(a, b)?;
            }
            rows.push(row);
        }
    }
    Ok(())
}
