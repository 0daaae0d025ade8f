import Glibc

/// Addresses as people write them.
enum NetworkAddress {
    /// The 4 or 16 bytes of an IPv4 or IPv6 address; nil when `text` is not one.
    static func bytes(of text: String) -> [UInt8]? {
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var out = [UInt8](repeating: 0, count: count)
            if unsafe inet_pton(family, text, &out) == 1 { return out }
        }
        return nil
    }

    /// Labels of lower-case letters, digits and hyphens, joined by dots.
    static func isHostName(_ text: String) -> Bool {
        guard !text.isEmpty, text.utf8.count <= 253 else { return false }
        return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            guard (1...63).contains(label.utf8.count), !label.hasPrefix("-"), !label.hasSuffix("-") else {
                return false
            }
            return label.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
        }
    }
}
