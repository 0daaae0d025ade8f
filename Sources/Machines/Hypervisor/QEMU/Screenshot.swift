internal import Glibc
internal import Platform

/// The screen by way of a file, since QMP carries no bytes.
enum Screenshot {
    private static let largest = 16 << 20
    private static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    private static let lastChunk: [UInt8] = [0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82]

    static func take(_ monitor: QMPClient, path: String) throws(Failure) -> [UInt8] {
        defer { unsafe unlink(path) }
        try monitor.perform("screendump", ["filename": .string(path), "format": "png"])
        let bytes = try Descriptor.open(path, O_RDONLY).readSome(limit: largest)
        guard bytes.starts(with: signature), bytes.suffix(lastChunk.count).elementsEqual(lastChunk) else {
            throw Failure(.damaged, "The screenshot of QEMU is no whole PNG")
        }
        return bytes
    }
}
