internal import Glibc

/// How many files this process may have open.
package enum OpenFileLimit {
    /// Raises the limit as far as it goes without rights, up to 65,536: a walk holds a directory open for each
    /// level it is deep. What does not work is left as it is; running out is an error where it happens.
    package static func raise() {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        let wanted = min(limit.rlim_max, 65536)
        guard limit.rlim_cur < wanted else { return }
        limit.rlim_cur = wanted
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
