package import Platform

/// A virtual desktop of a tenant: where its bytes lie at its home site and what machine starts from them.
package struct Desktop: Hashable, Sendable, Codable, Checked {
    package typealias ID = Label<Desktop>

    package var id: ID
    package var tenant: Tenant.ID
    package var title: String
    package var site: Site.ID
    /// A raw disk image at the home site.
    package var diskImage: String?
    package var folders: [String]
    package var machine: MachineProfile
    package var created: Timestamp

    package init(
        id: ID, tenant: Tenant.ID, title: String, site: Site.ID, diskImage: String?, folders: [String],
        machine: MachineProfile, created: Timestamp
    ) {
        self.id = id
        self.tenant = tenant
        self.title = title
        self.site = site
        self.diskImage = diskImage
        self.folders = folders
        self.machine = machine
        self.created = created
    }

    package func check() throws(Failure) {
        try Bounds.text(title, "A desktop's title", atMost: Bounds.title)
        if let diskImage { try Bounds.absolutePath(diskImage, "A disk image") }
        try Bounds.list(folders.count, "A desktop's folders", atMost: 64)
        for folder in folders { try Bounds.absolutePath(folder, "A folder") }
        guard diskImage != nil || !folders.isEmpty else {
            throw Failure(.usage, "Desktop \(id) has nothing to back up", advice: "Give a disk image or folders")
        }
        try machine.check()
    }
}

/// The machine a desktop starts as, whatever site it starts at.
package struct MachineProfile: Hashable, Sendable, Codable, Checked {
    package var memoryMiB: Int
    package var processors: Int
    package var firmware: Firmware
    /// Guest ports that probes and people reach; a host port is chosen where the machine starts.
    package var ports: [Int]

    package enum Firmware: String, Sendable, Codable { case bios, uefi }

    package init(memoryMiB: Int = 256, processors: Int = 1, firmware: Firmware = .bios, ports: [Int] = []) {
        self.memoryMiB = memoryMiB
        self.processors = processors
        self.firmware = firmware
        self.ports = ports
    }

    package func check() throws(Failure) {
        guard (16...(4 << 20)).contains(memoryMiB), (1...512).contains(processors) else {
            throw Failure(.usage, "A machine of \(memoryMiB) MiB and \(processors) processors cannot be started")
        }
        try Bounds.list(ports.count, "A machine's ports", atMost: 64)
        guard ports.allSatisfy({ (1...65535).contains($0) }) else {
            throw Failure(.usage, "A port lies outside 1...65535")
        }
    }
}
