//! The workspace as Cargo describes it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand, Package};

use crate::cargo::Lock;

/// The packages of the workspace and where it lies.
#[derive(Debug)]
pub(crate) struct Workspace {
    metadata: Metadata,
}

impl Workspace {
    pub(crate) fn load(lock: Lock) -> Result<Self> {
        // The manifest of xtask is known from its own build; that of the workspace is above it.
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let manifest = own.parent().unwrap_or(own).join("Cargo.toml");
        let mut command = MetadataCommand::new();
        command.manifest_path(manifest);
        if lock == Lock::Keep {
            command.other_options(["--locked".to_owned()]);
        }
        let metadata = command.exec().context("cargo metadata failed")?;
        Ok(Self { metadata })
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.metadata.workspace_root.clone().into()
    }

    /// The build directory, wherever the environment has put it.
    pub(crate) fn target(&self) -> PathBuf {
        self.metadata.target_directory.clone().into()
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The workspace's own packages, by name.
    pub(crate) fn members(&self) -> Vec<&Package> {
        let mut members = self.metadata.workspace_packages();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members
    }

    pub(crate) fn member(&self, name: &str) -> Option<&Package> {
        self.members().into_iter().find(|member| member.name == name)
    }

    /// The packages with these names, or every member if none is named.
    pub(crate) fn select(&self, names: &[String]) -> Result<Vec<&Package>> {
        let members = self.members();
        for name in names {
            if !members.iter().any(|member| member.name == name.as_str()) {
                let known: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
                bail!("no crate `{name}` here; there are {}", known.join(", "));
            }
        }
        Ok(members
            .into_iter()
            .filter(|member| names.is_empty() || names.iter().any(|name| member.name == name.as_str()))
            .collect())
    }

    /// The directory of a package relative to the root, with `/` at its end unless it is empty.
    pub(crate) fn place(&self, package: &Package) -> String {
        let directory = package.manifest_path.parent().unwrap_or(&package.manifest_path);
        let relative = directory.strip_prefix(&self.metadata.workspace_root).unwrap_or(directory);
        if relative.as_str().is_empty() {
            String::new()
        } else {
            format!("{}/", relative.as_str().replace('\\', "/"))
        }
    }
}

/// The library target of a package, as its crate is named in code.
pub(crate) fn library(package: &Package) -> Option<&str> {
    let target = package.targets.iter().find(|target| target.is_lib())?;
    Some(&target.name)
}

/// Whether the package is meant for a registry.
pub(crate) fn published(package: &Package) -> bool {
    package.publish.as_ref().is_none_or(|registries| !registries.is_empty())
}
