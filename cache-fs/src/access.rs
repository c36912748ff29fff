//! Who may read and write what the store makes, and when it is on the disk.

#[cfg(not(unix))]
use std::fs;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::settings::{Fsync, Sharing};

/// How files and directories are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) sharing: Sharing,
    pub(crate) fsync: Fsync,
}

impl Access {
    /// Makes the directory and those above it that are not there.
    pub(crate) fn make_directories(self, directory: &Path) -> io::Result<()> {
        match self.make_directory(directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let Some(above) = directory.parent() else { return Err(error) };
                self.make_directories(above)?;
                self.make_directory(directory)
            }
            outcome => outcome,
        }
    }

    fn make_directory(self, directory: &Path) -> io::Result<()> {
        match self.new_directory().create(directory) {
            // The user's mask may have taken some of what was asked for.
            Ok(()) => self.set_mode_of_directory(directory),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A file that is not there yet.
    pub(crate) fn new_file(self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        self.prepare(&mut options);
        options.open(path)
    }

    /// What a new file has to have before it gets its name.
    pub(crate) fn finish_file(self, file: &File) -> io::Result<()> {
        self.set_mode_of_file(file)?;
        match self.fsync {
            Fsync::Never => Ok(()),
            Fsync::Data => file.sync_data(),
        }
    }
}

#[cfg(unix)]
mod unix {
    use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
    use std::path::Path;

    use rustix::fs::OFlags;

    use super::Access;
    use crate::settings::Sharing;

    impl Access {
        /// The mode of files that are opened and not made anew each time.
        pub(crate) fn prepare(self, options: &mut OpenOptions) {
            options.mode(self.mode_of_file()).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        }

        pub(super) fn new_directory(self) -> DirBuilder {
            let mut builder = DirBuilder::new();
            builder.mode(self.mode_of_directory());
            builder
        }

        pub(super) fn set_mode_of_directory(self, directory: &Path) -> io::Result<()> {
            fs::set_permissions(directory, Permissions::from_mode(self.mode_of_directory()))
        }

        /// The user's mask may have taken what the group is given.
        pub(crate) fn set_mode_of_file(self, file: &File) -> io::Result<()> {
            match self.sharing {
                Sharing::Private => Ok(()),
                Sharing::Group => file.set_permissions(Permissions::from_mode(self.mode_of_file())),
            }
        }

        /// What is made below a directory of a group belongs to the group too.
        fn mode_of_directory(self) -> u32 {
            match self.sharing {
                Sharing::Private => 0o700,
                Sharing::Group => 0o2770,
            }
        }

        fn mode_of_file(self) -> u32 {
            match self.sharing {
                Sharing::Private => 0o600,
                Sharing::Group => 0o660,
            }
        }
    }
}

#[cfg(not(unix))]
impl Access {
    pub(crate) fn prepare(self, _: &mut OpenOptions) {}

    fn new_directory(self) -> fs::DirBuilder {
        fs::DirBuilder::new()
    }

    fn set_mode_of_directory(self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn set_mode_of_file(self, _: &File) -> io::Result<()> {
        Ok(())
    }
}
