//! Files that hold a secret (a key, a passphrase, a PIN, a token) and are made by others.

use crate::exit::Failure;
use rustix::fs::OFlags;
use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use zeroize::Zeroizing;

/// Most bytes of such a file.
const MOST: u64 = 1 << 20;

/// Reads a regular file (or a link to one) to which neither group nor others have any access.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let shown = path.display();
    let failed = |e: std::io::Error| Failure::usage(format!("cannot read {shown}: {e}"));
    // Without NONBLOCK, opening a pipe would wait for its writer.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    // What is checked is the file that was opened, not whatever the path names by now.
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Failure::usage(format!("{shown} is not a regular file: name the file itself")));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Failure::usage(format!(
            "{shown} holds a secret and has mode {mode:04o}, and only its owner may have access: run `chmod 600` on it"
        )));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MOST.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MOST {
        return Err(Failure::usage(format!("{shown} has more than {MOST} bytes: name the secret's own file")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_secret_that_others_can_read_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("key.pem"), dir.path().join("link.pem"));
        fs::write(&file, "secret").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for (mode, good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o610, false)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            for path in [&file, &link] {
                match read(path) {
                    Ok(bytes) => assert!(good && *bytes == b"secret", "{mode:o}"),
                    Err(e) => assert!(!good && format!("{e:?}").contains("chmod 600"), "{mode:o}: {e:?}"),
                }
            }
        }
        assert!(format!("{:?}", read(dir.path()).unwrap_err()).contains("regular file"));
        fs::write(&file, vec![b'x'; (1 << 20) + 1]).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(format!("{:?}", read(&file).unwrap_err()).contains("more than"));
    }
}
