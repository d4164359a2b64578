//! No sockets but local ones, by a filter of system calls: where the kernel grants no network namespace (containers).

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;

/// Daemons of smart cards are reached by UNIX sockets, the kernel's list of devices by netlink.
const LOCAL: [i32; 2] = [libc::AF_UNIX, libc::AF_NETLINK];

/// System calls of the x32 ABI have this bit; on AArch64 no call has it.
const X32: i64 = 0x4000_0000;

/// From now on, in this thread and those that it starts, no socket of another family is made. io_uring would make them
/// past the filter, so there is none.
pub(super) fn forbid() -> Result<(), String> {
    let text = |e: seccompiler::BackendError| e.to_string();
    let foreign = LOCAL.map(|family| {
        let family = u64::try_from(family).unwrap_or_default();
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, family)
    });
    let foreign = SeccompRule::new(foreign.into_iter().collect::<Result<_, _>>().map_err(text)?).map_err(text)?;
    let mut rules = BTreeMap::new();
    for bit in [0, X32] {
        rules.insert(libc::SYS_socket | bit, vec![foreign.clone()]);
        rules.insert(libc::SYS_io_uring_setup | bit, Vec::new());
    }
    let refuse = SeccompAction::Errno(libc::EACCES.unsigned_abs());
    let machine = std::env::consts::ARCH.try_into().map_err(text)?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, machine).map_err(text)?;
    let program = BpfProgram::try_from(filter).map_err(text)?;
    seccompiler::apply_filter(&program).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{Ipv4Addr, TcpListener, UdpSocket};
    use std::os::unix::net::UnixDatagram;

    /// In a thread of its own: a filter is for ever.
    #[test]
    fn only_local_sockets_are_made() {
        let filtered = || {
            rustix::thread::set_no_new_privs(true).unwrap();
            super::forbid().unwrap();
            let there = (Ipv4Addr::LOCALHOST, 0);
            assert_eq!(TcpListener::bind(there).unwrap_err().kind(), ErrorKind::PermissionDenied);
            assert_eq!(UdpSocket::bind(there).unwrap_err().kind(), ErrorKind::PermissionDenied);
            UnixDatagram::unbound().unwrap();
            let netlink = rustix::net::AddressFamily::NETLINK;
            rustix::net::socket(netlink, rustix::net::SocketType::DGRAM, None).unwrap();
        };
        std::thread::spawn(filtered).join().unwrap();
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    }
}
