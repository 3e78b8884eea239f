//! Parts that programs are put together from: what audits and statements add cell by cell.

use crate::{
    CellId, Format, InputCell, Layer, OutputCells, OutputKind, Program, Range, Source, Step, Sum, Table, TableId,
};

impl Program {
    pub(crate) fn new_cell(&mut self) -> CellId {
        self.cells += 1;
        CellId(u32::try_from(self.cells - 1).expect("fewer than 2^32 cells"))
    }

    /// The table, one for all that are equal.
    pub(crate) fn table_of(&mut self, table: Table) -> TableId {
        let tables = &mut self.tables;
        let index = tables.iter().position(|known| *known == table).unwrap_or_else(|| {
            tables.push(table);
            tables.len() - 1
        });
        TableId(u32::try_from(index).expect("few tables"))
    }

    pub(crate) fn add_layer(&mut self, name: &str, inputs: Vec<CellId>, sums: Vec<Sum>) {
        self.steps.push(Step::Layer(Layer {
            name: name.to_owned(),
            inputs,
            sums,
            parameters: None,
        }));
    }

    /// A whole number that is given from outside, with the range that is proven of it.
    pub(crate) fn given(
        &mut self,
        (tensor, index): (usize, usize),
        range: Range,
        categories: Option<Vec<i64>>,
    ) -> CellId {
        let cell = self.new_cell();
        self.steps.push(Step::Witness {
            cells: vec![cell],
            range,
            source: Source::Input,
        });
        self.inputs.push(InputCell {
            tensor,
            index,
            cell,
            format: Format::INTEGER,
            float32: false,
            categories,
        });
        cell
    }

    /// Whole numbers as an output.
    pub(crate) fn show(&mut self, name: &str, shape: Vec<usize>, kind: OutputKind, cells: Vec<CellId>) {
        self.outputs.push(OutputCells {
            name: name.to_owned(),
            shape,
            kind,
            cells,
            format: Format::INTEGER,
            exact: true,
        });
    }
}
