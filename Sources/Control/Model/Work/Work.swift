package import Platform

/// What an agent is asked to do, without the keys for it: those are granted when the work is handed over.
///
/// As JSON: `{"kind": "backup", "details": {...}}`. A program that does not know a kind says so and does nothing.
package enum Work: Hashable, Sendable {
    case initialiseRepository(InitialiseRepositoryWork)
    case backup(BackupWork)
    case replicate(ReplicateWork)
    case restore(RestoreWork)
    case recover(RecoverWork)
    case stopMachine(StopMachineWork)
    case check(CheckWork)

    package enum Kind: String, Sendable, Codable, CaseIterable {
        case initialiseRepository, backup, replicate, restore, recover, stopMachine, check

        /// What keys the work needs.
        package var purpose: KeyGrant.Purpose? {
            switch self {
            case .initialiseRepository, .replicate, .stopMachine, .check: nil
            case .backup: .write
            case .restore, .recover: .read
            }
        }

        /// Recoveries before everything else, then what people wait for, then protection, then housekeeping.
        package var urgency: Int {
            switch self {
            case .recover: 0
            case .stopMachine: 1
            case .restore: 2
            case .initialiseRepository: 3
            case .backup: 4
            case .replicate: 5
            case .check: 6
            }
        }

        package init(named name: String) throws(Failure) {
            guard let kind = Kind(rawValue: name) else {
                throw Failure(
                    .refused, "work of the kind \"\(name.prefix(80))\" is unknown to this program",
                    advice: "Bring coordinator and agents to the same version")
            }
            self = kind
        }
    }

    package var kind: Kind {
        switch self {
        case .initialiseRepository: .initialiseRepository
        case .backup: .backup
        case .replicate: .replicate
        case .restore: .restore
        case .recover: .recover
        case .stopMachine: .stopMachine
        case .check: .check
        }
    }
}

extension Work: Codable {
    private enum Key: String, CodingKey { case kind, details }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        switch try Kind(named: container.decode(String.self, forKey: .kind)) {
        case .initialiseRepository:
            self = .initialiseRepository(try container.decode(InitialiseRepositoryWork.self, forKey: .details))
        case .backup: self = .backup(try container.decode(BackupWork.self, forKey: .details))
        case .replicate: self = .replicate(try container.decode(ReplicateWork.self, forKey: .details))
        case .restore: self = .restore(try container.decode(RestoreWork.self, forKey: .details))
        case .recover: self = .recover(try container.decode(RecoverWork.self, forKey: .details))
        case .stopMachine: self = .stopMachine(try container.decode(StopMachineWork.self, forKey: .details))
        case .check: self = .check(try container.decode(CheckWork.self, forKey: .details))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(kind, forKey: .kind)
        switch self {
        case .initialiseRepository(let details): try container.encode(details, forKey: .details)
        case .backup(let details): try container.encode(details, forKey: .details)
        case .replicate(let details): try container.encode(details, forKey: .details)
        case .restore(let details): try container.encode(details, forKey: .details)
        case .recover(let details): try container.encode(details, forKey: .details)
        case .stopMachine(let details): try container.encode(details, forKey: .details)
        case .check(let details): try container.encode(details, forKey: .details)
        }
    }
}

extension Work: Checked {
    package func check() throws(Failure) {
        switch self {
        case .initialiseRepository(let details): try details.repository.check()
        case .backup(let details):
            try details.repository.check()
            if let image = details.diskImage { try Bounds.absolutePath(image, "A disk image") }
            try Bounds.list(details.folders.count, "Folders to back up", atMost: 64)
            for folder in details.folders { try Bounds.absolutePath(folder, "A folder to back up") }
        case .replicate(let details): try details.repository.check()
        case .restore(let details): try details.check()
        case .recover(let details):
            try details.repository.check()
            try Bounds.hexadecimal(details.snapshot, "A snapshot", bytes: 4...32)
            try details.machine.check()
            try details.probe.check()
        case .stopMachine: break
        case .check(let details): try details.repository.check()
        }
    }
}
