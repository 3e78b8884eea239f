use crate::{
    Aggregate, BranchMode, Element, Graph, Input, Node, Op, SingleRow, SingleStep, Tree, TreeEnsemble, TreeFacts,
    TreeNode, ValueId, Weights,
};

fn leaf(weight: f32) -> TreeNode {
    TreeNode::Leaf {
        weights: vec![(0, weight)],
    }
}

fn branch(feature: usize, mode: BranchMode, threshold: f32, holds: usize, otherwise: usize) -> TreeNode {
    TreeNode::Branch {
        feature,
        mode,
        threshold,
        missing_holds: false,
        holds,
        otherwise,
    }
}

fn graph(features: usize, before: Vec<Node>, trees: Vec<Tree>, aggregate: Aggregate) -> Graph {
    let ensemble = Node {
        name: "trees".to_owned(),
        op: Op::TreeEnsemble(TreeEnsemble {
            trees,
            targets: 1,
            aggregate,
            base: vec![0.5],
        }),
        inputs: vec![ValueId(before.len())],
        len: 1,
        shape: None,
        weights: Weights::default(),
    };
    Graph {
        inputs: vec![Input {
            name: "x".to_owned(),
            shape: vec![1, features],
            element: Element::Float32,
        }],
        nodes: before.into_iter().chain([ensemble]).collect(),
        outputs: Vec::new(),
        notes: Vec::new(),
    }
}

fn facts(graph: &Graph) -> TreeFacts {
    graph.tree_facts().remove(0)
}

fn names(variables: &[crate::Variable]) -> Vec<String> {
    variables.iter().map(ToString::to_string).collect()
}

use BranchMode::{Equal, Greater, Less, LessOrEqual};

/// `x0 < 1`: 1, else `x1 > 0`: 3, else 2; then a tree on `x0` alone.
fn two_trees(second: [f32; 2]) -> Vec<Tree> {
    let first = vec![
        branch(0, Less, 1.0, 1, 2),
        leaf(1.0),
        branch(1, Greater, 0.0, 3, 4),
        leaf(3.0),
        leaf(2.0),
    ];
    let second = vec![branch(0, LessOrEqual, -2.0, 1, 2), leaf(second[0]), leaf(second[1])];
    vec![Tree { nodes: first }, Tree { nodes: second }]
}

#[test]
fn trees_that_agree_are_monotone() {
    let facts = facts(&graph(4, Vec::new(), two_trees([-1.0, 1.0]), Aggregate::Sum));
    assert_eq!((facts.trees, facts.branches, facts.depth), (2, 3, 2));
    assert_eq!(names(&facts.used), ["x[0]", "x[1]"]);
    assert_eq!(names(&facts.unused), ["x[2]", "x[3]"]);
    let score = &facts.scores[0];
    assert_eq!(names(&score.increasing), ["x[0]", "x[1]"]);
    assert!(score.decreasing.is_empty());
    // The bounds are those of each tree: 1 − 1 and 3 + 1, and the base.
    assert_eq!((score.low, score.high), (Some(0.5), Some(4.5)));
}

#[test]
fn trees_that_disagree_are_not() {
    let facts = facts(&graph(2, Vec::new(), two_trees([1.0, -1.0]), Aggregate::Sum));
    assert_eq!(names(&facts.scores[0].increasing), ["x[1]"]);
    assert!(facts.scores[0].decreasing.is_empty());
}

/// Leaves that differ in another variable too are no pair: `x0 < 1` with `x1 < 0` gives 5, `x0 ≥ 1` needs `x1 ≥ 0`.
#[test]
fn leaves_of_boxes_that_never_meet_are_not_compared() {
    let nodes = vec![
        branch(1, Less, 0.0, 1, 2),
        leaf(5.0),
        branch(0, Less, 1.0, 3, 4),
        leaf(1.0),
        leaf(2.0),
    ];
    let facts = facts(&graph(2, Vec::new(), vec![Tree { nodes }], Aggregate::Sum));
    assert_eq!(names(&facts.scores[0].increasing), ["x[0]"]);
    assert_eq!(names(&facts.scores[0].decreasing), ["x[1]"]);
}

/// Inside an interval and on both sides of it.
#[test]
fn equality_is_no_direction() {
    let nodes = vec![branch(0, Equal, 3.0, 1, 2), leaf(1.0), leaf(2.0)];
    let facts = facts(&graph(1, Vec::new(), vec![Tree { nodes }], Aggregate::Sum));
    assert!(facts.scores[0].increasing.is_empty() && facts.scores[0].decreasing.is_empty());
    // At the end of the order there is one side only.
    let nodes = vec![branch(0, Equal, f32::INFINITY, 1, 2), leaf(1.0), leaf(2.0)];
    let facts = self::facts(&graph(1, Vec::new(), vec![Tree { nodes }], Aggregate::Sum));
    assert_eq!(names(&facts.scores[0].decreasing), ["x[0]"]);
}

#[test]
fn leaves_that_no_input_reaches_do_not_count() {
    let nodes = vec![
        branch(0, Less, 1.0, 1, 2),
        branch(0, Greater, 1.0, 3, 4),
        leaf(2.0),
        leaf(99.0),
        leaf(1.0),
    ];
    let facts = facts(&graph(1, Vec::new(), vec![Tree { nodes }], Aggregate::Sum));
    assert_eq!(facts.scores[0].high, Some(2.5));
    assert_eq!(names(&facts.scores[0].increasing), ["x[0]"]);
}

/// The directions are those of the graph's inputs: a negative factor turns them, an encoder names its categories.
#[test]
fn variables_are_traced_to_the_inputs() {
    let encoder = Node {
        name: "codes".to_owned(),
        op: Op::OneHot {
            categories: vec![vec![4, 7]],
        },
        inputs: vec![ValueId(1)],
        len: 2,
        shape: None,
        weights: Weights::default(),
    };
    let code = Node {
        name: "code".to_owned(),
        op: Op::Wire { indices: vec![2] },
        inputs: vec![ValueId(0)],
        len: 1,
        shape: None,
        weights: Weights::default(),
    };
    let rows = [0, 3, 4].map(|index| SingleRow {
        index,
        steps: vec![SingleStep::Times(-2.0)],
    });
    let scaled = Node {
        name: "scaled".to_owned(),
        op: Op::Singles { rows: rows.to_vec() },
        inputs: vec![ValueId(0), ValueId(2)],
        len: 3,
        shape: None,
        weights: Weights::default(),
    };
    let nodes = vec![
        branch(0, Less, 1.0, 1, 2),
        leaf(1.0),
        branch(2, Less, -1.0, 3, 4),
        leaf(3.0),
        leaf(2.0),
    ];
    let graph = graph(3, vec![code, encoder, scaled], vec![Tree { nodes }], Aggregate::Sum);
    let facts = facts(&graph);
    assert_eq!(names(&facts.used), ["x[0]", "x[2]=7"]);
    // The other category's bit is not read, but its input is.
    assert!(facts.unused.is_empty());
    assert_eq!(names(&facts.scores[0].increasing), ["x[2]=7"]);
    assert_eq!(names(&facts.scores[0].decreasing), ["x[0]"]);
}

#[test]
fn huge_ensembles_are_not_followed() {
    let mut nodes = Vec::new();
    for depth in 0..3000 {
        nodes.push(branch(0, Less, depth as f32, 2 * depth + 1, 2 * depth + 2));
        nodes.push(leaf(depth as f32));
    }
    nodes.push(leaf(-1.0));
    let facts = facts(&graph(
        1,
        Vec::new(),
        vec![Tree { nodes: nodes.clone() }],
        Aggregate::Sum,
    ));
    assert!(facts.skipped.unwrap().contains("pairs of leaves"));
    assert_eq!(facts.scores[0].high, Some(2999.5));
    let many = vec![Tree { nodes }; 3];
    let facts = self::facts(&graph(1, Vec::new(), many, Aggregate::Sum));
    assert!(facts.skipped.unwrap().contains("conditions"));
    assert_eq!(facts.scores[0].high, None);
}

/// Small pseudo-random numbers, the same on every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Trees whose leaves rise with `x0` where asked, on thresholds 0 … 4.
fn grow(numbers: &mut Numbers, nodes: &mut Vec<TreeNode>, depth: usize, low: f32, rising: bool) -> usize {
    let position = nodes.len();
    if depth == 0 {
        let noise = if rising { 0 } else { numbers.below(5) };
        nodes.push(leaf(low + noise as f32));
        return position;
    }
    nodes.push(leaf(0.0));
    let modes = [Less, LessOrEqual, Greater, Equal];
    let (feature, mode) = if rising {
        (0, Less)
    } else {
        (numbers.below(3), modes[numbers.below(4)])
    };
    let threshold = if rising {
        low + f32::powi(2.0, depth as i32 - 1)
    } else {
        numbers.below(5) as f32
    };
    let holds = grow(numbers, nodes, depth - 1, low, rising);
    let step = if rising { f32::powi(2.0, depth as i32 - 1) } else { 0.0 };
    let otherwise = grow(numbers, nodes, depth - 1, low + step, rising);
    nodes[position] = branch(feature, mode, threshold, holds, otherwise);
    position
}

/// On a grid that meets every box: the facts hold, and a tree by itself has no monotone variable that is not found.
#[test]
fn facts_hold_on_every_input() {
    let grid: Vec<f64> = (-1..=16).map(|step| f64::from(step) / 2.0).collect();
    let mut found = 0;
    for seed in 0..60 {
        let mut numbers = Numbers(seed);
        let count = 1 + seed as usize % 3;
        let aggregate = [Aggregate::Sum, Aggregate::Average, Aggregate::Min, Aggregate::Max][seed as usize / 3 % 4];
        let trees: Vec<Tree> = (0..count)
            .map(|index| {
                let mut nodes = Vec::new();
                grow(&mut numbers, &mut nodes, 3, 0.0, seed % 5 == 0 && index == 0);
                Tree { nodes }
            })
            .collect();
        let graph = graph(3, Vec::new(), trees, aggregate);
        let facts = facts(&graph);
        let score = |x: [f64; 3]| graph.evaluate(&[x.to_vec()]).unwrap()[1][0];
        let (mut lowest, mut highest) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut rises, mut falls) = ([false; 3], [false; 3]);
        for a in &grid {
            for b in &grid {
                for c in &grid {
                    let x = [*a, *b, *c];
                    let here = score(x);
                    (lowest, highest) = (lowest.min(here), highest.max(here));
                    for variable in 0..3 {
                        let mut next = x;
                        next[variable] += 0.5;
                        let there = score(next);
                        rises[variable] |= there > here;
                        falls[variable] |= there < here;
                    }
                }
            }
        }
        let of = &facts.scores[0];
        let (low, high) = (of.low.unwrap(), of.high.unwrap());
        assert!(
            low <= lowest && highest <= high,
            "{seed}: {low} {lowest} {highest} {high}"
        );
        for variable in 0..3 {
            let name = format!("x[{variable}]");
            let is_used = names(&facts.used).contains(&name);
            let (up, down) = (
                names(&of.increasing).contains(&name),
                names(&of.decreasing).contains(&name),
            );
            assert!(
                !(up && falls[variable] || down && rises[variable]),
                "{seed}: {name} {facts:?}"
            );
            if count == 1 {
                assert_eq!((low, high), (lowest, highest), "{seed}");
                assert_eq!(
                    (up, down),
                    (is_used && !falls[variable], is_used && !rises[variable]),
                    "{seed}: {name}"
                );
            }
            found += usize::from(up || down);
        }
    }
    assert!(found > 20, "{found} monotone variables only");
}
