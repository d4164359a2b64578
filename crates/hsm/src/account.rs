//! The account that a worker runs as when the server is root.

use minicbor::{Decode, Encode};
use std::path::Path;

/// An account of this machine, as its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Account {
    /// Its number.
    #[n(0)]
    pub uid: u32,
    /// Its own group.
    #[n(1)]
    pub gid: u32,
    /// The other groups: a token's device or daemon often belongs to one.
    #[n(2)]
    pub groups: Vec<u32>,
}

/// Why there is no such account.
#[derive(Debug, thiserror::Error)]
pub enum NoAccount {
    /// The file cannot be read.
    #[error("cannot read {file}: {source}")]
    Unread {
        /// Which file.
        file: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not in /etc/passwd.
    #[error("/etc/passwd has no account {name}: make one, or name another")]
    Unknown {
        /// The name.
        name: String,
    },
}

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

impl Account {
    /// The account of this name in /etc/passwd and /etc/group. Directories of accounts on the network are not asked.
    pub fn named(name: &str) -> Result<Self, NoAccount> {
        Self::among(name, &read(PASSWD)?, &read(GROUP)?).ok_or_else(|| NoAccount::Unknown { name: name.to_owned() })
    }

    fn among(name: &str, passwd: &str, group: &str) -> Option<Self> {
        let fields = |line: &str| -> Vec<String> { line.split(':').map(str::to_owned).collect() };
        let entry = passwd.lines().map(fields).find(|entry| entry.first().is_some_and(|first| first == name))?;
        let number = |at: usize| entry.get(at)?.parse().ok();
        let (uid, gid) = (number(2)?, number(3)?);
        let member = |entry: &Vec<String>| entry.get(3).is_some_and(|list| list.split(',').any(|one| one == name));
        let theirs = group.lines().map(fields).filter(member).filter_map(|entry| entry.get(2)?.parse().ok());
        Some(Self { uid, gid, groups: theirs.filter(|one| *one != gid).collect() })
    }
}

fn read(file: &'static str) -> Result<String, NoAccount> {
    std::fs::read_to_string(Path::new(file)).map_err(|source| NoAccount::Unread { file, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_its_numbers_and_all_its_groups() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nhsm:x:990:980::/:/usr/sbin/nologin\nodd:x:no:1::/:\n";
        let group = "hsm:x:980:hsm\npcscd:x:70:other,hsm\nfoo:x:71:hsmx\nbad:x::hsm\n";
        assert_eq!(Account::among("hsm", passwd, group), Some(Account { uid: 990, gid: 980, groups: vec![70] }));
        assert_eq!(Account::among("odd", passwd, group), None);
        assert_eq!(Account::among("hs", passwd, group), None);
        assert_eq!(Account::named("root").unwrap().uid, 0);
        assert!(Account::named("nobody here").unwrap_err().to_string().contains("/etc/passwd"));
    }
}
