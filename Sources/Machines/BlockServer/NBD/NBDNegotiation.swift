/// The option phase of the fixed newstyle handshake, without I/O: an option goes in, replies come out, and either the
/// phase goes on, or the connection ends, or it knows its export.
struct NBDNegotiation {
    struct Agreement {
        var export: NBDExport
        var structured: Bool
        /// The client set base:allocation for this very export.
        var allocation: Bool

        var flags: UInt16 {
            NBD.Export.hasFlags | NBD.Export.readOnly | NBD.Export.sendFlush | NBD.Export.canMultiConnection
                | (structured ? NBD.Export.sendDontFragment : 0)
        }
    }

    enum Outcome {
        case proceed
        case close
        case transmit(Agreement)
    }

    private let exports: [NBDExport]
    private let noZeroes: Bool
    private var structured = false
    private var allocationFor: String?

    /// - Parameter clientFlags: the client's answer to the greeting.
    /// - Returns: nil when it claims something that nobody offered.
    init?(exports: [NBDExport], clientFlags: UInt32) {
        guard clientFlags & ~UInt32(NBD.Handshake.fixedNewstyle | NBD.Handshake.noZeroes) == 0 else { return nil }
        self.exports = exports
        noZeroes = clientFlags & UInt32(NBD.Handshake.noZeroes) != 0
    }

    static var greeting: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: NBD.greeting)
        bytes.append(bigEndian: NBD.optionMagic)
        bytes.append(bigEndian: NBD.Handshake.fixedNewstyle | NBD.Handshake.noZeroes)
        return bytes
    }

    /// - Returns: the bytes to send, and what happens next.
    mutating func take(option number: UInt32, _ data: [UInt8]) -> (answer: [UInt8], next: Outcome) {
        func reply(_ kind: NBD.OptionReply, _ data: [UInt8] = []) -> [UInt8] { Self.reply(to: number, kind, data) }

        guard let option = NBD.Option(rawValue: number) else { return (reply(.unsupported), .proceed) }
        switch option {
        case .exportName:
            guard let export = find(String(validating: data, as: UTF8.self)) else { return ([], .close) }
            let agreement = agreement(on: export)
            var answer: [UInt8] = []
            answer.append(bigEndian: export.source.size)
            answer.append(bigEndian: agreement.flags)
            if !noZeroes { answer += [UInt8](repeating: 0, count: 124) }
            return (answer, .transmit(agreement))
        case .abort:
            return (reply(.acknowledge), .close)
        case .list:
            if !data.isEmpty { return (reply(.invalid), .proceed) }
            let servers = exports.flatMap { reply(.server, Self.text($0.name)) }
            return (servers + reply(.acknowledge), .proceed)
        case .structuredReply:
            if !data.isEmpty { return (reply(.invalid), .proceed) }
            structured = true
            return (reply(.acknowledge), .proceed)
        case .info, .go:
            return answerInfo(number, data, isGo: option == .go)
        case .listMetaContext, .setMetaContext:
            return (answerContexts(number, data, isSet: option == .setMetaContext), .proceed)
        }
    }

    // MARK: - NBD_OPT_INFO, NBD_OPT_GO

    private func answerInfo(_ number: UInt32, _ data: [UInt8], isGo: Bool) -> (answer: [UInt8], next: Outcome) {
        var reader = BigEndianReader(data)
        guard let name = reader.takeText(longest: NBD.longestName), let count = reader.take(UInt16.self),
            reader.left == Int(count) * 2
        else { return (Self.reply(to: number, .invalid), .proceed) }
        guard let export = find(name) else { return (Self.reply(to: number, .unknownExport), .proceed) }

        var wanted: Set<UInt16> = []
        while let information = reader.take(UInt16.self) { wanted.insert(information) }
        let agreement = agreement(on: export)

        var basics: [UInt8] = []
        basics.append(bigEndian: NBD.Info.export.rawValue)
        basics.append(bigEndian: export.source.size)
        basics.append(bigEndian: agreement.flags)
        var answer = Self.reply(to: number, .info, basics)
        if wanted.contains(NBD.Info.name.rawValue) {
            answer += Self.reply(to: number, .info, [0, UInt8(NBD.Info.name.rawValue)] + Array(export.name.utf8))
        }
        if wanted.contains(NBD.Info.description.rawValue), !export.description.isEmpty {
            answer += Self.reply(
                to: number, .info, [0, UInt8(NBD.Info.description.rawValue)] + Array(export.description.utf8))
        }
        if wanted.contains(NBD.Info.blockSize.rawValue) {
            var sizes: [UInt8] = []
            sizes.append(bigEndian: NBD.Info.blockSize.rawValue)
            for size in [1, 65536, NBD.largestRequest] { sizes.append(bigEndian: size) }
            answer += Self.reply(to: number, .info, sizes)
        }
        answer += Self.reply(to: number, .acknowledge)
        return (answer, isGo ? .transmit(agreement) : .proceed)
    }

    // MARK: - Meta contexts

    private mutating func answerContexts(_ number: UInt32, _ data: [UInt8], isSet: Bool) -> [UInt8] {
        if isSet { allocationFor = nil }
        var reader = BigEndianReader(data)
        guard structured, let name = reader.takeText(longest: NBD.longestName), let count = reader.take(UInt32.self)
        else { return Self.reply(to: number, .invalid) }
        var queries: [String] = []
        for _ in 0..<count {
            // A count of billions ends here, at the end of at most 64 KiB of data.
            guard let query = reader.takeText(longest: NBD.longestName) else { return Self.reply(to: number, .invalid) }
            queries.append(query)
        }
        guard reader.left == 0 else { return Self.reply(to: number, .invalid) }
        guard let export = find(name) else { return Self.reply(to: number, .unknownExport) }

        let matches =
            isSet
            ? queries.contains(NBD.Allocation.name)
            : queries.isEmpty || queries.contains { $0 == "base:" || $0 == NBD.Allocation.name }
        var answer: [UInt8] = []
        if matches {
            if isSet { allocationFor = export.name }
            var context: [UInt8] = []
            context.append(bigEndian: isSet ? NBD.Allocation.identifier : 0)
            context += Array(NBD.Allocation.name.utf8)
            answer = Self.reply(to: number, .metaContext, context)
        }
        return answer + Self.reply(to: number, .acknowledge)
    }

    // MARK: - Pieces

    private func agreement(on export: NBDExport) -> Agreement {
        Agreement(export: export, structured: structured, allocation: structured && allocationFor == export.name)
    }

    /// The empty name means the only export there is.
    private func find(_ name: String?) -> NBDExport? {
        if let export = exports.first(where: { $0.name == name }) { return export }
        return name == "" && exports.count == 1 ? exports.first : nil
    }

    private static func text(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: UInt32(text.utf8.count))
        return bytes + Array(text.utf8)
    }

    static func reply(to option: UInt32, _ kind: NBD.OptionReply, _ data: [UInt8] = []) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(bigEndian: NBD.optionReplyMagic)
        bytes.append(bigEndian: option)
        bytes.append(bigEndian: kind.rawValue)
        bytes.append(bigEndian: UInt32(data.count))
        return bytes + data
    }
}
