//! Makes tables shared, so that models with several layers need few table rows.

use std::collections::{BTreeSet, HashMap};

use crate::{Finish, Program, Step, Table, TableId};

/// Tables that differ only in where they start.
#[derive(Debug, Clone, Copy)]
enum Family {
    Clamp(i64),
    Step,
    Ramp(i64),
}

impl Family {
    fn table(self, origin: usize, domain: usize) -> Table {
        match self {
            Self::Clamp(full) => Table::clamp(origin, domain, full),
            Self::Step => Table::step(origin, domain),
            Self::Ramp(top) => Table::ramp(origin, domain, top),
        }
    }

    /// Where a table of this family starts.
    fn origin(self, table: &Table) -> Option<usize> {
        let origin = match self {
            Self::Ramp(top) if !is_ramp(table, top) => return None,
            Self::Clamp(_) | Self::Ramp(_) => table.entries.iter().rposition(|entry| *entry == 0)?,
            Self::Step => table.entries.iter().position(|entry| *entry == 1)?,
        };
        (self.table(origin, table.domain()) == *table).then_some(origin)
    }
}

/// Whether a table may be a ramp that ends at `top`.
fn is_ramp(table: &Table, top: i64) -> bool {
    table.stride == 0 && table.entries.last() == Some(&top) && (table.entries.len() as i64) > top
}

/// Makes all clamps one table, all steps one, and all ramps of one height, by moving every sum to the common origin.
pub(super) fn share_tables(program: &mut Program) {
    let shift = 2 * program.cell_bits();
    let last = |table: &Table| {
        table
            .entries
            .last()
            .copied()
            .filter(|top| *top > 1 && is_ramp(table, *top))
    };
    let tops: BTreeSet<i64> = program.tables.iter().filter_map(last).collect();
    let ramps = tops.into_iter().map(Family::Ramp);
    let families: Vec<Family> = [Family::Clamp(program.cell_max()), Family::Step]
        .into_iter()
        .chain(ramps)
        .collect();
    for family in families {
        let members: HashMap<u32, usize> = program
            .tables
            .iter()
            .enumerate()
            .filter_map(|(index, table)| Some((index as u32, family.origin(table)?)))
            .collect();
        let Some(common) = members.values().copied().max() else {
            continue;
        };
        let above = members
            .iter()
            .map(|(index, origin)| program.tables[*index as usize].domain() - origin)
            .max();
        let domain = common + above.unwrap_or(1);
        let shared = family.table(common, domain);
        let first = *members.keys().min().expect("not empty");
        for step in &mut program.steps {
            let Step::Layer(layer) = step else { continue };
            if let Some(block) = &mut layer.parameters
                && let Some(Finish::Lookup { table, .. }) = layer.sums.first().map(|sum| sum.finish)
                && let Some(origin) = members.get(&table.0)
            {
                block.offset += ((common - origin) as i128) << shift;
            }
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
