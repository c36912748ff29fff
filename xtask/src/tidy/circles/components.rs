//! The strongly connected components of a graph, by Tarjan's algorithm.

/// Groups nodes that reach each other; a node alone is a group of one.
pub(crate) fn components(neighbours: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut search = Search {
        neighbours,
        order: vec![None; neighbours.len()],
        lowest: vec![0; neighbours.len()],
        open: Vec::new(),
        visited: 0,
        found: Vec::new(),
    };
    for node in 0..neighbours.len() {
        if search.order[node].is_none() {
            search.visit(node);
        }
    }
    search.found
}

struct Search<'a> {
    neighbours: &'a [Vec<usize>],
    /// When each node was visited first.
    order: Vec<Option<usize>>,
    /// The earliest open node that each node reaches.
    lowest: Vec<usize>,
    /// The nodes that are in no group yet.
    open: Vec<usize>,
    visited: usize,
    found: Vec<Vec<usize>>,
}

impl Search<'_> {
    fn visit(&mut self, node: usize) {
        let order = self.visited;
        self.visited += 1;
        self.order[node] = Some(order);
        self.lowest[node] = order;
        self.open.push(node);
        for &next in &self.neighbours[node] {
            match self.order[next] {
                None => {
                    self.visit(next);
                    self.lowest[node] = self.lowest[node].min(self.lowest[next]);
                }
                Some(earlier) if self.open.contains(&next) => {
                    self.lowest[node] = self.lowest[node].min(earlier);
                }
                Some(_) => {}
            }
        }
        if self.lowest[node] == order
            && let Some(first) = self.open.iter().position(|&open| open == node)
        {
            self.found.push(self.open.split_off(first));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::components;

    #[test]
    fn groups_what_reaches_each_other() {
        let mut found = components(&[vec![1], vec![2], vec![0, 3], vec![4], vec![3], vec![]]);
        for group in &mut found {
            group.sort_unstable();
        }
        found.sort();
        assert_eq!(found, [vec![0, 1, 2], vec![3, 4], vec![5]]);
    }
}
