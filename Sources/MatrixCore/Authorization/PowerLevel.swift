// One power level. Rooms §Authorisation rules; room version 12 adds the creators' infinite level.

/// How much power a user has, or how much an action needs. Ordered; `infinite` is above every number.
package enum PowerLevel: Hashable, Sendable {
    case finite(Int64)
    /// The level of a room's creators, room version 12 and later. Nothing ever requires it.
    case infinite
}

extension PowerLevel: Comparable {
    package static func < (a: PowerLevel, b: PowerLevel) -> Bool {
        switch (a, b) {
        case (.finite(let a), .finite(let b)): a < b
        case (.finite, .infinite): true
        case (.infinite, _): false
        }
    }
}

extension PowerLevel: ExpressibleByIntegerLiteral, CustomStringConvertible {
    package init(integerLiteral value: Int64) { self = .finite(value) }

    package var description: String {
        switch self {
        case .finite(let value): "\(value)"
        case .infinite: "infinite"
        }
    }
}
