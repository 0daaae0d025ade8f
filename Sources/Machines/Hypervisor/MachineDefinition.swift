package import Platform

/// What a desktop is made of, independent of who runs it. It travels in recovery points and assignments.
package struct MachineDefinition: Sendable, Equatable, Codable {
    package enum Firmware: String, Sendable, Codable, CaseIterable { case bios, uefi }

    package var name: String
    package var memoryMiB: Int
    package var processors: Int
    package var firmware: Firmware
    /// In boot order.
    package var disks: [MachineDisk]
    package var network: MachineNetwork

    package init(
        name: String, memoryMiB: Int = 256, processors: Int = 1, firmware: Firmware = .bios, disks: [MachineDisk],
        network: MachineNetwork = .isolated(probePort: nil)
    ) {
        self.name = name
        self.memoryMiB = memoryMiB
        self.processors = processors
        self.firmware = firmware
        self.disks = disks
        self.network = network
    }

    /// Names end up in paths, command lines and logs of others: letters, digits, `-`, `_` and `.`, not first.
    package static func isName(_ text: String, longest: Int) -> Bool {
        let bytes = text.utf8
        guard let first = bytes.first, bytes.count <= longest else { return false }
        func isPlain(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: false
            }
        }
        return isPlain(first)
            && bytes.allSatisfy {
                isPlain($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".")
            }
    }

    /// - Throws: `.usage` with the first thing that makes no sense.
    package func check() throws(Failure) {
        guard Self.isName(name, longest: 64) else {
            throw Failure(.usage, "A machine cannot be called \"\(name)\"", advice: "Use letters, digits, - _ and .")
        }
        guard (16...4 << 20).contains(memoryMiB) else {
            throw Failure(.usage, "\(name) cannot have \(memoryMiB) MiB of memory")
        }
        guard (1...255).contains(processors) else {
            throw Failure(.usage, "\(name) cannot have \(processors) processors")
        }
        guard (1...16).contains(disks.count) else {
            throw Failure(.usage, "\(name) has \(disks.count) disks where 1 to 16 are possible")
        }
        var seen: Set<String> = []
        for disk in disks {
            guard Self.isName(disk.name, longest: 20), seen.insert(disk.name).inserted else {
                throw Failure(.usage, "A disk of \(name) cannot be called \"\(disk.name)\", or two of them are")
            }
        }
    }
}

package struct MachineDisk: Sendable, Equatable, Codable {
    package var name: String
    package var backing: DiskBacking

    package init(name: String, backing: DiskBacking) {
        self.name = name
        self.backing = backing
    }
}

/// Where a disk's first content comes from; it is only ever read.
package enum DiskBacking: Sendable, Equatable, Codable {
    /// An export of a block server on a unix socket.
    case blockServer(socket: String, export: String)
    /// A raw image file.
    case rawImage(path: String)
}

package enum MachineNetwork: Sendable, Equatable, Codable {
    case none
    /// A network of its own without any way out. With a probe port, 127.0.0.1 of the host reaches that TCP port of
    /// the guest, and nothing else does.
    case isolated(probePort: UInt16?)

    package var probePort: UInt16? { if case .isolated(let port) = self { port } else { nil } }
}
