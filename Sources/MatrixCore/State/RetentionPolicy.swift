// How long a room's messages are kept. MSC1763 and `m.room.retention`, as Synapse has them.

/// The `m.room.retention` of a room, or what the operator decides for rooms without one. It is about messages; state stays.
package struct RetentionPolicy: Sendable, Hashable {
    /// How old a message must be before it may go, in milliseconds. Nothing follows from it on this server, as with Synapse.
    package var minLifetime: Int64?
    /// The age at which a message is shown no more, in milliseconds.
    package var maxLifetime: Int64?

    package init(minLifetime: Int64? = nil, maxLifetime: Int64? = nil) {
        self.minLifetime = minLifetime
        self.maxLifetime = maxLifetime
    }

    /// - Parameter content: the content of the event; `nil` when the room has none. What is no integer counts as not said.
    package init(content: JSON?) {
        minLifetime = content?["min_lifetime"]?.int
        maxLifetime = content?["max_lifetime"]?.int
    }

    /// What a user wants to set.
    ///
    /// - Throws: `M_BAD_JSON` where it makes no sense.
    package static func check(_ content: JSON) throws(MatrixError) {
        for name in ["min_lifetime", "max_lifetime"] {
            if let value = content[name], value.kind != .null, value.int == nil { throw .badJSON("'\(name)' must be an integer") }
        }
        let policy = RetentionPolicy(content: content)
        if let least = policy.minLifetime, let most = policy.maxLifetime, least > most {
            throw .badJSON("'min_lifetime' can't be greater than 'max_lifetime'")
        }
    }

    /// The policy where the room leaves something open.
    package func completed(by standard: RetentionPolicy) -> RetentionPolicy {
        RetentionPolicy(minLifetime: minLifetime ?? standard.minLifetime, maxLifetime: maxLifetime ?? standard.maxLifetime)
    }
}
