/// The numbers of the NBD protocol, as in its specification (github.com/NetworkBlockDevice/nbd, doc/proto.md). All
/// integers on the wire are big-endian.
enum NBD {
    static let greeting: UInt64 = 0x4e42_444d_4147_4943  // NBDMAGIC
    static let optionMagic: UInt64 = 0x4948_4156_454f_5054  // IHAVEOPT
    static let optionReplyMagic: UInt64 = 0x0003_e889_0455_65a9
    static let requestMagic: UInt32 = 0x2560_9513
    static let simpleReplyMagic: UInt32 = 0x6744_6698
    static let structuredReplyMagic: UInt32 = 0x668e_33ef

    /// No read is longer, and no write is even skipped over beyond it.
    static let largestRequest: UInt32 = 32 << 20
    static let longestName = 4096
    static let largestOption: UInt32 = 65536

    enum Handshake {
        static let fixedNewstyle: UInt16 = 1
        static let noZeroes: UInt16 = 2
    }

    enum Export {
        static let hasFlags: UInt16 = 1
        static let readOnly: UInt16 = 2
        static let sendFlush: UInt16 = 4
        static let sendDontFragment: UInt16 = 128
        /// Any number of connections see the same disk: true of what never changes.
        static let canMultiConnection: UInt16 = 256
    }

    enum Option: UInt32 {
        case exportName = 1
        case abort = 2
        case list = 3
        case info = 6
        case go = 7
        case structuredReply = 8
        case listMetaContext = 9
        case setMetaContext = 10
    }

    enum OptionReply: UInt32 {
        case acknowledge = 1
        case server = 2
        case info = 3
        case metaContext = 4
        case unsupported = 0x8000_0001
        case invalid = 0x8000_0003
        case unknownExport = 0x8000_0006
        case tooBig = 0x8000_0009
    }

    enum Info: UInt16 {
        case export = 0
        case name = 1
        case description = 2
        case blockSize = 3
    }

    enum Command: UInt16 {
        case read = 0
        case write = 1
        case disconnect = 2
        case flush = 3
        case trim = 4
        case cache = 5
        case writeZeroes = 6
        case blockStatus = 7
    }

    enum CommandFlag {
        static let forceUnitAccess: UInt16 = 1
        static let dontFragment: UInt16 = 4
        static let requireOne: UInt16 = 8
    }

    enum Chunk: UInt16 {
        case none = 0
        case offsetData = 1
        case offsetHole = 2
        case blockStatus = 5
        case error = 0x8001
    }

    static let chunkIsLast: UInt16 = 1

    /// Error numbers are the protocol's own, whatever the platform's are.
    enum Problem: UInt32 {
        case notPermitted = 1
        case inputOutput = 5
        case invalid = 22
        case shutdown = 108
    }

    enum Allocation {
        static let name = "base:allocation"
        static let identifier: UInt32 = 1
        static let hole: UInt32 = 1
        static let zero: UInt32 = 2
    }
}
