//! Makes tables shared, so that models with several layers need few table rows.

use std::collections::HashMap;

use crate::{Finish, Program, Step, Table, TableId};

/// Makes all clamps one table, and all steps one table, by moving every sum to the common origin.
pub(super) fn share_tables(program: &mut Program) {
    let full = program.cell_max();
    let shift = 2 * program.cell_bits();
    let origin_of = |table: &Table, clamp: bool| -> Option<usize> {
        let origin = if clamp {
            table.entries.iter().rposition(|entry| *entry == 0)?
        } else {
            table.entries.iter().position(|entry| *entry == 1)?
        };
        let expected = if clamp {
            Table::clamp(origin, table.domain(), full)
        } else {
            Table::step(origin, table.domain())
        };
        (expected == *table).then_some(origin)
    };
    for clamp in [true, false] {
        let members: HashMap<u32, usize> = program
            .tables
            .iter()
            .enumerate()
            .filter_map(|(index, table)| Some((index as u32, origin_of(table, clamp)?)))
            .collect();
        let Some(common) = members.values().copied().max() else {
            continue;
        };
        let above = members
            .iter()
            .map(|(index, origin)| program.tables[*index as usize].domain() - origin)
            .max();
        let domain = common + above.unwrap_or(1);
        let shared = if clamp {
            Table::clamp(common, domain, full)
        } else {
            Table::step(common, domain)
        };
        let first = *members.keys().min().expect("not empty");
        for step in &mut program.steps {
            let Step::Layer(layer) = step else { continue };
            for sum in &mut layer.sums {
                if let Finish::Lookup { table, .. } = &mut sum.finish
                    && let Some(origin) = members.get(&table.0)
                {
                    sum.bias += ((common - origin) as i128) << shift;
                    *table = TableId(first);
                }
            }
        }
        program.tables[first as usize] = shared;
    }
    drop_unused_tables(program);
}

fn drop_unused_tables(program: &mut Program) {
    let mut kept: Vec<Table> = Vec::new();
    let mut renamed: HashMap<TableId, TableId> = HashMap::new();
    let tables = &program.tables;
    let mut rename = |id: &mut TableId| {
        *id = *renamed.entry(*id).or_insert_with(|| {
            kept.push(tables[id.index()].clone());
            TableId((kept.len() - 1) as u32)
        });
    };
    for step in &mut program.steps {
        match step {
            Step::Witness { .. } | Step::Tree(_) => {}
            Step::Curve { table, .. } | Step::Bin { table, .. } => rename(table),
            Step::Layer(layer) => {
                for sum in &mut layer.sums {
                    if let Finish::Lookup { table, .. } = &mut sum.finish {
                        rename(table);
                    }
                }
            }
        }
    }
    program.tables = kept;
}
