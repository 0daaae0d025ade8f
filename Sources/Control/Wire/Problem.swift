import Model
package import Platform

/// A failure as it travels: RFC 9457 problem details, with our own stable `code` and `advice` as extension members.
///
/// Servers answer with `init(_:)`, clients turn the answer back with `failure`, and both ends name the same code.
package struct Problem: Codable, Sendable, Equatable {
    package static let mediaType = "application/problem+json"

    package var type: String
    package var title: String
    package var status: Int
    package var detail: String
    package var code: String
    package var advice: String?

    /// A cause is for the log of the side that met it; it does not travel.
    package init(_ failure: Failure) {
        type = "urn:breakwater:problem:\(failure.code.rawValue)"
        title = failure.code.rawValue
        status = Self.status(of: failure.code)
        detail = failure.what
        code = failure.code.rawValue
        advice = failure.advice.isEmpty ? nil : failure.advice
    }

    package var failure: Failure {
        Failure(Failure.Code(rawValue: code) ?? Self.code(ofStatus: status), detail, advice: advice ?? "")
    }

    package func bytes() throws(Failure) -> [UInt8] { try CanonicalJSON.encode(self) }

    /// What an answer with `status` that is not a success means; `body` need not be problem details.
    package static func failure(status: Int, body: [UInt8], from location: String) -> Failure {
        if let problem = try? CanonicalJSON.decode(Problem.self, from: body, wrong: .damaged) {
            return problem.failure
        }
        return Failure(code(ofStatus: status), "\(location) answered with HTTP status \(status)")
    }

    package static func status(of code: Failure.Code) -> Int {
        switch code {
        case .usage: 400
        case .refused, .unsuited: 403
        case .notFound: 404
        case .exists, .cancelled: 409
        case .damaged: 416
        case .full: 507
        case .unreachable: 503
        case .partial, .unknownOutcome, .failed: 500
        }
    }

    static func code(ofStatus status: Int) -> Failure.Code {
        switch status {
        case 400, 405, 413, 415, 422: .usage
        case 401, 403: .refused
        case 404: .notFound
        case 409, 412: .exists
        case 416: .damaged
        case 429, 502, 503, 504: .unreachable
        case 507: .full
        default: .failed
        }
    }
}
