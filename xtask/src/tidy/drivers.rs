//! Which crate may bring in which driver of a store.

use std::collections::{BTreeMap, VecDeque};

use cargo_metadata::{DependencyKind, Node, PackageId};

use super::{arrows::line_of, finding::Findings, tree::Tree};

/// Each driver with the one crate that wraps it.
static OWNERS: &[(&str, &str)] = &[
    ("fred", "cache-redis"),
    ("redis", "cache-redis"),
    ("async-memcached", "cache-memcached"),
    ("sqlx", "cache-sql"),
    ("quick_cache", "cache-mem"),
    ("moka", "cache-mem"),
];

const CORE: &str = "cache-core";

/// What the core may not reach even through others.
static NOT_IN_CORE: &[&str] = &["reqwest", "hyper", "sqlx", "fred", "redis"];

pub(crate) fn check(tree: &Tree, findings: &mut Findings) {
    for package in tree.workspace.members() {
        let manifest = format!("{}Cargo.toml", tree.workspace.place(package));
        for dependency in &package.dependencies {
            let owner = OWNERS.iter().find(|(driver, _)| *driver == dependency.name);
            if let Some((driver, owner)) = owner
                && dependency.kind != DependencyKind::Development
                && package.name != *owner
            {
                let line = line_of(tree, &manifest, driver);
                let message = format!("`{driver}` belongs to `{owner}` alone: use it through that crate");
                findings.add(&manifest, line, message);
            }
        }
    }
    check_core(tree, findings);
}

/// Walks everything that the core is built with.
fn check_core(tree: &Tree, findings: &mut Findings) {
    let Some(core) = tree.workspace.member(CORE) else {
        return;
    };
    let Some(resolve) = &tree.workspace.metadata().resolve else {
        return;
    };
    let nodes: BTreeMap<&PackageId, &Node> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let mut reached_from: BTreeMap<&PackageId, Option<&PackageId>> = [(&core.id, None)].into();
    let mut queue = VecDeque::from([&core.id]);
    while let Some(id) = queue.pop_front() {
        let Some(node) = nodes.get(id) else {
            continue;
        };
        for dependency in &node.deps {
            let kinds = &dependency.dep_kinds;
            let normal = kinds.iter().any(|kind| kind.kind == DependencyKind::Normal);
            if normal && !reached_from.contains_key(&dependency.pkg) {
                reached_from.insert(&dependency.pkg, Some(id));
                queue.push_back(&dependency.pkg);
            }
        }
    }

    let manifest = format!("{}Cargo.toml", tree.workspace.place(core));
    for id in reached_from.keys() {
        if !NOT_IN_CORE.contains(&name_of(tree, id)) {
            continue;
        }
        let mut chain = vec![name_of(tree, id)];
        let mut at = *id;
        while let Some(Some(before)) = reached_from.get(at) {
            chain.push(name_of(tree, before));
            at = before;
        }
        chain.reverse();
        let first = chain.get(1).copied().unwrap_or_default();
        let message = format!("the core does no I/O, but reaches {}: drop it", chain.join(" -> "));
        findings.add(&manifest, line_of(tree, &manifest, first), message);
    }
}

fn name_of<'a>(tree: &'a Tree, id: &PackageId) -> &'a str {
    let packages = &tree.workspace.metadata().packages;
    let package = packages.iter().find(|package| package.id == *id);
    package.map_or("", |package| package.name.as_str())
}
