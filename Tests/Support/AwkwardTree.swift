import Glibc
import Platform

/// Builds a tree of everything that a file system allows and backup programs get wrong.
package enum AwkwardTree {
    /// What was left out because this process may not make it, or the file system cannot hold it.
    package struct Omissions: Sendable {
        package var names: [String] = []
    }

    /// Makes the tree below `path`, an existing directory.
    @discardableResult
    package static func build(at path: String, seed: UInt64 = 1) throws -> Omissions {
        var maker = Maker(root: path, seed: Seed(seed))
        try maker.names()
        try maker.contents()
        try maker.modesAndTimes()
        try maker.links()
        try maker.specials()
        try maker.attributes()
        try maker.directories()
        return maker.omissions
    }

    private struct Maker {
        let root: String
        var seed: Seed
        var omissions = Omissions()

        // MARK: - Names

        mutating func names() throws {
            try make("names")
            let names: [[UInt8]] = [
                Array("plain".utf8), Array("港口貿易 2026年報告.txt".utf8), Array("简体中文".utf8), Array("ünïcödé".utf8),
                Array("u\u{308}ber".utf8), Array("with space".utf8), Array(" leading".utf8), Array("trailing ".utf8),
                Array("new\nline".utf8), Array("tab\tand\rreturn".utf8), Array("quote\"'`$(x)".utf8),
                Array("-rf".utf8), Array("--".utf8), Array("...".utf8), Array(".hidden".utf8),
                Array("back\\slash".utf8),
                Array("*?[a]".utf8), Array("~".utf8), Array("%2e%2e%2f".utf8), Array("a".utf8), Array("a.b".utf8),
                Array("a-b".utf8), [0xff, 0xfe, 0x80], [0x01], [0x7f], [0xc3, 0x28], [0xed, 0xa0, 0x80],
                Array(String(repeating: "長", count: 85).utf8), Array(repeating: UInt8(ascii: "x"), count: 255),
                Array(".breakwater-0000000000000000".utf8),
            ]
            for name in names { try write("names", name, seed.bytes(seed.below(200))) }
        }

        // MARK: - Contents

        mutating func contents() throws {
            try make("contents")
            for size in [0, 1, 2, 4095, 4096, 4097, 65535, 65536, 65537, 300_000, 3_000_000] {
                try write("contents", Array("random-\(size)".utf8), seed.bytes(size))
            }
            try write("contents", Array("text".utf8), seed.text(700_000))
            let twice = seed.bytes(150_000)
            try write("contents", Array("twice-1".utf8), twice)
            try write("contents", Array("twice-2".utf8), twice)
            try write("contents", Array("itself-repeated".utf8), twice + twice + twice)
            try write("contents", Array("zeros".utf8), [UInt8](repeating: 0, count: 1_000_000))
            try sparse("hole-alone", length: 10_000_000, pieces: [])
            try sparse("hole-first", length: 5_000_000, pieces: [4_900_000])
            try sparse("hole-last", length: 8_000_000, pieces: [0])
            try sparse("holes", length: 20_000_001, pieces: [0, 1_000_000, 7_777_777, 19_999_990])
            try sparse("vast", length: 1 << 40, pieces: [1 << 39])
        }

        mutating func sparse(_ name: String, length: Int, pieces: [Int]) throws {
            let file = open("\(root)/contents/\(name)", O_WRONLY | O_CREAT | O_EXCL, 0o644)
            guard file >= 0 else { throw Failure.system(errno, name) }
            defer { close(file) }
            for offset in pieces {
                let bytes = seed.bytes(min(10, length - offset))
                guard pwrite(file, bytes, bytes.count, off_t(offset)) == bytes.count else {
                    throw Failure.system(errno, name)
                }
            }
            guard ftruncate(file, off_t(length)) == 0 else { throw Failure.system(errno, name) }
        }

        // MARK: - Modes, owners, times

        mutating func modesAndTimes() throws {
            try make("modes")
            for mode: UInt32 in [0o000, 0o400, 0o200, 0o644, 0o777, 0o4755, 0o2755, 0o6711, 0o1644] {
                let path = "\(root)/modes/\(String(mode, radix: 8))"
                try write("modes", Array(String(mode, radix: 8).utf8), [1])
                if geteuid() == 0 { try attempt("owner", chown(path, 1234, 4321)) }
                try attempt("mode", chmod(path, mode))
            }
            try make("times")
            for (seconds, nanoseconds) in [
                (0, 0), (0, 1), (-1, 999_999_999), (-1_000_000_000, 123_456_789), (1_700_000_000, 1),
                (4_000_000_000, 5),
                (2_147_483_648, 0),
            ] {
                let name = "\(seconds).\(nanoseconds)"
                try write("times", Array(name.utf8), [2])
                try time("times/\(name)", seconds, nanoseconds)
            }
        }

        func time(_ path: String, _ seconds: Int, _ nanoseconds: Int) throws {
            let times = [timespec(tv_sec: 1, tv_nsec: 1), timespec(tv_sec: seconds, tv_nsec: nanoseconds)]
            guard utimensat(AT_FDCWD, "\(root)/\(path)", times, AT_SYMLINK_NOFOLLOW) == 0 else {
                throw Failure.system(errno, path)
            }
        }

        // MARK: - Links

        mutating func links() throws {
            try make("links")
            for (name, target) in [
                ("to-file", "../contents/text"), ("to-directory", "../contents"), ("dangling", "nowhere/at/all"),
                ("absolute", "/etc/passwd"), ("upward", "../../../../../../.."), ("itself", "itself"), ("中文", "目標"),
                ("long", String(repeating: "x/", count: 1000) + "x"), ("newline", "a\nb"),
            ] {
                guard symlink(target, "\(root)/links/\(name)") == 0 else { throw Failure.system(errno, name) }
                try time("links/\(name)", 1_000_000, 42)
            }
            if geteuid() == 0 { try attempt("link owner", lchown("\(root)/links/dangling", 77, 88)) }
            try make("hard")
            try make("hard/below")
            try write("hard", Array("first".utf8), seed.bytes(200_000))
            for name in ["hard/second", "hard/below/third", "a-hard-one-above"] {
                guard link("\(root)/hard/first", "\(root)/\(name)") == 0 else { throw Failure.system(errno, name) }
            }
            try write("hard", Array("empty-1".utf8), [])
            _ = link("\(root)/hard/empty-1", "\(root)/hard/empty-2")
            // A symbolic link with two names of its own.
            _ = symlink("first", "\(root)/hard/soft-1")
            try attempt(
                "hard symbolic link", linkat(AT_FDCWD, "\(root)/hard/soft-1", AT_FDCWD, "\(root)/hard/soft-2", 0))
        }

        // MARK: - FIFOs, sockets, devices

        mutating func specials() throws {
            try make("specials")
            try attempt("FIFO", mkfifo("\(root)/specials/fifo", 0o640))
            try attempt("two names of a FIFO", link("\(root)/specials/fifo", "\(root)/specials/fifo-again"))
            try attempt("socket", mknod("\(root)/specials/socket", S_IFSOCK | 0o700, 0))
            if geteuid() == 0 {
                try attempt("character device", mknod("\(root)/specials/null", S_IFCHR | 0o666, 0x103))
                try attempt("block device", mknod("\(root)/specials/disk", S_IFBLK | 0o660, 0x1f_0712))
            } else {
                omissions.names.append("devices")
            }
        }

        // MARK: - Extended attributes and access control lists

        mutating func attributes() throws {
            try make("attributes")
            for name in ["few", "large", "capability", "trusted", "listed"] {
                try write("attributes", Array(name.utf8), [3])
            }
            try make("attributes/directory")
            try attribute("attributes/few", "user.one", Array("1".utf8))
            try attribute("attributes/few", "user.名字", Array("值".utf8))
            try attribute("attributes/few", "user.empty", [])
            try attribute("attributes/few", "user.binary", [0, 255, 0, 10])
            try attribute("attributes/large", "user.large", seed.bytes(2000))
            try attribute("attributes/directory", "user.directory", [7])
            // Tags of linux/posix_acl.h: owner, a user, group, mask, others.
            let entries: [(UInt16, UInt16, UInt32)] = [
                (1, 6, .max), (2, 4, 1234), (4, 4, .max), (0x10, 6, .max), (0x20, 0, .max),
            ]
            try attribute("attributes/listed", "system.posix_acl_access", accessList(entries))
            try attribute("attributes/directory", "system.posix_acl_access", accessList(entries))
            try attribute("attributes/directory", "system.posix_acl_default", accessList(entries))
            if geteuid() == 0 {
                try attribute(
                    "attributes/capability", "security.capability",
                    [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
                try attribute("attributes/trusted", "trusted.secret", Array("root only".utf8))
            }
        }

        func accessList(_ entries: [(UInt16, UInt16, UInt32)]) -> [UInt8] {
            var out: [UInt8] = [2, 0, 0, 0]
            for (tag, permissions, id) in entries {
                withUnsafeBytes(of: tag.littleEndian) { out += $0 }
                withUnsafeBytes(of: permissions.littleEndian) { out += $0 }
                withUnsafeBytes(of: id.littleEndian) { out += $0 }
            }
            return out
        }

        mutating func attribute(_ path: String, _ name: String, _ value: [UInt8]) throws {
            let file = open("\(root)/\(path)", O_RDONLY)
            guard file >= 0 else { throw Failure.system(errno, path) }
            defer { close(file) }
            do throws(Failure) {
                try FileAttributes(of: file, located: false, label: path).set(
                    FileAttributes.Extended(name: Array(name.utf8), value: value))
            } catch { omissions.names.append("\(name): \(error)") }
        }

        // MARK: - Directories

        mutating func directories() throws {
            try make("directories")
            try make("directories/empty")
            try make("directories/many")
            for number in 0..<300 {
                try write("directories/many", Array("file-\(number)".utf8), Array("\(number)".utf8))
            }
            var deep = "directories/deep"
            for level in 0..<40 {
                try make(deep)
                deep += "/\(level)"
            }
            try make(deep)
            try write(deep, Array("bottom".utf8), [4])
            try make("directories/read-only")
            try write("directories/read-only", Array("inside".utf8), [5])
            try attempt("sticky", chmod("\(root)/directories/empty", 0o1777))
            try attempt("setgid", chmod("\(root)/directories/many", 0o2750))
            try time("directories/deep/0", -5, 500)
            try time("directories/empty", 1_234_567_890, 987_654_321)
            try attempt("read-only", chmod("\(root)/directories/read-only", 0o500))
        }

        // MARK: - Making

        func make(_ path: String) throws {
            guard mkdir("\(root)/\(path)", 0o755) == 0 else { throw Failure.system(errno, path) }
        }

        func write(_ directory: String, _ name: [UInt8], _ bytes: [UInt8]) throws {
            let parent = try Directory(at: "\(root)/\(directory)")
            let file = Descriptor(
                owning: try parent.openBeneath(name, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o644), label: directory)
            try file.write(bytes)
        }

        mutating func attempt(_ what: String, _ result: Int32) throws {
            if result != 0 { omissions.names.append("\(what): \(String(systemError: errno))") }
        }
    }
}
