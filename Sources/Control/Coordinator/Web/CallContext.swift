import Hummingbird
import Model
import NIOCore

/// One call: who makes it, and from where.
struct CallContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    /// Set by whoever checks the caller's right.
    var agent: EnrolledAgent?

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }

    var address: String { channel.remoteAddress?.ipAddress ?? "" }

    /// The bearer of the operators' token: there is one until people have accounts.
    var `operator`: Actor { Actor(kind: .operator, name: "operator", address: address) }
}
