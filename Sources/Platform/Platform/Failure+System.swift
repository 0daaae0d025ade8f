internal import Glibc

extension Failure {
    /// What errno says, as a failure that callers can branch on and people can act on.
    ///
    /// - Parameter what: what was being done, to what ("cannot open /vault/log/7"); the words of errno are added.
    package static func system(_ number: Int32, _ what: String) -> Failure {
        let text = "\(what): \(String(systemError: number))"
        return switch number {
        case ENOENT, ENOTDIR: Failure(.notFound, text, advice: "Check the path")
        case EEXIST: Failure(.exists, text, advice: "Take another name, or move away what bears it")
        case ENOSPC, EDQUOT:
            Failure(.full, text, advice: "Free some space there, or raise the quota, and try again")
        case EACCES, EPERM: Failure(.refused, text, advice: "Check the owner and the mode, or run with more rights")
        case EROFS: Failure(.refused, text, advice: "The file system is mounted read-only")
        case ELOOP: Failure(.refused, text, advice: "A symbolic link stands where none may be followed")
        case EIO: Failure(.failed, text, advice: "The disk or its connection fails: look into the system's log")
        default: Failure(.failed, text)
        }
    }
}

extension String {
    /// The C library's sentence for an error number.
    package init(systemError number: Int32) {
        self = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let start = buffer.baseAddress, unsafe strerror_r(number, start, buffer.count) == 0 else {
                return "error \(number)"
            }
            return unsafe String(cString: start)
        }
    }
}
