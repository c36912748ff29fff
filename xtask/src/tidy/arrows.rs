//! Which of our crates may depend on which.

use cargo_metadata::{DependencyKind, Package};

use super::{finding::Findings, tree::Tree};

/// What a crate is in the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// The trait and the policies, which everything stands on.
    Core,
    /// One store, behind the trait of the core.
    Backend,
    /// Something built on caches in general, such as the caching of responses.
    Layer,
    /// What backends are tested with.
    Testkit,
    /// The crate that users name.
    Facade,
    /// The command-line program.
    Program,
    /// The tasks of the workspace.
    Tasks,
}

/// Every crate that there is or will be.
static ROLES: &[(&str, Role)] = &[
    ("cache-core", Role::Core),
    ("cache-mem", Role::Backend),
    ("cache-redis", Role::Backend),
    ("cache-memcached", Role::Backend),
    ("cache-sql", Role::Backend),
    ("cache-fs", Role::Backend),
    ("cache-http", Role::Layer),
    ("cache-template", Role::Layer),
    ("cache-testkit", Role::Testkit),
    ("cache-sdk", Role::Facade),
    ("cache-cli", Role::Program),
    ("xtask", Role::Tasks),
];

/// Dev-dependencies beyond those on the testkit: its own tests need a store to run against, and
/// so do the examples in the docs of the core.
static DEV_ALSO: &[(&str, &str)] = &[("cache-core", "cache-mem"), ("cache-testkit", "cache-mem")];

pub(crate) fn check(tree: &Tree, findings: &mut Findings) {
    for package in tree.workspace.members() {
        let manifest = format!("{}Cargo.toml", tree.workspace.place(package));
        let Some(from) = role(&package.name) else {
            let message = format!(
                "`{}` has no role in the table of xtask/src/tidy/arrows.rs: add it there",
                package.name
            );
            findings.add(&manifest, 1, message);
            continue;
        };
        for dependency in &package.dependencies {
            let Some(to) = own(tree, &dependency.name).and_then(|own| role(&own.name)) else {
                continue;
            };
            let allowed = match dependency.kind {
                DependencyKind::Development => {
                    // It turns its own features on for its tests.
                    dependency.name == package.name.as_str()
                        || may_name_in_tests(from, to)
                        || DEV_ALSO.contains(&(&package.name, &dependency.name))
                }
                _ => may_name(from, to),
            };
            if !allowed {
                let line = line_of(tree, &manifest, &dependency.name);
                let message = format!(
                    "`{}` may not depend on `{}`{}: move what it needs down to a crate that both \
                     may name",
                    package.name,
                    dependency.name,
                    if dependency.kind == DependencyKind::Development { " in its tests" } else { "" },
                );
                findings.add(&manifest, line, message);
            }
        }
    }
}

fn may_name(from: Role, to: Role) -> bool {
    match from {
        Role::Core | Role::Tasks => false,
        Role::Backend | Role::Layer | Role::Testkit => to == Role::Core,
        Role::Facade => matches!(to, Role::Core | Role::Backend),
        Role::Program => matches!(to, Role::Core | Role::Facade),
    }
}

fn may_name_in_tests(from: Role, to: Role) -> bool {
    // The testkit is built on the core, whose unit tests would otherwise see two copies of it.
    from != Role::Core && (may_name(from, to) || to == Role::Testkit)
}

fn role(name: &str) -> Option<Role> {
    let (_, role) = ROLES.iter().find(|(known, _)| *known == name)?;
    Some(*role)
}

fn own<'a>(tree: &'a Tree, name: &str) -> Option<&'a Package> {
    tree.workspace.member(name)
}

/// The line of a manifest that names a dependency; the first line if it is inherited in a way
/// that hides it.
pub(crate) fn line_of(tree: &Tree, manifest: &str, dependency: &str) -> usize {
    let names = |line: &str| {
        let after = line.trim_start().strip_prefix(dependency);
        after.is_some_and(|after| after.starts_with([' ', '.', '=']))
    };
    let lines = tree.file(manifest).and_then(|file| file.text.lines().position(names));
    lines.map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::{Role, may_name, may_name_in_tests};

    #[test]
    fn arrows_point_to_the_core() {
        assert!(may_name(Role::Backend, Role::Core));
        assert!(may_name(Role::Facade, Role::Backend));
        assert!(!may_name(Role::Core, Role::Backend));
        assert!(!may_name(Role::Backend, Role::Backend));
        assert!(!may_name(Role::Facade, Role::Testkit));
    }

    #[test]
    fn only_the_core_is_tested_without_the_testkit() {
        assert!(may_name_in_tests(Role::Facade, Role::Testkit));
        assert!(!may_name_in_tests(Role::Core, Role::Testkit));
        assert!(!may_name_in_tests(Role::Testkit, Role::Backend));
    }
}
